'use strict';

// An AWS to deploy to (see aws.py), and questions to it.

const { execFileSync, spawn } = require('child_process');
const fs = require('fs');
const net = require('net');
const path = require('path');

const { folder } = require('./folder');
const { TOOLS } = require('./tools');

const PYTHON = path.join(TOOLS, 'python/bin/python');

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = /** @type {any} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}

/** Starts one on ports of its own. */
async function emulator() {
  const home = folder('aws');
  const [port, inner] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${port}`;
  const simulated = `http://127.0.0.1:${inner}`;
  const journal = path.join(home, 'journal');
  fs.writeFileSync(journal, '');
  // Of the account that the simulated AWS has.
  const env = { PATH: process.env.PATH, HOME: home, GATEWAY_PORT: String(port), BIND_HOST: '127.0.0.1', MINISTACK_ACCOUNT_ID: '111111111111' };
  const children = [
    spawn(process.env.CANARYCTL || '', ['simulate', '--listen', `127.0.0.1:${inner}`], { cwd: home, env, stdio: 'ignore' }),
    spawn(PYTHON, ['-B', path.join(__dirname, 'aws.py'), simulated, journal], { cwd: home, env, stdio: ['ignore', 'ignore', process.env.AWS_LOG ? 'inherit' : 'ignore'] }),
  ];
  for (const each of [inner, port]) {
    for (let tries = 0; tries < 300 && !(await answers(each)); tries += 1) await new Promise((resolve) => setTimeout(resolve, 100));
  }
  /**
   * One call of boto3: `ask('lambda.get_alias', {FunctionName: …})`.
   *
   * @param {string} call
   * @param {any} [input]
   */
  const ask = (call, input = {}) => {
    const access = 'region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"';
    const script = `import boto3, json, sys
service, method = sys.argv[1].split(".")
client = boto3.client(service, endpoint_url=sys.argv[2], ${access})
print(json.dumps(getattr(client, method)(**json.loads(sys.argv[3])), default=str))`;
    return JSON.parse(execFileSync(PYTHON, ['-c', script, call, url, JSON.stringify(input)], { encoding: 'utf8' }));
  };
  /**
   * What was sent to Lambda with an alias in its path, and took effect.
   *
   * @param {string} name the function's
   * @returns {{version: string, weights: Record<string, number>}[]}
   */
  const writes = (name) =>
    fs.readFileSync(journal, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line))
      .filter(({ method, path: to, status }) => method === 'PUT' && to.includes(`/functions/${name}/aliases/`) && status === 200)
      .map(({ sent }) => ({ version: sent.FunctionVersion, weights: sent.RoutingConfig?.AdditionalVersionWeights || {} }));
  /**
   * What the address of a service answers, as its users get it: through API Gateway.
   *
   * @param {string} address as the framework prints it
   * @returns {Promise<{status: number, text: string}>}
   */
  const visit = async (address) => {
    const { hostname, pathname } = new URL(address);
    const answer = await fetch(`${url}/_aws/execute-api/${hostname.split('.')[0]}${pathname}`);
    return { status: answer.status, text: await answer.text() };
  };
  const variables = { AWS_ENDPOINT_URL: url, CANARYCTL: process.env.CANARYCTL || '' };
  return { ask, variables, visit, writes, stop: () => children.forEach((child) => child.kill('SIGKILL')) };
}

/** @param {number} port */
function answers(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}

module.exports = { emulator };
