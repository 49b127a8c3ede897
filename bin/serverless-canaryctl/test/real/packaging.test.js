'use strict';

// What the real frameworks make of services with this plugin, and with the one that it replaces.

const assert = require('node:assert');
const { execFile } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { describe, test } = require('node:test');

const { broken, calls } = require('../help/graph');
const { FRAMEWORKS, OLD, TOOLS, packaged, project, run, skip } = require('../help/tools');

const ALIAS = 'HelloLambdaFunctionAliasLive';
const MADE_ONCE = {
  Type: 'AWS::Lambda::Alias',
  DeletionPolicy: 'RetainExceptOnCreate',
  UpdateReplacePolicy: 'Retain',
  Properties: { FunctionName: { Ref: 'HelloLambdaFunction' }, FunctionVersion: '$LATEST', Name: 'Live' },
};

/** @param {any} template */
const aliased = (template) => Object.keys(template.Resources).filter((id) => `${id}AliasLive` in template.Resources);
/** @param {ReturnType<typeof calls>[number]} call */
const place = (call) => `${call.id} ${call.where.replace(/\d+/g, '*')} ${call.of}`;
/** @type {Record<string, ReturnType<typeof packaged>>} */
const made = {};
const events = (/** @type {string} */ framework) => (made[framework] ||= packaged(framework, project('events')));

/**
 * What cfn-lint says, by rule and property.
 *
 * @param {string} file
 * @returns {Promise<Set<string>>}
 */
function linted(file) {
  const words = ['--format', 'json', '--regions', 'us-east-1', '--template', file];
  return new Promise((resolve) => {
    // It ends with an error where it finds something.
    execFile(path.join(TOOLS, 'python/bin/cfn-lint'), words, (_, said) => {
      resolve(new Set(JSON.parse(said || '[]').map((/** @type {any} */ it) => `${it.Rule.Id} ${(it.Location.Path || []).slice(0, 3).join('.')}`)));
    });
  });
}

// Each runs the framework by itself, which keeps one core busy.
describe('packaging', { concurrency: os.cpus().length }, () => {
  for (const framework of FRAMEWORKS) {
    test(`${framework}: a service, one line of which is changed`, { skip }, async () => {
      const folder = project('hello');
      const { template } = await packaged(framework, folder);
      assert.deepEqual(template.Resources[ALIAS], MADE_ONCE);
      const callers = calls(template, aliased(template), 'Live');
      assert.deepEqual(callers.filter((call) => !call.alias), []);
      assert.deepEqual([...new Set(callers.map((call) => call.type))].sort(), ['AWS::ApiGateway::Method', 'AWS::Lambda::Permission']);
      const version = () => Object.keys(template.Resources).filter((id) => /^HelloLambdaVersion/.test(id));
      fs.writeFileSync(path.join(folder, 'handler.js'), 'exports.hello = async () => ({ statusCode: 200, body: "two" });\nexports.hook = async () => ({});\n');
      const yml = fs.readFileSync(path.join(folder, 'serverless.yml'), 'utf8');
      fs.writeFileSync(path.join(folder, 'serverless.yml'), yml.replace('runtime: nodejs20.x', 'runtime: nodejs20.x\n  memorySize: 512\n  environment: {STAGE: dev}'));
      const next = (await packaged(framework, folder)).template;
      assert.equal(next.Resources[version()[0]], undefined, 'the code is another');
      assert.deepEqual(next.Resources[ALIAS], MADE_ONCE);
    });

    test(`${framework}: every event names the alias`, { skip }, async () => {
      const { template, output, file } = await events(framework);
      const ids = aliased(template);
      assert.equal(ids.length, 28, 'the functions with settings');
      const callers = calls(template, ids, 'Live');
      // v3 sets these two with a function of its own that knows no alias; everybody is told.
      const told = framework === 'osls' ? [] : ['BucketOfOthersCustomS31', 'PoolOfOthersCustomCognitoUserPool1'];
      const plain = callers.filter((call) => !call.alias && !excused(callers, call));
      assert.deepEqual(plain.map((call) => call.id).sort(), told);
      assert.equal(/call the functions themselves, not the alias: (.*);/.exec(output)?.[1].split(', ').sort().join() ?? '', told.join());
      assert.ok(callers.length > 70, `${callers.length} places`);
      assert.deepEqual(broken(template, callers, 'Live'), []);
      const without = await packaged(framework, project('events', { plugin: '', edit: (yml) => yml.replace(/ *deploymentSettings: \*live,?\n?|  canaryctl: .*\n/g, '') }));
      assert.deepEqual(broken(without.template, [], 'Live'), []);
      const [known, found] = await Promise.all([linted(without.file), linted(file)]);
      const added = [...found].filter((it) => !known.has(it));
      assert.deepEqual(added, []);
    });

    test(`${framework}: every place that the old plugin moved is moved`, { skip }, async () => {
      const ours = (await events(framework)).template;
      const old = (await packaged(framework, project('events', { plugin: OLD, edit: (yml) => yml.replace(/  unversioned:.*\n/, '') }))).template;
      const moved = new Set(calls(ours, aliased(ours), 'Live').filter((call) => call.alias).map(place));
      const theirs = calls(old, aliased(old), 'Live').filter((call) => call.alias).map(place);
      assert.ok(theirs.length > 40, `${theirs.length} places`);
      assert.deepEqual(theirs.filter((it) => !moved.has(it)), []);
    });

    test(`${framework}: SnapStart keeps the triggers at the alias, and no alias of the framework is left`, { skip }, async () => {
      const folder = project('hello', { edit: (yml) => yml.replace('nodejs20.x', 'java21').replace('handler: handler.hello\n', 'handler: handler.hello\n    snapStart: true\n') });
      const { template } = await packaged(framework, folder);
      const aliases = Object.entries(template.Resources).filter(([, it]) => it.Type === 'AWS::Lambda::Alias');
      assert.deepEqual(aliases, [[ALIAS, MADE_ONCE]]);
      assert.deepEqual(calls(template, aliased(template), 'Live').filter((call) => !call.alias), []);
    });

    for (const [what, edit, word] of /** @type {[string, (yml: string) => string, RegExp][]} */ ([
      ['the old plugin beside it', (yml) => yml.replace('plugins:\n', `plugins:\n  - ${OLD}\n`), /still among the plugins/],
      ['provisioned concurrency', (yml) => yml.replace('handler: handler.hello\n', 'handler: handler.hello\n    provisionedConcurrency: 1\n'), /`hello` has `provisionedConcurrency`/],
      ['a misspelt setting', (yml) => yml.replace('custom:\n', 'custom:\n  canaryctl: {binry: x}\n'), /'custom\.canaryctl': unrecognized property 'binry'/],
    ])) {
      test(`${framework}: refuses ${what}`, { skip }, async () => {
        const { code, output } = await run(framework, project('hello', { edit }), ['package']);
        assert.equal(code, 1, output);
        assert.match(output, word);
      });
    }
  }

  test('serverless: warns of buses that are not made by CloudFormation', { skip }, async () => {
    const edit = (/** @type {string} */ yml) => yml.replace('provider:\n', 'provider:\n  eventBridge: {useCloudFormation: false}\n').replace('    events:\n', '    events:\n      - eventBridge: {pattern: {source: [acme]}}\n');
    const { output } = await packaged('serverless', project('hello', { edit }));
    assert.match(output, /call the functions themselves, not the alias: HelloCustomEventBridge1;/);
  });

  test('osls: refuses durable functions', { skip }, async () => {
    const edit = (/** @type {string} */ yml) => yml.replace('handler: handler.hello\n', 'handler: handler.hello\n    durableConfig: {executionTimeout: 60, retentionPeriodInDays: 1}\n');
    const { output } = await run('osls', project('hello', { edit }), ['package']);
    assert.match(output, /`hello` has `durableConfig`/);
  });
});

/**
 * A role that may call the alias, too; and the role of the function that sets triggers and calls nothing.
 *
 * @param {ReturnType<typeof calls>} callers
 * @param {ReturnType<typeof calls>[number]} call
 */
function excused(callers, call) {
  if (call.type !== 'AWS::IAM::Role') return false;
  const same = callers.filter((other) => other.id === call.id && other.of === call.of);
  return call.id === 'IamRoleCustomResourcesLambdaExecution' || same.some((other) => other.alias || other.text.endsWith(':*'));
}
