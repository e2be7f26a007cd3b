//! What the machine cannot hold is refused before it is tried, and inference that has become unstable says so.

#![cfg(feature = "theory")]

mod common;

use common::{SMALL, folder, path, pcalm, run, wait_until};
use serde_json::Value;
use std::{path::Path, process::Stdio};

fn summary(out: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(out.join("summary.json")).unwrap()).unwrap()
}

#[test]
fn networks_that_no_machine_holds_are_refused_in_one_line() {
    let place = folder();
    let out = path(place.path(), "x");
    for (size, parts) in [
        (&["--width=4294967296"][..], ["of memory", "--width"]),
        (&["--width=100000", "--depth=9"][..], ["GiB of memory", "GiB are free"]),
        (&["--width=18446744073709551615"][..], ["width", "9223372036854775807"]),
        (&["--depth=18446744073709551615"][..], ["depth", "9223372036854775807"]),
        (&["--depth=9223372036854775807"][..], ["depth", "at most 1000000"]),
        (&["--widths=4294967296,4294967296"][..], ["widths", "of memory"]),
    ] {
        for verb in ["train", "compare"] {
            let said = run(&[&[verb, "--out", &out, "--quiet"][..], size].concat());
            assert_eq!((said.code, said.err.lines().count()), (2, 1), "{size:?}: {}", said.err);
            for part in parts {
                assert!(said.err.contains(part), "{size:?} should say {part}: {}", said.err);
            }
        }
    }
}

#[test]
fn an_impossible_cell_is_recorded_with_its_reason_and_stops_no_other() {
    let place = folder();
    let grid = path(place.path(), "grid.toml");
    let text = "[base]\ndepth = 4\ntrain-samples = 128\ntest-samples = 20\nprobe-samples = 16\n\
                [axes]\nwidth = [4, 100000, 4294967296]\n";
    std::fs::write(&grid, text).unwrap();
    let out = path(place.path(), "runs");
    let said = run(&["sweep", &grid, "--quiet", "--out", &out]);
    assert_eq!(said.code, 1, "{}", said.err);
    assert!(said.out.starts_with("1 cells done, 2 failed, 0 left"), "{}", said.out);
    let status = run(&["sweep", "status", &out]);
    assert!(status.out.contains("width=100000: invalid option `width`"), "{}", status.out);
    assert!(status.out.contains("of memory"), "{}", status.out);
}

#[test]
fn a_cell_whose_process_died_twice_without_getting_further_is_set_aside() {
    let place = folder();
    let grid = path(place.path(), "grid.toml");
    // The long one goes first; it has no checkpoint for a while.
    let text = "[base]\ndepth = 4\ntest-samples = 20\nprobe-samples = 16\ncheckpoint-every = 100000\n\
                [[variants]]\nname = \"long\"\nepochs = 5\nwidth = 128\ndepth = 32\n\
                [[variants]]\nname = \"short\"\ntrain-samples = 128\nwidth = 4\n";
    std::fs::write(&grid, text).unwrap();
    let out = path(place.path(), "runs");
    let arguments = ["sweep", &grid, "--quiet", "--jobs=1", "--out", &out];
    let (claims, work) = (place.path().join("runs/claims"), place.path().join("runs/work"));
    let entries = |folder: &Path| -> Vec<std::path::PathBuf> {
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect()
    };
    // The first gets as far as the checkpoint before the first step, two more no further.
    for process in 0..3 {
        let mut child = pcalm().args(arguments).stdout(Stdio::null()).spawn().unwrap();
        let at_work = || {
            let claimed = entries(&claims).iter().any(|c| c.extension().is_some_and(|n| *n == *format!("{process}")));
            claimed && entries(&work).iter().any(|cell| cell.join("checkpoint.safetensors").exists())
        };
        wait_until(&mut child, "a checkpoint", at_work);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let said = run(&arguments);
    assert_eq!(said.code, 1, "{}", said.err);
    assert!(said.out.starts_with("1 cells done, 1 failed, 0 left"), "{}{}", said.out, said.err);
    let status = run(&["sweep", "status", &out]);
    assert!(status.out.contains("long") && status.out.contains("died twice"), "{}", status.out);
}

#[test]
fn inference_that_becomes_unstable_in_training_says_so_once_and_is_counted() {
    let place = folder();
    let out = place.path().join("x");
    let train = |eta: f64, more: &[&str]| {
        let eta = format!("--eta={eta}");
        run(&[&["train", "--force", &eta, "--out", out.to_str().unwrap()][..], SMALL, more].concat())
    };
    // η σ_max² (2ρ + α), to be below 4: this is the largest η that holds it, but for 2 %.
    assert_eq!(train(0.1, &[]).code, 0);
    let largest = 0.1 * 4.0 / summary(&out)["stability"].as_f64().unwrap();
    assert_eq!(summary(&out)["unstable_epochs"], 0);
    let said = train(0.98 * largest, &["--learning-rate=0.05", "--epochs=4", "--budget=4"]);
    assert!(said.code < 2, "{}", said.err);
    let warnings = said.err.matches("inference looks unstable").count();
    assert_eq!(warnings, 1, "{}", said.err);
    assert!(said.err.contains("--eta auto-track"), "{}", said.err);
    assert!(summary(&out)["unstable_epochs"].as_u64().unwrap() >= 1);
    // With the remedy there is nothing to say.
    let tracked = ["--eta=auto-track", "--learning-rate=0.05", "--epochs=4", "--budget=4"];
    let said = run(&[&["train", "--force", "--out", out.to_str().unwrap()][..], SMALL, &tracked].concat());
    assert!(said.code == 0 && !said.err.contains("unstable"), "{}", said.err);
}

#[test]
fn a_forward_pass_that_overflows_is_no_matter_of_the_stability_bound() {
    let place = folder();
    let out = path(place.path(), "x");
    let options = ["--rule=bp", "--optimizer=sgd", "--learning-rate=1e30", "--out", &out];
    let said = run(&[&["train"][..], &options, SMALL].concat());
    assert_eq!(said.code, 1, "{}", said.err);
    assert!(said.err.contains("forward pass itself") && !said.err.contains("stability bound"), "{}", said.err);
}

#[test]
fn tables_of_a_run_that_ended_before_its_first_row_have_their_headers() {
    let place = folder();
    let out = place.path().join("x");
    // The first inference already explodes.
    let said = run(&[&["train", "--eta=1e9", "--out", out.to_str().unwrap()][..], SMALL].concat());
    assert_eq!(said.code, 1, "{}", said.err);
    for (name, first) in [("metrics.csv", "step,epoch,"), ("epochs.csv", "epoch,step,"), ("layers.csv", "epoch,layer,")]
    {
        let text = std::fs::read_to_string(out.join(name)).unwrap();
        assert!(text.starts_with(first) && text.lines().count() == 1, "{name}: {text}");
    }
}

#[test]
fn a_regression_has_its_loss_and_r2_everywhere_and_no_accuracy() {
    let place = folder();
    let out = place.path().join("cmp");
    let options =
        ["--dataset=noisy-sine", "--width=8", "--depth=4", "--rules=bp,pc", "--seeds=2", "--epochs=2", "--quiet"];
    let said = run(&[&["compare", "--out", out.to_str().unwrap()][..], &options].concat());
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(
        said.out.contains("test R²") && said.out.contains("test loss") && !said.out.contains("accuracy"),
        "{}",
        said.out
    );
    assert!(out.join("loss.svg").exists() && !out.join("accuracy.svg").exists());
    let summary = summary(&out.join("bp-seed0"));
    assert!(summary["test_accuracy"].is_null() && summary["test_r2"].is_f64());
    // ½ Σ(f − y)² is the loss, so R² follows from it and the variance of the targets.
    let info = run(&["data", "info", "noisy-sine", "--json"]);
    assert_eq!(info.code, 0, "{}", info.err);
    let rows = std::fs::read_to_string(out.join("bp-seed0/epochs.csv")).unwrap();
    let row: Vec<&str> = rows.lines().last().unwrap().split(',').collect();
    assert_eq!((row[3], row[4].is_empty()), ("", false));
}
