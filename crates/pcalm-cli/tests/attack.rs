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

/// Lets it run to its end undisturbed; says how long that took.
fn calmly(arguments: &[&str], place: &Path) -> Duration {
    let clock = Instant::now();
    assert!(finish(&arguments.map_owned(), place));
    clock.elapsed()
}

/// Rounds of short lives of one command.
struct Attack<'a> {
    begin: &'a [&'a str],
    /// How the command goes on where it was.
    proceed: &'a [&'a str],
    rounds: usize,
    /// The longest that a process lives.
    longest: Duration,
    rng: ChaCha8Rng,
}

impl<'a> Attack<'a> {
    /// The lives come to about half as long as the work takes by itself. Beside other tests that took longer than it
    /// will now, so that the work may be over before the rounds are.
    fn new(begin: &'a [&'a str], rounds: usize, calm: Duration) -> Self {
        Attack { begin, proceed: begin, rounds, longest: calm / rounds as u32, rng: ChaCha8Rng::seed_from_u64(20) }
    }

    /// Starts the command again and again, and ends each process at a random moment, now and then with a second process
    /// beside it. Work that is over is thrown away and begun anew.
    fn on(&mut self, place: &Path) {
        let mut ended_early = 0;
        for round in 0..self.rounds {
            let arguments = self.next(place);
            let mut children = vec![start(&arguments, place)];
            if round % 3 == 2 {
                children.push(start(&arguments, place));
            }
            std::thread::sleep(self.longest.mul_f64(self.rng.random()));
            let over = children[0].try_wait().unwrap().is_some_and(|status| matches!(status.code(), Some(0 | 1)));
            for child in &mut children {
                let chosen = heard(SIGNALS[self.rng.random_range(0..SIGNALS.len())]);
                if child.try_wait().unwrap().is_none() {
                    ended_early += 1;
                    signal(child, chosen);
                    let clock = Instant::now();
                    child.wait().unwrap();
                    let answered = clock.elapsed();
                    assert!(answered < Duration::from_millis(2500), "{chosen} was answered in {answered:?}");
                }
            }
            if over {
                std::fs::remove_dir_all(place.join("out")).unwrap();
            }
        }
        assert!(2 * ended_early >= self.rounds, "only {ended_early} processes were still at work when they were ended");
    }

    /// What is to be started next.
    fn next(&self, place: &Path) -> Vec<String> {
        let begun = place.join("out").join("config.toml").exists();
        if begun { self.proceed } else { self.begin }.map_owned()
    }
}

/// As many epochs as there is time for: `of_six` in six rounds.
fn epochs(of_six: usize) -> usize {
    (of_six * rounds()).div_ceil(6)
}

/// What must be the same: everything but times and memory, and the empty file of a worker that was killed as it was born,
/// before it could write whose it is: it stays for as long as one of another machine might be silent.
fn comparable(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = files(folder);
    found.retain(|path, bytes| {
        let name = path.file_name().unwrap().to_str().unwrap();
        let unborn = name.starts_with("worker-") && bytes.is_empty();
        !unborn && !["cost.json", "figure.json"].contains(&name)
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
    let epochs = format!("--epochs={}", epochs(18));
    let begin = [&["train", &epochs, "--watch-stability=9", "--out=out"][..], &SMALL].concat();
    let mut attack = Attack::new(&begin, rounds(), calmly(&begin, calm.path()));
    attack.proceed = &["train", "--resume=out", "--quiet"];
    attack.on(place.path());
    assert!(finish(&attack.next(place.path()), place.path()));
    assert_same(&place.path().join("out"), &calm.path().join("out"));
}

#[test]
fn a_comparison_that_is_attacked_ends_with_the_files_of_one_that_was_not() {
    let (place, calm) = (folder(), folder());
    let epochs = format!("--epochs={}", epochs(4));
    let begin = [&["compare", &epochs, "--seeds=2", "--out=out"][..], &SMALL].concat();
    let mut attack = Attack::new(&begin, rounds(), calmly(&begin, calm.path()));
    attack.on(place.path());
    assert!(finish(&attack.next(place.path()), place.path()));
    assert_same(&place.path().join("out"), &calm.path().join("out"));
}

#[test]
fn a_sweep_that_is_attacked_ends_with_the_table_of_one_that_was_not() {
    let (place, calm) = (folder(), folder());
    let grid = "[base]\ndepth = 8\ntrain-samples = 1280\ntest-samples = 200\nprobe-samples = 64\n\
                checkpoint-every = 4\n[axes]\nwidth = [8, 16]\nrule = [\"bp\", \"pc\", \"pc-alm\"]\nseed = [0, 1]\n";
    let grid = grid.replace("[axes]", &format!("epochs = {}\n[axes]", epochs(4)));
    for place in [&place, &calm] {
        std::fs::write(place.path().join("grid.toml"), &grid).unwrap();
    }
    let begin = ["sweep", "grid.toml", "--out=out", "--quiet"];
    Attack::new(&begin, rounds(), calmly(&begin, calm.path())).on(place.path());
    // A cell on which two processes died without getting further is set aside; it is let run again.
    finish(&begin.map_owned(), place.path());
    calmly(&["sweep", "retry", "out"], place.path());
    calmly(&begin, place.path());
    for place in [&place, &calm] {
        calmly(&["sweep", "export", "out", "--no-timings"], place.path());
    }
    assert_same(&place.path().join("out"), &calm.path().join("out"));
    assert_eq!(std::fs::read_dir(place.path().join("out/claims")).unwrap().count(), 0);
}

/// A figure has as much work as it has: in a new folder after every six rounds.
#[test]
fn a_figure_that_is_attacked_ends_with_the_data_of_one_that_was_not() {
    let calm = folder();
    let begin = ["figure", "short-budget", "--scale=smoke", "--out=out", "--quiet"];
    let mut attack = Attack::new(&begin, 6, calmly(&begin, calm.path()));
    for _ in 0..rounds().div_ceil(attack.rounds) {
        let place = folder();
        attack.on(place.path());
        // As a figure says of cells on which processes died without getting further.
        let _ = std::fs::remove_dir_all(place.path().join("out/failed"));
        calmly(&begin, place.path());
        assert_same(&place.path().join("out"), &calm.path().join("out"));
    }
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
