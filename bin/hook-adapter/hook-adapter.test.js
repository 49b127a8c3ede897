'use strict';

// Handlers as people wrote them for CodeDeploy, invoked by canaryctl and by CodeDeploy. The SDK is the real one, of v2 and v3 as installed;
// what it would send goes to a server here.

const assert = require('node:assert');
const http = require('node:http');
const { after, before, test } = require('node:test');

const { adapt } = require('./hook-adapter');

/** @type {string[]} */
const sent = [];
const codeDeploy = http.createServer((request, response) => {
  let body = '';
  request.on('data', (data) => (body += data)).on('end', () => {
    sent.push(JSON.parse(body).status);
    response.setHeader('content-type', 'application/x-amz-json-1.1');
    response.end('{"lifecycleEventHookExecutionId":"theirs"}');
  });
});
/** @type {any} */
let place;
before(async () => {
  await new Promise((resolve) => codeDeploy.listen(0, '127.0.0.1', () => resolve(undefined)));
  const { port } = /** @type {any} */ (codeDeploy.address());
  place = { endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' } };
});
after(() => codeDeploy.close());

const OURS = { DeploymentId: '7f3ac2e1', LifecycleEventHookExecutionId: '7f3ac2e1/pre-traffic/1', canaryctl: { phase: 'pre-traffic' } };
const THEIRS = { DeploymentId: 'd-1', LifecycleEventHookExecutionId: 'theirs' };
/**
 * @param {any} event
 * @param {string} status
 */
const params = (event, status) => ({ deploymentId: event.DeploymentId, lifecycleEventHookExecutionId: event.LifecycleEventHookExecutionId, status });

/** @param {string} name */
function installed(name) {
  try {
    return require(name);
  } catch {
    return undefined;
  }
}

/** How each SDK is asked, and each returns a promise of what it answers. */
const ways = /** @type {[string, any, (sdk: any, params: any) => Promise<any>][]} */ ([
  ['v3, send', installed('@aws-sdk/client-codedeploy'), (sdk, p) => new sdk.CodeDeployClient(place).send(new sdk.PutLifecycleEventHookExecutionStatusCommand(p))],
  ['v3, method', installed('@aws-sdk/client-codedeploy'), (sdk, p) => new sdk.CodeDeploy(place).putLifecycleEventHookExecutionStatus(p)],
  [
    'v3, callback',
    installed('@aws-sdk/client-codedeploy'),
    (sdk, p) => new Promise((resolve, reject) => new sdk.CodeDeploy(place).putLifecycleEventHookExecutionStatus(p, (/** @type {any} */ error, /** @type {any} */ data) => (error ? reject(error) : resolve(data)))),
  ],
  ['v2, promise', installed('aws-sdk'), (sdk, p) => new sdk.CodeDeploy({ ...place, apiVersion: '2014-10-06' }).putLifecycleEventHookExecutionStatus(p).promise()],
  [
    'v2, callback',
    installed('aws-sdk'),
    (sdk, p) => new Promise((resolve, reject) => new sdk.CodeDeploy(place).putLifecycleEventHookExecutionStatus(p, (/** @type {any} */ error, /** @type {any} */ data) => (error ? reject(error) : resolve(data)))),
  ],
  [
    'v2, send',
    installed('aws-sdk'),
    (sdk, p) => new Promise((resolve, reject) => new sdk.CodeDeploy(place).putLifecycleEventHookExecutionStatus(p).send((/** @type {any} */ error, /** @type {any} */ data) => (error ? reject(error) : resolve(data)))),
  ],
]);

for (const [way, sdk, put] of ways) {
  const skip = sdk ? false : 'this SDK is not installed';

  test(`${way}: the status becomes the answer, and nothing is sent`, { skip }, async () => {
    sent.length = 0;
    const handler = (/** @type {string} */ status) => adapt(async (event) => assert.equal((await put(sdk, params(event, status))).lifecycleEventHookExecutionId, event.LifecycleEventHookExecutionId));
    assert.deepEqual(await handler('Succeeded')(OURS), { status: 'Succeeded' });
    assert.deepEqual(await handler('Failed')(OURS), { status: 'Failed', reason: 'the hook reported Failed' });
    assert.deepEqual(sent, []);
  });

  test(`${way}: CodeDeploy's own invocations reach it`, { skip }, async () => {
    sent.length = 0;
    const handler = adapt(async (event) => {
      await put(sdk, params(event, 'Succeeded'));
      return 'as ever';
    });
    assert.equal(await handler(THEIRS), 'as ever');
    assert.deepEqual(sent, ['Succeeded']);
  });

  test(`${way}: the status of another deployment is sent`, { skip }, async () => {
    sent.length = 0;
    await adapt(async (event) => {
      await put(sdk, params(THEIRS, 'Failed'));
      await put(sdk, params(event, 'Succeeded'));
    })(OURS);
    assert.deepEqual(sent, ['Failed']);
  });
}

const [, sdk, put] = ways[0];
const skip = sdk ? false : 'no SDK is installed';

test('a handler with a callback', { skip }, async () => {
  const called = adapt((event, _context, callback) => {
    put(sdk, params(event, 'Succeeded')).then(() => callback(null, 'done'), callback);
  });
  assert.deepEqual(await called(OURS), { status: 'Succeeded' });
  const failed = adapt((event, _context, callback) => {
    put(sdk, params(event, 'Failed')).then(() => callback('the page is down'));
  });
  assert.match((await failed(OURS)).reason, /^the hook reported Failed/);
});

test('a handler that reports and calls nothing back', { skip }, async () => {
  const silent = adapt((event) => {
    setTimeout(() => put(sdk, params(event, 'Succeeded')), 20);
  });
  assert.deepEqual(await silent(OURS), { status: 'Succeeded' });
});

test('the first status counts, as it does for CodeDeploy, whatever is thrown after it', { skip }, async () => {
  const twice = adapt(async (event) => {
    await put(sdk, params(event, 'Failed'));
    await put(sdk, params(event, 'Succeeded'));
    throw new Error('three orders are missing');
  });
  assert.deepEqual(await twice(OURS), { status: 'Failed', reason: 'the hook reported Failed: three orders are missing' });
});

test('one that reports nothing fails, and one that throws throws', async () => {
  assert.deepEqual(await adapt(async () => 'fine')(OURS), { status: 'Failed', reason: 'the hook ended without putLifecycleEventHookExecutionStatus' });
  await assert.rejects(adapt(async () => Promise.reject(new TypeError('x is undefined')))(OURS), TypeError);
  await assert.rejects(adapt((_event, _context, callback) => callback('no'))(OURS), /^Error: no$/);
});

test('a handler gets what it is given', async () => {
  const seen = /** @type {any[]} */ ([]);
  const callback = () => {};
  adapt((...all) => seen.push(all))(THEIRS, { awsRequestId: 1 }, callback);
  await adapt(async (event, context) => seen.push([event, context]))(OURS, { awsRequestId: 2 });
  assert.equal(adapt(async () => {}).length, 0, 'no callback is declared');
  assert.deepEqual(seen, [[THEIRS, { awsRequestId: 1 }, callback], [OURS, { awsRequestId: 2 }]]);
});
