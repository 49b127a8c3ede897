'use strict';

// What other parts of the framework do before and after a deploy, and what they leave in place.

const assert = require('node:assert');
const { test } = require('node:test');

const { asked, service } = require('./help/stub');

const LIVE = { deploymentSettings: { type: 'AllAtOnce', alias: 'Live' } };

test('the framework compares subscription filters with the alias', async () => {
  /** @type {any[]} */
  const compared = [];
  class AwsDeploy {
    /** @param {any} params */
    fixLogGroupSubscriptionFilters(params) {
      compared.push(this instanceof AwsDeploy, params);
    }
  }
  const deploy = new AwsDeploy();
  const made = service({ hello: LIVE, other: {} }, { others: [{}, deploy] });
  await made.hook('after:aws:package:finalize:mergeCustomProviderResources');
  await asked({}, () => made.hook('before:aws:deploy:deploy:checkForChanges'));
  const event = (/** @type {string} */ key, /** @type {string} */ name) => ({ functionName: key, FunctionName: name, logGroupName: '/x' });
  deploy.fixLogGroupSubscriptionFilters({ region: 'r', cloudwatchLogEvents: [event('hello', 'shop-dev-hello'), event('other', 'shop-dev-other')] });
  assert.deepEqual(compared, [true, { region: 'r', cloudwatchLogEvents: [event('hello', 'shop-dev-hello:Live'), event('other', 'shop-dev-other')] }]);
});

for (const [what, description, weights, deleted] of /** @type {[string, string, any, string[]][]} */ ([
  ['nothing known', 'ours', undefined, ['4', '3', '2', '1']],
  ['a weight', '', { AdditionalVersionWeights: { 2: 0.1 } }, ['4', '3', '1']],
  ['a rollout in progress', 'ours [canaryctl/1 7f3ac2e1 k4q9 shift 3>4 30% 3/10 t=towpnp h=9a41c07e]', undefined, ['2', '1']],
  ['a rollout that ended', '[canaryctl/1 7f3ac2e1 k4q9 done 4>5 t=towpnp p=2 h=9a41c07e x=3h]', undefined, ['3', '1']],
  ['a candidate that is not published yet', '[canaryctl/1 7f3ac2e1 k4q9 new 4>- t=towpnp]', undefined, ['3', '2', '1']],
])) {
  test(`pruning leaves what traffic can go to: ${what}`, async () => {
    const prune = { selectPruneVersionsForFunction: (/** @type {any[]} */ versions) => versions };
    const made = service({ hello: LIVE }, { others: [prune] });
    await made.hook('initialize');
    const alias = { FunctionVersion: '5', Description: description, RoutingConfig: weights };
    assert.deepEqual(/** @type {any} */ (prune).selectPruneVersionsForFunction(['4', '3', '2', '1'], [alias]), deleted);
  });
}
