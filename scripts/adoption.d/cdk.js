// CDK: what it synthesises of the lines that `canaryctl adopt` prints. Argument: the canaryctl to check.
'use strict'

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const cdk = require('aws-cdk-lib')
const lambda = require('aws-cdk-lib/aws-lambda')
const codedeploy = require('aws-cdk-lib/aws-codedeploy')

const CANARYCTL = process.argv[2]
let failed = false

/** One line for one check. */
function check(what, holds, seen = '') {
  console.log(`${holds ? 'ok  ' : 'FAIL'} ${what}${holds ? '' : `: ${String(seen).slice(-800)}`}`)
  failed ||= !holds
}

/** A stack with one function of this code and whatever else `build` adds; the template, and its folder. */
function synthesise(code, build) {
  const outdir = fs.mkdtempSync(path.join(os.tmpdir(), 'canaryctl-adoption-'))
  const app = new cdk.App({ outdir: path.join(outdir, 'cdk.out'), context: { 'aws:cdk:enable-path-metadata': true } })
  const stack = new cdk.Stack(app, 'Shop')
  const fn = new lambda.Function(stack, 'Hello', {
    runtime: lambda.Runtime.NODEJS_22_X,
    handler: 'index.handler',
    code: lambda.Code.fromInline(`exports.handler = () => ${code}`)
  })
  build(stack, fn)
  const template = app.synth().getStackByName('Shop').template
  return { outdir, template }
}

const of = (template, type) => Object.entries(template.Resources).filter(([, resource]) => resource.Type === type)
const aliases = template => JSON.stringify(of(template, 'AWS::Lambda::Alias'))
const versions = template => JSON.stringify(of(template, 'AWS::Lambda::Version'))
const canaryctl = (...words) => spawnSync(CANARYCTL, ['adopt', ...words], { encoding: 'utf8' })

function before(stack, fn) {
  const alias = new lambda.Alias(stack, 'Live', { aliasName: 'live', version: fn.currentVersion })
  new codedeploy.LambdaDeploymentGroup(stack, 'Group', { alias })
}

const [one, two] = [1, 2].map(code => synthesise(code, before))
check('without the change, code moves the alias', aliases(one.template) !== aliases(two.template))
fs.writeFileSync(path.join(one.outdir, 'cdk.json'), '{"app": "node app.js"}')
const printed = canaryctl(one.outdir)
check('the lines are printed', printed.status === 0, printed.stdout + printed.stderr)
const lines = printed.stdout.split('\n').filter(line => /^ +const \w+ = new lambda\./.test(line))
check('they are two', lines.length === 2, printed.stdout)

const pasted = new Function('cdk', 'lambda', 'fn', lines.join('\n'))
const after = (stack, fn) => pasted.call(stack, cdk, lambda, fn)
const [base, changed] = [1, 2].map(code => synthesise(code, after))
check('code changes the function', JSON.stringify(base.template) !== JSON.stringify(changed.template))
check('and leaves alias and version as they are', aliases(base.template) === aliases(changed.template) && versions(base.template) === versions(changed.template), aliases(changed.template))
const ids = template => JSON.stringify(of(template, 'AWS::Lambda::Alias').map(([id]) => id))
check('the alias keeps its logical id', ids(base.template) === ids(one.template), ids(base.template))
check('nothing of CodeDeploy is left', of(base.template, 'AWS::CodeDeploy::DeploymentGroup').length === 0)
const again = canaryctl(base.outdir)
check('canaryctl says that it is handed over', again.status === 0 && again.stdout.includes('already handed over'), again.stdout)
for (const [made, expected] of [[base, 0], [one, 3]]) {
  const said = canaryctl('--template', path.join(made.outdir, 'cdk.out', 'Shop.template.json'))
  check(`canaryctl says ${expected === 0 ? 'stays' : 'moves'}`, said.status === expected, said.stdout)
}

// What the notes say of `fn.addAlias`.
const added = synthesise(1, (_, fn) => fn.addAlias('live'))
const named = synthesise(1, (stack, fn) => {
  const version = new lambda.Version(stack, 'CanaryctlBase', { lambda: fn, removalPolicy: cdk.RemovalPolicy.RETAIN })
  new lambda.Alias(fn, 'Aliaslive', { aliasName: 'live', version })
})
check('an alias of `addAlias` keeps its logical id, too', ids(added.template) === ids(named.template), ids(added.template))

for (const made of [one, two, base, changed, added, named]) fs.rmSync(made.outdir, { recursive: true })
process.exitCode = failed ? 1 : 0
