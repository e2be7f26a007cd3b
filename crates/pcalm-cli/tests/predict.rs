//! `pcalm predict` and `pcalm evaluate`: what a trained network is for.

mod common;

use common::{SMALL, Said, folder, path, pcalm, run, said};
use pcalm::tensor_file::TensorFile;
use serde_json::Value;
use std::{fs, path::Path};

fn good(arguments: &[&str]) -> Said {
    let said = run(arguments);
    assert_eq!(said.code, 0, "{arguments:?}: {}", said.err);
    said
}

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&good(&[arguments, &["--json"]].concat()).out).unwrap()
}

fn refused(arguments: &[&str], parts: &[&str]) {
    let said = run(arguments);
    assert_eq!(said.code, 2, "{arguments:?}: {}", said.err);
    assert_eq!(said.err.lines().count(), 1, "{}", said.err);
    for part in parts {
        assert!(said.err.contains(part), "{part}: {}", said.err);
    }
}

/// Trains on `data` and gives the network file and the run's summary.
fn trained(place: &Path, data: &str, more: &[&str]) -> (String, Value) {
    let out = path(place, "run");
    good(&[&["train", "--dataset", data, "--out", &out], SMALL_NETWORK, more].concat());
    let summary = serde_json::from_slice(&fs::read(format!("{out}/summary.json")).unwrap()).unwrap();
    (format!("{out}/network.safetensors"), summary)
}

const SMALL_NETWORK: &[&str] = &["--width=8", "--depth=4", "--quiet"];

/// The numbers of a table, row by row.
fn table(file: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let text = fs::read_to_string(file).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    (lines.next().unwrap(), lines.collect())
}

#[test]
fn a_regression_on_a_table_goes_from_training_to_predictions_and_a_picture() {
    let place = folder();
    let data = path(place.path(), "sine.csv");
    good(&["data", "export", "noisy-sine", "--out", &data]);
    let manual = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/own-data.md")).unwrap();
    let command = |verb: &str| -> Value {
        let line = manual.lines().find(|line| line.starts_with(&format!("pcalm {verb} ")) && line.contains("sine.csv"));
        let words = line.unwrap().split_whitespace().skip(1).chain(["--json"]);
        let said = said(pcalm().args(words).current_dir(place.path()).output().unwrap());
        assert_eq!(said.code, 0, "{verb}: {}", said.err);
        serde_json::from_str(&said.out).unwrap()
    };
    let (summary, done, found) = (command("train"), command("predict"), command("evaluate"));
    let (out, picture) = (path(place.path(), "predictions.csv"), path(place.path(), "fit.svg"));
    // Three epochs are enough for this network.
    assert!(found["r2"].as_f64().unwrap() > 0.8, "{found}");

    assert_eq!((done["samples"].as_u64(), done["outputs"].as_u64()), (Some(3000), Some(1)));
    let (header, rows) = table(&out);
    assert_eq!((header, rows.len()), (vec!["y1".to_owned()], 3000));
    for key in ["loss", "r2"] {
        assert_eq!(found[key], summary[format!("test_{key}")], "{key}");
    }
    assert_eq!(found["samples"], 1000);
    // R² from the two tables alone; the rows to test with are the last 1,000 of the export.
    let (_, samples) = table(&data);
    let of = |rows: &[Vec<String>], column: usize| -> Vec<f64> {
        rows[2000..].iter().map(|row| row[column].parse().unwrap()).collect()
    };
    let (truth, said) = (of(&samples, 1), of(&rows, 0));
    let mean = truth.iter().sum::<f64>() / 1000.0;
    let error: f64 = truth.iter().zip(&said).map(|(y, f)| (y - f).powi(2)).sum();
    let variation: f64 = truth.iter().map(|y| (y - mean).powi(2)).sum();
    // Outputs in the table are f32, 1e-7 of values of size 1.
    assert!((found["r2"].as_f64().unwrap() - (1.0 - error / variation)).abs() < 1e-6);
    let svg = fs::read_to_string(&picture).unwrap();
    assert!(svg.starts_with("<svg") && svg.matches("<polygon").count() > 1000, "{}", svg.len());
}

#[test]
fn a_table_of_inputs_alone_gets_the_same_predictions_in_file_order() {
    let place = folder();
    let data = path(place.path(), "sine.csv");
    good(&["data", "export", "noisy-sine", "--out", &data]);
    let (network, _) = trained(place.path(), &data, &[]);
    let predicted = |data: &str, name: &str, more: &[&str]| {
        let out = path(place.path(), name);
        good(&[&["predict", "--network", &network, "--dataset", data, "--out", &out], more].concat());
        table(&out).1
    };
    let all = predicted(&data, "all.csv", &[]);
    let (_, rows) = table(&data);
    let alone = path(place.path(), "alone.csv");
    let inputs: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    fs::write(&alone, format!("x1\n{}\n", inputs.join("\n"))).unwrap();
    assert_eq!(predicted(&alone, "alone-out.csv", &[]), all);
    assert_eq!(predicted(&data, "train.csv", &["--split=train"]), all[..2000]);
    assert_eq!(predicted(&data, "test.csv", &["--split=test"]), all[2000..]);
    // A single input has no test part and needs none.
    fs::write(&alone, format!("x1\n{}\n", inputs[0])).unwrap();
    assert_eq!(predicted(&alone, "one.csv", &[]), all[..1]);
    let (one, out) = (alone.as_str(), path(place.path(), "none.csv"));
    refused(
        &["predict", "--network", &network, "--dataset", one, "--out", &out, "--split", "test"],
        &["`split`", "use `all`"],
    );
}

/// Inputs of two features far from 0, and a task in them.
fn shifted(file: &str) -> Vec<[f64; 2]> {
    let inputs: Vec<[f64; 2]> =
        (0..60).map(|i| [100.0 + f64::from(i * 7 % 60), 0.25 * f64::from(i * 11 % 13) - 3.0]).collect();
    let rows = inputs.iter().map(|[a, b]| format!("{a:?},{b:?},{:?}", 0.05 * (a - 130.0) - 0.4 * b));
    fs::write(file, format!("a,b,y\n{}\n", rows.collect::<Vec<_>>().join("\n"))).unwrap();
    inputs
}

#[test]
fn the_normalisation_of_training_is_applied_to_raw_inputs() {
    let place = folder();
    let data = path(place.path(), "data.csv");
    let inputs = shifted(&data);
    let options = ["--normalise=standardise", "--normalise-by=feature", "--activation=tanh", "--widths=3,3"];
    let out = path(place.path(), "run");
    good(&[&["train", "--dataset", &data, "--out", &out, "--quiet"][..], &options].concat());
    let network = format!("{out}/network.safetensors");
    let predictions = path(place.path(), "out.npy");
    good(&["predict", "--network", &network, "--dataset", &data, "--out", &predictions, "--dtype=f64"]);

    let file = TensorFile::<f64>::load(network.as_ref()).unwrap();
    let weights = |l: usize| file.matrix(&format!("w.{l}")).unwrap().2.to_vec();
    let scales: Vec<f64> = file.metadata["scales"].split(',').map(|s| s.parse().unwrap()).collect();
    assert_eq!(file.metadata["skips"], "0,1,0");
    assert_eq!(file.metadata["task"], "regression");
    let (mean, scale) = (file.vector("input.mean").unwrap(), file.vector("input.scale").unwrap());
    let product = |l: usize, x: &[f64]| -> Vec<f64> {
        let rows = weights(l);
        rows.chunks(x.len()).map(|row| scales[l - 1] * row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>()).collect()
    };
    let tanh = |z: &[f64]| z.iter().map(|z| z.tanh()).collect::<Vec<f64>>();
    let bytes = fs::read(&predictions).unwrap();
    assert_eq!(&bytes[..6], b"\x93NUMPY");
    let said: Vec<f64> =
        bytes[bytes.len() - 60 * 8..].chunks(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect();
    for (raw, said) in inputs.iter().zip(&said) {
        let x = [(raw[0] - mean[0]) * scale[0], (raw[1] - mean[1]) * scale[1]];
        let first = product(1, &x);
        let second: Vec<f64> = product(2, &tanh(&first)).iter().zip(&first).map(|(f, z)| f + z).collect();
        let output = product(3, &tanh(&second))[0];
        // Inputs are shifted and scaled in f32: 1e-7 of numbers up to 2, through weights of size 1.
        assert!((output - said).abs() < 1e-5, "{output} {said}");
    }
    let evaluated = |more: &[&str]| {
        json(&[&["evaluate", "--network", &network, "--dataset", &data], more].concat())["loss"].clone()
    };
    let summary: Value = serde_json::from_slice(&fs::read(format!("{out}/summary.json")).unwrap()).unwrap();
    assert_eq!(evaluated(&[]), summary["test_loss"]);
    let again = path(place.path(), "again.npy");
    for option in ["--normalise=0,1", "--standardise"] {
        refused(&["evaluate", "--network", &network, "--dataset", &data, option], &["contradicts the network file"]);
        refused(
            &["predict", "--network", &network, "--dataset", &data, "--out", &again, option],
            &["contradicts the network file"],
        );
    }
    // A file of before says nothing of it, and the options do.
    let mut old = file.clone();
    old.tensors.retain(|name, _| name.starts_with("w."));
    old.metadata.remove("task");
    old.save(network.as_ref()).unwrap();
    assert_ne!(evaluated(&[]), summary["test_loss"]);
    assert_eq!(evaluated(&["--standardise", "--normalise-by=feature"]), summary["test_loss"]);
}

#[test]
#[cfg(feature = "pictures")]
fn a_classifier_is_evaluated_with_names_and_a_table_that_adds_up() {
    let place = folder();
    let out = path(place.path(), "run");
    good(&[&["train", "--dataset=glyphs", "--out", &out][..], SMALL].concat());
    let network = format!("{out}/network.safetensors");
    let picture = path(place.path(), "confusion.png");
    let evaluate = ["evaluate", "--network", &network, "--dataset=glyphs", "--test-samples=200"];
    let found = json(&[&evaluate[..], &["--picture", &picture]].concat());
    let summary: Value = serde_json::from_slice(&fs::read(format!("{out}/summary.json")).unwrap()).unwrap();
    assert_eq!(found["accuracy"], summary["test_accuracy"]);
    assert_eq!(found["loss"], summary["test_loss"]);
    let rows: Vec<Vec<u64>> = serde_json::from_value(found["confusion"].clone()).unwrap();
    let all: u64 = rows.iter().flatten().sum();
    let right: u64 = (0..10).map(|c| rows[c][c]).sum();
    assert_eq!((rows.len(), all), (10, 200));
    assert_eq!(found["accuracy"].as_f64().unwrap(), right as f64 / 200.0);
    assert!(fs::read(&picture).unwrap().starts_with(b"\x89PNG"));
    let text = good(&evaluate).out;
    let name = found["classes"][0].as_str().unwrap();
    assert!(text.contains("predicted class across") && text.contains(name), "{text}");

    let table_file = path(place.path(), "out.csv");
    good(&["predict", "--network", &network, "--dataset=glyphs", "--out", &table_file, "--split=test"]);
    let (header, rows) = table(&table_file);
    assert_eq!((header[0].as_str(), header[10].as_str(), rows.len()), ("class", "y10", 2000));
    let names: Vec<&str> = found["classes"].as_array().unwrap().iter().map(|n| n.as_str().unwrap()).collect();
    for row in &rows {
        let outputs: Vec<f32> = row[1..].iter().map(|v| v.parse().unwrap()).collect();
        let best = outputs.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        assert_eq!(row[0], names[outputs.iter().position(|v| *v == best).unwrap()]);
    }
}

#[test]
fn classes_follow_their_names_into_a_file_that_lacks_some() {
    let place = folder();
    let data = path(place.path(), "pets.csv");
    let row = |i: usize, name: &str| format!("{},{},{name}", i % 7, (i * i) % 5);
    let rows: Vec<String> = (0..90).map(|i| row(i, ["bird", "cat", "dog"][i % 3])).collect();
    fs::write(&data, format!("a,b,kind\n{}\n", rows.join("\n"))).unwrap();
    let (network, _) = trained(place.path(), &data, &[]);
    let some: Vec<String> = (0..40).map(|i| row(i, ["cat", "dog"][i % 2])).collect();
    fs::write(&data, format!("a,b,kind\n{}\n", some.join("\n"))).unwrap();
    let found = json(&["evaluate", "--network", &network, "--dataset", &data, "--split=all"]);
    let rows: Vec<Vec<u64>> = serde_json::from_value(found["confusion"].clone()).unwrap();
    let sums: Vec<u64> = rows.iter().map(|row| row.iter().sum()).collect();
    assert_eq!(sums, [0, 20, 20]);
    fs::write(&data, format!("a,b,kind\n{}\n", some.join("\n").replace("dog", "cow"))).unwrap();
    refused(&["evaluate", "--network", &network, "--dataset", &data], &["`cow`", "bird, cat, dog"]);
}

#[test]
fn what_cannot_be_used_is_refused_in_one_line() {
    let place = folder();
    let data = path(place.path(), "data.csv");
    shifted(&data);
    let (network, _) = trained(place.path(), &data, &[]);
    let out = path(place.path(), "out.csv");
    let predict = |data: &str, out: &str, parts: &[&str]| {
        refused(&["predict", "--network", &network, "--dataset", data, "--out", out], parts);
    };
    predict("noisy-sine", &out, &["2 inputs to 1 outputs", "1 inputs"]);
    predict(&data, &path(place.path(), "out.txt"), &["neither .npy nor .csv"]);
    predict(&data, &path(place.path(), "none/out.csv"), &["none/out.csv"]);
    predict(&data, &path(place.path(), "run/../data.csv"), &["reads from"]);
    predict(&path(place.path(), "none.csv"), &out, &["none.csv"]);
    assert!(!Path::new(&out).exists());
    fs::write(&out, "kept").unwrap();
    predict(&data, &out, &["--force"]);
    assert_eq!(fs::read_to_string(&out).unwrap(), "kept");
    good(&["predict", "--network", &network, "--dataset", &data, "--out", &out, "--force"]);
    assert_eq!(table(&out).1.len(), 60);

    let evaluate = |network: &str, data: &str, more: &[&str], parts: &[&str]| {
        refused(&[&["evaluate", "--network", network, "--dataset", data], more].concat(), parts);
    };
    evaluate(&path(place.path(), "none.safetensors"), &data, &[], &["none.safetensors"]);
    evaluate(&network, "noisy-sine", &[], &["2 inputs to 1 outputs", "1 inputs and 1 outputs"]);
    evaluate(&network, "glyphs", &[], &["has learnt regression, but `glyphs` is classification"]);
    evaluate(&network, &data, &["--split=half"], &["`split`", "train, test, all"]);
    evaluate(&network, &data, &["--picture", "fit.jpg"], &[".svg, .png and .pdf"]);
    evaluate(&network, &data, &["--picture", &path(place.path(), "none/fit.svg")], &["none/fit.svg"]);
    evaluate(&network, &data, &["--dtype=f16"], &["`dtype`"]);
}
