//! Which function in AWS does a key of a `serverless.yml` mean, and where is it? Service, stage, stack and Region.

use std::borrow::Cow;

use crate::alerts::normalised;
use crate::finding::{Reading, Unresolved, shown};
use crate::place::{At, Place};
use crate::serverless::{Reader, Word};
use crate::settings::FunctionRef;
use crate::tree::Node;
use crate::variables::DEFAULT_REGION;
use crate::{canary, intrinsics};

impl<'a> Reader<'a> {
    /// What is part of the functions' names: service, stage, stack and Region.
    pub(crate) fn names(&mut self, packaged: bool) {
        let stage = self.variables.stage();
        self.stage = self.about("stage", |reader| reader.resolved(stage));
        let packaged_for = self.root.get("provider").and_then(|provider| provider.get("stage"));
        if let (true, Some(asked), Some(stage)) = (packaged, &self.lookup.stage, packaged_for.and_then(Node::text_with_place))
            && stage.value != *asked
        {
            let message = format!("this was packaged for stage `{}`, not for `{}`", shown(&stage.value), shown(asked));
            let hint = format!("run `serverless package --stage {}`", shown(asked));
            self.found.of("--stage", |found| found.hinted(&stage.place, message, hint));
        }
        let by_name = self.root.get("service").is_some_and(|service| service.map().is_some());
        let service = self.variables.text(if by_name { &["service", "name"] } else { &["service"] });
        self.service = service.map(|service| service.map(|service| service.value));
        self.stack = At::given(self.lookup.stack.as_ref(), "--stack").or_else(|| self.stack());
        self.region = self.region();
        let global = self.variables.path(&["custom", "deploymentSettings"]);
        self.global_unread = global.is_err();
        self.global = match self.resolved(global) {
            Some(Some(Cow::Borrowed(node))) => node.map(),
            Some(_) | None => None,
        };
        self.functions = self.about("functions", Self::functions);
    }

    /// A function's name in AWS; where that cannot be told, its logical id, for which the stack has to be known.
    pub(crate) fn named(&mut self, key: &At<String>, node: &'a Node) -> At<FunctionRef> {
        let id = logical_id(&key.value);
        let by_id = |place: &Place| At { value: FunctionRef::LogicalId(id.clone()), place: place.clone() };
        let name = match node.get("name").filter(|name| !name.is_null()).map(|name| self.variables.node(name)) {
            Some(Ok(Cow::Borrowed(name))) if intrinsics::function(name).is_some() => {
                return match self.about("name", |reader| reader.intrinsic(name)) {
                    Some(Word::Text(name)) => canary::function(&name, &id, &mut self.found),
                    Some(Word::Resource(_)) | None => by_id(&name.place),
                };
            }
            Some(Ok(name)) => name.text_with_place(),
            Some(Err(missing)) => {
                self.unknown_name(missing.clone(), "the function is looked up in its stack", "the function's name");
                return by_id(&missing.place);
            }
            None => None,
        };
        if let Some(name) = name {
            return canary::function(&name, &id, &mut self.found);
        }
        let service = match &self.service {
            Ok(Some(service)) => Ok(service.clone()),
            Ok(None) => Err(Unresolved {
                place: self.root.place.clone(),
                message: "there is no `service`".to_owned(),
                hint: "this is a piece of a `serverless.yml`: name the file that has the `service`".to_owned(),
            }),
            Err(missing) => Err(missing.clone()),
        };
        match (service, &self.stage) {
            (Ok(service), Some(stage)) => {
                let name = At { value: format!("{service}-{}-{}", stage.value, key.value), place: key.place.clone() };
                canary::function(&name, &id, &mut self.found)
            }
            (Err(missing), _) => {
                self.unknown_name(missing, "the service's name", "the service's name");
                by_id(&key.place)
            }
            (Ok(_), None) => by_id(&key.place),
        }
    }

    /// A name that cannot be told is looked up in the stack, if that is known; else it is a problem.
    fn unknown_name(&mut self, missing: Unresolved, looked_up: &str, what: &str) {
        if self.stack.is_some() {
            self.found.unresolved(&missing, looked_up, None);
        } else {
            let message = format!("{}: {what}", missing.message);
            self.about("name", |reader| reader.found.missing(&Unresolved { message, ..missing }));
        }
    }

    /// The stack: the provider's `stackName`, else service and stage.
    fn stack(&mut self) -> Option<At<String>> {
        match self.variables.text(&["provider", "stackName"]) {
            Ok(Some(name)) => return Some(name),
            Ok(None) => {}
            Err(missing) => {
                self.found.unresolved(&missing, "the stack's name", None);
                return None;
            }
        }
        let (service, stage) = (self.service.as_ref().ok()?.as_ref()?, self.stage.as_ref()?);
        Some(At { value: format!("{service}-{}", stage.value), place: stage.place.clone() })
    }

    /// The Region: `--region`, the provider's, or the one that the framework takes whatever the environment says.
    fn region(&mut self) -> Option<At<String>> {
        if let Some(region) = At::given(self.lookup.region.as_ref(), "--region") {
            return Some(region);
        }
        let region = self.variables.text(&["provider", "region"]).map_err(|missing| {
            let message = format!("{}: the Region", missing.message);
            let own = missing.hint.contains("`--region`");
            let hint = if own { missing.hint } else { format!("set it with `--region`; or {}", missing.hint) };
            Unresolved { message, hint, ..missing }
        });
        let region = self.about("region", |reader| reader.resolved(region))?;
        let place = Place { line: 0, column: 0, ..self.root.place.clone() };
        Some(region.unwrap_or(At { value: DEFAULT_REGION.to_owned(), place }))
    }
}

/// The id that the framework gives a function in its stack.
fn logical_id(key: &str) -> String {
    format!("{}LambdaFunction", normalised(key))
}
