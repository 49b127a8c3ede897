//! Is the function of a kind that not everything works with? Durable functions, tenants, instances of one's own, as AWS has them in 2026.

use rollout::plan::OnLowTraffic;
use rollout::target::Subject;

use super::problem::Problem;
use crate::port::Configuration;
use crate::request::Request;

#[derive(Debug, Default)]
pub(crate) struct Features {
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<String>,
    /// Whether running executions stay on their version.
    pub(crate) durable: bool,
}

/// What follows from what the stable version and `$LATEST`, or the version to roll out, are.
pub(crate) fn features(request: &Request, stable: Option<&Configuration>, candidate: Option<&Configuration>) -> Features {
    let mut out = Features::default();
    let function = &request.subject.function;
    let known = || [candidate, stable].into_iter().flatten().map(|configuration| &configuration.frozen);
    if known().any(|frozen| frozen.durable) {
        out.durable = true;
        out.warnings.push(format!(
            "{function} is a durable function: a running execution stays on the version that it started on, regardless of the weights. \
             The comparison of the versions only observes, and after a rollback executions that started on the new version still run on \
             it: `aws lambda list-durable-executions-by-function --function-name {} --qualifier <N> --statuses RUNNING` lists them",
            function.reference()
        ));
    }
    if known().any(|frozen| frozen.tenants.is_some())
        && let OnLowTraffic::Probe(_) = request.analysis.on_low_traffic
    {
        let text =
            format!("{function} isolates tenants: AWS refuses test events without a tenant id, and canaryctl has none to send");
        out.problems.push(Problem::new(text).hint("choose another `--on-low-traffic`"));
    }
    if let Some(provider) = known().find_map(|frozen| frozen.capacity_provider.as_ref()) {
        out.warnings.push(format!(
            "{function} runs on Lambda Managed Instances ({provider}): a new version takes minutes until its instances are ready, and \
             callers of the plain name get `$LATEST.PUBLISHED`, which no rollout moves"
        ));
    }
    out
}

/// Why an alias on `$LATEST` is not put on a version of what `$LATEST` is, where it is not.
pub(crate) fn unpinnable(subject: &Subject, latest: &Configuration) -> Option<Problem> {
    let function = &subject.function;
    let why = if latest.frozen.durable {
        format!(
            "{function} is a durable function: executions that began on `$LATEST` stay on it, and the next deploy changes their code"
        )
    } else if let Some(provider) = &latest.frozen.capacity_provider {
        format!(
            "{function} runs on Lambda Managed Instances ({provider}): a version has no instances until it is published, and they cost money"
        )
    } else {
        return None;
    };
    let (function, alias) = (function.reference(), &subject.alias);
    let update = format!("aws lambda update-alias --function-name {function} --name {alias} --function-version <N>");
    Some(Problem::new(why).hint(format!("publish a version manually and put the alias on it: `{update}`")))
}
