'use strict';

// The guide's page for Serverless, as printed: its serverless.yml, its commands in their order, and its lines of output.
//
// Nothing is exchanged but: what the functions do, which on the simulated AWS is in their environment; the address, which each deploy has
// another of; the plan of a good version, which would take 13 minutes (it does with AS_PRINTED=1); and `npm install`, which has been done.

const assert = require('node:assert');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, test } = require('node:test');

const { emulator } = require('../help/emulator');
const { FRAMEWORKS, command, project, skip } = require('../help/tools');

const PAGE = fs.readFileSync(path.join(__dirname, '../../../canaryctl/guide/serverless.md'), 'utf8');
const BLOCKS = PAGE.split(/\n(?! {4}|\n)/).flatMap((part) => part.split(/\n\n(?= {4})/)).map(block).filter(Boolean);
const missing = skip || (process.env.CANARYCTL ? false : 'CANARYCTL does not name the program');

/** @param {string} part */
function block(part) {
  const lines = part.split('\n').filter((line) => line.startsWith('    ') || !line.trim());
  return lines.map((line) => line.slice(4)).join('\n').trim();
}

const YML = BLOCKS.find((it) => it.startsWith('service:')) || '';
const TYPED = BLOCKS.flatMap((it) => it.split('\n')).filter((line) => /^(npx|npm|curl|canaryctl) /.test(line));
/** @param {RegExp} word in a block of output */
const printed = (word) => (BLOCKS.find((it) => word.test(it) && !it.startsWith('service:')) || assert.fail(`no output with ${word}`)).split('\n');

/**
 * @param {string} output
 * @param {string[]} lines of the page, in which `…` stands for anything
 */
function shows(output, lines) {
  for (const line of lines) {
    const pattern = line.split('…').map((part) => part.trim().replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/ +/g, ' +')).join('.*');
    assert.match(output, new RegExp(pattern), line);
  }
}

/** @type {Awaited<ReturnType<typeof emulator>>} */
let aws;
before(async () => {
  if (!missing) aws = await emulator();
});
after(() => aws && aws.stop());

test('the page has these commands, in this order', () => {
  assert.deepEqual(TYPED, [
    'npm install --save-dev serverless-canaryctl',
    'npx sls deploy',
    'npx sls deploy',
    'curl https://abc123.execute-api.us-east-1.amazonaws.com/dev/hello',
    'npx sls canaryctl status',
    'npx sls canaryctl rollback --function hello',
    'npx sls canaryctl rollout',
    'canaryctl doctor hello',
  ]);
});

test('the story of the page', { skip: missing, timeout: 1_500_000 }, async (t) => {
  const framework = FRAMEWORKS[1];
  const folder = project('hello');
  const yml = path.join(folder, 'serverless.yml');
  const bin = path.join(folder, 'node_modules/.bin');
  fs.mkdirSync(bin);
  fs.symlinkSync(`../${framework}/bin/serverless.js`, path.join(bin, 'sls'));
  fs.symlinkSync(path.resolve(aws.variables.CANARYCTL), path.join(bin, 'canaryctl'));

  /**
   * The service at this moment.
   *
   * @param {string} does what the function does
   * @param {boolean} slow as the page has it
   */
  const write = (does, slow = false) => {
    let text = YML.replace('handler: handler.hello\n', `handler: handler.hello\n    environment: {${does}, SIM_TRAFFIC_RPS: 20}\n`);
    text = text.replaceAll('handler.hook}', 'handler.hook, environment: {SIM_HOOK: Succeeded}}').replace(/ +#.*/g, '');
    text += "\npackage: {patterns: ['!**', handler.js]}\n";
    const quick = text.replace('Every1Minute', 'Every2Seconds').replace('custom:\n', "custom:\n  canaryctl: {rollout: [--bake, 3s, --analysis, 'off']}\n");
    fs.writeFileSync(yml, slow || process.env.AS_PRINTED ? text : quick);
  };
  /**
   * Types a command of the page.
   *
   * @param {string} line
   * @param {(output: string) => void} [heard]
   * @returns {Promise<{code: number | null, output: string}>}
   */
  const type = (line, heard = () => {}) => {
    assert.ok(TYPED.includes(line), line);
    const { env } = command(framework, folder, { AWS_ENDPOINT_URL: aws.variables.AWS_ENDPOINT_URL });
    const access = { PATH: `${bin}:${process.env.PATH}`, AWS_REGION: 'us-east-1' };
    const child = spawn('sh', ['-c', line], { cwd: folder, env: { ...env, ...access } });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => heard((output += data)));
    return new Promise((resolve) => child.on('close', (code) => resolve({ code, output })));
  };
  let address = '';
  const answers = async () => new Set(await Promise.all(Array.from({ length: 40 }, async () => (await aws.visit(address)).text)));

  await t.test('the first deploy', async () => {
    write('SIM_BODY: one');
    const { code, output } = await type('npx sls deploy');
    assert.equal(code, 0, output);
    shows(output, printed(/PINNED/));
    address = /https:\S+execute-api\S+/.exec(output)?.[0] ?? '';
    assert.deepEqual(await answers(), new Set(['one']));
  });

  await t.test('a new version; meanwhile callers get both answers', async () => {
    write('SIM_BODY: two');
    /** @type {Promise<Set<string>> | undefined} */
    let seen;
    const { code, output } = await type('npx sls deploy', (said) => {
      if (!seen && /shifted +50%/.test(said)) seen = answers();
    });
    assert.equal(code, 0, output);
    shows(output, printed(/PROMOTED/));
    assert.deepEqual([...((await seen) || [])].sort(), ['one', 'two']);
    assert.deepEqual(await answers(), new Set(['two']));
  });

  await t.test('a bad version', async () => {
    write('SIM_BODY: bad, SIM_ERROR_RATE: 0.9', true);
    const { code, output } = await type('npx sls deploy');
    assert.equal(code, 10, output);
    shows(output, [...printed(/ROLLED BACK/), 'canaryctl rollout ended with exit code 10, see above; the stack itself is deployed']);
    assert.deepEqual(await answers(), new Set(['two']));
  });

  await t.test('afterwards', async () => {
    const status = await type('npx sls canaryctl status');
    assert.equal(status.code, 0, status.output);
    assert.match(status.output, /100% on 2/);
    const back = await type('npx sls canaryctl rollback --function hello');
    assert.equal(back.code, 0, back.output);
    assert.deepEqual(await answers(), new Set(['two']), 'the last rollout is undone already');
    const rejected = await type('npx sls canaryctl rollout');
    assert.equal(rejected.code, 3, rejected.output);
    assert.match(rejected.output, /REFUSED/);
    const doctor = await type('canaryctl doctor hello');
    assert.match(doctor.output, /no deploy moves/);
  });
});
