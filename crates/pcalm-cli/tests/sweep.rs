//! Sweeps as users run them: killed, shared, split, and in trouble.

#![cfg(feature = "theory")]

mod common;

use common::{Said, folder, path, pcalm, run, said, wait_until};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

/// Cells of some tenths of a second.
const GRID: &str = r#"
[base]
depth = 8
train-samples = 1280
test-samples = 200
probe-samples = 64
checkpoint-every = 2
metrics-every = 5
[axes]
width = [8, 16]
rule = ["bp", "pc", "pc-nesterov", "pc-alm"]
seed = [0, 1, 2]
"#;
const CELLS: usize = 24;

fn write_grid(folder: &Path, text: &str) -> String {
    let file = path(folder, "grid.toml");
    std::fs::write(&file, text).unwrap();
    file
}

fn sweep(folder: &Path, grid: &str, extra: &[&str]) -> Said {
    let out = path(folder, "runs");
    run(&[&["sweep", grid, "--out", &out], extra].concat())
}

/// The table of a sweep without its timings.
fn table(folder: &Path) -> Vec<u8> {
    let out = path(folder, "runs");
    let done = run(&["sweep", "export", &out, "--no-timings"]);
    assert_eq!(done.code, 0, "{}", done.err);
    std::fs::read(folder.join("runs/table.csv")).unwrap()
}

#[test]
fn a_table_with_timings_has_every_column_once_and_those_of_the_other_first() {
    let place = folder();
    let grid = write_grid(place.path(), GRID);
    assert_eq!(sweep(place.path(), &grid, &["--quiet"]).code, 0);
    let header = |table: &[u8]| -> Vec<String> {
        let text = String::from_utf8(table.to_vec()).unwrap();
        text.lines().next().unwrap().split(',').map(str::to_owned).collect()
    };
    let without = header(&table(place.path()));
    let done = run(&["sweep", "export", &path(place.path(), "runs")]);
    assert_eq!(done.code, 0, "{}", done.err);
    let with = header(&std::fs::read(place.path().join("runs/table.csv")).unwrap());
    assert_eq!(with[..without.len()], without);
    assert!(with[without.len()..].contains(&"seconds_per_step".to_owned()), "{with:?}");
    assert_eq!(std::collections::HashSet::<&String>::from_iter(&with).len(), with.len());
}

/// What an undisturbed sweep says.
fn undisturbed() -> Vec<u8> {
    let place = folder();
    let grid = write_grid(place.path(), GRID);
    let done = sweep(place.path(), &grid, &["--quiet"]);
    assert_eq!((done.code, done.err.as_str()), (0, ""));
    table(place.path())
}

#[test]
fn a_sweep_killed_twenty_times_has_the_table_of_one_that_was_not() {
    // More work than twenty short lives get done.
    let text = GRID.replace("[axes]", "epochs = 6\n[axes]");
    let place = folder();
    let grid = write_grid(place.path(), &text);
    let out = path(place.path(), "runs");
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let entries = |part: &str| std::fs::read_dir(place.path().join("runs").join(part)).map_or(0, |d| d.count());
    let mut at_work = 0;
    for kill in 0..20 {
        let mut child = pcalm().args(["sweep", &grid, "--out", &out, "--quiet"]).stdout(Stdio::null()).spawn().unwrap();
        // Some while they start, most while they train.
        if kill % 4 > 0 {
            wait_until(&mut child, "work on a cell", || entries("work") > 0);
        }
        std::thread::sleep(Duration::from_millis(rng.random_range(0..90)));
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().code(), None, "kill {kill} came after the end: there is too little work");
        at_work += usize::from(entries("work") > 0);
    }
    assert!(at_work >= 15, "{at_work} of the kills came while cells were trained");
    let mut done = sweep(place.path(), &grid, &["--quiet"]);
    if done.code == 1 {
        // A cell that was hit twice before its next checkpoint looks like one that kills its process.
        let status = run(&["sweep", "status", &out]);
        assert!(status.out.contains("died twice"), "{}", status.out);
        assert_eq!(run(&["sweep", "retry", &out]).code, 0);
        done = sweep(place.path(), &grid, &["--quiet"]);
    }
    assert_eq!((done.code, done.err.as_str()), (0, ""));
    let killed = table(place.path());
    std::fs::remove_dir_all(&out).unwrap();
    assert_eq!(sweep(place.path(), &grid, &["--quiet"]).code, 0);
    assert_eq!(killed, table(place.path()));
}

#[test]
fn processes_that_share_a_folder_finish_every_cell_once() {
    let place = folder();
    let grid = write_grid(place.path(), GRID);
    let out = path(place.path(), "runs");
    let start = || {
        let mut command = pcalm();
        command.args(["sweep", &grid, "--out", &out, "--jobs=2"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let children: Vec<_> = (0..3).map(|_| start()).collect();
    let mut finished = Vec::new();
    let mut at_work = 0;
    for child in children {
        let done = said(child.wait_with_output().unwrap());
        assert_eq!(done.code, 0, "{}", done.err);
        assert!(done.out.starts_with("24 cells done, 0 failed, 0 left"), "{}", done.out);
        let lines: Vec<String> = done
            .err
            .lines()
            .filter(|l| l.contains("test accuracy"))
            .map(|l| l.split(": ").nth(2).unwrap().to_owned())
            .collect();
        at_work += usize::from(!lines.is_empty());
        finished.extend(lines);
    }
    assert!(at_work > 1, "one process did everything");
    assert_eq!(finished.len(), CELLS);
    finished.sort();
    finished.dedup();
    assert_eq!(finished.len(), CELLS, "some cell was finished twice");
    assert_eq!(table(place.path()), undisturbed());
}

#[test]
fn shards_split_a_grid_without_overlap() {
    let place = folder();
    let grid = write_grid(place.path(), GRID);
    for (shard, done) in [("1/3", 8), ("2/3", 16), ("3/3", 24)] {
        let said = sweep(place.path(), &grid, &["--quiet", "--shard", shard]);
        assert!(said.out.starts_with("8 cells done, 0 failed, 0 left"), "{}", said.out);
        let status = run(&["sweep", "status", &path(place.path(), "runs")]);
        assert!(status.out.starts_with(&format!("24 cells: {done} done, 0 running")), "{}", status.out);
    }
    let refused = sweep(place.path(), &grid, &["--shard", "4/3"]);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("1 ≤ i ≤ n"), "{}", refused.err);
}

#[test]
fn a_finished_sweep_runs_nothing_and_a_longer_grid_only_what_is_new() {
    let place = folder();
    let grid = write_grid(place.path(), GRID);
    sweep(place.path(), &grid, &["--quiet"]);
    let again = sweep(place.path(), &grid, &[]);
    assert_eq!((again.code, again.err.as_str()), (0, ""));
    let longer = write_grid(place.path(), &GRID.replace("seed = [0, 1, 2]", "seed = [0, 1, 2, 3]"));
    let more = sweep(place.path(), &longer, &[]);
    assert_eq!(more.err.lines().count(), 8, "{}", more.err);
    assert!(more.err.lines().all(|l| l.contains("seed=3")), "{}", more.err);
}

#[test]
fn a_cell_that_cannot_be_run_is_recorded_and_the_rest_goes_on() {
    let place = folder();
    // That no whole batch can be had is known only once the data are there.
    let text = GRID
        .replace("width = [8, 16]", "width = [8]\nbatch = [64, 1000000]")
        .replace("[axes]", "last-batch = \"drop\"\n[axes]");
    let grid = write_grid(place.path(), &text);
    let out = path(place.path(), "runs");
    let done = sweep(place.path(), &grid, &["--quiet"]);
    assert_eq!(done.code, 1);
    assert!(done.out.starts_with("12 cells done, 12 failed, 0 left"), "{}", done.out);
    let status = run(&["sweep", "status", &out]);
    assert_eq!(status.code, 1);
    assert!(status.out.contains("batch=1000000") && status.out.contains("samples per batch"), "{}", status.out);
    let exported = String::from_utf8(table(place.path())).unwrap();
    assert_eq!(exported.matches("samples per batch").count(), 12);

    assert!(run(&["sweep", "retry", &out]).out.starts_with("12 cells can be run again"));
    let status = run(&["sweep", "status", &out]);
    assert!(status.out.starts_with("24 cells: 12 done, 0 running, 0 failed, 12 left"), "{}", status.out);
}

#[test]
fn a_name_that_is_none_is_refused_before_anything_runs() {
    for (option, wrong, hint) in [
        ("activation", "rely", "did you mean `relu`?"),
        ("rule", "pc-aml", "did you mean `pc-alm`?"),
        ("loss", "hinge", "is none of"),
        ("budget", "2M", "budget"),
    ] {
        let place = folder();
        let text = format!("[base]\nepochs = 1\n[axes]\nseed = [0]\n{option} = [\"{wrong}\"]\n");
        let grid = write_grid(place.path(), &text);
        let done = sweep(place.path(), &grid, &["--quiet"]);
        assert_eq!(done.code, 2, "{wrong}: {}", done.err);
        assert!(done.err.contains(hint) && done.err.contains(wrong), "{}", done.err);
        assert!(!place.path().join("runs").exists(), "{wrong}: a folder was made");
    }
}

#[test]
fn a_run_that_diverges_is_a_result_with_its_reason() {
    let place = folder();
    let text = GRID.replace("[axes]", "[axes]\neta = [0.2, 30.0]").replace("seed = [0, 1, 2]", "seed = [0]");
    let grid = write_grid(place.path(), &text);
    let done = sweep(place.path(), &grid, &["--quiet"]);
    assert!(done.out.starts_with("16 cells done, 0 failed, 0 left"), "{}", done.out);
    let status = run(&["sweep", "status", &path(place.path(), "runs")]);
    // BP does not iterate; the other three rules do, at two widths.
    assert_eq!(status.out.matches("diverged").count() / 2, 6, "{}", status.out);
    let exported = String::from_utf8(table(place.path())).unwrap();
    assert_eq!(exported.lines().filter(|l| l.contains(",diverged,")).count(), 6);
}

#[test]
fn a_damaged_run_is_named_with_the_way_out() {
    let place = folder();
    let grid = write_grid(place.path(), &GRID.replace("[0, 1, 2]", "[0]"));
    sweep(place.path(), &grid, &["--quiet"]);
    let whole = table(place.path());
    let cells = place.path().join("runs/cells");
    let victim = std::fs::read_dir(&cells).unwrap().next().unwrap().unwrap().path();
    for (file, text) in
        [("summary.json", "{"), ("config.toml", "width = 99"), ("epochs.csv", "a,b\n1"), ("cost.json", "")]
    {
        let kept = std::fs::read(victim.join(file)).unwrap();
        std::fs::write(victim.join(file), text).unwrap();
        let refused = run(&["sweep", "export", &path(place.path(), "runs")]);
        assert_eq!(refused.code, 2);
        assert_eq!(refused.err.lines().count(), 1, "{}", refused.err);
        assert!(refused.err.contains(file) && refused.err.contains("remove the folder"), "{}", refused.err);
        std::fs::write(victim.join(file), kept).unwrap();
    }
    std::fs::remove_dir_all(&victim).unwrap();
    assert_eq!(sweep(place.path(), &grid, &[]).err.lines().count(), 1, "one cell had to be run again");
    assert_eq!(table(place.path()), whole);
}

#[test]
fn a_checkpoint_that_cannot_be_read_costs_its_cell_a_fresh_start_and_no_more() {
    let place = folder();
    let grid = write_grid(place.path(), &GRID.replace("[0, 1, 2]", "[0]"));
    sweep(place.path(), &grid, &["--quiet"]);
    let whole = table(place.path());
    let runs = place.path().join("runs");
    let victim = std::fs::read_dir(runs.join("cells")).unwrap().next().unwrap().unwrap();
    std::fs::rename(victim.path(), runs.join("work").join(victim.file_name())).unwrap();
    std::fs::write(runs.join("work").join(victim.file_name()).join("checkpoint.safetensors"), "half").unwrap();
    let again = sweep(place.path(), &grid, &["--quiet"]);
    assert_eq!(again.code, 0);
    assert!(again.err.contains("it begins anew"), "{}", again.err);
    assert_eq!(table(place.path()), whole);
}

#[test]
fn a_mistake_in_a_grid_is_named() {
    let place = folder();
    let cases = [
        ("[axes]\nwidht = [1]", "did you mean `width`?"),
        ("[axes]\nwidth = []", "axis `width` needs a list"),
        ("[axes]\nwidth = 3", "axis `width` needs a list"),
        ("[axes]\nwidth = [\"wide\"]", "key `width`"),
        ("[basis]\nwidth = 3", "`basis` does not belong here"),
        ("[axes]\nwidth = [8]\n[[skip]]\nwidth = 8", "every cell is skipped"),
        ("[axes]\nwidth = [8]\n[[skip]]\nwidth = { over = 8 }", "{ above = x }"),
        ("[[variants]]\nrule = \"pc\"", "a `name`"),
        ("[axes", "grid.toml"),
    ];
    for (text, wanted) in cases {
        let grid = write_grid(place.path(), text);
        let refused = sweep(place.path(), &grid, &[]);
        assert_eq!(refused.code, 2, "{text}");
        assert!(refused.err.contains(wanted) && refused.err.lines().count() == 1, "{text}: {}", refused.err);
    }
}

/// Runs a shell script where it may mount file systems; `None` where this user may not.
fn with_mounts(script: &str) -> Option<Said> {
    let shell = |script: &str| {
        let mut command = Command::new("unshare");
        command
            .args(["--map-root-user", "--mount", "sh", "-c", script])
            .env("RUST_BACKTRACE", "0")
            .output()
            .ok()
            .map(said)
    };
    let allowed = shell("mount -t tmpfs -o size=64k tmpfs /mnt")?;
    if allowed.code != 0 {
        eprintln!("skipped: this user may not mount file systems ({})", allowed.err.trim());
        return None;
    }
    shell(script)
}

#[test]
fn a_disk_that_fills_up_stops_the_sweep_with_one_message_and_loses_nothing() {
    let place = folder();
    let grid = write_grid(place.path(), GRID);
    let (out, kept, program) = (path(place.path(), "runs"), path(place.path(), "kept"), env!("CARGO_BIN_EXE_pcalm"));
    std::fs::create_dir_all(&out).unwrap();
    let script = format!(
        "mount -t tmpfs -o size=1m tmpfs {out} && {program} sweep {grid} --out {out} --quiet --jobs 1; code=$?; \
         cp -r {out} {kept}; exit $code"
    );
    let Some(done) = with_mounts(&script) else { return };
    assert_eq!(done.code, 2, "{}{}", done.out, done.err);
    assert_eq!(done.err.lines().count(), 1, "{}", done.err);
    assert!(done.err.contains("No space left on device") && done.err.contains("runs"), "{}", done.err);
    // On a larger disk it goes on from there, and no finished cell is run again.
    let finished = std::fs::read_dir(place.path().join("kept/cells")).unwrap().count();
    assert!(finished > 0 && finished < CELLS, "{finished} cells fitted");
    std::fs::remove_dir_all(&out).unwrap();
    std::fs::rename(&kept, &out).unwrap();
    let rest = sweep(place.path(), &grid, &[]);
    assert_eq!(rest.code, 0, "{}", rest.err);
    assert_eq!(rest.err.lines().count(), CELLS - finished, "{}", rest.err);
    assert_eq!(table(place.path()), undisturbed());
}

#[test]
fn a_folder_that_cannot_be_written_to_is_named_before_anything_runs() {
    let place = folder();
    let grid = write_grid(place.path(), GRID);
    let (out, program) = (path(place.path(), "runs"), env!("CARGO_BIN_EXE_pcalm"));
    std::fs::create_dir_all(&out).unwrap();
    let Some(done) =
        with_mounts(&format!("mount -t tmpfs -o ro tmpfs {out} && {program} sweep {grid} --out {out} --quiet"))
    else {
        return;
    };
    assert_eq!(done.code, 2);
    assert_eq!(done.err.lines().count(), 1, "{}", done.err);
    assert!(done.err.contains("Read-only file system") && done.err.contains("runs"), "{}", done.err);
}
