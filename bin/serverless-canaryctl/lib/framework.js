'use strict';

// What do other parts of the framework do that aliases with weights do not survive?

/**
 * Keeps subscription filters of CloudWatch Logs. Before a deploy the framework deletes those that do not name the function that it
 * expects, and it expects the bare one.
 *
 * @param {import('../index')} plugin
 */
function guardLogFilters(plugin) {
  const aliases = new Map(plugin.canaries().map(({ key, alias }) => [key, alias]));
  for (const deploy of having(plugin.serverless, 'fixLogGroupSubscriptionFilters')) {
    const original = deploy.fixLogGroupSubscriptionFilters;
    deploy.fixLogGroupSubscriptionFilters = (/** @type {any} */ params) => {
      const cloudwatchLogEvents = params.cloudwatchLogEvents.map((/** @type {any} */ event) => {
        const alias = aliases.get(event.functionName);
        return alias ? { ...event, FunctionName: `${event.FunctionName}:${alias}` } : event;
      });
      return original.call(deploy, { ...params, cloudwatchLogEvents });
    };
  }
}

/**
 * Keeps versions that traffic is shifted to, or can be rolled back to. serverless-prune-plugin and osls keep only the version that an
 * alias is on.
 *
 * @param {any} serverless
 */
function guardPruning(serverless) {
  for (const prune of having(serverless, 'selectPruneVersionsForFunction')) {
    const original = prune.selectPruneVersionsForFunction;
    prune.selectPruneVersionsForFunction = (/** @type {any[]} */ versions, /** @type {any[]} */ aliases) => {
      const kept = new Set(aliases.flatMap(needed));
      return original.call(prune, versions, aliases).filter((/** @type {string} */ version) => !kept.has(String(version)));
    };
  }
}

/**
 * The versions that an alias' weights and canaryctl's note on it name: `41>42`, and after `p=` what 41 replaced.
 *
 * @param {any} alias
 * @returns {string[]}
 */
function needed({ Description = '', RoutingConfig }) {
  const weighted = Object.keys((RoutingConfig && RoutingConfig.AdditionalVersionWeights) || {});
  const note = (/\[canaryctl\/.*$/.exec(Description) || [''])[0];
  const named = [...note.matchAll(/ (\d+|-)>(\d+|-)(?= )| p=(\d+)/g)].flatMap((match) => match.slice(1));
  return weighted.concat(named.filter(Boolean));
}

/**
 * The framework's plugins that have this method.
 *
 * @param {any} serverless
 * @param {string} method
 * @returns {any[]}
 */
function having(serverless, method) {
  return serverless.pluginManager.plugins.filter((/** @type {any} */ plugin) => typeof plugin[method] === 'function');
}

module.exports = { guardLogFilters, guardPruning };
