// Serverless v3 brings the AWS SDK v2, which reads no endpoint from the environment.
module.exports = class {
  constructor(serverless) {
    if (!require('serverless/package.json').version.startsWith('3.') || !serverless.getProvider('aws').sdk) return;
    const sdk = serverless.getProvider('aws').sdk;
    sdk.config.update({ endpoint: process.env.AWS_ENDPOINT_URL, s3ForcePathStyle: true });
  }
};
