//! `pcalm data`, and runs on data of one's own.

mod common;

use common::{folder, path, pcalm, run, said};

fn refused(arguments: &[&str], parts: &[&str]) {
    let said = run(arguments);
    assert_eq!(said.code, 2, "{arguments:?}\n{}{}", said.out, said.err);
    for part in parts {
        assert!(said.err.contains(part), "{arguments:?} should mention {part}: {}", said.err);
    }
}

fn json(arguments: &[&str]) -> serde_json::Value {
    let said = run(&[arguments, &["--json"]].concat());
    assert_eq!(said.code, 0, "{}", said.err);
    serde_json::from_str(&said.out).unwrap()
}

#[test]
fn an_exported_set_is_described_the_same_and_trains_to_the_same_bits() {
    let place = folder();
    let [file, a, b] = ["teacher.npz", "a", "b"].map(|name| path(place.path(), name));
    let written = json(&["data", "export", "teacher", "--out", &file]);
    let (mut original, mut copy) = (json(&["data", "info", "teacher"]), json(&["data", "info", &file]));
    assert_eq!(written["fingerprint"], original["fingerprint"]);
    original["name"].take();
    copy["name"].take();
    assert_eq!(original, copy);
    for (dataset, out) in [("teacher", &a), (&file[..], &b)] {
        let network = ["--width=8", "--depth=4", "--train-samples=640", "--test-samples=200", "--probe-samples=64"];
        let arguments = [&["train", "--quiet", "--dataset", dataset, "--out", out][..], &network].concat();
        let said = run(&arguments);
        assert_eq!(said.code, 0, "{}", said.err);
    }
    for name in ["network.safetensors", "metrics.csv", "epochs.csv"] {
        assert!(
            std::fs::read(format!("{a}/{name}")).unwrap() == std::fs::read(format!("{b}/{name}")).unwrap(),
            "{name}"
        );
    }
}

#[test]
fn info_is_for_people_too() {
    let said = run(&["data", "info", "friedman-1"]);
    assert_eq!(said.code, 0, "{}", said.err);
    for part in ["regression", "4000 train, 1000 test", "fingerprint", "y1"] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
}

#[test]
fn an_export_overwrites_nothing_unless_told_to_and_never_its_own_input() {
    let place = folder();
    let file = path(place.path(), "set.csv");
    assert_eq!(run(&["data", "export", "noisy-sine", "--out", &file]).code, 0);
    let first = std::fs::read(&file).unwrap();
    refused(&["data", "export", "teacher", "--out", &file], &["set.csv", "--force"]);
    refused(&["data", "export", &file, "--out", &file, "--force"], &["set.csv", "reads from"]);
    assert!(std::fs::read(&file).unwrap() == first);
    assert_eq!(run(&["data", "export", "teacher", "--out", &file, "--force"]).code, 0);
    assert!(std::fs::read(&file).unwrap() != first);
    refused(&["data", "export", "teacher", "--out", &path(place.path(), "set.txt")], &["set.txt", ".npz"]);
}

#[test]
fn options_that_would_have_no_effect_are_refused_by_name() {
    let place = folder();
    let out = path(place.path(), "run");
    let file = path(place.path(), "set.npz");
    assert_eq!(run(&["data", "export", "noisy-sine", "--out", &file]).code, 0);
    for (dataset, option, part) in [
        ("glyphs", "--train-images=x", "train-images"),
        ("glyphs", "--target=y", "target"),
        ("glyphs", "--task=regression", "task"),
        ("glyphs", "--test-fraction=0.5", "test-fraction"),
        ("idx", "--split-seed=3", "split-seed"),
        (&file[..], "--split-seed=3", "split-seed"),
        (&file[..], "--target=y", "target"),
        (&file[..], "--test-labels=x", "test-labels"),
        (&file[..], "--test-fraction=1.5", "between 0 and 1"),
        (&file[..], "--task=guess", "regression"),
        (&file[..], "--loss=cross-entropy", "squared-error"),
        ("noisy-sin", "--quiet", "did you mean `noisy-sine`"),
        ("absent.csv", "--quiet", "absent.csv"),
    ] {
        refused(&["train", "--dataset", dataset, option, "--out", &out], &[part]);
    }
}

#[test]
fn distributions_can_be_trained_on_with_cross_entropy() {
    let place = folder();
    let [file, out] = ["soft.csv", "run"].map(|name| path(place.path(), name));
    let rows: String = (0..40)
        .map(|i| format!("{i},{:?},{:?}\n", f32::from(i as u8) / 64.0, 1.0 - f32::from(i as u8) / 64.0))
        .collect();
    std::fs::write(&file, format!("a,y1,y2\n{rows}")).unwrap();
    let small = ["--loss=cross-entropy", "--normalise=standardise", "--width=4", "--depth=3", "--batch=8", "--quiet"];
    let said = run(&[&["train", "--dataset", &file, "--out", &out][..], &small].concat());
    assert_eq!(said.code, 0, "{}", said.err);
}

#[test]
fn standardise_and_normalise_standardise_are_one() {
    let place = folder();
    let [a, b] = ["a", "b"].map(|name| place.path().join(name));
    for (out, option) in [(&a, "--standardise"), (&b, "--normalise=standardise")] {
        let said = run(&[&["train", "--out", out.to_str().unwrap(), option][..], common::SMALL].concat());
        assert_eq!(said.code, 0, "{}", said.err);
    }
    let network = |folder: &std::path::Path| std::fs::read(folder.join("network.safetensors")).unwrap();
    assert!(network(&a) == network(&b));
}

#[test]
fn missing_files_name_every_way_to_them() {
    if std::path::Path::new("/usr/share/datasets/fashion-mnist").exists() {
        eprintln!("skipped: the Debian package is installed");
        return;
    }
    let place = folder();
    let found =
        said(pcalm().args(["data", "path", "fashion-mnist"]).env("XDG_CACHE_HOME", place.path()).output().unwrap());
    assert_eq!(found.code, 2, "{}", found.out);
    for part in ["/usr/share/datasets/fashion-mnist", "dataset-fashion-mnist", "data fetch", "--data-dir"] {
        assert!(found.err.contains(part), "{part}: {}", found.err);
    }
}
