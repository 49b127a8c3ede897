'use strict';

// What does the deployed stack say of an alias? It stays so, whatever it is: only then does CloudFormation leave the alias alone.

const LITERAL = /^(\$LATEST|\d+)$/;

/** How many aliases are looked up at the same time, because CloudFormation answers few requests a second. */
const AT_ONCE = 4;

/**
 * Writes into the template what the deployed stack's aliases resolve to. At this point an edit is still part of what the framework
 * compares, hashes and uploads, also when it deploys a package that was made before.
 *
 * @param {import('../index')} plugin
 */
async function takeOver(plugin) {
  const all = plugin.canaries();
  if (!all.length) return;
  const { provider, serverless } = plugin;
  const { Resources } = serverless.service.provider.compiledCloudFormationTemplate;
  const stack = provider.naming.getStackName();
  const binary = plugin.binary();
  plugin.unpinned = [];
  for (let i = 0; i < all.length; i += AT_ONCE) {
    await Promise.all(
      all.slice(i, i + AT_ONCE).map(async (canary) => {
        const found = await binary.answer(['stack', 'alias', stack, canary.aliasId]);
        const version = await literal(plugin, canary, found);
        if (!Resources[canary.aliasId]) plugin.fail(`the package was made without serverless-canaryctl: function \`${canary.key}\` has no alias in it`);
        if (version) Resources[canary.aliasId].Properties.FunctionVersion = version;
        if (!found.alias || found.alias.version === '$LATEST') plugin.unpinned.push(canary);
      })
    );
  }
}

/**
 * The version that the template has to name; nothing where there is no alias yet.
 *
 * @param {import('../index')} plugin
 * @param {import('./settings').Canary} canary
 * @param {any} found canaryctl's answer
 * @returns {Promise<string | undefined>}
 */
async function literal(plugin, canary, found) {
  const { key, alias } = canary;
  if (!found.alias) {
    const former = await formerly(plugin, canary, found.others || []);
    if (former || (found.exists && !plugin.provider.didCreateService)) confirmUrl(plugin, canary);
    if (!former) return undefined;
    plugin.log.notice(`canaryctl: \`${former.name}\` of function \`${key}\` becomes \`${alias}\`, on the same version; the old alias stays without triggers: delete it when nothing uses it`);
    return still(plugin, key, former);
  }
  const { Properties = {} } = found.alias.definition || plugin.fail(
    `the deployed template of function \`${key}\` cannot be read, so this deploy could move its alias\n  hint: cloudformation:GetTemplate is needed`
  );
  if (LITERAL.test(Properties.FunctionVersion)) return Properties.FunctionVersion;
  // Another tool's alias, until now.
  confirmUrl(plugin, canary);
  return still(plugin, key, found.alias);
}

/**
 * The alias that the deployed stack has for this function by another name.
 *
 * @param {import('../index')} plugin
 * @param {import('./settings').Canary} canary
 * @param {string[]} others logical ids
 * @returns {Promise<any>}
 */
async function formerly(plugin, { id }, others) {
  const ids = others.filter((other) => other.startsWith(`${id}Alias`));
  const found = ids.length === 1 && (await plugin.binary().answer(['stack', 'alias', plugin.provider.naming.getStackName(), ids[0]]));
  return found && found.alias;
}

/**
 * The version that an alias is on, if all traffic is there.
 *
 * @param {import('../index')} plugin
 * @param {string} key
 * @param {{name: string, version: string, weights?: any}} alias
 */
function still(plugin, key, { name, version, weights }) {
  if (Object.keys(weights || {}).length) {
    plugin.fail(`function \`${key}\`: a deployment is still shifting traffic on \`${name}\`: wait until it has ended, then deploy again`);
  }
  if (!LITERAL.test(version)) plugin.fail(`function \`${key}\`: the version of \`${name}\` is not known, so this deploy could move it`);
  return version;
}

/**
 * The URL of a function and the URL of its alias are two: callers of the old one are cut off.
 *
 * @param {import('../index')} plugin
 * @param {import('./settings').Canary} canary
 */
function confirmUrl(plugin, { key, fn }) {
  if (!fn.url || plugin.settings().functionUrlMayChange) return;
  plugin.fail(
    `function \`${key}\` has a URL, and this deploy gives it another address: the alias has its own URL\n  hint: inform its callers, then set custom.canaryctl.functionUrlMayChange: true`
  );
}

module.exports = { takeOver };
