'use strict';

// `ministack`, an emulator from PyPI that nobody here wrote, for CloudFormation, S3, Lambda, Logs and alarms; and questions to it.
//
// What it does otherwise than AWS: it evaluates no alarms (their states are set), counts no invocations by version, and keeps the
// permissions of an alias with those of the function.

const { execFileSync, spawn } = require('child_process');
const fs = require('fs');
const net = require('net');
const os = require('os');
const path = require('path');

const { MODULES, TOOLS } = require('./tools');

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = /** @type {any} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}

/** Starts one on a port of its own. */
async function emulator() {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'serverless-canaryctl-aws-'));
  const env = { PATH: process.env.PATH, HOME: home, GATEWAY_PORT: String(port), BIND_HOST: '127.0.0.1' };
  const child = spawn(path.join(TOOLS, 'python/bin/ministack'), { cwd: home, env, stdio: 'ignore' });
  for (let tries = 0; tries < 300 && !(await answers(port)); tries += 1) await new Promise((resolve) => setTimeout(resolve, 100));
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
    return JSON.parse(execFileSync(path.join(TOOLS, 'python/bin/python'), ['-c', script, call, url, JSON.stringify(input)], { encoding: 'utf8' }));
  };
  const variables = { AWS_ENDPOINT_URL: url, CANARYCTL: process.env.CANARYCTL || '', CANARYCTL_TEST_SDK: path.join(MODULES, 'serverless/node_modules/aws-sdk') };
  return { ask, variables, stop: () => child.kill('SIGKILL') };
}

/** @param {number} port */
function answers(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}

module.exports = { emulator };
