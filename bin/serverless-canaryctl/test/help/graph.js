'use strict';

// What a template says about a function and about what waits for what, read without the plugin's own code.

/**
 * Every text in a value, with intrinsic functions spelled out: an attribute is `${Id.Arn}`, a reference `${Id}`.
 *
 * @param {any} node
 * @param {string} [where]
 * @returns {[string, string][]}
 */
function texts(node, where = '') {
  if (node === null || typeof node !== 'object') return [[where, String(node)]];
  const plain = spelled(node);
  if (plain !== undefined) return [[where, plain]];
  return Object.entries(node).flatMap(([key, value]) => texts(value, where ? `${where}.${key}` : key));
}

/**
 * @param {any} node
 * @returns {string | undefined}
 */
function spelled(node) {
  // What looks like a reference in a plain text is none.
  if (typeof node === 'string') return node.replaceAll('${', '$ {');
  if (Array.isArray(node) || !node || Object.keys(node).length !== 1) return undefined;
  if (node.Ref) return `\${${node.Ref}}`;
  if (node['Fn::GetAtt']) return `\${${[node['Fn::GetAtt']].flat().join('.')}}`;
  if (node['Fn::Join']) return node['Fn::Join'][1].map((/** @type {any} */ part) => spelled(part) ?? JSON.stringify(part)).join(node['Fn::Join'][0]);
  if (node['Fn::Sub']) return [node['Fn::Sub']].flat()[0];
  return undefined;
}

const DEFINED = new Set(['AWS::Lambda::Alias', 'AWS::Lambda::Version', 'AWS::Logs::LogGroup', 'AWS::CodeDeploy::Application', 'AWS::CodeDeploy::DeploymentGroup', 'AWS::CloudWatch::Alarm']);

/**
 * Every place that names one of these functions, and whether it names the alias.
 *
 * @param {any} template
 * @param {string[]} ids logical ids
 * @param {string} alias
 */
function calls(template, ids, alias) {
  /** @type {{id: string, type: string, where: string, of: string, text: string, alias: boolean}[]} */
  const found = [];
  for (const [id, resource] of Object.entries(/** @type {Record<string, any>} */ (template.Resources))) {
    if (DEFINED.has(resource.Type) || resource.Type === 'AWS::Lambda::Function') continue;
    for (const [where, text] of texts(resource.Properties)) {
      for (const of of ids) {
        const name = template.Resources[of].Properties.FunctionName;
        const named = new RegExp(`\\$\\{${of}(\\.Arn)?\\}|(^|[:/])${name}($|[:/])|\\$\\{${of}Alias${alias}\\}`);
        if (!named.test(text)) continue;
        const qualified = new RegExp(`(\\$\\{${of}(\\.Arn)?\\}|${name}):${alias}($|\\W)|\\$\\{${of}Alias${alias}\\}`);
        const qualifier = resource.Properties.Qualifier || resource.Properties.FunctionQualifier;
        found.push({ id, type: resource.Type, where, of, text, alias: qualified.test(text) || (where === 'FunctionName' && qualifier === alias) });
      }
    }
  }
  return found;
}

/**
 * What each resource waits for.
 *
 * @param {any} template
 * @returns {Map<string, Set<string>>}
 */
function waits(template) {
  const graph = new Map();
  for (const [id, resource] of Object.entries(/** @type {Record<string, any>} */ (template.Resources))) {
    const needs = new Set([resource.DependsOn || []].flat());
    for (const [, text] of texts({ ...resource, DependsOn: undefined })) {
      for (const [, named] of text.matchAll(/\$\{([A-Za-z0-9]+)(?:\.[\w.]+)?\}/g)) needs.add(named);
    }
    graph.set(id, needs);
  }
  return graph;
}

/**
 * All that comes before a resource.
 *
 * @param {Map<string, Set<string>>} graph
 * @param {string} id
 */
function before(graph, id) {
  const seen = new Set();
  const left = [...(graph.get(id) || [])];
  for (let next = left.pop(); next; next = left.pop()) {
    if (!seen.has(next)) {
      seen.add(next);
      left.push(...(graph.get(next) || []));
    }
  }
  return seen;
}

/**
 * What cannot be deployed: circles, what depends on nothing that there is, and callers that do not wait for the alias that they name.
 *
 * @param {any} template
 * @param {ReturnType<typeof calls>} callers
 * @param {string} alias
 */
function broken(template, callers, alias) {
  const graph = waits(template);
  const circles = [...graph.keys()].filter((id) => before(graph, id).has(id)).map((id) => `${id} waits for itself`);
  const missing = [...graph].flatMap(([id, needs]) => [...needs].filter((need) => !template.Resources[need]).map((need) => `${id} waits for ${need}, which is not there`));
  const early = callers
    .filter((call) => call.alias && call.type !== 'AWS::IAM::Role' && !before(graph, call.id).has(`${call.of}Alias${alias}`))
    .map((call) => `${call.id} does not wait for the alias`);
  return [...circles, ...missing, ...early];
}

module.exports = { broken, calls };
