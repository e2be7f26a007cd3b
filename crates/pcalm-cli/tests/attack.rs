//! The attack: commands killed and asked to stop at random moments, two processes at once, and in the end the same
//! files as if nothing had happened.
//!
//! A few rounds each; `PCALM_ATTACK_ROUNDS=40 cargo test -p pcalm-cli --test attack` plays it long.

#![cfg(feature = "theory")]
#![cfg(unix)]

mod common;

use common::{files, folder, pcalm, signal, wait_until};
use nix::sys::signal::Signal;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::{Duration, Instant},
};

const SIGNALS: [Signal; 4] = [Signal::SIGKILL, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT];

fn rounds() -> usize {
    std::env::var("PCALM_ATTACK_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(6)
}

fn start(arguments: &[String], place: &Path) -> Child {
    let mut command = pcalm();
    command.args(arguments).current_dir(place).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// What this process was started to ignore its children ignore too, as they should: a shell's `&` does that to SIGINT.
/// Then it is SIGTERM.
fn heard(signal: Signal) -> Signal {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    let ignored = mask.unwrap_or(0) >> (signal as u64 - 1) & 1 == 1;
    if ignored { Signal::SIGTERM } else { signal }
}

/// Lets the command run to its end.
fn finish(arguments: &[String], place: &Path) -> bool {
    start(arguments, place).wait().unwrap().success()
}

/// Starts the command again and again, ends each process at a random moment, now and then with a second process
/// beside it; then lets it finish. `proceed` says how the command goes on where it was.
fn attack(begin: &[&str], proceed: &[&str], place: &Path, longest: u64) {
    let [begin, proceed] = [begin, proceed].map(|a| a.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>());
    let mut rng = ChaCha8Rng::seed_from_u64(20);
    let mut ended_early = 0;
    for round in 0..rounds() {
        let arguments = if place.join("out").join("config.toml").exists() { &proceed } else { &begin };
        let mut children = vec![start(arguments, place)];
        if round % 3 == 2 {
            children.push(start(arguments, place));
        }
        std::thread::sleep(Duration::from_millis(rng.random_range(0..longest)));
        for child in &mut children {
            let chosen = heard(SIGNALS[rng.random_range(0..SIGNALS.len())]);
            if child.try_wait().unwrap().is_none() {
                ended_early += 1;
                signal(child, chosen);
                let clock = Instant::now();
                child.wait().unwrap();
                assert!(
                    clock.elapsed() < Duration::from_millis(2500),
                    "{chosen} was answered in {:?}",
                    clock.elapsed()
                );
            }
        }
    }
    assert!(2 * ended_early >= rounds(), "only {ended_early} processes were still at work when they were ended");
    let arguments = if place.join("out").join("config.toml").exists() { &proceed } else { &begin };
    assert!(finish(arguments, place));
}

/// What must be the same: everything but times and memory.
fn comparable(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = files(folder);
    found.retain(|path, _| {
        let name = path.file_name().unwrap().to_str().unwrap();
        !["cost.json", "figure.json"].contains(&name)
    });
    found
}

fn assert_same(a: &Path, b: &Path) {
    let (a, b) = (comparable(a), comparable(b));
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
    for (path, bytes) in &a {
        assert!(bytes == &b[path], "{} differs", path.display());
    }
}

const SMALL: [&str; 8] = [
    "--width=8",
    "--depth=8",
    "--train-samples=1280",
    "--test-samples=200",
    "--probe-samples=64",
    "--checkpoint-every=4",
    "--metrics-every=3",
    "--quiet",
];

#[test]
fn a_training_that_is_attacked_ends_with_the_files_of_one_that_was_not() {
    let (place, calm) = (folder(), folder());
    // More work than so many short lives get done.
    let epochs = format!("--epochs={}", 3 * rounds());
    let begin = [&["train", &epochs, "--watch-stability=9", "--out=out"][..], &SMALL].concat();
    attack(&begin, &["train", "--resume=out", "--quiet"], place.path(), 300);
    assert!(finish(&begin[..].map_owned(), calm.path()));
    assert_same(&place.path().join("out"), &calm.path().join("out"));
}

#[test]
fn a_comparison_that_is_attacked_ends_with_the_files_of_one_that_was_not() {
    let (place, calm) = (folder(), folder());
    let begin = [&["compare", "--epochs=4", "--seeds=2", "--out=out"][..], &SMALL].concat();
    attack(&begin, &begin, place.path(), 300);
    assert!(finish(&begin[..].map_owned(), calm.path()));
    assert_same(&place.path().join("out"), &calm.path().join("out"));
}

#[test]
fn a_sweep_that_is_attacked_ends_with_the_table_of_one_that_was_not() {
    let (place, calm) = (folder(), folder());
    let grid = "[base]\ndepth = 8\nepochs = 4\ntrain-samples = 1280\ntest-samples = 200\nprobe-samples = 64\n\
                checkpoint-every = 4\n[axes]\nwidth = [8, 16]\nrule = [\"bp\", \"pc\", \"pc-alm\"]\nseed = [0, 1]\n";
    let begin = ["sweep", "grid.toml", "--out=out", "--quiet"];
    for place in [&place, &calm] {
        std::fs::write(place.path().join("grid.toml"), grid).unwrap();
    }
    attack_sweep(&begin, place.path());
    assert!(finish(&begin[..].map_owned(), calm.path()));
    for place in [&place, &calm] {
        let export = ["sweep", "export", "out", "--no-timings"][..].map_owned();
        assert!(finish(&export, place.path()));
    }
    assert_same(&place.path().join("out"), &calm.path().join("out"));
}

/// A cell on which two processes died without getting further is set aside; it is let run again.
fn attack_sweep(begin: &[&str], place: &Path) {
    let mut rng = ChaCha8Rng::seed_from_u64(21);
    let arguments = begin.map_owned();
    for round in 0..rounds() {
        let mut children = vec![start(&arguments, place)];
        if round % 2 == 1 {
            children.push(start(&arguments, place));
        }
        std::thread::sleep(Duration::from_millis(rng.random_range(0..400)));
        for child in &mut children {
            if child.try_wait().unwrap().is_none() {
                signal(child, SIGNALS[rng.random_range(0..SIGNALS.len())]);
            }
            child.wait().unwrap();
        }
    }
    finish(&arguments, place);
    assert!(finish(&["sweep", "retry", "out"][..].map_owned(), place));
    assert!(finish(&arguments, place));
}

#[test]
fn a_figure_that_is_attacked_ends_with_the_data_of_one_that_was_not() {
    let (place, calm) = (folder(), folder());
    let begin = ["figure", "short-budget", "--scale=smoke", "--out=out", "--quiet"];
    attack(&begin, &begin, place.path(), 1500);
    assert!(finish(&begin[..].map_owned(), calm.path()));
    assert_same(&place.path().join("out"), &calm.path().join("out"));
}

/// Arguments as a process takes them.
trait MapOwned {
    fn map_owned(&self) -> Vec<String>;
}

impl MapOwned for [&str] {
    fn map_owned(&self) -> Vec<String> {
        self.iter().map(|a| (*a).to_owned()).collect()
    }
}

#[test]
fn signals_that_a_process_was_started_to_ignore_stay_ignored() {
    let place = folder();
    let program = env!("CARGO_BIN_EXE_pcalm");
    let line = format!("trap '' HUP; exec {program} train --out=out --epochs=3 {}", SMALL.join(" "));
    let mut child = std::process::Command::new("sh").args(["-c", &line]).current_dir(place.path()).spawn().unwrap();
    wait_until(&mut child, "a checkpoint", || place.path().join("out/checkpoint.safetensors").exists());
    signal(&child, Signal::SIGHUP);
    assert!(child.wait().unwrap().success());
}

/// In the measurement of λ_max, in one long inference, and while a figure computes.
#[test]
fn the_wish_to_stop_is_answered_within_a_second_or_so_wherever_it_comes() {
    let place = folder();
    let cases = [
        vec!["train", "--width=512", "--depth=128", "--out=a", "--quiet", "--train-samples=64"],
        vec!["train", "--budget=10000000", "--eta=0.2", "--out=b", "--quiet", "--train-samples=64", "--width=64"],
        vec!["figure", "accuracy", "--scale=default", "--out=c", "--quiet"],
        vec!["theory", "spectrum", "--width=64", "--depth=64", "--out=d", "--quiet"],
    ];
    for arguments in cases {
        let mut child = start(&arguments.map_owned(), place.path());
        std::thread::sleep(Duration::from_millis(1200));
        assert!(child.try_wait().unwrap().is_none(), "{arguments:?} was over too soon");
        signal(&child, heard(Signal::SIGINT));
        let clock = Instant::now();
        child.wait().unwrap();
        // A second, and what a busy machine adds.
        assert!(clock.elapsed() < Duration::from_millis(2000), "{arguments:?}: {:?}", clock.elapsed());
    }
}
