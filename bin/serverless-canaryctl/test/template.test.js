'use strict';

// What the template says of the alias, and that everything that calls the function names it.

const assert = require('node:assert');
const { test } = require('node:test');

const { service } = require('./help/stub');

const LIVE = { deploymentSettings: { type: 'AllAtOnce', alias: 'Live' } };
const ALIAS = 'HelloLambdaFunctionAliasLive';
const ARN = { 'Fn::GetAtt': ['HelloLambdaFunction', 'Arn'] };
const QUALIFIED = { 'Fn::Join': [':', [ARN, 'Live']] };

/**
 * @param {any} resources
 * @param {any} [fn]
 * @param {any} [others]
 */
async function added(resources, fn = {}, others = {}) {
  const made = service({ hello: { ...LIVE, ...fn }, ...others }, { resources });
  await made.hook('after:aws:package:finalize:mergeCustomProviderResources');
  return made;
}

test('the alias is made once: nothing in its definition ever changes', async () => {
  const { Resources } = await added({}, { condition: 'IsProd' });
  assert.deepEqual(Resources[ALIAS], {
    Type: 'AWS::Lambda::Alias',
    DeletionPolicy: 'RetainExceptOnCreate',
    UpdateReplacePolicy: 'Retain',
    Condition: 'IsProd',
    Properties: { FunctionName: { Ref: 'HelloLambdaFunction' }, FunctionVersion: '$LATEST', Name: 'Live' },
  });
});

test('the framework\'s alias for SnapStart goes', async () => {
  const { Resources } = await added({ HelloSnapStartLambdaAlias: { Type: 'AWS::Lambda::Alias', Properties: {} } }, { snapStart: true });
  assert.equal('HelloSnapStartLambdaAlias' in Resources, false);
});

for (const [what, type, before, after] of /** @type {[string, string, any, any][]} */ ([
  ['an ARN', 'AWS::SNS::Subscription', { Endpoint: ARN }, { Endpoint: QUALIFIED }],
  ['an ARN in the short form', 'AWS::SNS::Subscription', { Endpoint: { 'Fn::GetAtt': 'HelloLambdaFunction.Arn' } }, { Endpoint: QUALIFIED }],
  ['a name', 'AWS::Lambda::Permission', { FunctionName: { Ref: 'HelloLambdaFunction' } }, { FunctionName: QUALIFIED }],
  ['a name of a mapping', 'AWS::Lambda::EventSourceMapping', { FunctionName: { Ref: 'HelloLambdaFunction' } }, { FunctionName: QUALIFIED }],
  ['an ARN inside a URI', 'AWS::ApiGateway::Method', { Uri: { 'Fn::Join': ['', ['arn:x:', ARN, '/invocations']] } }, { Uri: { 'Fn::Join': ['', ['arn:x:', QUALIFIED, '/invocations']] } }],
  ['a text', 'AWS::ApiGateway::Authorizer', { Uri: { 'Fn::Sub': 'x:${HelloLambdaFunction.Arn}/y' } }, { Uri: { 'Fn::Sub': 'x:${HelloLambdaFunction.Arn}:Live/y' } }],
  ['a text that names another qualifier', 'AWS::ApiGateway::Authorizer', { Uri: { 'Fn::Sub': 'x:${HelloLambdaFunction.Arn}:other/y' } }, { Uri: { 'Fn::Sub': 'x:${HelloLambdaFunction.Arn}:other/y' } }],
  ['a text with values', 'AWS::ApiGateway::Authorizer', { Uri: { 'Fn::Sub': ['x:${F}', { F: ARN }] } }, { Uri: { 'Fn::Sub': ['x:${F}', { F: QUALIFIED }] } }],
  ['deep inside a list', 'AWS::S3::Bucket', { N: { L: [{ Function: ARN }, { Function: 'x' }] } }, { N: { L: [{ Function: QUALIFIED }, { Function: 'x' }] } }],
  ['what names the alias already', 'AWS::SNS::Subscription', { Endpoint: QUALIFIED }, { Endpoint: QUALIFIED }],
  ['what names another qualifier', 'AWS::SNS::Subscription', { Endpoint: { 'Fn::Join': ['', [ARN, ':other']] } }, { Endpoint: { 'Fn::Join': ['', [ARN, ':other']] } }],
  ['another attribute', 'AWS::SNS::Subscription', { Endpoint: { 'Fn::GetAtt': ['HelloLambdaFunction', 'Version'] } }, { Endpoint: { 'Fn::GetAtt': ['HelloLambdaFunction', 'Version'] } }],
  ['what is no caller', 'AWS::CloudFormation::WaitConditionHandle', { Value: ARN }, { Value: ARN }],
])) {
  test(`${type}: ${what}`, async () => {
    const { Resources } = await added({ It: { Type: type, Properties: structuredClone(before) } });
    assert.deepEqual(Resources.It.Properties, after);
    assert.equal(Resources.It.DependsOn, JSON.stringify(after).includes('Live') ? ALIAS : undefined);
  });
}

test('what a caller depends on already stays, and the alias comes once', async () => {
  const { Resources } = await added({
    One: { Type: 'AWS::SNS::Subscription', DependsOn: ['Other', ALIAS], Properties: { Endpoint: ARN } },
    Two: { Type: 'AWS::SNS::Subscription', DependsOn: 'Other', Properties: { Endpoint: ARN } },
  });
  assert.deepEqual([Resources.One.DependsOn, Resources.Two.DependsOn], [['Other', ALIAS], ['Other', ALIAS]]);
});

test('a destination of v3 waits for the alias, and the role may call it', async () => {
  const sub = (/** @type {string} */ end) => ({ 'Fn::Sub': `arn:\${AWS::Partition}:lambda:\${AWS::Region}:\${AWS::AccountId}:function:shop-dev-hello${end}` });
  const Statement = [{ Effect: 'Allow', Action: 'lambda:InvokeFunction', Resource: sub('') }, { Effect: 'Allow', Action: 'sqs:SendMessage', Resource: sub('') }];
  const { Resources } = await added({
    IamRoleLambdaExecution: { Type: 'AWS::IAM::Role', Properties: { Policies: [{ PolicyDocument: { Statement } }] } },
    Config: { Type: 'AWS::Lambda::EventInvokeConfig', Properties: { DestinationConfig: { OnFailure: { Destination: QUALIFIED } } } },
  });
  assert.deepEqual(Statement[0].Resource, [sub(''), sub(':Live')]);
  assert.deepEqual(Statement[1].Resource, sub(''));
  assert.equal(Resources.Config.DependsOn, ALIAS);
  assert.equal(Resources.IamRoleLambdaExecution.DependsOn, undefined, 'the function waits for its role, not the other way round');
});

test('warns of what cannot be pointed at an alias', async () => {
  const custom = (/** @type {any} */ more) => ({ Type: 'Custom::S3', Properties: { FunctionName: 'shop-dev-hello', ...more } });
  const { said } = await added({ One: custom({}), Two: custom({ FunctionQualifier: 'Live' }), Three: custom({ FunctionName: 'shop-dev-other' }) });
  assert.equal(said.length, 1);
  assert.match(said[0], /call the functions themselves, not the alias: One;/);
});
