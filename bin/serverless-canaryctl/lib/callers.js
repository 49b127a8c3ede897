'use strict';

// Which resources call a function, and how do they come to call its alias? The framework's own triggers do by `targetAlias`; this is for
// the resources that people wrote themselves, of the types that serverless-plugin-canary-deployments looked after.

/** @typedef {import('./settings').Canary} Canary */

/** Of these types, whoever names a function calls it. */
const CALLERS = new Set([
  'AWS::ApiGateway::Authorizer',
  'AWS::ApiGateway::Method',
  'AWS::ApiGatewayV2::Authorizer',
  'AWS::ApiGatewayV2::Integration',
  'AWS::AppSync::DataSource',
  'AWS::Events::Rule',
  'AWS::IoT::TopicRule',
  'AWS::Lambda::EventSourceMapping',
  'AWS::Lambda::Permission',
  'AWS::Logs::SubscriptionFilter',
  'AWS::S3::Bucket',
  'AWS::SNS::Subscription',
  'AWS::SNS::Topic',
]);

/** The framework's own: its function sets the trigger by the API. */
const CUSTOM = new Set(['Custom::S3', 'Custom::CognitoUserPool', 'Custom::EventBridge']);

/** Of these types, `FunctionName` may be a name. */
const NAMED = new Set(['AWS::Lambda::EventSourceMapping', 'AWS::Lambda::Permission']);

/**
 * @param {Record<string, any>} resources
 * @param {Canary[]} all
 */
function nameAliases(resources, all) {
  const byId = new Map(all.map((canary) => [canary.id, canary]));
  for (const resource of Object.values(resources)) {
    const properties = resource.Properties;
    if (!properties || resource.Type === 'AWS::Lambda::Alias') continue;
    if (CALLERS.has(resource.Type)) {
      const ref = NAMED.has(resource.Type) && properties.FunctionName && byId.get(properties.FunctionName.Ref);
      if (ref) properties.FunctionName = arn(ref.id);
      resource.Properties = qualified(properties, byId);
    }
    const named = text(resource.Properties);
    const needs = all.filter((canary) => named.includes(`\${${canary.id}.Arn}:${canary.alias}`)).map((canary) => canary.aliasId);
    if (needs.length) {
      const depends = [...new Set([resource.DependsOn || [], needs].flat())];
      resource.DependsOn = depends.length === 1 ? depends[0] : depends;
    }
  }
}

/**
 * The logical ids of those that call a function itself: v3 cannot set an alias for triggers on what exists already.
 *
 * @param {Record<string, any>} resources
 * @param {Canary[]} all
 * @returns {string[]}
 */
function bypassing(resources, all) {
  const names = new Set(all.map(({ name }) => name));
  return Object.entries(resources)
    .filter(([, { Type, Properties = {} }]) => CUSTOM.has(Type) && names.has(Properties.FunctionName) && !Properties.FunctionQualifier)
    .map(([id]) => id);
}

/** @param {string} id */
const arn = (id) => ({ 'Fn::GetAtt': [id, 'Arn'] });

/**
 * The logical id of the function whose ARN this is.
 *
 * @param {any} node
 */
function functionOf(node) {
  const attribute = node && typeof node === 'object' && node['Fn::GetAtt'];
  const [id, name] = Array.isArray(attribute) ? attribute : typeof attribute === 'string' ? attribute.split('.') : [];
  return name === 'Arn' ? id : undefined;
}

/**
 * The same value, in which every ARN of one of the functions is that of its alias.
 *
 * @param {any} node
 * @param {Map<string, Canary>} byId
 * @returns {any}
 */
function qualified(node, byId) {
  if (Array.isArray(node)) return node.map((item) => qualified(item, byId));
  if (!node || typeof node !== 'object') return node;
  const canary = byId.get(functionOf(node) || '');
  if (canary) return { 'Fn::Join': [':', [arn(canary.id), canary.alias]] };
  const keys = Object.keys(node);
  if (keys.length === 1 && keys[0] === 'Fn::Join' && Array.isArray(node['Fn::Join'][1])) {
    const [delimiter, parts] = node['Fn::Join'];
    const follows = (/** @type {number} */ i) => (i + 1 < parts.length ? delimiter + text(parts[i + 1]) : '');
    const done = (/** @type {any} */ part, /** @type {number} */ i) => byId.has(functionOf(part) || '') && follows(i).startsWith(':');
    return { 'Fn::Join': [delimiter, parts.map((/** @type {any} */ part, /** @type {number} */ i) => (done(part, i) ? part : qualified(part, byId)))] };
  }
  if (keys.length === 1 && keys[0] === 'Fn::Sub') {
    const [template, values] = Array.isArray(node['Fn::Sub']) ? node['Fn::Sub'] : [node['Fn::Sub'], undefined];
    const named = template.replace(/\$\{(\w+)\.Arn\}(?!:)/g, (/** @type {string} */ whole, /** @type {string} */ id) => {
      const found = byId.get(id);
      return found ? `${whole}:${found.alias}` : whole;
    });
    return { 'Fn::Sub': values ? [named, qualified(values, byId)] : named };
  }
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, qualified(value, byId)]));
}

/**
 * A value as a text in which a function's ARN is `${Id.Arn}`, so that it can be searched.
 *
 * @param {any} node
 * @returns {string}
 */
function text(node) {
  if (typeof node === 'string') return node;
  if (Array.isArray(node)) return node.map(text).join('\n');
  if (!node || typeof node !== 'object') return String(node);
  const id = functionOf(node);
  if (id) return `\${${id}.Arn}`;
  if (Array.isArray(node['Fn::Join']) && Array.isArray(node['Fn::Join'][1])) return node['Fn::Join'][1].map(text).join(node['Fn::Join'][0]);
  return Object.values(node).map(text).join('\n');
}

module.exports = { bypassing, nameAliases };
