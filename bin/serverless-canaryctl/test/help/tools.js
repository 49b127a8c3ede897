'use strict';

// The real frameworks, which `scripts/serverless` installs: services are packaged as people do it, by their commands.

const { spawn } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');

const HERE = path.resolve(__dirname, '../..');
const SERVICES = path.join(__dirname, '../real/services');
const TOOLS = process.env.CANARYCTL_TOOLS || '';
const MODULES = path.join(TOOLS, 'node_modules');
const OLD = 'serverless-plugin-canary-deployments';
const SWITCHES = {
  // Nothing here is to leave this machine.
  SLS_TELEMETRY_DISABLED: '1',
  SLS_TRACKING_DISABLED: '1',
  SLS_NOTIFICATIONS_MODE: 'off',
  SLS_DISABLE_AUTO_UPDATE: '1',
  AWS_EC2_METADATA_DISABLED: 'true',
  CI: '1',
};
const CREDENTIALS = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' };

/**
 * A copy of one of the services, in which this plugin stands where it says PLUGIN.
 *
 * @param {string} name
 * @param {{plugin?: string, edit?: (yml: string) => string}} [change]
 */
function project(name, { plugin = 'serverless-canaryctl', edit = (yml) => yml } = {}) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), `serverless-canaryctl-${name}-`));
  fs.cpSync(path.join(SERVICES, name), folder, { recursive: true });
  const file = path.join(folder, 'serverless.yml');
  const yml = fs.readFileSync(file, 'utf8').replace('  - PLUGIN\n', plugin && `  - ${plugin}\n`);
  fs.writeFileSync(file, edit(yml.replace(/plugins:\n(?! )/, '')));
  const modules = path.join(folder, 'node_modules');
  fs.mkdirSync(modules);
  for (const tool of ['serverless', 'osls', OLD, 'serverless-plugin-aws-alerts', 'serverless-prune-plugin']) {
    fs.symlinkSync(path.join(MODULES, tool), path.join(modules, tool));
  }
  fs.symlinkSync(HERE, path.join(modules, 'serverless-canaryctl'));
  return folder;
}

/**
 * Runs a command of a framework.
 *
 * @param {string} framework `serverless` (v3) or `osls`
 * @param {string} folder
 * @param {string[]} words
 * @param {Record<string, string>} [environment]
 * @returns {Promise<{code: number | null, output: string}>}
 */
function run(framework, folder, words, environment = {}) {
  const { program, env } = command(framework, folder, environment);
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--no-warnings', program, ...words], { cwd: folder, env, timeout: 120_000 });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));
    child.on('close', (code) => resolve({ code, output }));
  });
}

/**
 * The program of a framework and its environment, in which nothing is of the machine's own.
 *
 * @param {string} framework
 * @param {string} folder
 * @param {Record<string, string>} environment
 */
function command(framework, folder, environment) {
  const own = Object.fromEntries(Object.entries(process.env).filter(([key]) => !/^(AWS_|SLS_|CANARYCTL)/.test(key)));
  return { program: path.join(MODULES, framework, 'bin/serverless.js'), env: { ...own, ...SWITCHES, ...CREDENTIALS, HOME: folder, ...environment } };
}

/**
 * The template that a service is packaged to, and what was said on the way.
 *
 * @param {string} framework
 * @param {string} folder
 * @returns {Promise<{template: any, output: string, file: string}>}
 */
async function packaged(framework, folder) {
  const { code, output } = await run(framework, folder, ['package']);
  if (code) throw new Error(`${framework} package ended with ${code}: ${output}`);
  const file = path.join(folder, '.serverless/cloudformation-template-update-stack.json');
  return { template: JSON.parse(fs.readFileSync(file, 'utf8')), output, file };
}

/** Whether the tools are there; a reason to skip where they are not. */
const skip = TOOLS ? false : 'the frameworks are not installed: run scripts/serverless';
const FRAMEWORKS = ['serverless', 'osls'];

module.exports = { FRAMEWORKS, MODULES, OLD, TOOLS, command, packaged, project, run, skip };
