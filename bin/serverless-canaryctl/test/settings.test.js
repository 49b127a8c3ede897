'use strict';

// Which functions are rolled out, and what is refused before anything is packaged.

const assert = require('node:assert');
const { test } = require('node:test');

const { service } = require('./help/stub');

const LIVE = { deploymentSettings: { type: 'AllAtOnce', alias: 'Live' } };
const TARGET = 'before:package:compileFunctions';

test('functions with deploymentSettings of their own get a target, others none', async () => {
  const { functions, hook } = service({ hello: LIVE, other: {}, filled: { deploymentSettings: null } }, { custom: { deploymentSettings: { alias: 'shared' } } });
  await hook(TARGET);
  assert.deepEqual(functions.hello.targetAlias, { name: 'Live', logicalId: 'HelloLambdaFunctionAliasLive' });
  assert.deepEqual(functions.filled.targetAlias, { name: 'shared', logicalId: 'FilledLambdaFunctionAliasshared' });
  assert.equal('targetAlias' in functions.other, false);
});

test('a stage that is not in `stages` has no canaries', async () => {
  const { functions, hook, Resources } = service({ hello: LIVE }, { custom: { deploymentSettings: { stages: ['prod'] } } });
  await hook(TARGET);
  await hook('after:aws:package:finalize:mergeCustomProviderResources');
  assert.equal('targetAlias' in functions.hello, false);
  assert.deepEqual(Object.keys(Resources), ['HelloLambdaFunction']);
});

test('the framework cannot put its own alias over the target', async () => {
  const { functions, hook } = service({ hello: LIVE });
  await hook(TARGET);
  functions.hello.targetAlias = { name: 'snapstart', logicalId: 'HelloSnapStartLambdaAlias' };
  assert.equal(functions.hello.targetAlias.name, 'Live');
  assert.equal(JSON.parse(JSON.stringify(functions.hello)).targetAlias.name, 'Live', 'a package keeps it');
});

for (const [what, fn, word] of /** @type {[string, any, RegExp][]} */ ([
  ['no alias', { deploymentSettings: { type: 'AllAtOnce' } }, /`hello` has no `alias`/],
  ['an alias that AWS does not allow', { deploymentSettings: { alias: 'a.b' } }, /the alias `a\.b`/],
  ['an alias that is a number', { deploymentSettings: { alias: '12' } }, /the alias `12`/],
  ['provisioned concurrency', { ...LIVE, provisionedConcurrency: 1 }, /`provisionedConcurrency`/],
  ['durable functions', { ...LIVE, durableConfig: {} }, /`durableConfig`/],
  ['Managed Instances', { ...LIVE, capacityProvider: 'own' }, /`capacityProvider`/],
  ['Lambda@Edge', { ...LIVE, events: [{ http: 'GET /' }, { cloudFront: { eventType: 'viewer-request' } }] }, /`cloudFront`/],
])) {
  test(`refuses ${what}`, async () => {
    await assert.rejects(service({ hello: fn }).hook(TARGET), word);
  });
}

for (const plugins of [['serverless-plugin-canary-deployments'], { modules: ['@acme/serverless-plugin-canary-deployments-fork'] }]) {
  test(`refuses to be loaded beside ${JSON.stringify(plugins)}`, () => {
    assert.throws(() => service({ hello: LIVE }, { plugins }), /still among the plugins/);
  });
}

test('every problem is named at once', async () => {
  const { hook } = service({ one: { ...LIVE, provisionedConcurrency: 1 }, two: { deploymentSettings: {} } });
  await assert.rejects(hook(TARGET), /`one` has `provisionedConcurrency`[^]*`two` has no `alias`/);
});
