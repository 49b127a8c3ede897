'use strict';

// Other plugins as they are published. The sixteen services that the old plugin's own tests have: each place that it points at the alias,
// this one does, too. And serverless-prune-plugin, which keeps what a rollback needs.

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const { guardPruning } = require('../../lib/framework');
const { broken, calls } = require('../help/graph');
const { service } = require('../help/stub');
const { MODULES, OLD, skip } = require('../help/tools');

const FOLDER = path.join(MODULES, OLD, 'fixtures');
const read = (/** @type {string} */ name) => JSON.parse(fs.readFileSync(path.join(FOLDER, name), 'utf8'));
const names = skip ? [] : fs.readdirSync(FOLDER).filter((name) => name.includes('.service'));
const places = (/** @type {any} */ template, /** @type {string[]} */ ids) => calls(template, ids, 'Live').filter((call) => call.alias).map((call) => `${call.id} ${call.where} ${call.of}`);

let moved = 0;

for (const name of names) {
  test(name, async () => {
    const { service: stack, custom, functions } = read(name);
    const before = read(name.replace('.service', '.input'));
    const old = read(name.replace('.service', '.output'));
    const made = service(functions, { custom: { ...custom } });
    for (const [key, fn] of Object.entries(made.functions)) fn.name = `${stack}-dev-${key}`;
    made.serverless.service.provider.compiledCloudFormationTemplate = before;
    const ids = Object.keys(old.Resources).filter((id) => `${id}AliasLive` in old.Resources);
    await made.hook('after:aws:package:finalize:mergeCustomProviderResources');
    const ours = places(before, ids);
    moved += places(old, ids).length;
    assert.deepEqual(places(old, ids).filter((place) => !ours.includes(place)), []);
    const aliases = (/** @type {any} */ template) => Object.keys(template.Resources).filter((id) => template.Resources[id].Type === 'AWS::Lambda::Alias').sort();
    assert.deepEqual(aliases(before), aliases(old));
    const own = new Set(broken(read(name.replace('.service', '.input')), [], 'Live'));
    assert.deepEqual(broken(before, calls(before, ids, 'Live'), 'Live').filter((it) => !own.has(it)), []);
  });
}

test('there are sixteen, and the old plugin moves 104 places in them', { skip }, () => {
  assert.deepEqual([names.length, moved], [16, 104]);
});

test('serverless-prune-plugin leaves what traffic can go to', { skip }, () => {
  const Prune = require(path.join(MODULES, 'serverless-prune-plugin'));
  const prune = Object.assign(Object.create(Prune.prototype), { options: {}, pluginCustom: { number: 1 } });
  const versions = ['1', '2', '3', '4', '5', '6', '$LATEST'].map((Version) => ({ Version }));
  const alias = { FunctionVersion: '4', Description: '[canaryctl/1 7f3ac2e1 k4q9 shift 4>5 10% 1/2 t=towpnp p=2 h=9a41c07e]' };
  assert.deepEqual(prune.selectPruneVersionsForFunction(versions, [alias]), ['5', '3', '2', '1']);
  guardPruning({ pluginManager: { plugins: [prune] } });
  assert.deepEqual(prune.selectPruneVersionsForFunction(versions, [alias]), ['3', '1']);
});
