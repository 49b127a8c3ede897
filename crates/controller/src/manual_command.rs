//! What can a person do when canaryctl cannot? The exact command that brings the traffic back.

use rollout::alias::alias_state;
use rollout::decide::Action;
use rollout::observation::Observation;
use rollout::plan::Plan;
use rollout::target::Subject;
use rollout::write::desired;
use rollout::{Alias, Cause};

/// The `aws` command that puts all traffic of a rollout's alias on stable, terminal note included.
pub(crate) fn command(plan: &Plan, subject: &Subject, region: &str, alias: &Alias, seen: &Observation, cause: Cause) -> String {
    let wanted = alias_state(alias).note().and_then(|_| desired(plan, seen, &Action::RollBack(cause)));
    update_alias(subject, region, &wanted.unwrap_or_else(|| alias.clone()))
}

/// The `aws` command that makes an alias what it should be, for a POSIX shell.
pub fn update_alias(subject: &Subject, region: &str, wanted: &Alias) -> String {
    let (function, name, version) = (subject.function.reference(), &subject.alias, wanted.target);
    let weights: Vec<String> =
        wanted.weights.iter().map(|(version, weight)| format!("{version}={}", weight.fraction())).collect();
    let description = quoted(&wanted.description);
    format!(
        "aws lambda update-alias --function-name {function} --name {name} --function-version {version} \
         --routing-config 'AdditionalVersionWeights={{{}}}' --description {description} --region {region}",
        weights.join(",")
    )
}

/// A word for a POSIX shell, whatever is in it.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollout::Version;
    use rollout::alias::Target;

    #[test]
    fn the_command_survives_a_shell() {
        let wanted = Alias {
            target: Target::Version(Version::new(41).unwrap()),
            weights: vec![],
            description: "Anna's `alias` $HOME [x]".into(),
        };
        let subject = Subject::parse("hello", None).unwrap();
        assert_eq!(
            update_alias(&subject, "eu-west-1", &wanted),
            "aws lambda update-alias --function-name hello --name live --function-version 41 \
             --routing-config 'AdditionalVersionWeights={}' --description 'Anna'\\''s `alias` $HOME [x]' --region eu-west-1"
        );
    }
}
