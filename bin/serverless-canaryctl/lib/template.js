'use strict';

// What does the template say of an alias, so that no later deploy moves it, and who calls it?

const { bypassing, nameAliases } = require('./callers');

/** @typedef {import('./settings').Canary} Canary */

/**
 * Points the framework's own triggers at the alias.
 *
 * @param {Canary} canary
 */
function target({ fn, alias, aliasId }) {
  const value = { name: alias, logicalId: aliasId };
  // With `snapStart` the framework sets an alias of its own later: a setter that does nothing keeps ours.
  Object.defineProperty(fn, 'targetAlias', { configurable: true, enumerable: true, get: () => value, set() {} });
}

/**
 * The alias as the stack makes it. CloudFormation compares templates: what never changes there is made once and never touched again, so
 * its version, weights and description belong to canaryctl. `Retain` alone would leave an alias behind when the deploy that makes it fails,
 * and the next one would find it in its way.
 *
 * @param {Canary} canary
 */
function alias({ fn, id, alias: name }) {
  return {
    Type: 'AWS::Lambda::Alias',
    DeletionPolicy: 'RetainExceptOnCreate',
    UpdateReplacePolicy: 'Retain',
    ...(fn.condition ? { Condition: fn.condition } : {}),
    Properties: { FunctionName: { Ref: id }, FunctionVersion: '$LATEST', Name: name },
  };
}

/**
 * Adds the aliases, and lets everything that calls one of the functions name its alias.
 *
 * @param {import('../index')} plugin
 */
function addAliases(plugin) {
  const { provider, serverless } = plugin;
  const { Resources } = serverless.service.provider.compiledCloudFormationTemplate;
  const all = plugin.canaries();
  if (!all.length) return;
  for (const canary of all) {
    if (canary.fn.snapStart) delete Resources[provider.naming.getLambdaSnapStartAliasLogicalId(canary.key)];
    Resources[canary.aliasId] = alias(canary);
  }
  nameAliases(Resources, all);
  allowDestinations(Resources[provider.naming.getRoleLogicalId()], all);
  const passing = bypassing(Resources, all);
  if (passing.length) {
    const hint = 'their traffic goes to the newest code at once';
    plugin.log.warning(`canaryctl: these call the functions themselves, not the alias: ${passing.join(', ')}; ${hint}`);
  }
}

/**
 * v3 lets the role call a function that is a destination by its name, which does not cover its alias.
 *
 * @param {any} role
 * @param {Canary[]} all
 */
function allowDestinations(role, all) {
  for (const policy of (role && role.Properties.Policies) || []) {
    for (const statement of policy.PolicyDocument.Statement || []) {
      const arn = statement.Resource && statement.Resource['Fn::Sub'];
      const canary = typeof arn === 'string' && all.find(({ name }) => arn.endsWith(`:function:${name}`));
      if (canary && [].concat(statement.Action).some((action) => action === 'lambda:InvokeFunction')) {
        statement.Resource = [statement.Resource, { 'Fn::Sub': `${arn}:${canary.alias}` }];
      }
    }
  }
}

module.exports = { addAliases, target };
