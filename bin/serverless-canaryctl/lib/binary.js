'use strict';

// Where is canaryctl, and how is it run so that its output, its exit code and signals come through?

const { spawn } = require('child_process');
const os = require('os');
const path = require('path');

const SIGNALS = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']);

class Binary {
  /** @param {import('../index')} plugin */
  constructor(plugin) {
    this.plugin = plugin;
    this.folder = plugin.serverless.serviceDir;
    this.command = process.env.CANARYCTL || plugin.settings().binary || packaged(this.folder) || 'canaryctl';
    // One that is named by a path is meant from the service's folder, not from where the command is given.
    if (/[/\\]/.test(this.command)) this.command = path.resolve(this.folder, this.command);
  }

  /**
   * Runs it to its end.
   *
   * @param {string[]} words
   * @returns {Promise<number>} its exit code; of one that a signal ended, 128 and the signal's number
   */
  async run(words) {
    // The framework redraws the last lines of a terminal: what the child writes there itself is lost, so it writes into a pipe.
    const { code } = await this.start(words, (data) => process.stdout.write(data));
    return code;
  }

  /**
   * The JSON that it answers.
   *
   * @param {string[]} words
   * @returns {Promise<any>}
   */
  async answer(words) {
    let output = '';
    const { code } = await this.start([...words, '--json'], (data) => {
      output += data;
    });
    if (code) this.plugin.end(words.slice(0, 2).join(' '), code);
    try {
      return JSON.parse(output);
    } catch {
      return this.plugin.fail(`canaryctl ${words.join(' ')} did not answer with JSON: ${output.slice(0, 200)}`);
    }
  }

  /**
   * @param {string[]} words
   * @param {(data: Buffer) => void} heard
   * @returns {Promise<{code: number}>}
   */
  start(words, heard) {
    const { provider } = this.plugin;
    const { profile, environment } = identity(this.plugin);
    const where = ['--region', provider.getRegion(), ...(profile ? ['--profile', profile] : [])];
    return new Promise((resolve, reject) => {
      // A process group of its own: ^C in a terminal reaches everything in the framework's group, and canaryctl takes a second signal
      // for the order to leave without rolling back. So it hears of one signal, once, from here.
      const child = spawn(this.command, [...words, ...where], { cwd: this.folder, env: environment, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
      child.stdout.on('data', heard);
      child.stderr.on('data', (data) => process.stderr.write(data));
      let sent = false;
      /** @param {NodeJS.Signals} signal */
      const forward = (signal) => {
        if (sent) return;
        sent = true;
        child.kill(signal);
      };
      SIGNALS.forEach((signal) => process.on(signal, forward));
      const quiet = () => SIGNALS.forEach((signal) => process.removeListener(signal, forward));
      child.on('error', (error) => {
        quiet();
        reject(new this.plugin.serverless.classes.Error(missing(this.command, error), 'CANARYCTL'));
      });
      child.on('close', (code, signal) => {
        const status = signal ? 128 + os.constants.signals[signal] : Number(code);
        // At a signal the framework has ended all but its process, and takes an error for a fault of its own: nothing more is to be done.
        // It goes on listening meanwhile: one more signal would end the process without the exit code.
        if (sent) process.exit(status);
        quiet();
        resolve({ code: status });
      });
    });
  }
}

/**
 * The program of the npm package `canaryctl`, if the service or this package has one.
 *
 * @param {string} folder
 * @returns {string | undefined}
 */
function packaged(folder) {
  try {
    const manifest = require.resolve('canaryctl/package.json', { paths: [folder, __dirname] });
    const { bin } = require(manifest);
    const program = typeof bin === 'string' ? bin : bin && bin.canaryctl;
    return program && path.join(path.dirname(manifest), program);
  } catch {
    return undefined;
  }
}

/**
 * @param {string} command
 * @param {any} error
 */
function missing(command, error) {
  const hint = 'put it on the PATH, install the npm package `canaryctl`, or name it in the variable CANARYCTL or in custom.canaryctl.binary';
  return error.code === 'ENOENT' ? `\`${command}\` is not installed\n  hint: ${hint}` : `\`${command}\` cannot be run: ${error.message}`;
}

/**
 * As whom: the framework's order, the last of which wins: `provider.profile`, the environment, the environment for this stage, and the
 * command line.
 *
 * @param {import('../index')} plugin
 * @returns {{profile?: string, environment: NodeJS.ProcessEnv}}
 */
function identity({ options, provider, serverless }) {
  const environment = { ...process.env };
  const typed = options['aws-profile'] || options.profile;
  if (typed) return { profile: typed, environment };
  const stage = `AWS_${String(provider.getStage()).toUpperCase()}_`;
  if (environment[`${stage}PROFILE`]) return { profile: environment[`${stage}PROFILE`], environment };
  if (environment[`${stage}ACCESS_KEY_ID`]) {
    for (const name of ['ACCESS_KEY_ID', 'SECRET_ACCESS_KEY', 'SESSION_TOKEN']) {
      delete environment[`AWS_${name}`];
      if (environment[stage + name]) environment[`AWS_${name}`] = environment[stage + name];
    }
    return { environment };
  }
  if (environment.AWS_PROFILE || environment.AWS_ACCESS_KEY_ID) return { environment };
  return { profile: serverless.service.provider.profile, environment };
}

module.exports = { Binary };
