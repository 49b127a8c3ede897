'use strict';

// Folders for one run of the tests, which go with it.

const fs = require('fs');
const os = require('os');
const path = require('path');

const made = /** @type {string[]} */ ([]);
process.on('exit', () => made.forEach((folder) => fs.rmSync(folder, { recursive: true, force: true })));

/** @param {string} what */
function folder(what) {
  made.push(fs.mkdtempSync(path.join(os.tmpdir(), `serverless-canaryctl-${what}-`)));
  return made[made.length - 1];
}

module.exports = { folder };
