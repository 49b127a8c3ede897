#!/usr/bin/env node
'use strict';

// Stands in for canaryctl. Writes what it was asked to the file $FAKE_LOG, and answers what $FAKE_SAYS has for a command:
// {"rollout": {"code": 10, "out": "…", "wait": true}}; with `wait` it runs until a signal has come and then 300 ms longer.

const { appendFileSync } = require('fs');
const { readFileSync } = require('fs');

const words = process.argv.slice(2);
const note = (what) => appendFileSync(process.env.FAKE_LOG, `${JSON.stringify(what)}\n`);
const group = Number(readFileSync('/proc/self/stat', 'utf8').split(') ')[1].split(' ')[2]);
const { AWS_PROFILE, AWS_ACCESS_KEY_ID, AWS_SESSION_TOKEN } = process.env;
note({ words, folder: process.cwd(), group, tty: Boolean(process.stdout.isTTY), env: { AWS_PROFILE, AWS_ACCESS_KEY_ID, AWS_SESSION_TOKEN } });

const says = JSON.parse(process.env.FAKE_SAYS || '{}');
const told = words[0] === 'stack' ? says[`stack ${words[3]}`] || says.stack : says[words[0]];
const { code = 0, out = words[0] === 'stack' ? '{"exists":true,"alias":null}' : `${words[0]}: done`, wait = false } = told || {};

if (wait) {
  const alive = setInterval(() => {}, 1000);
  let heard = 0;
  process.on('SIGINT', () => {
    heard += 1;
    note({ signal: heard });
    setTimeout(() => {
      clearInterval(alive);
      console.log('restored');
      process.exitCode = code;
    }, 300);
  });
  process.stdout.write('waiting\n');
} else {
  console.log(out);
  if (code) console.error(`${words[0]}: failed`);
  process.exitCode = code;
}
