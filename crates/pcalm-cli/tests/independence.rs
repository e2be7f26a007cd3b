//! That answers of theory and data of figures do not depend on the number of threads, byte for byte.

#![cfg(feature = "theory")]

mod common;

use common::{files, folder, run};
use std::{collections::BTreeMap, path::PathBuf};

/// What `command` writes on one thread and on three.
fn written(command: &[&str]) -> [BTreeMap<PathBuf, Vec<u8>>; 2] {
    ["--threads=1", "--threads=3"].map(|threads| {
        let place = folder();
        let out = place.path().join("out");
        let done = run(&[command, &[threads, "--quiet", "--out", out.to_str().unwrap()]].concat());
        assert_eq!((done.code, done.err.as_str()), (0, ""), "{command:?}");
        files(&out)
    })
}

/// Compares files, those that `matters` holds of.
fn assert_same(command: &[&str], matters: impl Fn(&str) -> bool) {
    let [one, three] = written(command).map(|mut files| {
        files.retain(|path, _| matters(path.to_str().unwrap()));
        files
    });
    assert!(!one.is_empty() && one.keys().eq(three.keys()), "{command:?}: {:?}, {:?}", one.keys(), three.keys());
    for (path, bytes) in &one {
        assert!(three[path] == *bytes, "{command:?}: {} differs", path.display());
    }
}

#[test]
fn theory_writes_the_same_files_on_any_number_of_threads() {
    for question in [
        &["spectrum", "--width=16", "--depth=14"][..],
        &["equilibrium", "--width=48", "--depth=6", "--budget=20"],
        &["wave", "--width=16", "--depth=30", "--samples=20", "--budget=20"],
    ] {
        assert_same(&[&["theory"], question].concat(), |_| true);
    }
}

#[test]
fn figures_have_the_same_data_on_any_number_of_threads() {
    // Times are not the same twice; those of the runs are apart from their results, in `cost.json`.
    let is_data = |path: &str| path.ends_with(".csv") && !path.contains("measured") || path.ends_with("summary.json");
    for (figure, scale) in [
        ("scalar", "smoke"),
        ("credit", "smoke"),
        // The matrices of `smoke` are too small for any library to share out.
        ("eigenvalues", "default"),
        ("alignment", "smoke"),
        ("cost", "smoke"),
        ("richness", "smoke"),
    ] {
        assert_same(&["figure", figure, "--scale", scale, "--dataset=glyphs"], is_data);
    }
}
