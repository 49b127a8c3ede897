'use strict';

// What canaryctl is asked for, as whom, and how its output, exit code and signals come through.

const assert = require('node:assert');
const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const { FAKE, asked, lines, service } = require('./help/stub');

const LIVE = { deploymentSettings: { type: 'AllAtOnce', alias: 'Live' } };
const TWO = { hello: LIVE, bye: LIVE, other: {} };
const END = ['--region', 'eu-west-1'];
const STAGE = ['--stage', 'dev'];
const SUBJECTS = ['shop-dev-hello:Live', 'shop-dev-bye:Live'];

for (const [hook, options, words] of /** @type {[string, any, string[][]][]} */ ([
  [
    'after:deploy:deploy',
    {},
    [['rollout', '--config', '.serverless/serverless-state.json', ...STAGE]],
  ],
  ['canaryctl:rollout:run', {}, [['rollout', ...STAGE]]],
  ['canaryctl:rollout:run', { function: 'hello' }, [['rollout', SUBJECTS[0], ...STAGE]]],
  ['canaryctl:rollback:run', {}, [['rollback', ...STAGE]]],
  ['canaryctl:rollback:run', { function: 'shop-dev-bye' }, [['rollback', SUBJECTS[1], ...STAGE]]],
  ['canaryctl:status:run', {}, [['status', SUBJECTS[0], ...STAGE], ['status', SUBJECTS[1], ...STAGE]]],
  ['canaryctl:abort:run', { function: 'bye' }, [['abort', SUBJECTS[1], ...STAGE]]],
  ['after:rollback:rollback', { timestamp: '1' }, [['rollout', ...STAGE]]],
  ['after:rollback:rollback', {}, []],
])) {
  test(`${hook} ${JSON.stringify(options)}`, async () => {
    const made = service(TWO, { options });
    const calls = await asked({}, () => made.hook(hook));
    assert.deepEqual(calls.map((call) => call.words), words.map((command) => [...command, ...END]));
    assert.ok(calls.every((call) => call.folder === fs.realpathSync(made.folder)));
  });
}

test('nothing to roll out, nothing is run', async () => {
  const made = service({ other: {} });
  assert.deepEqual(await asked({}, () => made.hook('after:deploy:deploy')), []);
  await assert.rejects(service(TWO, { options: { function: 'other' } }).hook('canaryctl:status:run'), /function other has no deploymentSettings in stage dev/);
});

test('a rollout takes options of the service, and its own configuration file', async () => {
  for (const [rollout, words] of [
    [['--bake', '5m'], ['rollout', '--config', '.serverless/serverless-state.json', ...STAGE, '--bake', '5m']],
    [['--config', 'canary.yml'], ['rollout', ...STAGE, '--config', 'canary.yml']],
  ]) {
    const made = service(TWO, { custom: { canaryctl: { binary: FAKE, rollout } } });
    const calls = await asked({}, () => made.hook('after:deploy:deploy'));
    assert.deepEqual(calls[0].words, [...words, ...END]);
  }
});

/**
 * A deploy of `hello`, which the stack makes an alias for or is on $LATEST since, and of `bye`, which has been on a version for long.
 *
 * @param {any} alias
 * @param {any} pin
 */
async function deploy(alias, pin) {
  const made = service(TWO);
  await made.hook('after:aws:package:finalize:mergeCustomProviderResources');
  const out = (/** @type {any} */ it) => ({ out: JSON.stringify({ exists: true, alias: it }) });
  const definition = { Properties: { FunctionVersion: '$LATEST' } };
  const says = {
    'stack HelloLambdaFunctionAliasLive': out(alias && { definition, ...alias }),
    'stack ByeLambdaFunctionAliasLive': out({ definition, version: '7', weights: {} }),
    pin,
  };
  const calls = await asked(says, async () => {
    await made.hook('before:aws:deploy:deploy:checkForChanges');
    await made.hook('after:deploy:deploy').catch((error) => assert.match(error.message, /canaryctl pin ended with exit code 3, see above; the stack itself is deployed/));
  });
  return calls.map((call) => call.words).filter(([word]) => word !== 'stack');
}

test('an alias on $LATEST is pinned before anything is rolled out, and no other', async () => {
  const rollout = ['rollout', '--config', '.serverless/serverless-state.json', ...STAGE, ...END];
  const pin = ['pin', SUBJECTS[0], '--no-config', ...END];
  assert.deepEqual(await deploy(null, undefined), [pin, rollout]);
  assert.deepEqual(await deploy({ version: '$LATEST', weights: {} }, undefined), [pin, rollout]);
  assert.deepEqual(await deploy({ version: '3', weights: {} }, undefined), [rollout]);
  assert.deepEqual(await deploy(null, { code: 3 }), [pin], 'one that fails ends it');
});

test('going back to an old deployment warns first', async () => {
  const { hook, said } = service(TWO, { options: { timestamp: '1' } });
  await hook('before:rollback:rollback');
  assert.match(said.join('\n'), /serverless canaryctl rollback\n.*all traffic at once/);
});

for (const [what, environment, options, profile, key] of /** @type {[string, any, any, string | undefined, string | undefined][]} */ ([
  ['the service', {}, {}, 'ofService', undefined],
  ['the environment', { AWS_ACCESS_KEY_ID: 'env' }, {}, undefined, 'env'],
  ['the profile of the environment', { AWS_PROFILE: 'env' }, {}, undefined, undefined],
  ['the environment for the stage', { AWS_ACCESS_KEY_ID: 'env', AWS_SESSION_TOKEN: 'old', AWS_DEV_ACCESS_KEY_ID: 'stage', AWS_DEV_SECRET_ACCESS_KEY: 's' }, {}, undefined, 'stage'],
  ['the profile for the stage', { AWS_ACCESS_KEY_ID: 'env', AWS_DEV_PROFILE: 'stage' }, {}, 'stage', 'env'],
  ['--aws-profile', { AWS_ACCESS_KEY_ID: 'env', AWS_DEV_PROFILE: 'stage' }, { 'aws-profile': 'typed' }, 'typed', 'env'],
])) {
  test(`as whom: ${what}`, async () => {
    const before = { ...process.env };
    for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];
    Object.assign(process.env, environment);
    const made = service(TWO, { options, provider: { profile: 'ofService' } });
    const calls = await asked({}, () => made.hook('canaryctl:rollback:run'));
    process.env = before;
    assert.deepEqual(calls[0].words.slice(5), profile ? ['--profile', profile] : []);
    assert.equal(calls[0].env.AWS_ACCESS_KEY_ID, key);
    assert.equal(calls[0].env.AWS_SESSION_TOKEN, undefined);
  });
}

test('the program: $CANARYCTL, custom.canaryctl.binary, the npm package, the PATH', async () => {
  const before = { ...process.env };
  const made = service(TWO, { custom: { canaryctl: {} } });
  const command = () => made.plugin.binary().command;
  assert.equal(command(), 'canaryctl');
  const shipped = path.join(made.folder, 'node_modules', 'canaryctl');
  fs.mkdirSync(shipped, { recursive: true });
  fs.writeFileSync(path.join(shipped, 'package.json'), '{"name": "canaryctl", "version": "0.1.0", "bin": {"canaryctl": "bin/canaryctl"}}');
  assert.equal(command(), path.join(fs.realpathSync(shipped), 'bin/canaryctl'));
  made.serverless.service.custom.canaryctl = { binary: './tools/canaryctl' };
  assert.equal(command(), path.join(made.folder, 'tools/canaryctl'));
  process.env.CANARYCTL = '/opt/canaryctl';
  assert.equal(command(), '/opt/canaryctl');
  process.env.CANARYCTL = '/nowhere/canaryctl';
  await assert.rejects(made.hook('canaryctl:rollback:run'), /`\/nowhere\/canaryctl` is not installed\n {2}hint: put it on the PATH/);
  process.env = before;
});

/** A process that does what the framework does: it sets exit code 1 for every error, and leaves. */
const FRAMEWORK = `
  const { service } = require(${JSON.stringify(require.resolve('./help/stub'))});
  const made = service({ hello: { deploymentSettings: { alias: 'Live' } } });
  process.once('SIGINT', () => {});
  made.hook('canaryctl:rollout:run').catch((error) => { console.log('Error: ' + error.message); process.exitCode = 1; }).then(() => process.exit());
`;

test('the exit code is canaryctl\'s, and its output comes through', () => {
  const log = path.join(service({}).folder, 'log');
  const says = JSON.stringify({ rollout: { code: 10, out: 'rolled back' } });
  const done = spawnSync(process.execPath, ['-e', FRAMEWORK], { env: { ...process.env, FAKE_LOG: log, FAKE_SAYS: says }, encoding: 'utf8' });
  assert.equal(done.status, 10, done.stdout + done.stderr);
  assert.match(done.stdout, /^rolled back\nError: canaryctl rollout ended with exit code 10, see above/);
  assert.match(done.stderr, /rollout: failed/);
});

test('^C again and again reaches canaryctl once, which then has the time to roll back', async () => {
  const log = path.join(service({}).folder, 'log');
  const says = JSON.stringify({ rollout: { code: 13, wait: true } });
  const child = spawn(process.execPath, ['-e', FRAMEWORK], { env: { ...process.env, FAKE_LOG: log, FAKE_SAYS: says }, detached: true });
  let output = '';
  child.stdout.on('data', (data) => (output += data));
  // As a terminal does it: to the whole group; and again and again, while canaryctl rolls back and while the framework leaves.
  const pressed = setInterval(() => output.includes('waiting') && child.exitCode === null && process.kill(-Number(child.pid), 'SIGINT'), 1);
  const code = await new Promise((resolve) => {
    child.on('exit', () => clearInterval(pressed));
    child.on('close', resolve);
  });
  assert.equal(code, 13, output);
  assert.match(output, /restored\n$/, 'and nothing after it');
  const said = lines(log);
  assert.deepEqual(said.filter((line) => line.signal), [{ signal: 1 }]);
  const [rolled] = said;
  assert.notEqual(rolled.group, child.pid, 'not in the group of the framework');
  assert.equal(rolled.tty, false, 'a pipe, not the terminal');
});
