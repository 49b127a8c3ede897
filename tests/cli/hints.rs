//! Whoever types what is not there is told what is.

use crate::served::{Served, assert_has, code, text};

/// Typed in an incident: the name that is there is named.
#[test]
fn an_alias_that_is_not_there_is_answered_with_the_one_that_is() {
    let served = Served::start();
    for command in ["rollback", "status"] {
        let answered = served.run(&format!("{command} hello:liev"));
        assert_eq!(code(&answered), 3, "{}", text(&answered));
        assert_has(&text(&answered), &["hello has no alias `liev`; it has `live`", &format!("canaryctl {command} hello:live")]);
    }
}

#[test]
fn doctor_needs_no_schedule() {
    let served = Served::start();
    let examined = served.run("doctor hello");
    assert_ne!(code(&examined), 2, "{}", text(&examined));
    assert_has(&text(&examined), &["Canary10Percent5Minutes, because none is given"]);
    let own = text(&served.run("doctor hello --type AllAtOnce"));
    assert!(!own.contains("because none is given"), "{own}");
}
