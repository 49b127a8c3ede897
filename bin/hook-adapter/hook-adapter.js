'use strict';

// Makes a hook that was written for CodeDeploy answer canaryctl. Copy this file beside the handler, and wrap the handler:
//
//     const { adapt } = require('./hook-adapter');
//     exports.handler = adapt(async (event, context) => { … });
//
// CodeDeploy waits for the call putLifecycleEventHookExecutionStatus; canaryctl waits for the answer of the function. When canaryctl
// invokes the hook, that call is not sent: its status becomes the answer. When CodeDeploy invokes it, nothing is changed. It works with
// the AWS SDK for JavaScript v2 and v3.

const OPERATION = 'putLifecycleEventHookExecutionStatus';

/** The hooks that are running for canaryctl, by execution id, and how each is told of its status. */
const running = new Map();

/**
 * @template {(event: any, context?: any, callback?: any) => any} H
 * @param {H} handler
 * @returns {(event: any, context?: any, callback?: any) => any}
 */
function adapt(handler) {
  intercept();
  // Lambda's newer runtimes refuse a handler that declares a callback.
  return (...all) => (all[0] && all[0].canaryctl ? answer(handler, all[0], all[1]) : handler(.../** @type {[any]} */ (all)));
}

/**
 * @param {(event: any, context?: any, callback?: any) => any} handler
 * @param {any} event
 * @param {any} context
 * @returns {Promise<{status: string, reason?: string}>}
 */
async function answer(handler, event, context) {
  const id = event.LifecycleEventHookExecutionId;
  /** @type {string | undefined} */
  let status;
  /** @type {(value?: unknown) => void} */
  let reported = () => {};
  const report = new Promise((resolve) => (reported = resolve));
  // CodeDeploy takes the first status and refuses a second one.
  running.set(id, (/** @type {string} */ said) => {
    status = status || said;
    reported();
  });
  try {
    /** @type {any} */
    let thrown;
    const ended = new Promise((resolve, reject) => {
      const result = handler(event, context, (/** @type {any} */ error) => (error ? reject(error) : resolve(undefined)));
      // A handler without a promise ends with its callback, or when it has reported and called nothing back.
      if (result && typeof result.then === 'function') result.then(resolve, reject);
      else report.then(resolve);
    });
    await ended.catch((error) => (thrown = error));
    if (!status) {
      if (thrown) throw thrown instanceof Error ? thrown : new Error(String(thrown));
      return { status: 'Failed', reason: `the hook ended without ${OPERATION}` };
    }
    if (status === 'Succeeded') return { status };
    const why = thrown ? `: ${thrown instanceof Error ? thrown.message : thrown}` : '';
    return { status: 'Failed', reason: `the hook reported ${status}${why}` };
  } finally {
    running.delete(id);
  }
}

/**
 * The hook that is running for canaryctl and reports with these parameters.
 *
 * @param {any} params
 */
function hook(params) {
  return running.get(params && params.lifecycleEventHookExecutionId);
}

let intercepted = false;

/** Puts itself before the SDKs that are there. */
function intercept() {
  if (intercepted) return;
  intercepted = true;
  try {
    version2(require('aws-sdk').Service.prototype);
  } catch {
    // There is no v2.
  }
  try {
    version3(require('@aws-sdk/client-codedeploy').CodeDeployClient.prototype);
  } catch {
    // There is no v3.
  }
}

/** @param {any} service */
function version2(service) {
  const { makeRequest } = service;
  service.makeRequest = function (/** @type {string} */ operation, /** @type {any} */ params, /** @type {any} */ callback) {
    const report = operation === OPERATION && hook(params);
    if (!report) return makeRequest.call(this, operation, params, callback);
    const data = { lifecycleEventHookExecutionId: params.lifecycleEventHookExecutionId };
    const send = (/** @type {any} */ done) => {
      report(params.status);
      if (done) setImmediate(done, null, data);
    };
    if (callback) send(callback);
    return {
      send,
      promise: async () => {
        send(undefined);
        return data;
      },
    };
  };
}

/** @param {any} client */
function version3(client) {
  const { send } = client;
  client.send = function (/** @type {any} */ command, /** @type {any[]} */ ...rest) {
    const report = command.constructor.name.startsWith('PutLifecycleEventHookExecutionStatus') && hook(command.input);
    if (!report) return send.call(this, command, ...rest);
    report(command.input.status);
    const data = { $metadata: {}, lifecycleEventHookExecutionId: command.input.lifecycleEventHookExecutionId };
    const callback = rest.find((it) => typeof it === 'function');
    if (callback) return void setImmediate(callback, null, data);
    return Promise.resolve(data);
  };
}

module.exports = { adapt };
