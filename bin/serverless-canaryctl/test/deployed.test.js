'use strict';

// What the deployed stack says of the alias stays, whatever it is; and a deploy that would move traffic is refused.

const assert = require('node:assert');
const { test } = require('node:test');

const { asked, service } = require('./help/stub');

const LIVE = { deploymentSettings: { type: 'AllAtOnce', alias: 'Live' } };
const DEPLOY = 'before:aws:deploy:deploy:checkForChanges';

/**
 * @param {any} alias what `canaryctl stack alias` says of it
 * @param {any} [more]
 */
async function deployed(alias, { fn = {}, exists = true, custom = {}, created = undefined } = {}) {
  const made = service({ hello: { ...LIVE, ...fn } }, { custom });
  Object.assign(made.serverless.service.custom, custom && { canaryctl: { ...made.serverless.service.custom.canaryctl, ...custom.canaryctl, binary: require('./help/stub').FAKE } });
  Object.assign(made.provider, { didCreateService: created });
  await made.hook('after:aws:package:finalize:mergeCustomProviderResources');
  const calls = await asked({ stack: { out: JSON.stringify({ stack: 'shop-dev', exists, alias }) } }, () => made.hook(DEPLOY));
  return { calls, version: made.Resources.HelloLambdaFunctionAliasLive.Properties.FunctionVersion };
}

const alias = (/** @type {any} */ FunctionVersion, /** @type {any} */ more = {}) => ({
  logical_id: 'HelloLambdaFunctionAliasLive',
  name: 'Live',
  function: 'shop-dev-hello',
  definition: { Type: 'AWS::Lambda::Alias', Properties: { FunctionVersion } },
  version: '12',
  weights: {},
  ...more,
});
const MOVING = { 'Fn::GetAtt': ['HelloLambdaVersionabc', 'Version'] };

test('asks for the alias by stack and logical id, as the framework goes about it', async () => {
  const { calls } = await deployed(null);
  assert.deepEqual(calls.map((call) => call.words), [['stack', 'alias', 'shop-dev', 'HelloLambdaFunctionAliasLive', '--json', '--region', 'eu-west-1']]);
});

for (const [what, found, more, version] of /** @type {[string, any, any, string][]} */ ([
  ['no stack yet', null, { exists: false }, '$LATEST'],
  ['no alias yet', null, {}, '$LATEST'],
  ['made by the first deploy, on version 12 since', alias('$LATEST'), {}, '$LATEST'],
  ['in the middle of a rollout', alias('$LATEST', { weights: { 13: 0.1 } }), {}, '$LATEST'],
  ['taken over from the old plugin before', alias('7'), {}, '7'],
  ['of the old plugin', alias(MOVING), {}, '12'],
])) {
  test(`${what}: ${version}`, async () => {
    assert.equal((await deployed(found, more)).version, version);
  });
}

/**
 * A deploy after the alias was `Old` and the settings say `Live`.
 *
 * @param {any} old
 * @param {any} [fn]
 */
async function renamed(old, fn = {}) {
  const made = service({ hello: { ...LIVE, ...fn } });
  await made.hook('after:aws:package:finalize:mergeCustomProviderResources');
  const says = {
    'stack HelloLambdaFunctionAliasLive': { out: JSON.stringify({ exists: true, alias: null, others: ['OtherLambdaFunctionAliasLive', 'HelloLambdaFunctionAliasOld'] }) },
    'stack HelloLambdaFunctionAliasOld': { out: JSON.stringify({ exists: true, alias: old }) },
  };
  await asked(says, () => made.hook(DEPLOY));
  return { version: made.Resources.HelloLambdaFunctionAliasLive.Properties.FunctionVersion, said: made.said.join() };
}

test('an alias by another name begins on the version of the one before', async () => {
  const { version, said } = await renamed(alias('$LATEST', { name: 'Old' }));
  assert.equal(version, '12');
  assert.match(said, /`Old` of function `hello` becomes `Live`, on the same version/);
  await assert.rejects(renamed(alias('$LATEST', { name: 'Old', weights: { 13: 0.1 } })), /still shifting traffic on `Old`/);
  await assert.rejects(renamed(alias('$LATEST', { name: 'Old' }), { url: true }), /gives it another address/);
});

test('refuses while CodeDeploy is shifting', async () => {
  await assert.rejects(deployed(alias(MOVING, { weights: { 13: 0.1 } })), /still shifting traffic on `Live`/);
});

test('refuses what it cannot know', async () => {
  await assert.rejects(deployed(alias(MOVING, { definition: null })), /cloudformation:GetTemplate/);
  await assert.rejects(deployed(alias(MOVING, { version: null })), /the version of `Live` is not known/);
});

test('refuses a package that was made without it', async () => {
  const made = service({ hello: LIVE });
  await assert.rejects(asked({}, () => made.hook(DEPLOY)), /made without serverless-canaryctl/);
});

test('a look-up that fails ends the deploy before anything is uploaded', async () => {
  const made = service({ hello: LIVE });
  await made.hook('after:aws:package:finalize:mergeCustomProviderResources');
  await assert.rejects(asked({ stack: { code: 3 } }, () => made.hook(DEPLOY)), /canaryctl stack alias ended with exit code 3/);
});

for (const [what, found, more, refused] of /** @type {[string, any, any, boolean][]} */ ([
  ['a stack that is there without the alias', null, {}, true],
  ['a stack of the old plugin', alias(MOVING), {}, true],
  ['confirmed', null, { custom: { canaryctl: { functionUrlMayChange: true } } }, false],
  ['a stack that this deploy has made', null, { created: true }, false],
  ['no stack yet', null, { exists: false }, false],
  ['an alias that is ours already', alias('$LATEST'), {}, false],
])) {
  test(`a function URL, ${what}: ${refused ? 'refused' : 'goes on'}`, async () => {
    const done = deployed(found, { fn: { url: true }, ...more });
    if (refused) await assert.rejects(done, /gives it another address/);
    else await done;
  });
}
