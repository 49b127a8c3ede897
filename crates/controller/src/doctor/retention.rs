//! What deletes the version that a rollback would need? A clean-up of old versions, or a stack that does not keep them; an alias does keep it.

use rollout::diagnosis::{Diagnosis, Severity};

use crate::alias_stack::OwningStack;
use crate::preflight::Preflight;
use crate::request::Request;

pub(super) fn look(request: &Request, found: &Preflight) -> Vec<Diagnosis> {
    let Some(stable) = found.plan.stable else { return Vec::new() };
    let by_stack = found.stack.as_ref().and_then(|stack: &OwningStack| stack.deletes(stable));
    let by_tool = request.prunes.as_ref().map(|text| (text.clone(), "delete fewer".to_owned()));
    let kept = request.keep_previous.as_ref();
    let each = by_tool.into_iter().chain(by_stack).map(|(text, other)| match kept {
        Some(alias) => Diagnosis::new(Severity::Note, "versions", text)
            .why(format!("after a promotion the alias `{alias}` keeps {stable}: AWS deletes no version that an alias names")),
        None => Diagnosis::new(Severity::Warning, "versions", text)
            .why(format!("after a promotion no alias names {stable} any more, and a rollback needs it"))
            .fix(format!(
                "`--keep-previous previous`, or `keepPrevious: previous` in the configuration file, keeps it; or {other}"
            )),
    });
    each.collect()
}
