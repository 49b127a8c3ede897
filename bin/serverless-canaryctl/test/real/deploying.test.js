'use strict';

// A service from nothing to PROMOTED and back, by `deploy` of the real frameworks on an emulator, with the real canaryctl.

const assert = require('node:assert');
const { execFileSync, spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, test } = require('node:test');

const { emulator } = require('../help/emulator');
const { OLD, TOOLS, command, project, run, skip } = require('../help/tools');

/** @type {Awaited<ReturnType<typeof emulator>>} */
let aws;
const missing = skip || (process.env.CANARYCTL ? false : 'CANARYCTL does not name the program');
const options = { skip: missing, timeout: 240_000 };

before(async () => {
  if (missing) return;
  aws = await emulator();
  aws.ask('logs.create_log_group', { logGroupName: '/shop/orders' });
});
after(() => aws && aws.stop());

/**
 * New code. What a function does on the simulated AWS is in its environment.
 *
 * @param {string} folder
 * @param {string} body what the function answers
 * @param {string} [more] of its environment
 */
function answer(folder, body, more = '') {
  fs.writeFileSync(path.join(folder, 'handler.js'), `exports.hello = async () => ({ statusCode: 200, body: '${body}' });\nexports.hook = async () => ({ status: 'Succeeded' });\n`);
  change(folder, /SIM_BODY: .*\}/, `SIM_BODY: ${body}, SIM_TRAFFIC_RPS: 20${more}}`);
}

/**
 * @param {string} folder
 * @param {RegExp} old
 * @param {string} now
 */
function change(folder, old, now) {
  const yml = path.join(folder, 'serverless.yml');
  const text = fs.readFileSync(yml, 'utf8');
  assert.match(text, old);
  fs.writeFileSync(yml, text.replace(old, now));
}

/** @param {string} [name] */
function alias(name = 'shop-dev-hello') {
  const { FunctionVersion, RoutingConfig, Description = '' } = aws.ask('lambda.get_alias', { FunctionName: name, Name: 'Live' });
  return { version: FunctionVersion, weights: Object.keys(RoutingConfig?.AdditionalVersionWeights || {}), note: Description };
}

const filters = () => aws.ask('logs.describe_subscription_filters', { logGroupName: '/shop/orders' }).subscriptionFilters.map((/** @type {any} */ it) => it.destinationArn.split(':').slice(-2).join(':'));

/**
 * Starts a deploy and calls `act` when its output has `word`.
 *
 * @param {string} folder
 * @param {RegExp} word
 * @param {(child: import('child_process').ChildProcess) => void} act
 * @returns {Promise<{code: number | null, output: string}>}
 */
function deployUntil(folder, word, act) {
  const { program, env } = command('osls', folder, aws.variables);
  const child = spawn(process.execPath, [program, 'deploy'], { cwd: folder, env, detached: true, timeout: 120_000 });
  let output = '';
  let acted = false;
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data) => {
      output += data;
      if (!acted && word.test(output)) {
        acted = true;
        act(child);
      }
    });
  }
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, output })));
}

const versions = (/** @type {string} */ name) => aws.ask('lambda.list_versions_by_function', { FunctionName: name }).Versions.map((/** @type {any} */ it) => it.Version);
/** @param {string} stack */
const deployedAlias = (stack, id = 'HelloLambdaFunctionAliasLive') => {
  const { TemplateBody } = aws.ask('cloudformation.get_template', { StackName: stack });
  return (typeof TemplateBody === 'string' ? JSON.parse(TemplateBody) : TemplateBody).Resources[id];
};
/**
 * The service by another name, without what it shares with others.
 *
 * @param {string} name
 */
const apart = (name) => (/** @type {string} */ yml) => yml.replace('service: shop', `service: ${name}`).replace(/.*cloudwatchLog.*\n/, '').replace('hello-errors', `${name}-errors`);

test('osls: the life of a service', { ...options, timeout: 900_000 }, async (t) => {
  const folder = project('shop', { edit: (yml) => yml.replace('provider:\n', 'provider:\n  pruneFunctionVersions: {number: 1}\n') });
  const deploy = async (/** @type {string[]} */ words = ['deploy']) => run('osls', folder, words, aws.variables);

  await t.test('from nothing: the alias is made, pinned to a version, and called by everything', async () => {
    const { code, output } = await deploy();
    assert.equal(code, 0, output);
    assert.match(output, /PINNED +shop-dev-hello:Live/);
    assert.deepEqual([alias().version, alias().weights], ['1', []]);
    assert.deepEqual(filters(), ['shop-dev-hello:Live']);
  });

  await t.test('new code is rolled out to the end; log filters stay', async () => {
    answer(folder, 'two');
    const { code, output } = await deploy();
    assert.equal(code, 0, output);
    assert.match(output, /shifted +10% of traffic to version 2[^]*✔ PROMOTED +shop-dev-hello:Live is on 2/);
    assert.equal(alias().version, '2');
    assert.deepEqual(filters(), ['shop-dev-hello:Live']);
  });

  await t.test('^C, pressed again and again, brings the traffic back once', async () => {
    answer(folder, 'three');
    const before = aws.writes('shop-dev-hello').length;
    const { code, output } = await deployUntil(folder, /shifted +10%/, (child) => {
      for (let i = 0; i < 5; i += 1) setTimeout(() => child.exitCode === null && process.kill(-Number(child.pid), 'SIGINT'), i * 30);
    });
    assert.equal(code, 13, output);
    assert.equal(output.match(/restored +100% of traffic to 2/g)?.length, 1, output);
    const weights = aws.writes('shop-dev-hello').slice(before).map((write) => write.weights);
    const shifted = weights.findIndex((weight) => Object.keys(weight).length > 0);
    assert.deepEqual(weights.slice(shifted), [{ 3: 0.1 }, {}], 'what the simulated AWS was told');
    assert.doesNotMatch(output, /exception|Error/);
    assert.deepEqual([alias().version, alias().weights], ['2', []]);
  });

  await t.test('pruning leaves what a rollback goes to', () => {
    assert.deepEqual(versions('shop-dev-hello'), ['$LATEST', '1', '2', '3']);
  });

  await t.test('in a terminal, every line is still there at the end', async () => {
    answer(folder, 'seen');
    const { program, env } = command('osls', folder, { ...aws.variables, CI: '' });
    const words = ['-B', path.join(__dirname, '../help/terminal.py'), '120', process.execPath, program, 'deploy'];
    const shown = execFileSync(path.join(TOOLS, 'python/bin/python'), words, { cwd: folder, env, encoding: 'utf8' });
    for (const line of [/settings +\.serverless/, /started +2 → new version/, /acquired/, /hook +shop-dev-hook succeeded/, /shifted +10%/, /shifted +100%/, /✔ PROMOTED +shop-dev-hello:Live/, /next +canaryctl rollback/]) {
      assert.match(shown, line);
    }
    const back = await deploy(['canaryctl', 'rollback', '--function', 'hello']);
    assert.equal(back.code, 0, back.output);
  });

  await t.test('a package is deployed later', async () => {
    answer(folder, 'five');
    const made = await deploy(['package', '--package', 'made']);
    assert.equal(made.code, 0, made.output);
    const { code, output } = await deploy(['deploy', '--package', 'made']);
    assert.equal(code, 0, output);
    assert.match(output, /✔ PROMOTED/);
    assert.notEqual(alias().version, '2');
  });

  await t.test('its commands', async () => {
    const version = alias().version;
    const status = await deploy(['canaryctl', 'status']);
    assert.equal(status.code, 0, status.output);
    assert.match(status.output, new RegExp(`100% on ${version}`));
    const back = await deploy(['canaryctl', 'rollback', '--function', 'hello', '--stage', 'dev', '--region', 'us-east-1']);
    assert.equal(back.code, 0, back.output);
    assert.equal(alias().version, '2');
    const refused = await deploy(['canaryctl', 'rollout']);
    assert.equal(refused.code, 3, refused.output);
    assert.match(refused.output, /ended with exit code 3, see above\n/);
  });

  await t.test('an older deployment is rolled out as any code', async () => {
    const listed = aws.ask('s3.list_buckets').Buckets[0].Name;
    const [first] = aws.ask('s3.list_objects_v2', { Bucket: listed }).Contents.map((/** @type {any} */ it) => it.Key.split('/')[3].split('-')[0]).sort();
    const { code, output } = await deploy(['rollback', '--timestamp', first]);
    assert.equal(code, 0, output);
    assert.match(output, /a deployment from before serverless-canaryctl[^]*✔ PROMOTED/);
  });

  await t.test('an alarm notices a bad version, it goes back, and the framework ends with exit code 10', async () => {
    const stable = alias().version;
    answer(folder, 'bad', ', SIM_ERROR_RATE: 1');
    change(folder, /Canary10Percent3Seconds/, 'Canary10Percent5Minutes');
    const { code, output } = await deploy();
    assert.equal(code, 10, output);
    assert.match(output, /alarm +hello-errors went to ALARM[^]*✖ ROLLED BACK +shop-dev-hello:Live stays on [^]*ended with exit code 10, see above; the stack itself is deployed/);
    assert.deepEqual([alias().version, alias().weights], [stable, []]);
  });

  await t.test('it goes as it came', async () => {
    const { code, output } = await deploy(['remove']);
    assert.equal(code, 0, output);
    assert.throws(() => alias(), /ResourceNotFoundException/);
  });
});

test('osls: from the old plugin in one deploy, with new code, and without a jump', options, async () => {
  const folder = project('shop', { plugin: OLD, edit: apart('moved') });
  const yml = path.join(folder, 'serverless.yml');
  fs.writeFileSync(yml, fs.readFileSync(yml, 'utf8').replace(/custom:\n(  .*\n)+/, '').replace(OLD, `${OLD}\n  - ./without-codedeploy.js`).replace('Canary10Percent3Seconds', 'Canary10Percent5Minutes'));
  const old = await run('osls', folder, ['deploy'], aws.variables);
  assert.equal(old.code, 0, old.output);
  assert.ok(deployedAlias('moved-dev').Properties.FunctionVersion['Fn::GetAtt']);
  assert.equal(alias('moved-dev-hello').version, '1');
  const next = fs.readFileSync(path.join(project('shop', { edit: apart('moved') }), 'serverless.yml'), 'utf8');
  fs.writeFileSync(yml, next);
  answer(folder, 'two');
  const { code, output } = await run('osls', folder, ['deploy'], aws.variables);
  assert.equal(code, 0, output);
  assert.match(output, /started +1 → new version[^]*✔ PROMOTED +moved-dev-hello:Live is on 2/, 'version 1 had all traffic when the rollout began');
  assert.equal(deployedAlias('moved-dev').Properties.FunctionVersion, '1');
  answer(folder, 'three');
  const later = await run('osls', folder, ['deploy'], aws.variables);
  assert.equal(later.code, 0, later.output);
  assert.match(later.output, /started +2 → new version/);
  assert.equal(deployedAlias('moved-dev').Properties.FunctionVersion, '1');
  fs.writeFileSync(yml, next.replace('alias: Live', 'alias: Open'));
  answer(folder, 'four');
  const renamed = await run('osls', folder, ['deploy'], aws.variables);
  assert.equal(renamed.code, 0, renamed.output);
  assert.match(renamed.output, /`Live` of function `hello` becomes `Open`[^]*moved-dev-hello:Open +started +3 → new version/);
  assert.equal(alias('moved-dev-hello').version, '3', 'the old alias stays where it was');
});

test('osls: a service without aliases gets them; a first try that fails leaves none in the way of the next', options, async () => {
  const plain = (/** @type {string} */ yml) => apart('failed')(yml).replace(/custom:\n(  .*\n)+/, '').replace(/    deploymentSettings:\n(      .*\n)+/, '');
  const folder = project('shop', { plugin: '', edit: plain });
  const before = await run('osls', folder, ['deploy'], aws.variables);
  assert.equal(before.code, 0, before.output);
  const yml = fs.readFileSync(path.join(project('shop', { edit: apart('failed') }), 'serverless.yml'), 'utf8');
  const waiting = yml.replace('    HelloErrors:\n', '    Refused:\n      DependsOn: HelloLambdaFunctionAliasLive\n      Type: AWS::CloudWatch::Alarm\n      Properties: {AlarmName: refused}\n    HelloErrors:\n');
  fs.writeFileSync(path.join(folder, 'serverless.yml'), waiting);
  const failed = await run('osls', folder, ['deploy'], aws.variables);
  assert.equal(failed.code, 1, failed.output);
  assert.match(failed.output, /FAILED: Refused/);
  fs.writeFileSync(path.join(folder, 'serverless.yml'), yml);
  const { code, output } = await run('osls', folder, ['deploy'], aws.variables);
  assert.equal(code, 0, output);
  assert.match(output, /PINNED +failed-dev-hello:Live/);
});

test('Serverless v3: from nothing, and new code', options, async () => {
  const folder = project('shop', { edit: (yml) => apart('third')(yml).replace('plugins:\n', 'plugins:\n  - ./endpoint.js\n') });
  const first = await run('serverless', folder, ['deploy'], aws.variables);
  assert.equal(first.code, 0, first.output);
  assert.match(first.output, /PINNED +third-dev-hello:Live/);
  answer(folder, 'two');
  const { code, output } = await run('serverless', folder, ['deploy'], aws.variables);
  assert.equal(code, 0, output);
  assert.match(output, /✔ PROMOTED +third-dev-hello:Live is on 2/);
});
