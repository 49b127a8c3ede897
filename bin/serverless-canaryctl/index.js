'use strict';

// What happens in which step of the framework? Each hook is one line here; the rules are in `lib/`.

const { Binary } = require('./lib/binary');
const { takeOver } = require('./lib/deployed');
const { guardLogFilters, guardPruning } = require('./lib/framework');
const { SCHEMA, canaries, check, refuseBeside } = require('./lib/settings');
const { addAliases, target } = require('./lib/template');

const STATE = '.serverless/serverless-state.json';

class ServerlessCanaryctl {
  /**
   * @param {any} serverless the framework
   * @param {Record<string, any>} options of the command line
   * @param {{log?: any}} [utils] of v3 and later
   */
  constructor(serverless, options, utils) {
    this.serverless = serverless;
    this.options = options || {};
    this.provider = serverless.getProvider('aws');
    // First of all: the framework knows no two plugins that define the same settings, and says so in other words.
    refuseBeside(serverless);
    /** @type {import('./lib/settings').Canary[]} whose alias is on `$LATEST` after this deploy */
    this.unpinned = [];
    this.deployed = false;
    this.log = (utils && utils.log) || { notice: console.error, warning: console.error };
    serverless.configSchemaHandler.defineFunctionProperties('aws', SCHEMA.ofFunction);
    serverless.configSchemaHandler.defineCustomProperties(SCHEMA.ofService);
    const words = { rollout: 'Roll out what is new', rollback: 'Roll back now', status: 'Show where the traffic is', abort: 'Roll back what is in progress' };
    /** @param {string} usage */
    const command = (usage) => ({
      usage,
      lifecycleEvents: ['run'],
      options: { function: { usage: 'Only this function', shortcut: 'f', type: 'string' } },
    });
    this.commands = {
      canaryctl: {
        usage: 'Roll out, roll back and watch the functions with deploymentSettings',
        commands: Object.fromEntries(Object.entries(words).map(([word, usage]) => [word, command(usage)])),
      },
    };
    this.hooks = {
      initialize: () => guardPruning(serverless),
      'before:package:compileFunctions': () => this.refuseOrTarget(),
      'after:aws:package:finalize:mergeCustomProviderResources': () => addAliases(this),
      'before:aws:deploy:deploy:checkForChanges': () => this.beforeUpload(),
      'after:deploy:deploy': () => {
        this.deployed = true;
        return this.release(['--config', STATE]);
      },
      'before:rollback:rollback': () => this.warnOfOldTemplates(),
      'after:rollback:rollback': () => (this.options.timestamp ? this.release([]) : undefined),
      'canaryctl:rollout:run': () => this.release([]),
      'canaryctl:rollback:run': () => this.rollback(),
      'canaryctl:status:run': () => this.each('status'),
      'canaryctl:abort:run': () => this.each('abort'),
    };
  }

  /** The functions that are rolled out in this stage. */
  canaries() {
    return canaries(this.serverless, this.provider);
  }

  /** Those that the command line names, or all. */
  chosen() {
    const all = this.canaries();
    const only = this.options.function;
    const chosen = only ? all.filter((canary) => canary.key === only || canary.name === only) : all;
    if (only && !chosen.length) this.fail(`function ${only} has no deploymentSettings in stage ${this.provider.getStage()}`);
    if (!chosen.length) this.log.notice(`canaryctl: no function has deploymentSettings in stage ${this.provider.getStage()}`);
    return chosen;
  }

  binary() {
    return new Binary(this);
  }

  /**
   * @param {string} message
   * @returns {never}
   */
  fail(message) {
    throw new this.serverless.classes.Error(message, 'CANARYCTL');
  }

  refuseOrTarget() {
    const all = this.canaries();
    const problems = check(all);
    if (problems.length) this.fail(problems.join('\n'));
    all.forEach(target);
  }

  async beforeUpload() {
    await takeOver(this);
    guardLogFilters(this);
  }

  /**
   * Pins aliases that the stack has just made to a version, then rolls out all functions as one.
   *
   * @param {string[]} config where canaryctl finds the settings; empty: it looks for itself
   */
  async release(config) {
    const chosen = this.chosen();
    if (!chosen.length) return;
    const binary = this.binary();
    const more = this.settings().rollout || [];
    const own = more.some((/** @type {string} */ word) => /^--(config|no-config)\b/.test(word)) ? [] : config;
    if (this.unpinned.length) await this.run(binary, ['pin', ...this.unpinned.map(subject), '--no-config']);
    await this.run(binary, ['rollout', ...this.named(chosen), ...own, '--stage', this.provider.getStage(), ...more]);
  }

  rollback() {
    const chosen = this.chosen();
    if (!chosen.length) return undefined;
    // Without a function canaryctl takes back what is in progress; with one it also undoes a finished rollout.
    return this.run(this.binary(), ['rollback', ...this.named(chosen), '--stage', this.provider.getStage()]);
  }

  /** @param {string} word a command that takes one function and undoes nothing that is finished */
  async each(word) {
    const binary = this.binary();
    let worst = 0;
    for (const canary of this.chosen()) {
      worst = Math.max(worst, await binary.run([word, subject(canary), '--stage', this.provider.getStage()]));
    }
    this.end(word, worst);
  }

  /** @param {import('./lib/settings').Canary[]} chosen */
  named(chosen) {
    return this.options.function ? chosen.map(subject) : [];
  }

  /** `custom.canaryctl` of the service. */
  settings() {
    return (this.serverless.service.custom || {}).canaryctl || {};
  }

  /**
   * @param {Binary} binary
   * @param {string[]} words
   */
  async run(binary, words) {
    this.end(words[0], await binary.run(words));
  }

  /**
   * Ends the framework with canaryctl's exit code. The framework sets 1 whatever the error is, so this is done when it leaves.
   *
   * @param {string} word
   * @param {number} code
   */
  end(word, code) {
    if (code === 0) return;
    process.once('exit', () => {
      process.exitCode = code;
    });
    // The framework says above this that the stack failed to deploy.
    const stack = this.deployed ? '; the stack itself is deployed' : '';
    this.fail(`canaryctl ${word} ended with exit code ${code}, see above${stack}`);
  }

  warnOfOldTemplates() {
    if (!this.options.timestamp || !this.canaries().length) return;
    this.log.notice('to move traffic back at once: serverless canaryctl rollback');
    this.log.warning('a deployment from before serverless-canaryctl was added moves all traffic at once: its template has another alias, or none');
  }
}

/** @param {import('./lib/settings').Canary} canary */
function subject(canary) {
  return `${canary.name}:${canary.alias}`;
}

module.exports = ServerlessCanaryctl;
