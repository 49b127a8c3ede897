//! Which Lambda operation is this HTTP request, and with which parameters? It reads the wire; it knows no function.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;

use super::refusal::{Refusal, Violations};
use crate::time::Time;

/// The members of bodies, none of which need be there.
macro_rules! inputs {
    ($($name:ident { $($(#[$note:meta])* $member:ident: $type:ty),* $(,)? })*) => {
        $(
            #[derive(Clone, Debug, Default, PartialEq, serde::Deserialize, serde::Serialize)]
            #[serde(rename_all = "PascalCase")]
            pub(crate) struct $name {
                $($(#[$note])* pub(crate) $member: Option<$type>,)*
            }
        )*
    };
}

pub(super) use inputs;

/// Gives the macro `$then` the operations, each with the function that answers it and how it looks on the wire; `{}` stands for a name.
macro_rules! operations {
    ($then:ident) => {
        $then! {
            AddPermission => add_permission, "POST", "2015-03-31/functions/{}/policy";
            CreateAlias => create_alias, "POST", "2015-03-31/functions/{}/aliases";
            CreateEventSourceMapping => create_mapping, "POST", "2015-03-31/event-source-mappings";
            CreateFunction => create_function, "POST", "2015-03-31/functions";
            CreateFunctionUrlConfig => create_url, "POST", "2021-10-31/functions/{}/url";
            DeleteAlias => delete_alias, "DELETE", "2015-03-31/functions/{}/aliases/{}";
            DeleteEventSourceMapping => delete_mapping, "DELETE", "2015-03-31/event-source-mappings/{}";
            DeleteFunction => delete_function, "DELETE", "2015-03-31/functions/{}";
            DeleteFunctionConcurrency => delete_concurrency, "DELETE", "2017-10-31/functions/{}/concurrency";
            DeleteFunctionUrlConfig => delete_url, "DELETE", "2021-10-31/functions/{}/url";
            DeleteFunctionEventInvokeConfig => delete_invoke_config, "DELETE", "2019-09-25/functions/{}/event-invoke-config";
            DeleteProvisionedConcurrencyConfig => delete_provisioned, "DELETE", "2019-09-30/functions/{}/provisioned-concurrency";
            GetAccountSettings => read_account, "GET", "2016-08-19/account-settings";
            GetAlias => read_alias, "GET", "2015-03-31/functions/{}/aliases/{}";
            GetEventSourceMapping => read_mapping, "GET", "2015-03-31/event-source-mappings/{}";
            GetFunction => read_function, "GET", "2015-03-31/functions/{}";
            GetFunctionConcurrency => read_concurrency, "GET", "2019-09-30/functions/{}/concurrency";
            GetFunctionConfiguration => read_configuration, "GET", "2015-03-31/functions/{}/configuration";
            GetFunctionEventInvokeConfig => read_invoke_config, "GET", "2019-09-25/functions/{}/event-invoke-config";
            GetFunctionUrlConfig => read_url, "GET", "2021-10-31/functions/{}/url";
            GetPolicy => read_policy, "GET", "2015-03-31/functions/{}/policy";
            GetProvisionedConcurrencyConfig => read_provisioned, "GET", "2019-09-30/functions/{}/provisioned-concurrency";
            ListAliases => list_aliases, "GET", "2015-03-31/functions/{}/aliases";
            ListEventSourceMappings => list_mappings, "GET", "2015-03-31/event-source-mappings";
            ListFunctionEventInvokeConfigs => list_invoke_configs, "GET", "2019-09-25/functions/{}/event-invoke-config/list";
            ListFunctionUrlConfigs => list_urls, "GET", "2021-10-31/functions/{}/urls";
            ListFunctions => list_functions, "GET", "2015-03-31/functions";
            ListTags => list_tags, "GET", "2017-03-31/tags/{}";
            ListVersionsByFunction => list_versions, "GET", "2015-03-31/functions/{}/versions";
            PublishVersion => publish_version, "POST", "2015-03-31/functions/{}/versions";
            PutFunctionConcurrency => put_concurrency, "PUT", "2017-10-31/functions/{}/concurrency";
            PutFunctionEventInvokeConfig => put_invoke_config, "PUT", "2019-09-25/functions/{}/event-invoke-config";
            PutProvisionedConcurrencyConfig => put_provisioned, "PUT", "2019-09-30/functions/{}/provisioned-concurrency";
            RemovePermission => remove_permission, "DELETE", "2015-03-31/functions/{}/policy/{}";
            TagResource => tag, "POST", "2017-03-31/tags/{}";
            UntagResource => untag, "DELETE", "2017-03-31/tags/{}";
            UpdateAlias => update_alias, "PUT", "2015-03-31/functions/{}/aliases/{}";
            UpdateEventSourceMapping => update_mapping, "PUT", "2015-03-31/event-source-mappings/{}";
            UpdateFunctionCode => update_code, "PUT", "2015-03-31/functions/{}/code";
            UpdateFunctionConfiguration => update_configuration, "PUT", "2015-03-31/functions/{}/configuration";
            UpdateFunctionEventInvokeConfig => update_invoke_config, "POST", "2019-09-25/functions/{}/event-invoke-config";
            UpdateFunctionUrlConfig => update_url, "PUT", "2021-10-31/functions/{}/url";
        }
    };
}

pub(super) use operations;

macro_rules! operation {
    ($($name:ident => $answer:ident, $method:literal, $path:literal;)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Operation {
            $($name,)*
            Invoke,
            /// A request to a function URL: not an API operation, but it arrives at the same endpoint.
            FunctionUrl,
        }

        const ROUTES: &[(&str, &str, Operation)] = &[
            // First, since most calls are this one.
            ("POST", "2015-03-31/functions/{}/invocations", Operation::Invoke),
            $(($method, $path, Operation::$name),)*
        ];

        impl Operation {
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                    Self::Invoke => "Invoke",
                    Self::FunctionUrl => "FunctionUrl",
                }
            }
        }
    };
}

operations!(operation);

impl Operation {
    /// Whether it runs the function: what it takes then is the function's time, not the service's.
    pub(crate) const fn runs(self) -> bool {
        matches!(self, Self::Invoke | Self::FunctionUrl)
    }

    pub(crate) const fn changes_alias(self) -> bool {
        matches!(self, Self::CreateAlias | Self::UpdateAlias | Self::DeleteAlias)
    }
}

#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) operation: Operation,
    pub(crate) now: Time,
    pub(crate) request_id: &'a str,
    /// Reads return the state before a write younger than this.
    pub(crate) stale: Option<Duration>,
    /// The function, or for tags the ARN, as the path gives it (decoded); empty where there is none.
    pub(crate) target: String,
    /// The alias' name as the path or, for `CreateAlias`, the body gives it.
    pub(crate) alias: Option<String>,
    pub(crate) statement: Option<String>,
    query: Vec<(String, String)>,
    http: &'a http::Request<Bytes>,
}

impl<'a> Call<'a> {
    pub(crate) fn read(http: &'a http::Request<Bytes>, now: Time, request_id: &'a str) -> Result<Self, Refusal> {
        let path = http.uri().path();
        let segments: Vec<String> = path
            .trim_matches('/')
            .split('/')
            .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
            .collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let (operation, target, last) = route(http.method(), &segments).ok_or_else(Refusal::unknown_operation)?;
        let query = form_urlencoded::parse(http.uri().query().unwrap_or_default().as_bytes()).into_owned().collect();
        let (target, last) = (target.to_owned(), last.map(str::to_owned));
        let (mut alias, statement) = if operation == Operation::RemovePermission { (None, last) } else { (last, None) };
        if operation == Operation::CreateAlias {
            alias = serde_json::from_slice::<Named>(http.body()).ok().and_then(|named| named.name);
        }
        Ok(Self { operation, now, request_id, stale: None, target, alias, statement, query, http })
    }

    /// The same call, which returns the state before a write younger than `stale`.
    pub(crate) fn reading(self, stale: Option<Duration>) -> Self {
        Self { stale, ..self }
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn query_all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.query.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.http.headers().get(name)?.to_str().ok()
    }

    pub(crate) fn body(&self) -> &Bytes {
        self.http.body()
    }

    /// The body's members; an empty body has none of them.
    pub(crate) fn input<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        let body: &[u8] = if self.http.body().is_empty() { b"{}" } else { self.http.body() };
        serde_json::from_slice(body).map_err(|error| Refusal::unreadable(error.to_string()))
    }

    /// The `RevisionId` among the body's members.
    pub(crate) fn revision_sent(&self) -> Option<String> {
        if self.operation.runs() {
            return None;
        }
        serde_json::from_slice::<Revised>(self.http.body()).ok()?.revision_id
    }

    /// What the call is about, for the log: `function`, `function:alias`, or an ARN.
    pub(crate) fn resource(&self) -> String {
        match (&self.alias, self.query("Qualifier")) {
            (Some(alias), _) => format!("{}:{alias}", self.target),
            (None, Some(qualifier)) => format!("{}:{qualifier}", self.target),
            (None, None) => self.target.clone(),
        }
    }

    /// The part of a list that `Marker` and `MaxItems` ask for, and the marker of the next part.
    pub(crate) fn page<T>(&self, items: Vec<T>) -> Result<(Vec<T>, Option<String>), Refusal> {
        // In one answer, however many are asked for.
        let most = if self.operation == Operation::ListEventSourceMappings { 100 } else { 50 };
        let asked = self.query("MaxItems").map(str::parse::<i64>).transpose();
        let asked = asked.map_err(|_| Refusal::unreadable("MaxItems is not an integer"))?;
        Violations::check(|broken| broken.range(asked, "maxItems", 1, 10_000))?;
        let limit = asked.and_then(|number| usize::try_from(number).ok()).map_or(most, |limit| limit.min(most));
        let start = match self.query("Marker").filter(|marker| !marker.is_empty()) {
            None => 0,
            Some(marker) => marker
                .strip_prefix("after-")
                .and_then(|count| count.parse().ok())
                .filter(|start| *start <= items.len())
                .ok_or_else(|| Refusal::invalid("Invalid Marker"))?,
        };
        let end = items.len().min(start + limit);
        let next = (end < items.len()).then(|| format!("after-{end}"));
        Ok((items.into_iter().skip(start).take(limit).collect(), next))
    }
}

inputs! {
    Named { name: String }
    Revised { revision_id: String }
}

/// The operation, its function (or ARN, or mapping) and its alias (or statement), by method and path.
fn route<'p>(method: &Method, path: &[&'p str]) -> Option<(Operation, &'p str, Option<&'p str>)> {
    if let ["url", target, ..] = path {
        // An ARN's first six parts say where; whoever routes connections has taken them to the right place.
        let named = if target.starts_with("arn:") { target.splitn(7, ':').nth(6)? } else { target };
        let (name, alias) = named.split_once(':').map_or((named, None), |(name, alias)| (name, Some(alias)));
        return Some((Operation::FunctionUrl, name, alias));
    }
    let fits = |(of, form, _): &&(&str, &str, Operation)| {
        *of == method
            && form.split('/').count() == path.len()
            && parts(form, path).all(|(part, given)| part == "{}" || part == given)
    };
    let (_, form, operation) = ROUTES.iter().find(fits)?;
    let mut names = parts(form, path).filter(|(part, _)| *part == "{}").map(|(_, given)| given);
    Some((*operation, names.next().unwrap_or_default(), names.next()))
}

/// The parts of a route, each with what a path has in its place.
fn parts<'r, 'p>(form: &'r str, path: &[&'p str]) -> impl Iterator<Item = (&'r str, &'p str)> {
    form.split('/').zip(path.iter().copied())
}
