//! What the user counts as failed rolls back like Lambda's own errors, under the same promise; a signal that falls silent never passes.

use controller::Request;
use rollout::plan::{Analysis, Mode};
use rollout::policy::Policy;

use crate::stage::{play_on, request};

/// Lambda counts by version only while the alias has weights: there is no such metric yet.
const THROWN: &str =
    "thrown=AWS/Lambda/Errors{FunctionName=${function},Resource=${function}:${alias},ExecutedVersion=${version}}";

fn watched(signals: &[&str]) -> Request {
    let analysis = Analysis { mode: Mode::On, ..Analysis::default() };
    let signals = signals.iter().map(|text| text.parse().unwrap()).collect();
    let policy = Policy { analysis, ..Policy::default() };
    Request { alarms: Vec::new(), pre_hook: None, post_hook: None, policy, signals, analysis_asked: true, ..request() }
}

#[test]
fn a_metric_that_never_was_is_refused_with_what_is_near() {
    play_on("hello", async |stage| {
        stage.sleep(300).await;
        let output = stage
            .rollout(watched(&[THROWN, "lost=aws/lambda/Errors{Version=${version}}", "no=Shop/Sold{Version=${version}}"]))
            .await;
        let output = output
            .exits(3)
            .says("metric `Errors` in `AWS/Lambda` with the dimensions ExecutedVersion, FunctionName, Resource had no data");
        output
            .says("there it has FunctionName; FunctionName, Resource")
            .says("did you mean the namespace `AWS/Lambda`?")
            .says("check its name");
        assert_eq!((stage.calls("ListMetrics"), stage.writes().len()), (6, 0));
    });
}
