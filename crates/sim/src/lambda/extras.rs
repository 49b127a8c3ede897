//! What else hangs on a function? Its tags, its reserved and provisioned concurrency and its URLs; and the account's own limits.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::call::{Call, Operation, inputs};
use super::function::Qualified;
use super::name::is_name_character;
use super::refusal::{Refusal, Violations};
use super::{Done, Lambda};
use crate::calendar::{iso, iso_with_offset};
use crate::settings::DEFAULT_REGION;
use crate::time::Time;

inputs! {
    TagsInput { tags: BTreeMap<String, String> }
    ProvisionedInput { provisioned_concurrent_executions: i64 }
    ReservedInput { reserved_concurrent_executions: i64 }
    UrlInput { auth_type: String }
}

impl Lambda {
    pub(super) fn tag(&mut self, call: &Call<'_>) -> Result<Done, Refusal> {
        let input: TagsInput = call.input()?;
        Violations::check(|broken| broken.required(input.tags.as_ref(), "tags"))?;
        let tags = input.tags.unwrap_or_default();
        if tags.is_empty() {
            return Err(Refusal::invalid("An error occurred and the request cannot be processed."));
        }
        check_tags(&tags)?;
        let name = self.tagged(call)?;
        let revision = self.revision();
        let function = self.function_mut(&name)?;
        let mut all = function.tags.clone();
        all.extend(tags);
        if all.len() > TAGS {
            return Err(too_many_tags());
        }
        function.tags = all;
        function.latest.revision = revision;
        Ok(Done::empty(204))
    }

    pub(super) fn untag(&mut self, call: &Call<'_>) -> Result<Done, Refusal> {
        let keys = call.query_all("tagKeys").next();
        Violations::check(|broken| broken.required(keys.as_ref(), "tagKeys"))?;
        let (name, revision) = (self.tagged(call)?, self.revision());
        let function = self.function_mut(&name)?;
        function.latest.revision = revision;
        for key in call.query_all("tagKeys") {
            function.tags.remove(key);
        }
        Ok(Done::empty(204))
    }

    pub(super) fn list_tags(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let name = self.tagged(call)?;
        Ok(Done::json(200, json!({"Tags": self.function(&name)?.tags})))
    }

    /// Tags are of functions here; whatever else may have some is not there.
    fn check_resource(&self, arn: &str) -> Result<(), Refusal> {
        let own = self.place.arn("");
        let kind = own.strip_suffix("function:").and_then(|own| arn.strip_prefix(own)).and_then(|rest| rest.split_once(':'));
        let whole = |id: &str| !id.is_empty() && id.chars().all(is_name_character);
        match kind {
            Some(("event-source-mapping", id)) if whole(id) => {
                Err(Refusal::not_found(format!("Event source mapping not found: {arn}")))
            }
            Some(("capacity-provider", id)) if whole(id) => {
                Err(Refusal::not_found(format!("Capacity provider not found: {arn}")))
            }
            _ if self.place.parse(arn).is_ok_and(|_| arn.starts_with("arn:")) => Ok(()),
            _ if arn.contains(":function:") => self.place.parse(arn).map(drop),
            _ => Err(Violations::one(arn, "resource", &format!("satisfy regular expression pattern: {RESOURCE}"))),
        }
    }

    fn tagged(&self, call: &Call<'_>) -> Result<String, Refusal> {
        self.check_resource(&call.target)?;
        let target = self.place.parse(&call.target)?;
        if target.qualifier.is_some() {
            return Err(Refusal::invalid(
                "Tags on function aliases and versions are not supported. Please specify a function ARN.",
            ));
        }
        Ok(self.function(&target.name)?.name.clone())
    }

    pub(super) fn put_provisioned(&mut self, call: &Call<'_>) -> Result<Done, Refusal> {
        let input: ProvisionedInput = call.input()?;
        let asked = executions(input.provisioned_concurrent_executions, "provisionedConcurrentExecutions", 1)?;
        let (name, qualifier) = self.provisionable(call)?;
        self.function_mut(&name)?.provisioned.insert(qualifier, (asked, call.now));
        Ok(Done::json(202, shown_provisioned(asked, false, call.now)))
    }

    pub(super) fn read_provisioned(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let (name, qualifier) = self.provisionable(call)?;
        let found = self.function(&name)?.provisioned.get(&qualifier);
        let (wanted, at) = found.ok_or_else(Refusal::no_provisioned_concurrency)?;
        let moving = self.function(&name)?.aliases.get(&qualifier).is_some_and(|alias| alias.moving_from(call.now).is_some());
        let ready = !moving && call.now.since(*at) >= self.settings.settle;
        Ok(Done::json(200, shown_provisioned(*wanted, ready, *at)))
    }

    pub(super) fn delete_provisioned(&mut self, call: &Call<'_>) -> Result<Done, Refusal> {
        let (name, qualifier) = self.provisionable(call)?;
        self.function_mut(&name)?.provisioned.remove(&qualifier).ok_or_else(Refusal::no_provisioned_concurrency)?;
        Ok(Done::empty(204))
    }

    fn provisionable(&self, call: &Call<'_>) -> Result<(String, String), Refusal> {
        let named = self.place.parse(&call.target)?.with_qualifier(call.query("Qualifier"))?;
        let alias = named.qualifier.as_ref().is_some_and(|qualifier| qualifier != "$LATEST" && qualifier.parse::<u32>().is_err());
        let (target, meant) =
            self.target(call).map_err(|refusal| if alias { Refusal::no_alias(&self.place.full_arn(&named)) } else { refusal })?;
        match (meant, target.qualifier) {
            (Qualified::Latest, _) | (_, None) if call.operation == Operation::GetProvisionedConcurrencyConfig => {
                Err(Refusal::invalid("The function resource provided must be an alias or a published version."))
            }
            (Qualified::Latest, _) | (_, None) => {
                Err(Refusal::invalid("Provisioned Concurrency Configs cannot be applied to unpublished function versions."))
            }
            (Qualified::Version(_) | Qualified::Alias(_), Some(qualifier)) => Ok((target.name, qualifier)),
        }
    }

    pub(super) fn put_concurrency(&mut self, call: &Call<'_>) -> Result<Done, Refusal> {
        let input: ReservedInput = call.input()?;
        let name = self.unqualified(call).map_err(|refusal| match self.place.parse(&call.target) {
            Ok(target) if refusal.status == 404 => Refusal::function_not_found(&self.place.qualified(&target.name, "$LATEST")),
            Ok(_) | Err(_) => refusal,
        })?;
        // A function that is not there is missed before a number that cannot be.
        let asked = executions(input.reserved_concurrent_executions, "reservedConcurrentExecutions", 0)?;
        self.function_mut(&name)?.reserved = Some(asked);
        Ok(Done::json(200, json!({"ReservedConcurrentExecutions": asked})))
    }

    pub(super) fn read_concurrency(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let reserved = self.function(&self.unqualified(call)?)?.reserved;
        Ok(Done::json(200, json!({ "ReservedConcurrentExecutions": reserved })))
    }

    pub(super) fn delete_concurrency(&mut self, call: &Call<'_>) -> Result<Done, Refusal> {
        let name = self.unqualified(call)?;
        self.function_mut(&name)?.reserved = None;
        Ok(Done::empty(204))
    }

    /// The function that a call means, which has to be there and to have no qualifier.
    fn unqualified(&self, call: &Call<'_>) -> Result<String, Refusal> {
        let target = self.place.parse(&call.target)?;
        if target.qualifier.is_some() {
            return Err(Refusal::invalid(
                "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. \
                 Please specify either a function name or an unqualified function ARN.",
            ));
        }
        Ok(self.function(&target.name)?.name.clone())
    }

    pub(super) fn list_urls(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let asked = call.query("MaxItems").and_then(|number| number.parse().ok());
        Violations::check(|broken| broken.range(asked, "maxItems", 1, 50))?;
        let named = self.unqualified(call).map_err(|refusal| nowhere(refusal, "Function does not exist"))?;
        let function = self.function(&named)?;
        let urls = function.urls.iter().map(|(qualifier, url)| self.shown_url(call, &function.name, qualifier, url)).collect();
        Done::list(call, "FunctionUrlConfigs", urls)
    }

    pub(super) fn create_url(&mut self, call: &Call<'_>) -> Result<Done, Refusal> {
        let input: UrlInput = call.input()?;
        let unknown = || Violations::one("", "authType", "satisfy enum value set: [NONE, AWS_IAM]");
        let kind = input.auth_type.filter(|kind| kind == "NONE" || kind == "AWS_IAM").ok_or_else(unknown)?;
        let (name, qualifier) = self.url_target(call)?;
        let function = self.function_mut(&name)?;
        if function.urls.contains_key(&qualifier) {
            let arn = self.place.arn_of(&name, Some(qualifier.as_str()).filter(|qualifier| !qualifier.is_empty()));
            return Err(Refusal::conflict(format!(
                "Failed to create function url config for [functionArn = {arn}]. \
                 Error message:  FunctionUrlConfig exists for this Lambda function"
            )));
        }
        function.urls.insert(qualifier, (kind, call.now));
        let shown = self.show_url(call)?;
        Ok(Done::json(201, shown))
    }

    pub(super) fn update_url(&mut self, call: &Call<'_>) -> Result<Done, Refusal> {
        let input: UrlInput = call.input()?;
        if let Some(kind) = input.auth_type.as_ref().filter(|kind| *kind != "NONE" && *kind != "AWS_IAM") {
            return Err(Violations::one(kind, "authType", "satisfy enum value set: [NONE, AWS_IAM]"));
        }
        let (name, qualifier) = self.url_target(call)?;
        let (kind, _) = self.function_mut(&name)?.urls.get_mut(&qualifier).ok_or_else(Refusal::no_resource)?;
        *kind = input.auth_type.unwrap_or_else(|| kind.clone());
        Ok(Done::json(200, self.show_url(call)?))
    }

    #[expect(clippy::unnecessary_wraps, reason = "as every operation answers")]
    pub(super) fn read_account(&self, _: &Call<'_>) -> Result<Done, Refusal> {
        let reserved: u32 = self.functions.values().filter_map(|function| function.reserved).sum();
        Ok(Done::json(
            200,
            json!({
                "AccountLimit": {
                    "TotalCodeSize": self.settings.code_storage,
                    "CodeSizeUnzipped": 262_144_000,
                    "CodeSizeZipped": 52_428_800,
                    "ConcurrentExecutions": CONCURRENCY,
                    "UnreservedConcurrentExecutions": CONCURRENCY.saturating_sub(reserved),
                },
                "AccountUsage": {"TotalCodeSize": self.code_size(), "FunctionCount": self.functions.len()},
            }),
        ))
    }

    pub(super) fn read_url(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        Ok(Done::json(200, self.show_url(call)?))
    }

    pub(super) fn delete_url(&mut self, call: &Call<'_>) -> Result<Done, Refusal> {
        let (name, qualifier) = self.url_target(call)?;
        let removed = self.function_mut(&name)?.urls.remove(&qualifier);
        removed.map(|_| Done::empty(204)).ok_or_else(Refusal::no_resource)
    }

    fn show_url(&self, call: &Call<'_>) -> Result<Value, Refusal> {
        let (name, qualifier) = self.url_target(call)?;
        let url = self.function(&name)?.urls.get(&qualifier).ok_or_else(Refusal::no_resource)?;
        Ok(self.shown_url(call, &name, &qualifier, url))
    }

    fn shown_url(&self, call: &Call<'_>, name: &str, qualifier: &str, (kind, at): &(String, Time)) -> Value {
        let host = call.header("host").unwrap_or("localhost");
        let path = if qualifier.is_empty() { name.to_owned() } else { format!("{name}:{qualifier}") };
        let arn = self.place.arn(&path);
        // A URL carries no signature that would say which Region is meant; a bare name is looked for everywhere.
        let path = if self.place.region == DEFAULT_REGION { path } else { arn.clone() };
        let at = iso(*at);
        json!({
            "FunctionUrl": format!("http://{host}/url/{path}/"),
            "FunctionArn": arn,
            "AuthType": kind,
            "CreationTime": at,
            "LastModifiedTime": at,
        })
    }

    fn url_target(&self, call: &Call<'_>) -> Result<(String, String), Refusal> {
        let named = self.place.parse(&call.target)?.with_qualifier(call.query("Qualifier"))?;
        let pattern = "satisfy regular expression pattern: ((?!^\\d+$)^[0-9a-zA-Z-_]+$)";
        let unfit = |qualifier: &&String| *qualifier == "$LATEST" || qualifier.chars().all(|letter| letter.is_ascii_digit());
        if let Some(qualifier) = named.qualifier.as_ref().filter(unfit) {
            return Err(Violations::one(qualifier, "qualifier", pattern));
        }
        let writes = matches!(call.operation, Operation::CreateFunctionUrlConfig | Operation::UpdateFunctionUrlConfig);
        let gone = if writes { "Function does not exist" } else { "The resource you requested does not exist." };
        let (target, qualified) = self.target(call).map_err(|refusal| nowhere(refusal, gone))?;
        match qualified {
            Qualified::Latest => Ok((target.name, String::new())),
            Qualified::Alias(alias) => Ok((target.name, alias)),
            Qualified::Version(number) => Err(Violations::one(&number.to_string(), "qualifier", pattern)),
        }
    }
}

/// Executions at a time of an account that never asked for more.
const CONCURRENCY: u32 = 1_000;

fn executions(given: Option<i64>, member: &str, least: i64) -> Result<u32, Refusal> {
    Violations::check(|broken| {
        broken.required(given.as_ref(), member);
        broken.range(given, member, least, i64::from(i32::MAX));
    })?;
    Ok(given.and_then(|number| u32::try_from(number).ok()).unwrap_or_default())
}

/// What is not there, in the words that an operation on URLs has for it.
fn nowhere(refusal: Refusal, said: &str) -> Refusal {
    if refusal.status == 404 { Refusal::not_found(said) } else { refusal }
}

fn shown_provisioned(wanted: u32, ready: bool, at: Time) -> Value {
    let there = if ready { wanted } else { 0 };
    json!({
        "RequestedProvisionedConcurrentExecutions": wanted,
        "AvailableProvisionedConcurrentExecutions": there,
        "AllocatedProvisionedConcurrentExecutions": there,
        "Status": if ready { "READY" } else { "IN_PROGRESS" },
        "LastModified": iso_with_offset(at),
    })
}

fn too_many_tags() -> Refusal {
    Refusal::invalid("Number of tags exceeds resource tag limit.")
}

const TAGS: usize = 50;

const RESOURCE: &str = "arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:\\d{12}:\
                        (function:[a-zA-Z0-9-_]+(:(\\$LATEST|[a-zA-Z0-9-_]+))?|layer:([a-zA-Z0-9-_]+)|\
                        code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-\
                        [0-9a-fA-F]{4}-[0-9a-fA-F]{12}|capacity-provider:[a-zA-Z0-9-_]+)";

/// The service keeps tags that begin with `aws:` to itself.
pub(super) fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), Refusal> {
    if tags.len() > TAGS {
        return Err(too_many_tags());
    }
    if tags.keys().any(|key| key.to_ascii_lowercase().starts_with("aws:")) {
        return Err(Refusal::invalid("aws: prefixed tag key names are not allowed for external use."));
    }
    Ok(())
}
