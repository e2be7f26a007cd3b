//! What processes that were killed leave among the claims of a sweep.

mod common;

use common::{Said, folder, path, run};
use std::{
    fs::File,
    path::Path,
    time::{Duration, SystemTime},
};

fn sweep(place: &Path, grid: &str) -> Said {
    run(&["sweep", grid, "--quiet", "--out", &path(place, "runs")])
}

/// A sweep of one small cell, and its key.
fn one_cell(place: &Path) -> (String, String) {
    let grid = path(place, "grid.toml");
    std::fs::write(&grid, "[base]\ndepth = 4\ntrain-samples = 64\ntest-samples = 64\n[axes]\nwidth = [8]\n").unwrap();
    assert_eq!(sweep(place, &grid).code, 0);
    let cell = std::fs::read_dir(place.join("runs/cells")).unwrap().next().unwrap().unwrap();
    (grid, cell.file_name().into_string().unwrap())
}

/// Leaves a claim of a process that is gone, in `claims` or in a folder there.
fn outlived(claim: &Path) {
    std::fs::create_dir_all(claim).unwrap();
    std::fs::write(claim.join("worker"), r#"{"worker": "worker-gone", "deaths": 2, "reached": ""}"#).unwrap();
}

/// As after a kill between the record of a failure and the end of the claim.
fn set_aside(runs: &Path, key: &str) {
    std::fs::remove_dir_all(runs.join("cells").join(key)).unwrap();
    let failed = runs.join("failed").join(key);
    std::fs::create_dir_all(&failed).unwrap();
    std::fs::write(failed.join("failure.json"), r#"{"reason": "the process that ran it died twice"}"#).unwrap();
    outlived(&runs.join("claims").join(format!("{key}.2")));
}

#[test]
fn a_cell_whose_claims_outlived_the_process_that_set_it_aside_can_be_retried() {
    let place = folder();
    let (grid, key) = one_cell(place.path());
    let runs = place.path().join("runs");
    set_aside(&runs, &key);
    assert_eq!(run(&["sweep", "retry", &path(place.path(), "runs")]).code, 0);
    let done = sweep(place.path(), &grid);
    assert_eq!((done.code, done.err.as_str()), (0, ""));
    assert_eq!(std::fs::read_dir(runs.join("claims")).unwrap().count(), 0);
}

#[test]
fn a_sweep_that_has_nothing_to_run_clears_what_killed_processes_left_in_its_claims() {
    let place = folder();
    let (grid, key) = one_cell(place.path());
    let runs = place.path().join("runs");
    let claims = runs.join("claims");
    let left = || std::fs::read_dir(&claims).unwrap().map(|e| e.unwrap().file_name()).collect::<Vec<_>>();
    // Killed while it made a claim, while it gave one up, and between the end of a cell and that of its claim.
    outlived(&claims.join(".worker-gone.abcdef"));
    outlived(&claims.join(".worker-gone.ghijkl").join("0"));
    outlived(&claims.join(format!("{key}.1")));
    let worker = File::create(runs.join("workers/worker-gone")).unwrap();
    worker.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
    assert_eq!(sweep(place.path(), &grid).code, 0);
    assert!(left().is_empty(), "{:?}", left());
    assert_eq!(std::fs::read_dir(runs.join("workers")).unwrap().count(), 0);
    // The cell that was set aside as well.
    set_aside(&runs, &key);
    assert_eq!(sweep(place.path(), &grid).code, 1);
    assert!(left().is_empty(), "{:?}", left());
}
