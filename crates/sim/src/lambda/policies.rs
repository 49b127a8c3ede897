//! Who else may invoke a function? The resource policy of each qualifier, statement by statement; nothing enforces it.

use serde_json::{Map, Value, json};

use super::call::{Call, inputs};
use super::function::Qualified;
use super::name::{FunctionName, is_account, is_name_character};
use super::refusal::{Refusal, Violations};
use super::{Done, Lambda};
use crate::value::present;

inputs! {
    PermissionInput {
        statement_id: String,
        action: String,
        principal: String,
        source_arn: String,
        source_account: String,
        event_source_token: String,
        #[serde(rename = "PrincipalOrgID")]
        principal_org_id: String,
        function_url_auth_type: String,
        invoked_via_function_url: bool,
        revision_id: String,
    }
}

impl PermissionInput {
    fn check(&self) -> Result<(), Refusal> {
        Violations::check(|broken| {
            for (member, given) in [("statementId", &self.statement_id), ("action", &self.action), ("principal", &self.principal)]
            {
                broken.required(given.as_ref(), member);
            }
            if let Some(id) = &self.statement_id {
                broken.length(id, "statementId", 1, 100);
                if !id.chars().all(is_name_character) {
                    broken.add(id, "statementId", "satisfy regular expression pattern: ([a-zA-Z0-9-_]+)");
                }
            }
            if let Some(action) = &self.action {
                let named = action.strip_prefix("lambda:").unwrap_or(if action == "*" { "*" } else { "" });
                if named != "*" && (named.is_empty() || !named.chars().all(|c| c.is_ascii_alphabetic())) {
                    broken.add(action, "action", "satisfy regular expression pattern: (lambda:[*]|lambda:[a-zA-Z]+|[*])");
                }
            }
        })
    }

    fn statement(&self, resource: &str) -> Value {
        let principal = self.principal.as_deref().unwrap_or_default();
        let principal = if principal == "*" {
            json!("*")
        } else if is_account(principal) {
            json!({"AWS": format!("arn:aws:iam::{principal}:root")})
        } else if principal.starts_with("arn:") {
            json!({"AWS": principal})
        } else {
            json!({"Service": principal})
        };
        let conditions = self.conditions();
        present(json!({
            "Sid": self.statement_id,
            "Effect": "Allow",
            "Principal": principal,
            "Action": self.action,
            "Resource": resource,
            "Condition": Some(conditions).filter(|conditions| !conditions.is_empty()),
        }))
    }

    fn conditions(&self) -> Map<String, Value> {
        let mut conditions = Map::new();
        let via_url = self.invoked_via_function_url.map(|via| via.to_string());
        for (test, key, given) in [
            ("StringEquals", "AWS:SourceAccount", &self.source_account),
            ("StringEquals", "aws:PrincipalOrgID", &self.principal_org_id),
            ("StringEquals", "lambda:EventSourceToken", &self.event_source_token),
            ("StringEquals", "lambda:FunctionUrlAuthType", &self.function_url_auth_type),
            ("Bool", "lambda:InvokedViaFunctionUrl", &via_url),
            ("ArnLike", "AWS:SourceArn", &self.source_arn),
        ] {
            if let Some(given) = given {
                conditions.entry(test).or_insert_with(|| json!({}))[key] = given.clone().into();
            }
        }
        conditions
    }
}

impl Lambda {
    pub(super) fn add_permission(&mut self, call: &Call<'_>) -> Result<Done, Refusal> {
        let input: PermissionInput = call.input()?;
        input.check()?;
        if !is_principal(input.principal.as_deref().unwrap_or_default()) {
            return Err(Refusal::invalid("The provided principal was invalid. Please check the principal and try again."));
        }
        let (name, qualified, arn) = self.governed(call)?;
        self.check_policy_revision(&name, &qualified, input.revision_id.as_deref())?;
        let id = input.statement_id.as_deref().unwrap_or_default();
        let key = key(&qualified);
        let statements = self.function(&name)?.policies.get(&key).cloned().unwrap_or_default();
        if statements.iter().any(|statement| statement["Sid"] == id) {
            return Err(Refusal::conflict(format!(
                "The statement id ({id}) provided already exists. Please provide a new statement id, \
                 or remove the existing statement."
            )));
        }
        let statement = input.statement(&arn);
        let grown: Vec<Value> = statements.into_iter().chain([statement.clone()]).collect();
        let size = policy(&grown).len();
        if size > POLICY_LIMIT {
            return Err(Refusal::policy_too_long(size, POLICY_LIMIT));
        }
        self.function_mut(&name)?.policies.insert(key, grown);
        self.renew(&name, &qualified)?;
        Ok(Done::json(201, json!({"Statement": statement.to_string()})))
    }

    pub(super) fn remove_permission(&mut self, call: &Call<'_>) -> Result<Done, Refusal> {
        let unknown = |refusal: Refusal| {
            let arn = refusal.message.strip_prefix("Function not found: ").map(str::to_owned);
            arn.map_or(refusal, |arn| Refusal::not_found(format!("No policy found for: {arn}")))
        };
        let (name, qualified, _) = self.governed(call).map_err(unknown)?;
        let id = call.statement.clone().unwrap_or_default();
        let key = key(&qualified);
        let none = || Refusal::not_found("No policy is associated with the given resource.");
        let statements = self.function(&name)?.policies.get(&key).ok_or_else(none)?;
        if !statements.iter().any(|statement| statement["Sid"] == id.as_str()) {
            return Err(Refusal::not_found(format!("Statement {id} is not found in resource policy.")));
        }
        self.check_policy_revision(&name, &qualified, call.query("RevisionId"))?;
        let policies = &mut self.function_mut(&name)?.policies;
        if let Some(statements) = policies.get_mut(&key) {
            statements.retain(|statement| statement["Sid"] != id.as_str());
        }
        policies.retain(|_, statements| !statements.is_empty());
        self.renew(&name, &qualified)?;
        Ok(Done::empty(204))
    }

    pub(super) fn read_policy(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let unknown = |refusal: Refusal| if refusal.status == 404 { Refusal::no_resource() } else { refusal };
        let (name, qualified, _) = self.governed(call).map_err(unknown)?;
        let statements = self.function(&name)?.policies.get(&key(&qualified)).ok_or_else(Refusal::no_resource)?;
        Ok(Done::json(200, json!({"Policy": policy(statements), "RevisionId": self.policy_revision(&name, &qualified)})))
    }

    /// The function, what its qualifier stands for, and the ARN of both.
    fn governed(&self, call: &Call<'_>) -> Result<(String, Qualified, String), Refusal> {
        let (target, meant) = self.target(call).map_err(|refusal| {
            let named = self.place.parse(&call.target).and_then(|named| named.with_qualifier(call.query("Qualifier")));
            let alias = |named: &FunctionName| {
                named.qualifier.as_ref().is_some_and(|text| text.chars().all(is_name_character) && text.parse::<u32>().is_err())
            };
            match named {
                Ok(named) if refusal.status == 404 && alias(&named) => Refusal::no_alias(&self.place.full_arn(&named)),
                Ok(_) | Err(_) => refusal,
            }
        })?;
        if target.qualifier.as_deref() == Some("$LATEST") {
            return Err(Refusal::invalid("We currently do not support adding policies for $LATEST."));
        }
        let arn = self.place.full_arn(&target);
        Ok((target.name, meant, arn))
    }

    /// A policy has no revision of its own: it is the one of the function, version or alias it hangs on.
    fn policy_revision(&self, name: &str, qualified: &Qualified) -> Option<String> {
        let function = self.functions.get(name)?;
        Some(match qualified {
            Qualified::Latest => function.latest.revision.clone(),
            Qualified::Version(number) => function.versions.get(number)?.revision.clone(),
            Qualified::Alias(alias) => function.aliases.get(alias)?.state.revision.clone(),
        })
    }

    fn check_policy_revision(&self, name: &str, qualified: &Qualified, sent: Option<&str>) -> Result<(), Refusal> {
        let stale = sent.is_some_and(|sent| self.policy_revision(name, qualified).as_deref() != Some(sent));
        if stale { Err(Refusal::stale_revision("GetPolicy")) } else { Ok(()) }
    }

    /// A changed policy gives the function, version or alias a new revision: writes with the old one are refused.
    fn renew(&mut self, name: &str, qualified: &Qualified) -> Result<(), Refusal> {
        let revision = self.revision();
        let function = self.function_mut(name)?;
        let known = match qualified {
            Qualified::Latest => Some(&mut function.latest.revision),
            Qualified::Version(number) => function.versions.get_mut(number).map(|version| &mut version.revision),
            Qualified::Alias(alias) => function.aliases.get_mut(alias).map(|alias| &mut alias.state.revision),
        };
        if let Some(known) = known {
            *known = revision;
        }
        Ok(())
    }
}

/// An account, an ARN, everybody, or a service.
fn is_principal(text: &str) -> bool {
    let service = [".amazonaws.com", ".amazon.com", ".amazonaws.com.cn"].into_iter().any(|ending| text.ends_with(ending));
    text == "*" || is_account(text) || text.starts_with("arn:") || service
}

/// Where a function keeps the policy of a qualifier; empty is the unqualified function.
fn key(qualified: &Qualified) -> String {
    match qualified {
        Qualified::Latest => String::new(),
        Qualified::Version(number) => number.to_string(),
        Qualified::Alias(alias) => alias.clone(),
    }
}

fn policy(statements: &[Value]) -> String {
    json!({"Version": "2012-10-17", "Id": "default", "Statement": statements}).to_string()
}

const POLICY_LIMIT: usize = 20_480;
