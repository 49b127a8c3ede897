//! Who invokes the function without going through an alias? A rollout and its rollback do not reach such callers.
//!
//! Three calls to Lambda, which a rollout makes too; what they do not tell stops nothing.

use std::time::Duration;

use rollout::Arn;
use rollout::diagnosis::SkippedCheck;
use rollout::format::exact;
use rollout::target::{Qualified, Subject};
use serde_json::Value;

use crate::port::{Call, Clock, Cloud, CloudError, EventSource, Failure, FunctionUrl};

/// One way around the alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bypass {
    /// A queue or a stream.
    Source(EventSource),
    /// An address.
    Url(FunctionUrl),
    /// Somebody whom the function's policy lets call it.
    PolicyStatement(PolicyStatement),
}

/// Who may call a function, by one statement of its policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyStatement {
    /// The statement's id, where it has one.
    pub id: Option<String>,
    /// Who: a service, an account, an ARN or `*`.
    pub principals: Vec<String>,
    /// What it lets them do.
    pub action: String,
    /// The ARN that the calls come from, where it says so.
    pub source_arn: Option<String>,
    /// The account, where it says so.
    pub source_account: Option<String>,
    /// Whether it says more.
    pub conditional: bool,
}

/// What is known of the callers that bypass an alias.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Callers {
    /// Ways around it.
    pub bypass: Vec<Bypass>,
    /// The function's own addresses, those of its aliases too.
    pub urls: Vec<FunctionUrl>,
    /// What could not be seen.
    pub unseen: Vec<SkippedCheck>,
}

pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

const NAMED: usize = 4;

/// Looks for ways around the alias, not for long.
pub(crate) async fn callers<C: Cloud, K: Clock>(cloud: &C, clock: &K, subject: &Subject) -> Callers {
    tokio::select! {
        biased;
        callers = look(cloud, subject) => callers,
        () = clock.sleep(PATIENCE) => {
            let why = format!("no response within {}", exact(PATIENCE));
            let what = "event source mappings, function URLs and the policy of the function".to_owned();
            Callers { unseen: vec![SkippedCheck { what, why, permission: None }], ..Callers::default() }
        }
    }
}

async fn look<C: Cloud>(cloud: &C, subject: &Subject) -> Callers {
    let function = Qualified { function: subject.function.clone(), qualifier: None };
    let (sources, urls, policy) =
        tokio::join!(cloud.event_sources(&function), cloud.function_urls(&subject.function), cloud.policy(&function));
    let mut found = Callers::default();
    // What does not exist is called by nobody, and others say that it does not.
    let mut missed = |what: &str, call: Call, error: &CloudError| {
        if error.failure != Failure::NotFound {
            tracing::debug!(what, %error, "not looked at");
            found.unseen.push(unseen(what, call, error));
        }
    };
    let permits = policy.and_then(|policy| policy.map_or(Ok(Vec::new()), |policy| statements(&policy)));
    match sources {
        Ok(sources) => found.bypass.extend(sources.into_iter().filter(bypasses).map(Bypass::Source)),
        Err(error) => missed("event source mappings", Call::ListEventSourceMappings, &error),
    }
    match urls {
        Ok(urls) => {
            found.bypass.extend(urls.iter().filter(|url| is_unpublished(&url.function)).cloned().map(Bypass::Url));
            found.urls = urls;
        }
        Err(error) => missed("function URLs", Call::ListFunctionUrlConfigs, &error),
    }
    match permits {
        Ok(permits) => found.bypass.extend(permits.into_iter().map(Bypass::PolicyStatement)),
        Err(error) => missed("the policy of the function", Call::GetPolicy, &error),
    }
    found
}

/// What could not be seen, and for want of which permission.
pub(crate) fn unseen(what: &str, call: Call, error: &CloudError) -> SkippedCheck {
    let permission = (error.failure == Failure::Denied).then(|| call.permission().to_owned());
    SkippedCheck { what: what.to_owned(), why: error.to_string(), permission }
}

/// Whether a mapping calls, and not through an alias.
pub(crate) fn bypasses(source: &EventSource) -> bool {
    let version = Arn::parse(&source.function)
        .and_then(Arn::qualifier)
        .is_some_and(|qualifier| qualifier.bytes().all(|byte| byte.is_ascii_digit()));
    source.active && (version || is_unpublished(&source.function))
}

/// Whether this ARN stands for whatever `$LATEST` is.
fn is_unpublished(arn: &str) -> bool {
    Arn::parse(arn).and_then(Arn::qualifier).is_none_or(|qualifier| qualifier == "$LATEST")
}

/// Whether this ARN is the alias'.
pub(crate) fn is_on(subject: &Subject, function: &str) -> bool {
    Arn::parse(function).and_then(Arn::qualifier) == Some(subject.alias.as_str())
}

/// The statements of a policy that let somebody call the function, other than by its URL.
pub(crate) fn statements(policy: &str) -> Result<Vec<PolicyStatement>, CloudError> {
    let policy: Value = serde_json::from_str(policy).map_err(|error| CloudError {
        failure: Failure::Unanswered,
        operation: Call::GetPolicy.name(),
        message: format!("the policy is not JSON: {error}"),
        code: None,
    })?;
    let statements = policy.get("Statement").map(several).unwrap_or_default();
    Ok(statements.into_iter().filter_map(permit).collect())
}

fn permit(statement: &Value) -> Option<PolicyStatement> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let member = |name: &str| statement.get(name);
    let actions = member("Action").map(several).unwrap_or_default();
    let action = actions.iter().filter_map(|action| text(action)).find(|action| INVOKES.contains(&action.as_str()))?;
    let conditions: Vec<(String, String)> = member("Condition")
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|tests| tests.values())
        .filter_map(Value::as_object)
        .flatten()
        .map(|(key, value)| (key.to_ascii_lowercase(), text(value).unwrap_or_else(|| value.to_string())))
        .collect();
    let by_url = conditions.iter().any(|(key, _)| key == "lambda:invokedviafunctionurl" || key == "lambda:functionurlauthtype");
    if by_url || member("Effect").and_then(Value::as_str) != Some("Allow") {
        return None;
    }
    let described = |name: &str| conditions.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let principal = member("Principal")?;
    let by_kind = principal.as_object().into_iter().flat_map(|kinds| kinds.values()).flat_map(several);
    let principals = by_kind.chain([principal]).filter_map(text).collect();
    let (source_arn, source_account) = (described("aws:sourcearn"), described("aws:sourceaccount"));
    let known = usize::from(source_arn.is_some()) + usize::from(source_account.is_some());
    Some(PolicyStatement {
        id: member("Sid").and_then(text),
        principals,
        action,
        source_arn,
        source_account,
        conditional: conditions.len() > known,
    })
}

/// IAM writes one of something as itself.
fn several(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |values| values.iter().collect())
}

impl Callers {
    /// The warning of a rollout that does not reach everybody.
    pub(crate) fn warning(&self, subject: &Subject) -> Option<String> {
        if self.bypass.is_empty() {
            return None;
        }
        let named = self.bypass.iter().take(NAMED).map(Bypass::named).collect::<Vec<_>>().join(", ");
        let more = self.bypass.len().saturating_sub(NAMED);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        Some(format!(
            "CALLERS BYPASS {subject}: this rollout and its rollback do not reach them: {named}{more}; `canaryctl doctor {subject}` shows how to move them"
        ))
    }
}

impl Bypass {
    fn named(&self) -> String {
        match self {
            Self::Source(source) => format!("the event source mapping of {}", source.name()),
            Self::Url(url) => format!("the function URL {}", url.url),
            Self::PolicyStatement(permit) => format!("{} by {}", permit.who(), permit.statement()),
        }
    }
}

impl EventSource {
    /// The queue or stream as people know it: `orders (sqs)`.
    pub(crate) fn name(&self) -> String {
        let Some(arn) = &self.source else { return format!("mapping {}", self.id) };
        Arn::parse(arn).map_or_else(|| format!("`{arn}`"), |Arn { resource, service, .. }| format!("`{resource}` ({service})"))
    }
}

impl PolicyStatement {
    pub(crate) fn who(&self) -> String {
        if self.principals.iter().any(|principal| principal == "*") { "anybody".to_owned() } else { self.principals.join(", ") }
    }

    pub(crate) fn statement(&self) -> String {
        self.id.as_ref().map_or_else(|| "a statement of its policy".to_owned(), |id| format!("statement `{id}` of its policy"))
    }
}

const INVOKES: [&str; 4] = [Call::Invoke.permission(), "lambda:InvokeAsync", "lambda:*", "*"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_statements_that_let_somebody_call_it_count() {
        let policy = serde_json::json!({"Statement": [
            {"Sid": "api", "Effect": "Allow", "Principal": {"Service": "apigateway.amazonaws.com"}, "Action": "lambda:InvokeFunction",
             "Condition": {"ArnLike": {"AWS:SourceArn": "arn:x"}, "StringEquals": {"AWS:SourceAccount": "1"}}},
            {"Sid": "all", "Effect": "Allow", "Principal": "*", "Action": ["lambda:GetFunction", "lambda:*"],
             "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}},
            {"Sid": "denied", "Effect": "Deny", "Principal": "*", "Action": "lambda:InvokeFunction"},
            {"Sid": "reads", "Effect": "Allow", "Principal": "*", "Action": "lambda:GetFunction"},
            {"Sid": "url", "Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunctionUrl"},
            {"Sid": "url2", "Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunction",
             "Condition": {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}},
        ]});
        let found = statements(&policy.to_string()).unwrap();
        let described: Vec<(&str, String, bool)> =
            found.iter().map(|permit| (permit.id.as_deref().unwrap(), permit.who(), permit.conditional)).collect();
        assert_eq!(described, [("api", "apigateway.amazonaws.com".to_owned(), false), ("all", "anybody".to_owned(), true)]);
        assert_eq!((found[0].source_arn.as_deref(), found[0].source_account.as_deref()), (Some("arn:x"), Some("1")));
        assert!(statements("no JSON").is_err());
        assert!(statements("{}").unwrap().is_empty());
    }

    #[test]
    fn a_mapping_of_an_alias_goes_through_it() {
        let arn = "arn:aws:lambda:us-east-1:111111111111:function:hello";
        for (suffix, active, expected) in
            [("", true, true), (":$LATEST", true, true), (":41", true, true), (":Live", true, false), ("", false, false)]
        {
            let source = EventSource { id: "1".to_owned(), source: None, function: format!("{arn}{suffix}"), active };
            assert_eq!(bypasses(&source), expected, "{suffix} {active}");
        }
    }
}
