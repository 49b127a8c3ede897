//! How do functions come, change and go? Creating, showing, updating and deleting them; publishing is in `versions`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::call::{Call, inputs};
use super::code::Package;
use super::function::{Configuration, Function, Qualified, Version};
use super::name::{FunctionName, Place, is_account};
use super::refusal::{Refusal, Violations};
use super::{Done, Lambda};

inputs! {
    FunctionInput {
        function_name: String,
        code: Package,
        package_type: String,
        publish: bool,
        tags: BTreeMap<String, String>,
        revision_id: String,
    }
    CodeInput { publish: bool, dry_run: bool, revision_id: String, architectures: Vec<String> }
}

/// Notes what the model does not let architectures be: just one, of two.
fn check_architectures(given: Option<&Vec<String>>, broken: &mut Violations) {
    let Some(given) = given else { return };
    let shown = format!("[{}]", given.join(", "));
    if given.len() > 1 {
        broken.add(&shown, "architectures", "have length less than or equal to 1");
    }
    if given.is_empty() {
        broken.add(&shown, "architectures", "have length greater than or equal to 1");
    }
    if given.iter().any(|one| !["x86_64", "arm64"].contains(&one.as_str())) {
        let words = "satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]";
        broken.add(&shown, "architectures", words);
    }
}

fn check(given: &Configuration, broken: &mut Violations) {
    check_architectures(given.architectures.as_ref(), broken);
    broken.range(given.timeout, "timeout", 1, 900);
    broken.range(given.memory_size, "memorySize", 128, 32_768);
    broken.range(given.ephemeral_storage.as_ref().and_then(|storage| storage.size), "ephemeralStorage.size", 512, 10_240);
    broken.description(given.description.as_ref());
    if let Some(handler) = &given.handler {
        broken.length(handler, "handler", 0, 128);
    }
    if let Some(role) = given.role.as_ref().filter(|role| !is_role(role)) {
        let pattern = "arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+";
        broken.add(role, "role", &format!("satisfy regular expression pattern: {pattern}"));
    }
}

impl Lambda {
    pub(super) fn create_function(&mut self, call: &Call<'_>) -> Result<Done, Refusal> {
        let given: Configuration = call.input()?;
        let mut input: FunctionInput = call.input()?;
        let image = input.package_type.as_deref() == Some("Image");
        Violations::check(|broken| {
            broken.required(input.function_name.as_ref(), "functionName");
            broken.required(given.role.as_ref(), "role");
            broken.required(input.code.as_ref(), "code");
            check(&given, broken);
        })?;
        if !image && (given.runtime.is_none() || given.handler.is_none()) {
            return Err(Refusal::invalid(
                "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
            ));
        }
        let target = self.place.parse(&input.function_name.take().unwrap_or_default());
        // What the model would refuse in a name that is only too long, this operation refuses itself.
        let target =
            target.map_err(
                |refusal| if refusal.message.ends_with("equal to 64") { Refusal::invalid(refusal.message) } else { refusal },
            )?;
        if self.functions.contains_key(&target.name) {
            return Err(Refusal::conflict(format!("Function already exist: {}", target.name)));
        }
        let code = input.code.take().unwrap_or_default().read()?;
        if image != code.image.is_some() {
            return Err(Refusal::invalid("PackageType and the source of the code do not fit together"));
        }
        self.room_for(code.stored())?;
        let tags = input.tags.take().unwrap_or_default();
        super::extras::check_tags(&tags)?;
        let publish = input.publish.unwrap_or(false);
        let mut configuration = Configuration::blank();
        configuration.apply(given);
        let serving = configuration.behaviour()?;
        let settled = self.settings.settle.is_zero();
        let latest = Version {
            number: None,
            configuration,
            code,
            revision: self.revision(),
            modified: call.now,
            pending: !settled,
            idle: false,
            updating: false,
            described: None,
            uploaded: false,
            serving,
        };
        self.insert(call.now, &target.name, latest, tags);
        let mut shown = self.published(call, &target.name, publish)?;
        shown["FunctionArn"] = self.place.arn(&target.name).into();
        self.settle_later(call.now, &target.name, None, self.settings.settle);
        Ok(Done::json(201, shown))
    }

    /// Puts a function in place; what it says is not checked.
    pub(super) fn insert(&mut self, now: crate::time::Time, name: &str, latest: Version, tags: BTreeMap<String, String>) {
        let function = Function {
            name: name.to_owned(),
            latest,
            versions: BTreeMap::new(),
            next_version: 1,
            aliases: BTreeMap::new(),
            incidents: Vec::new(),
            misrouting: 1.0,
            tags,
            provisioned: BTreeMap::new(),
            invoke_configs: BTreeMap::new(),
            reserved: None,
            policies: BTreeMap::new(),
            urls: BTreeMap::new(),
            earlier: (now, None),
        };
        self.functions.insert(name.to_owned(), function);
        self.traffic.disturb();
    }

    pub(super) fn read_function(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let (configuration, name, version) = self.shown_version(call)?;
        let function = self.function(&name)?;
        let Place { account, region } = &self.place;
        let code = if let Some(uri) = &version.code.image {
            json!({"RepositoryType": "ECR", "ImageUri": uri, "ResolvedImageUri": uri})
        } else {
            let location = format!("https://awslambda-{region}-tasks.s3.{region}.amazonaws.com/snapshots/{account}/{name}");
            json!({"RepositoryType": "S3", "Location": location, "ResolvedS3Object": version.code.object})
        };
        let tags = Some(&function.tags).filter(|tags| !tags.is_empty());
        let reserved = function.reserved.map(|reserved| json!({"ReservedConcurrentExecutions": reserved}));
        Ok(Done::json(200, json!({"Configuration": configuration, "Code": code, "Tags": tags, "Concurrency": reserved})))
    }

    pub(super) fn read_configuration(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        Ok(Done::json(200, self.shown_version(call)?.0))
    }

    fn shown_version(&self, call: &Call<'_>) -> Result<(Value, String, &Version), Refusal> {
        let (target, qualified) = self.target(call)?;
        let function = self.function(&target.name)?;
        let missing = || Refusal::function_not_found(&self.place.full_arn(&target));
        let mut version = function.version(&qualified).ok_or_else(missing)?;
        let (written, earlier) = &function.earlier;
        if qualified == Qualified::Latest && call.stale.is_some_and(|age| call.now.since(*written) < age) {
            version = earlier.as_deref().ok_or_else(missing)?;
        }
        Ok((version.show(&self.place, &target.name, target.qualifier.as_deref()), target.name, version))
    }

    pub(super) fn target(&self, call: &Call<'_>) -> Result<(FunctionName, Qualified), Refusal> {
        let target = self.place.parse_any(&call.target)?.with_qualifier(call.query("Qualifier"))?;
        let found = self.functions.get(&target.name).and_then(|function| function.qualified(target.qualifier.as_deref()));
        let qualified = found.ok_or_else(|| Refusal::function_not_found(&self.place.full_arn(&target)))?;
        Ok((target, qualified))
    }

    pub(super) fn list_functions(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let all = match call.query("FunctionVersion") {
            None => false,
            Some("ALL") => true,
            Some(other) => return Err(Violations::one(other, "functionVersion", "satisfy enum value set: [ALL]")),
        };
        let mut shown = Vec::new();
        for function in self.functions.values() {
            let label = all.then_some("$LATEST");
            shown.push(function.latest.listed(&self.place, &function.name, label));
            if all {
                shown.extend(
                    function.versions.values().map(|version| version.listed(&self.place, &function.name, Some(&version.label()))),
                );
            }
        }
        Done::list(call, "Functions", shown)
    }

    pub(super) fn update_configuration(&mut self, call: &Call<'_>) -> Result<Done, Refusal> {
        let given: Configuration = call.input()?;
        let input: FunctionInput = call.input()?;
        Violations::check(|broken| check(&given, broken))?;
        let name = self.changeable(call, input.revision_id.as_deref())?;
        let mut configuration = self.function(&name)?.latest.configuration.clone();
        configuration.apply(given);
        configuration.behaviour()?;
        self.update_latest(call, &name, |latest| latest.configuration = configuration)?;
        Ok(Done::json(200, self.published(call, &name, false)?))
    }

    pub(super) fn update_code(&mut self, call: &Call<'_>) -> Result<Done, Refusal> {
        let package: Package = call.input()?;
        let input: CodeInput = call.input()?;
        Violations::check(|broken| check_architectures(input.architectures.as_ref(), broken))?;
        let name = self.changeable(call, input.revision_id.as_deref())?;
        let latest = &self.function(&name)?.latest;
        let code = package.read()?;
        if code.image.is_some() != latest.code.image.is_some() {
            return Err(Refusal::invalid("The source of the code does not fit the function's PackageType"));
        }
        if input.dry_run == Some(true) {
            let mut dry = latest.clone();
            dry.code = code;
            return Ok(Done::json(200, dry.show(&self.place, &name, None)));
        }
        self.room_for(code.stored())?;
        self.update_latest(call, &name, |latest| {
            latest.code = code;
            latest.configuration.apply(Configuration { architectures: input.architectures, ..Configuration::default() });
        })?;
        Ok(Done::json(200, self.published(call, &name, input.publish == Some(true))?))
    }

    /// Refuses where so much more code has no room.
    pub(super) fn room_for(&self, size: u64) -> Result<(), Refusal> {
        let full = self.code_size() + size > self.settings.code_storage;
        if full { Err(Refusal::code_storage_exceeded()) } else { Ok(()) }
    }

    /// The bytes of code of all versions together.
    pub(super) fn code_size(&self) -> u64 {
        let versions = self.functions.values().flat_map(|function| function.versions.values().chain([&function.latest]));
        versions.map(|version| version.code.stored()).sum()
    }

    /// Shows `$LATEST`, or the version that is published of it.
    fn published(&mut self, call: &Call<'_>, name: &str, publish: bool) -> Result<Value, Refusal> {
        if publish {
            return self.publish_now(call.now, name, None);
        }
        Ok(self.function(name)?.latest.show(&self.place, name, None))
    }

    /// The name of the function that a call changes: it exists, nothing is in progress, and the revision is the right one.
    pub(super) fn changeable(&self, call: &Call<'_>, revision: Option<&str>) -> Result<String, Refusal> {
        let target = self.place.parse(&call.target)?;
        if target.qualifier.as_deref().is_some_and(|qualifier| qualifier != "$LATEST") {
            return Err(Refusal::invalid(
                "This operation is permitted on Lambda functions only. Aliases and versions do not support it.",
            ));
        }
        let function = self.function(&target.name)?;
        if function.latest.pending {
            return Err(Refusal::pending());
        }
        if function.latest.is_updating() {
            return Err(Refusal::busy(&self.place.arn(&function.name)));
        }
        if revision.is_some_and(|sent| sent != function.latest.revision) {
            return Err(Refusal::stale_revision("GetFunction/GetAlias"));
        }
        Ok(target.name)
    }

    fn update_latest(&mut self, call: &Call<'_>, name: &str, change: impl FnOnce(&mut Version)) -> Result<(), Refusal> {
        let (revision, settle) = (self.revision(), self.settings.settle);
        let latest = &mut self.function_mut(name)?.latest;
        let earlier = latest.clone();
        change(latest);
        latest.modified = call.now;
        latest.revision = revision;
        latest.updating = true;
        self.function_mut(name)?.earlier = (call.now, Some(Box::new(earlier)));
        self.settle_later(call.now, name, None, settle);
        Ok(())
    }

    pub(super) fn delete_function(&mut self, call: &Call<'_>) -> Result<Done, Refusal> {
        let target = self.place.parse_any(&call.target)?.with_qualifier(call.query("Qualifier"))?;
        if target.qualifier.as_deref() == Some("$LATEST") {
            return Err(Refusal::invalid("$LATEST version cannot be deleted without deleting the function."));
        }
        let function = self.function(&target.name)?;
        let Some(qualifier) = &target.qualifier else {
            self.functions.remove(&target.name);
            self.traffic.disturb();
            return Ok(Done::empty(204));
        };
        let Ok(number) = qualifier.parse::<u32>() else {
            return Err(Refusal::invalid("Deletion of aliases is not currently supported."));
        };
        let users: Vec<String> = function
            .aliases
            .iter()
            .filter(|(_, alias)| alias.state.version == *qualifier || alias.state.weights.contains_key(qualifier))
            .map(|(alias, _)| self.place.qualified(&target.name, alias))
            .collect();
        if !users.is_empty() {
            let users = users.join(", ");
            return Err(Refusal::conflict(format!(
                "Unable to delete version because the following aliases reference it: [{users}]"
            )));
        }
        let function = self.function_mut(&target.name)?;
        function.versions.remove(&number);
        function.policies.remove(&number.to_string());
        Ok(Done::empty(204))
    }
}

fn is_role(role: &str) -> bool {
    let parted = role.strip_prefix("arn:").and_then(|rest| rest.split_once(":iam::"));
    let parted = parted.and_then(|(partition, rest)| Some((partition, rest.split_once(":role/")?)));
    parted.is_some_and(|(partition, (account, name))| partition.starts_with("aws") && is_account(account) && !name.is_empty())
}
