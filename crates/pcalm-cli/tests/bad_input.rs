//! Every kind of bad input gets exit code 2 and one message that names the thing.

mod common;

use common::{SMALL, folder, path, published_case, run};
use pcalm::tensor_file::TensorFile;

/// The program's one error message for these arguments.
fn refusal(arguments: &[&str]) -> String {
    let said = run(arguments);
    assert_eq!(said.code, 2, "{arguments:?}\n{}{}", said.out, said.err);
    assert!(!said.err.contains("panicked"), "{}", said.err);
    said.err
}

fn assert_refused(arguments: &[&str], parts: &[&str]) {
    let message = refusal(arguments);
    for part in parts {
        assert!(message.contains(part), "{arguments:?} should mention {part}: {message}");
    }
}

#[test]
fn an_option_out_of_range_or_unknown_is_named() {
    let out = folder();
    let out = path(out.path(), "run");
    for (option, value, parts) in [
        ("--width", "0", &["width", "at least 1"][..]),
        ("--depth", "1", &["depth", "at least 2"]),
        ("--budget", "-3", &["budget", "-3", "2L"]),
        ("--budget", "0", &["budget"]),
        ("--rule", "pcalm", &["rule", "pc-alm", "did you mean"]),
        ("--activation", "rleu", &["activation", "relu"]),
        ("--dataset", "glyph", &["dataset", "glyphs"]),
        ("--eta", "-0.1", &["eta", "-0.1", "auto"]),
        ("--alpha", "-1", &["alpha", "-1"]),
        ("--rho", "0", &["rho"]),
        ("--rho", "1,2", &["rho", "2 values"]),
        ("--learning-rate", "nan", &["learning-rate"]),
        ("--batch", "0", &["batch"]),
        ("--epochs", "0", &["epochs"]),
        ("--dtype", "f16", &["dtype", "f16"]),
        ("--loss", "hinge", &["loss", "cross-entropy"]),
        ("--gamma0", "0", &["gamma0"]),
        ("--optimizer", "adamm", &["optimizer", "adam"]),
        ("--train-samples", "0", &["0"]),
        ("--init", "/nonexistent.safetensors", &["/nonexistent.safetensors"]),
    ] {
        let mut arguments = vec!["train", "--out", &out, "--train-samples=100", "--quiet"];
        if option == "--train-samples" {
            arguments.retain(|a| !a.starts_with("--train-samples"));
        }
        let joined = format!("{option}={value}");
        arguments.push(&joined);
        assert_refused(&arguments, parts);
    }
}

#[test]
fn an_unknown_key_or_value_in_a_config_file_is_named_with_the_file() {
    let place = folder();
    let config = path(place.path(), "run.toml");
    for (text, parts) in [
        ("widht = 8\n", &["run.toml", "widht", "did you mean `width`"][..]),
        ("width = \"wide\"\n", &["run.toml", "width"]),
        ("width = -8\n", &["run.toml", "width"]),
        ("width = = 8\n", &["run.toml"]),
        ("activation = \"rleu\"\n", &["activation", "relu"]),
    ] {
        std::fs::write(&config, text).unwrap();
        let out = path(place.path(), "out");
        assert_refused(&["train", "--config", &config, "--out", &out, "--quiet"], parts);
    }
    assert_refused(&["train", "--config", "/nonexistent.toml"], &["/nonexistent.toml"]);
}

#[test]
fn a_folder_that_cannot_be_written_is_named_before_anything_is_trained() {
    let place = folder();
    let file = path(place.path(), "file");
    std::fs::write(&file, "in the way").unwrap();
    let below = format!("{file}/run");
    assert_refused(&["train", "--out", &below, "--quiet"], &["file"]);
}

#[test]
fn nan_in_a_batch_and_shapes_that_do_not_fit_are_named() {
    let place = folder();
    let (network, batch) = published_case(place.path());
    let (network, batch) = (network.to_str().unwrap(), batch.to_str().unwrap());
    let bad = path(place.path(), "bad.safetensors");
    let write = |x: (&[usize], Vec<f64>), y: (&[usize], Vec<f64>)| {
        let mut file = TensorFile::<f64>::default();
        file.insert("x", x.0, x.1);
        file.insert("y", y.0, y.1);
        file.save(bad.as_ref()).unwrap();
    };
    let two = || (&[2, 2][..], vec![0.0; 4]);
    write((&[2, 2], vec![0.0, 0.0, f64::NAN, 0.0]), two());
    assert_refused(&["infer", "--network", network, "--batch", &bad], &["bad.safetensors", "x", "sample 1", "NaN"]);
    write((&[2, 3], vec![0.0; 6]), two());
    assert_refused(&["infer", "--network", network, "--batch", &bad], &["bad.safetensors", "3", "2 inputs"]);
    write((&[1, 2], vec![0.0; 2]), two());
    assert_refused(&["infer", "--network", network, "--batch", &bad], &["bad.safetensors", "1 samples", "2"]);
    assert_refused(&["infer", "--network", batch, "--batch", batch], &["batch.safetensors", "w.1"]);
    let unwritable = "/nonexistent/out.safetensors";
    assert_refused(&["infer", "--network", network, "--batch", batch, "--output", unwritable], &[unwritable]);
}

#[test]
fn a_checkpoint_that_is_cut_short_or_of_another_architecture_is_refused() {
    let place = folder();
    let (a, b) = (path(place.path(), "a"), path(place.path(), "b"));
    let small = |out: &str, more: &[&str]| {
        let arguments = [&["train", "--out", out][..], SMALL, more].concat();
        assert_eq!(run(&arguments).code, 0);
    };
    small(&a, &[]);
    small(&b, &["--depth=5"]);
    let checkpoint = |run: &str| format!("{run}/checkpoint.safetensors");
    std::fs::copy(checkpoint(&b), checkpoint(&a)).unwrap();
    assert_refused(&["train", "--resume", &a], &["checkpoint.safetensors", "another architecture"]);
    let bytes = std::fs::read(checkpoint(&b)).unwrap();
    std::fs::write(checkpoint(&b), &bytes[..bytes.len() / 2]).unwrap();
    assert_refused(&["train", "--resume", &b], &["checkpoint.safetensors", "whole"]);
    assert_refused(&["train", "--resume", "/nonexistent"], &["/nonexistent"]);
    assert_refused(&["train", "--resume", &a, "--width", "9"], &["width", "resum"]);
}

#[test]
fn an_unknown_list_or_verb_is_refused() {
    assert_refused(&["list", "rule"], &["rules"]);
    refusal(&["trian"]);
}
