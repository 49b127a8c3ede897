'use strict';

// Which functions are rolled out, and what stands against it?

/**
 * A function with deploymentSettings.
 *
 * @typedef {object} Canary
 * @property {string} key the function's key in serverless.yml
 * @property {any} fn the framework's object
 * @property {string} name its name in AWS
 * @property {string} id its logical id
 * @property {string} alias the alias' name
 * @property {string} aliasId the alias' logical id, as serverless-plugin-canary-deployments has it
 */

const OLD = /(^|\/)[^/]*canary-deployments/;
const SETTINGS = { type: 'object', properties: { deploymentSettings: { type: ['object', 'null'] } } };
const OWN = {
  type: 'object',
  properties: {
    binary: { type: 'string' },
    rollout: { type: 'array', items: { type: 'string' } },
    functionUrlMayChange: { type: 'boolean' },
  },
  additionalProperties: false,
};

const SCHEMA = {
  ofFunction: SETTINGS,
  ofService: { type: 'object', properties: { ...SETTINGS.properties, canaryctl: OWN } },
};

/**
 * The functions that have deploymentSettings of their own, unless the stage is left out; settings below `custom` fill in.
 *
 * @param {any} serverless
 * @param {any} provider
 * @returns {Canary[]}
 */
function canaries(serverless, provider) {
  const { service } = serverless;
  const shared = (service.custom || {}).deploymentSettings || {};
  const stages = shared.stages || [];
  if (stages.length && !stages.includes(provider.getStage())) return [];
  return service
    .getAllFunctions()
    .map((/** @type {string} */ key) => ({ key, fn: service.getFunction(key) }))
    .filter((/** @type {any} */ it) => 'deploymentSettings' in it.fn)
    .map((/** @type {any} */ { key, fn }) => {
      const { alias } = { ...shared, ...fn.deploymentSettings };
      const id = provider.naming.getLambdaLogicalId(key);
      return { key, fn, name: fn.name, id, alias, aliasId: `${id}Alias${alias}`.replace(/[^A-Za-z0-9]/g, '') };
    });
}

/**
 * Why these functions cannot be rolled out, one sentence each.
 *
 * @param {Canary[]} all
 * @returns {string[]}
 */
function check(all) {
  return all.flatMap(({ key, fn, alias }) => {
    const found = [];
    if (!alias) found.push('has no `alias` in its deploymentSettings');
    else if (!/^(?!\d+$)[\w-]{1,128}$/.test(alias)) found.push(`has the alias \`${alias}\`: letters, digits, \`-\` and \`_\` only, and not a number`);
    if (fn.provisionedConcurrency) found.push('has `provisionedConcurrency`: the framework puts it on an alias of its own, which every deploy moves');
    if (fn.durableConfig) found.push('has `durableConfig`: its executions stay on the version that they began on, and the framework has an alias of its own for them');
    if (fn.capacityProvider) found.push('has a `capacityProvider`: canaryctl does not roll out functions on Managed Instances');
    if ((fn.events || []).some((/** @type {any} */ event) => event && event.cloudFront)) found.push('has a `cloudFront` event: Lambda@Edge does not support aliases');
    return found.map((text) => `function \`${key}\` ${text}`);
  });
}

/**
 * Refuses a service that has the plugin whose place this one takes, or a fork of it: both would move the same aliases.
 *
 * @param {any} serverless
 */
function refuseBeside(serverless) {
  const { plugins } = serverless.configurationInput || serverless.service;
  const listed = Array.isArray(plugins) ? plugins : (plugins && plugins.modules) || [];
  const old = listed.filter((/** @type {any} */ name) => typeof name === 'string' && OLD.test(name));
  if (!old.length) return;
  const message = `\`${old.join('`, `')}\` is still among the plugins and would move the same aliases\n  hint: remove it; serverless-canaryctl reads its settings`;
  throw new serverless.classes.Error(message, 'CANARYCTL');
}

module.exports = { SCHEMA, canaries, check, refuseBeside };
