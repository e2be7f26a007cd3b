//! `pcalm data`, and runs on data of one's own.

mod common;

use common::{Said, folder, path, pcalm, run, said};
use std::path::Path;

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

/// The program where packages put their data below `shared`, and nothing is in the cache.
fn with_packages(shared: &Path, arguments: &[&str]) -> Said {
    let (command, cache) = (&mut pcalm(), shared.join("cache"));
    said(command.args(arguments).env("XDG_DATA_DIRS", shared).env("XDG_CACHE_HOME", cache).output().unwrap())
}

#[test]
fn missing_files_name_every_way_to_them() {
    let place = folder();
    let found = with_packages(place.path(), &["data", "path", "fashion-mnist"]);
    assert_eq!(found.code, 2, "{}", found.out);
    let looked = path(place.path(), "datasets/fashion-mnist");
    for part in [&looked[..], "apt install dataset-fashion-mnist", "data fetch", "--data-dir"] {
        assert!(found.err.contains(part), "{part}: {}", found.err);
    }
    // No package has MNIST.
    assert!(!with_packages(place.path(), &["data", "path", "mnist"]).err.contains("apt"));
}

#[test]
fn a_package_is_looked_for_last_and_must_hold_the_published_bytes() {
    let place = folder();
    let [package, own] = ["datasets/fashion-mnist", "own/fashion-mnist"].map(|name| place.path().join(name));
    let part = |samples: u8| {
        let images = [&[0, 0, 8, 3, 0, 0, 0, samples, 0, 0, 0, 1, 0, 0, 0, 1][..], &vec![7; samples.into()]].concat();
        (images, [&[0, 0, 8, 1, 0, 0, 0, samples][..], &vec![0; samples.into()]].concat())
    };
    for folder in [&package, &own] {
        std::fs::create_dir_all(folder).unwrap();
        for (name, samples) in [("train", 3), ("t10k", 2)] {
            let (images, labels) = part(samples);
            std::fs::write(folder.join(format!("{name}-images-idx3-ubyte")), images).unwrap();
            std::fs::write(folder.join(format!("{name}-labels-idx1-ubyte")), labels).unwrap();
        }
    }
    let found = with_packages(place.path(), &["data", "path", "fashion-mnist"]);
    assert_eq!((found.code, found.out.trim()), (0, package.to_str().unwrap()), "{}", found.err);
    let data_dir = format!("--data-dir={}", path(place.path(), "own"));
    let found = with_packages(place.path(), &["data", "path", "fashion-mnist", &data_dir]);
    assert_eq!((found.code, found.out.trim()), (0, own.to_str().unwrap()), "{}", found.err);
    assert_eq!(with_packages(place.path(), &["data", "info", "fashion-mnist", &data_dir]).code, 0);

    let refused = with_packages(place.path(), &["data", "info", "fashion-mnist"]);
    assert_eq!((refused.code, refused.err.lines().count()), (2, 1), "{}", refused.err);
    // Of these training images by sha256sum, and of the published ones.
    let digests = [
        "74f539ae0e40ef544c4210192acd56f0a646d3ef3831c09e4831eab0df118bfa",
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    ];
    for part in
        [&package.join("train-images-idx3-ubyte").display().to_string()[..], digests[0], digests[1], "--reinstall"]
    {
        assert!(refused.err.contains(part), "{part}: {}", refused.err);
    }
}

#[test]
fn the_installed_package_holds_the_published_files() {
    if !Path::new("/usr/share/datasets/fashion-mnist").exists() {
        eprintln!("skipped: Fashion-MNIST is not installed (apt install dataset-fashion-mnist)");
        return;
    }
    let place = folder();
    let verify = |arguments: &[&str]| {
        let arguments = [&["data", "verify", "fashion-mnist"], arguments].concat();
        said(pcalm().args(arguments).env("XDG_CACHE_HOME", place.path()).env_remove("XDG_DATA_DIRS").output().unwrap())
    };
    let checked = verify(&[]);
    assert_eq!((checked.code, checked.out.matches("good ").count()), (0, 4), "{}{}", checked.out, checked.err);
    // A copy with one file cut off is found out.
    let own = place.path().join("fashion-mnist");
    std::fs::create_dir(&own).unwrap();
    for entry in std::fs::read_dir("/usr/share/datasets/fashion-mnist").unwrap().map(Result::unwrap) {
        std::fs::copy(entry.path(), own.join(entry.file_name())).unwrap();
    }
    std::fs::write(own.join("t10k-labels-idx1-ubyte.gz"), [0, 0, 8, 1]).unwrap();
    let checked = verify(&["--data-dir", place.path().to_str().unwrap()]);
    assert_eq!((checked.code, checked.out.matches("good ").count()), (1, 3), "{}{}", checked.out, checked.err);
    assert!(checked.out.lines().any(|line| line.starts_with("WRONG") && line.ends_with("t10k-labels-idx1-ubyte.gz")));
}
