// The emulator has no CodeDeploy: what the old plugin says of it is left out of the template, its alias is not.
module.exports = class {
  constructor(serverless) {
    this.hooks = {
      'after:aws:package:finalize:mergeCustomProviderResources': () => {
        const { Resources } = serverless.service.provider.compiledCloudFormationTemplate;
        for (const [id, resource] of Object.entries(Resources)) {
          delete resource.UpdatePolicy;
          if (resource.Type.startsWith('AWS::CodeDeploy::') || id === 'CodeDeployServiceRole') delete Resources[id];
          else if (resource.Type === 'AWS::IAM::Role') resource.Properties.Policies = resource.Properties.Policies.filter((it) => !JSON.stringify(it).includes('codedeploy'));
        }
      },
    };
  }
};
