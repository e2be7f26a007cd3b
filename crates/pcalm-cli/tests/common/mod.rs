//! Runs the program in a folder of its own.
#![allow(dead_code)]

use pcalm::tensor_file::TensorFile;
use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::mpsc::RecvTimeoutError,
    time::Duration,
};

/// The program, ready to take arguments; without terminal, configuration or backtraces.
pub fn pcalm() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pcalm"));
    command.env_remove("PCALM_DATA_DIR").env("RUST_BACKTRACE", "0");
    command
}

/// What the program said and how it ended.
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Runs the program to its end; one that has not come to it in ten minutes is killed, which shows in the code.
pub fn run(arguments: &[&str]) -> Said {
    let mut command = pcalm();
    let child =
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    #[cfg(unix)]
    let _ended = {
        let process = nix::unistd::Pid::from_raw(child.id() as i32);
        let (ended, waits) = std::sync::mpsc::channel::<()>();
        std::thread::spawn(move || {
            if waits.recv_timeout(Duration::from_secs(600)) == Err(RecvTimeoutError::Timeout) {
                let _ = nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGKILL);
            }
        });
        ended
    };
    said(child.wait_with_output().unwrap())
}

pub fn said(output: Output) -> Said {
    Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Sends a signal to a child.
#[cfg(unix)]
pub fn signal(child: &std::process::Child, signal: nix::sys::signal::Signal) {
    let process = nix::unistd::Pid::from_raw(child.id() as i32);
    nix::sys::signal::kill(process, signal).unwrap();
}

/// Looks every two milliseconds until something has come about; fails if the child ends first, or in two minutes.
pub fn wait_until(child: &mut std::process::Child, what: &str, come: impl Fn() -> bool) {
    let started = std::time::Instant::now();
    while !come() {
        assert!(child.try_wait().unwrap().is_none(), "the program ended before {what}");
        assert!(started.elapsed().as_secs() < 120, "the program lives and does not come to {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Every file below a folder with its content.
pub fn files(folder: &Path) -> std::collections::BTreeMap<PathBuf, Vec<u8>> {
    let mut found = std::collections::BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(place) = open.pop() {
        for entry in std::fs::read_dir(&place).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.insert(path.strip_prefix(folder).unwrap().to_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// An empty folder that is removed when dropped.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// `folder/name` as text.
pub fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

/// A run of a few seconds on part of the embedded data.
pub const SMALL: &[&str] =
    &["--width=8", "--depth=6", "--train-samples=640", "--test-samples=200", "--probe-samples=64", "--quiet"];

/// Every file of a run folder that must be the same on every repetition.
pub const REPRODUCIBLE: &[&str] = &[
    "config.toml",
    "run.json",
    "metrics.csv",
    "epochs.csv",
    "layers.csv",
    "summary.json",
    "checkpoint.safetensors",
    "network.safetensors",
];

pub fn assert_same_files(a: &Path, b: &Path) {
    for name in REPRODUCIBLE {
        let read = |folder: &Path| std::fs::read(folder.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(read(a) == read(b), "{name} differs between {} and {}", a.display(), b.display());
    }
}

/// The published worked case as a network file and a batch file.
pub fn published_case(folder: &Path) -> (PathBuf, PathBuf) {
    let mut network = TensorFile::<f64>::default();
    network.insert("w.1", &[2, 2], vec![0.2, -0.3, 0.4, 0.1]);
    network.insert("w.2", &[2, 2], vec![0.5, -0.2, 0.3, 0.7]);
    network.insert("w.3", &[2, 2], vec![-0.4, 0.6, 0.8, -0.1]);
    for (key, value) in [
        ("activation", "tanh"),
        ("placement", "pre"),
        ("skips", "0,1,0"),
        ("scales", "0.7071067811865476,0.4082482904638631,0.5"),
        ("loss", "squared-error"),
    ] {
        network.metadata.insert(key.into(), value.into());
    }
    let mut batch = TensorFile::<f64>::default();
    batch.insert("x", &[2, 2], vec![0.25, -0.75, 1.0, 0.5]);
    batch.insert("y", &[2, 2], vec![1.0, 0.0, 0.0, 1.0]);
    let files = (folder.join("net.safetensors"), folder.join("batch.safetensors"));
    network.save(&files.0).unwrap();
    batch.save(&files.1).unwrap();
    files
}
