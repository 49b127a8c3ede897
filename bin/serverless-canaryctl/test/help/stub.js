'use strict';

// As much of the framework as the plugin touches, for tests of single rules.

const fs = require('fs');
const os = require('os');
const path = require('path');

const Plugin = require('../../index');

const FAKE = path.join(__dirname, 'canaryctl.js');
const upper = (/** @type {string} */ text) => text[0].toUpperCase() + text.slice(1);

/**
 * The plugin in a service with these functions, and what happened to it.
 *
 * @param {Record<string, any>} functions
 * @param {{custom?: any, plugins?: any, provider?: any, options?: any, resources?: any, stage?: string, others?: any[]}} [more]
 */
function service(functions, more = {}) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'serverless-canaryctl-'));
  const stage = more.stage || 'dev';
  const all = Object.fromEntries(Object.entries(functions).map(([key, fn]) => [key, { name: `shop-${stage}-${key}`, events: [], ...fn }]));
  const Resources = { ...more.resources };
  for (const key of Object.keys(all)) Resources[`${upper(key)}LambdaFunction`] = { Type: 'AWS::Lambda::Function', Properties: { FunctionName: all[key].name } };
  const said = /** @type {string[]} */ ([]);
  const provider = {
    getStage: () => stage,
    getRegion: () => 'eu-west-1',
    naming: {
      getLambdaLogicalId: (/** @type {string} */ key) => `${upper(key)}LambdaFunction`,
      getLambdaSnapStartAliasLogicalId: (/** @type {string} */ key) => `${upper(key)}SnapStartLambdaAlias`,
      getRoleLogicalId: () => 'IamRoleLambdaExecution',
      getStackName: () => `shop-${stage}`,
    },
  };
  const serverless = {
    serviceDir: folder,
    configurationInput: { plugins: more.plugins || ['serverless-canaryctl'] },
    classes: { Error: class ServerlessError extends Error {} },
    configSchemaHandler: { defineFunctionProperties() {}, defineCustomProperties() {} },
    getProvider: () => provider,
    pluginManager: { plugins: more.others || [] },
    service: {
      custom: { canaryctl: { binary: FAKE }, ...more.custom },
      provider: { ...more.provider, compiledCloudFormationTemplate: { Resources } },
      getAllFunctions: () => Object.keys(all),
      getFunction: (/** @type {string} */ key) => all[key],
    },
  };
  const log = { notice: (/** @type {string} */ text) => said.push(text), warning: (/** @type {string} */ text) => said.push(text) };
  const plugin = new Plugin(serverless, more.options || {}, { log });
  const hook = async (/** @type {string} */ name) => /** @type {any} */ (plugin.hooks)[name]();
  return { plugin, provider, serverless, Resources, functions: all, said, hook, folder };
}

/**
 * What the stand-in for canaryctl was asked while this ran.
 *
 * @param {any} says
 * @param {() => Promise<any>} work
 * @returns {Promise<any[]>}
 */
async function asked(says, work) {
  const log = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'serverless-canaryctl-')), 'log');
  fs.writeFileSync(log, '');
  Object.assign(process.env, { FAKE_LOG: log, FAKE_SAYS: JSON.stringify(says) });
  const before = process.listeners('exit');
  try {
    await work();
  } finally {
    // What ends the framework with canaryctl's exit code is not to end the tests with it.
    process.listeners('exit').filter((listener) => !before.includes(listener)).forEach((listener) => process.removeListener('exit', listener));
  }
  return lines(log);
}

/** @param {string} log */
const lines = (log) => fs.readFileSync(log, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));

module.exports = { FAKE, asked, lines, service };
