//! Records the git revision for the provenance of results.

use std::process::Command;

fn main() {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let revision = git(&["describe", "--always", "--dirty", "--exclude=*"]).filter(|r| !r.is_empty());
    println!("cargo::rustc-env=PCALM_GIT_REVISION={}", revision.as_deref().unwrap_or("unknown"));
    if let Some(head) = git(&["rev-parse", "--git-path", "HEAD"]) {
        println!("cargo::rerun-if-changed={head}");
    }
    if let Some(index) = git(&["rev-parse", "--git-path", "index"]) {
        println!("cargo::rerun-if-changed={index}");
    }
}
