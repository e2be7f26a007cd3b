//! `pcalm train`: reproducible, resumable, the same on any number of threads.

#![cfg(feature = "theory")]

mod common;

use common::{SMALL, assert_same_files, folder, path, pcalm, run};
use std::{path::Path, time::Duration};

fn train(out: &Path, more: &[&str]) {
    let out = out.to_str().unwrap();
    let said = run(&[&["train", "--out", out][..], SMALL, more].concat());
    assert_eq!(said.code, 0, "{}", said.err);
}

#[test]
fn one_seed_gives_one_run_on_one_thread_and_on_two() {
    let place = folder();
    let runs = ["a", "b", "c"].map(|name| place.path().join(name));
    for (run, threads) in runs.iter().zip(["--threads=1", "--threads=1", "--threads=2"]) {
        train(run, &[threads, "--epochs=2"]);
    }
    assert_same_files(&runs[0], &runs[1]);
    assert_same_files(&runs[0], &runs[2]);
}

#[test]
fn another_seed_gives_another_run() {
    let place = folder();
    let runs = ["a", "b"].map(|name| place.path().join(name));
    train(&runs[0], &["--seed=1"]);
    train(&runs[1], &["--seed=2"]);
    let network = |run: &Path| std::fs::read(run.join("network.safetensors")).unwrap();
    assert!(network(&runs[0]) != network(&runs[1]));
}

/// Killed at an arbitrary moment (SIGKILL: no clean-up of any kind), then resumed.
#[test]
fn a_killed_run_resumed_ends_with_the_bits_of_an_uninterrupted_one() {
    kill_and_resume(&["--epochs=8", "--checkpoint-every=3", "--metrics-every=7", "--optimizer=adam"]);
}

#[test]
fn so_does_one_whose_step_size_follows_the_curvature() {
    kill_and_resume(&["--epochs=8", "--checkpoint-every=3", "--eta=auto-track", "--watch-stability=2"]);
}

fn kill_and_resume(options: &[&str]) {
    let place = folder();
    let (whole, cut) = (place.path().join("whole"), place.path().join("cut"));
    train(&whole, options);
    let out = cut.to_str().unwrap();
    let arguments = [&["train", "--out", out][..], SMALL, options].concat();
    let mut killed_midway = false;
    for delay in [20, 60, 120, 250, 500] {
        let mut child = pcalm().args(&arguments).spawn().unwrap();
        let checkpoint = cut.join("checkpoint.safetensors");
        while !checkpoint.exists() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_millis(delay));
        killed_midway |= child.try_wait().unwrap().is_none();
        child.kill().unwrap();
        child.wait().unwrap();
        if killed_midway {
            break;
        }
        std::fs::remove_dir_all(&cut).unwrap();
    }
    assert!(killed_midway, "the run was over before it could be killed");
    let said = run(&["train", "--resume", out, "--quiet"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_same_files(&whole, &cut);
}

#[test]
fn stability_is_written_down_and_its_loss_is_said() {
    let place = folder();
    let out = place.path().join("out");
    let said =
        run(&[&["train", "--out", out.to_str().unwrap(), "--watch-stability=5", "--eta=0.7"][..], SMALL].concat());
    let table = std::fs::read_to_string(out.join("stability.csv")).unwrap();
    let rows: Vec<Vec<f64>> =
        table.lines().skip(1).map(|line| line.split(',').map(|v| v.parse().unwrap()).collect()).collect();
    assert_eq!(table.lines().next(), Some("step,lambda_max,lambda_min,condition,eta,stability"));
    assert_eq!(rows[0][0], 0.0);
    // η (2 + α/ρ) λ_max, with α = ρ = 1.
    assert!((rows[0][5] - 0.7 * 3.0 * rows[0][1]).abs() < 1e-9 && rows[0][5] > 4.0, "{:?}", rows[0]);
    assert!(said.err.contains("no longer stable") && said.err.contains("auto-track"), "{}", said.err);

    let quiet = place.path().join("quiet");
    train(&quiet, &["--eta=auto-track", "--watch-stability=5"]);
    let table = std::fs::read_to_string(quiet.join("stability.csv")).unwrap();
    let products: Vec<f64> = table
        .lines()
        .skip(1)
        .map(|line| line.split(',').map(|v| v.parse().unwrap()).collect::<Vec<f64>>())
        .map(|row| row[1] * row[4])
        .collect();
    // η follows 1/λ_max: their product stays what it was.
    assert!(products.len() > 1 && products.iter().all(|p| (p / products[0] - 1.0).abs() < 1e-12), "{products:?}");
}

#[test]
fn a_config_file_and_flags_are_one_thing_and_flags_win() {
    let place = folder();
    let config = path(place.path(), "run.toml");
    std::fs::write(&config, "width = 8\ndepth = 9\nrule = \"pc\"\nbudget = 5\nrho = 1\n").unwrap();
    let out = place.path().join("out");
    train(&out, &["--config", &config, "--rule=bp"]);
    let resolved = std::fs::read_to_string(out.join("config.toml")).unwrap();
    // --depth=6 stands among the flags of SMALL.
    for line in ["width = 8", "depth = 6", "rule = \"bp\"", "budget = \"5\""] {
        assert!(resolved.contains(line), "{line} in\n{resolved}");
    }
}

#[test]
fn a_trained_network_can_be_the_start_of_another_run_and_of_an_inference() {
    let place = folder();
    let (first, second) = (place.path().join("a"), place.path().join("b"));
    train(&first, &["--rule=bp"]);
    let network = path(&first, "network.safetensors");
    train(&second, &["--init", &network]);
    let rows = |run: &Path| std::fs::read_to_string(run.join("epochs.csv")).unwrap();
    let accuracy = |line: &str| line.split(',').nth(3).unwrap().to_owned();
    let (end, start) = (rows(&first), rows(&second));
    assert_eq!(accuracy(end.lines().last().unwrap()), accuracy(start.lines().nth(1).unwrap()));
}

#[test]
fn every_rule_optimizer_activation_and_parametrization_on_the_lists_trains() {
    let place = folder();
    let names = |list: &str| -> Vec<String> {
        let said = run(&["list", list, "--json"]);
        let entries: Vec<serde_json::Value> = serde_json::from_str(&said.out).unwrap();
        entries.iter().map(|e| e["name"].as_str().unwrap().to_owned()).collect()
    };
    for (list, option) in [
        ("rules", "--rule"),
        ("optimizers", "--optimizer"),
        ("activations", "--activation"),
        ("parametrizations", "--parametrization"),
    ] {
        for name in names(list) {
            let choice = format!("{option}={name}");
            let more = [choice.as_str(), "--train-samples=128", "--topology=chain", "--inner-tolerance=1e-3"];
            let out = place.path().join(&name);
            let arguments = ["train", "--out", out.to_str().unwrap(), "--width=8", "--depth=4", "--quiet"];
            // Which needs an inverse, and targets within its range.
            let own: &[&str] = match &name[..] {
                "target-propagation" => &["--activation=tanh", "--clip=0.01"],
                _ => &[],
            };
            let said = run(&[&arguments[..], &["--test-samples=50", "--probe-samples=32"], &more, own].concat());
            assert_eq!(said.code, 0, "{choice}: {}", said.err);
        }
    }
}

#[test]
fn a_step_size_outside_the_stability_bound_warns_with_both_numbers() {
    let place = folder();
    let out = path(place.path(), "run");
    let said = run(&[&["train", "--out", &out, "--eta=2", "--budget=3"][..], SMALL].concat());
    assert!(said.err.contains("warning") && said.err.contains("stability bound 4"), "{}", said.err);
}

#[test]
fn a_diverging_run_ends_with_exit_code_1_and_keeps_what_was_computed() {
    let place = folder();
    let out = path(place.path(), "run");
    let said = run(&[&["train", "--out", &out, "--eta=9", "--budget=200"][..], SMALL].concat());
    assert_eq!(said.code, 1, "{}", said.err);
    for part in ["pc-alm diverged", "step", "layer", "stability bound 4"] {
        assert!(said.err.contains(part), "{part}: {}", said.err);
    }
    let summary = std::fs::read_to_string(place.path().join("run/summary.json")).unwrap();
    assert!(summary.contains("\"diverged\""), "{summary}");
}
