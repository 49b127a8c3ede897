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
        const version = literal(plugin, canary, found);
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
 * @returns {string | undefined}
 */
function literal(plugin, canary, found) {
  const deployed = found.alias;
  if (!deployed) {
    if (found.exists && !plugin.provider.didCreateService) confirmUrl(plugin, canary);
    return undefined;
  }
  const { Properties = {} } = deployed.definition || plugin.fail(
    `the deployed template of function \`${canary.key}\` cannot be read, so this deploy could move its alias\n  hint: cloudformation:GetTemplate is needed`
  );
  if (LITERAL.test(Properties.FunctionVersion)) return Properties.FunctionVersion;
  // Another tool's alias, until now.
  if (Object.keys(deployed.weights || {}).length) {
    plugin.fail(`function \`${canary.key}\`: a deployment is still shifting traffic on \`${canary.alias}\`: wait for its end, then deploy again`);
  }
  confirmUrl(plugin, canary);
  if (!LITERAL.test(deployed.version)) plugin.fail(`function \`${canary.key}\`: the version of \`${canary.alias}\` is not known, so this deploy could move it`);
  return deployed.version;
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
    `function \`${key}\` has a URL, and this deploy gives it another address: the alias has its own\n  hint: tell its callers, then set custom.canaryctl.functionUrlMayChange: true`
  );
}

module.exports = { takeOver };
