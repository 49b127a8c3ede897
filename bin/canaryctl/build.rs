//! Leaves the tables for unwinding out of an optimized binary, which unwinds nothing: no setting of a profile does.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=bin/canaryctl/no-tables.ld");
    let built_for = |name: &str| env::var(name).unwrap_or_default();
    let linked_so = built_for("CARGO_CFG_TARGET_OS") == "linux" && built_for("CARGO_CFG_TARGET_ENV") == "gnu";
    if linked_so && built_for("PROFILE") == "release" {
        let script = format!("{}/bin/canaryctl/no-tables.ld", built_for("CARGO_MANIFEST_DIR"));
        println!("cargo::rustc-link-arg-bins=-Wl,-T,{script}");
    }
}
