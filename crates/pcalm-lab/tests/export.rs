//! What is exported is read back the same; content is recognised by its fingerprint.

use pcalm_lab::dataset::{Dataset, FileOptions, export, load, load_file};

const ENDINGS: [&str; 4] = ["npz", "safetensors", "csv", "parquet"];

fn round_trip(data: &Dataset, ending: &str) -> Dataset {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join(format!("set.{ending}"));
    export(data, &file).unwrap();
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1, "nothing but the file is left");
    load_file(&file, &FileOptions::default()).unwrap()
}

#[test]
fn every_embedded_set_comes_back_the_same_from_every_format() {
    for name in ["glyphs", "noisy-sine", "friedman-1", "teacher"] {
        let data = load(name, None).unwrap();
        // Class 9 of glyphs must be among the first 200.
        let data = if name == "glyphs" { data.subset(Some(200), Some(50)).unwrap() } else { data };
        for ending in ENDINGS {
            let again = round_trip(&data, ending);
            assert!(again.train == data.train && again.test == data.test, "{name} {ending}");
            assert_eq!(again.fingerprint(), data.fingerprint(), "{name} {ending}");
        }
    }
}

#[test]
fn a_fingerprint_is_of_the_content_and_of_all_of_it() {
    let data = load("teacher", None).unwrap();
    let first = data.fingerprint();
    assert_eq!(first.len(), 64);
    let changed = |change: fn(&mut Dataset)| {
        let mut other = data.clone();
        change(&mut other);
        other.fingerprint()
    };
    assert_eq!(changed(|d| d.name = "another".into()), first);
    assert_ne!(changed(|d| d.train.inputs[70_000] += 1.0), first);
    assert_ne!(changed(|d| d.test.inputs[0] = -d.test.inputs[0]), first);
    assert_ne!(data.clone().subset(None, Some(1999)).unwrap().fingerprint(), first);
    // The same numbers in another shape.
    let reshaped = |d: &mut Dataset| {
        d.train.dim = 8;
        d.train.targets = match d.train.targets.clone() {
            pcalm_lab::dataset::Targets::Real { values, .. } => pcalm_lab::dataset::Targets::Real { values, dim: 1 },
            classes => classes,
        };
    };
    assert_ne!(changed(reshaped), first);
}

#[test]
fn an_ending_that_names_no_format_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let data = load("noisy-sine", None).unwrap();
    let error = export(&data, &place.path().join("set.xlsx")).unwrap_err().to_string();
    assert!(error.contains("set.xlsx") && error.contains(".csv"), "{error}");
}
