//! Bad options and paths get exit code 2 and one message that names the thing; for bad files, see
//! `malformed.rs`.

#![cfg(feature = "theory")]

mod common;

use common::{SMALL, folder, path, published_case, run};

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
fn a_number_beyond_all_use_is_refused_in_one_line_with_the_range() {
    let place = folder();
    let out = path(place.path(), "run");
    let grid = path(place.path(), "grid.toml");
    std::fs::write(&grid, "[axes]\nseed = [0]\n").unwrap();
    let (network, batch) = published_case(place.path());
    let infer = ["infer", "--network", network.to_str().unwrap(), "--batch", batch.to_str().unwrap()];
    let workers = "0 … 1024";
    let cycles = "1 … 100,000,000";
    let whole = "9223372036854775807";
    for (verb, option, parts) in [
        (&["train"][..], "--threads=1025", &["threads", "1025", workers][..]),
        (&["train"], "--threads=18446744073709551615", &["threads", workers]),
        (&["compare"], "--threads=100000", &["threads", workers]),
        (&["theory", "wave"], "--threads=100000", &["threads", workers]),
        (&["sweep", &grid], "--threads=100000", &["threads", workers]),
        (&["sweep", &grid], "--jobs=1025", &["jobs", "1025", workers]),
        (&["figure", "path"], "--jobs=1025", &["jobs", workers]),
        (&["verify"], "--jobs=18446744073709551615", &["jobs", workers]),
        (&["train"], "--budget=18446744073709551615", &["budget", "18446744073709551615", cycles]),
        (&["train"], "--budget=1e30L", &["budget", "1e30L", cycles]),
        (&["train", "--depth=11"], "--budget=1e7L", &["budget", "10000000L", cycles]),
        (&["theory", "wave"], "--budget=1e30L", &["budget", cycles]),
        (&infer, "--budget=100000001", &["budget", cycles]),
        (&["theory", "stability"], "--grid=1001", &["grid", "1001", "2 … 1000"]),
        (&["theory", "stability"], "--grid=0", &["grid", "2 … 1000"]),
        (&["compare"], "--seeds=18446744073709551615", &["seeds", "from --seed 0"]),
        (&["compare", "--seed=9223372036854775806"], "--seeds=3", &["seeds", "there are 2"]),
        (&["train"], "--seed=9223372036854775808", &["seed", whole]),
        (&["train"], "--epochs=18446744073709551615", &["epochs", whole]),
        (&["train"], "--train-samples=18446744073709551615", &["train-samples", whole]),
        (&["train"], "--widths=4,18446744073709551615", &["widths", whole]),
        (&["theory", "spectrum"], "--seed=18446744073709551615", &["seed", whole]),
    ] {
        let place = if verb[0] == "infer" { vec![] } else { vec!["--out", &out] };
        let message = refusal(&[verb, &[option], &place].concat());
        assert!(parts.iter().all(|part| message.contains(part)), "{verb:?} {option}: {message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

#[test]
fn theory_refuses_step_sizes_and_penalties_in_the_words_of_training() {
    let place = folder();
    let out = path(place.path(), "run");
    for option in
        ["--alpha=-1", "--alpha=nan", "--alpha=inf", "--rho=-1", "--rho=0", "--rho=nan", "--rho=1,2", "--inner-steps=0"]
    {
        let ask = |verb: &[&str]| {
            refusal(
                &[verb, &[option, "--width=4", "--depth=4", "--quiet", "--out", &out, "--train-samples=40"]].concat(),
            )
        };
        let words = ask(&["train"]);
        for question in ["spectrum", "equilibrium", "relaxation", "energies", "wave"] {
            assert_eq!(ask(&["theory", question]), words, "{question} {option}");
        }
    }
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
fn a_file_that_is_not_there_or_cannot_be_written_is_named() {
    let place = folder();
    let (network, batch) = published_case(place.path());
    let (network, batch) = (network.to_str().unwrap(), batch.to_str().unwrap());
    let missing = "/nonexistent/file.safetensors";
    assert_refused(&["infer", "--network", network, "--batch", missing], &[missing]);
    assert_refused(&["infer", "--network", network, "--batch", batch, "--output", missing], &[missing]);
    assert_refused(&["train", "--config", "/nonexistent.toml"], &["/nonexistent.toml"]);
    assert_refused(&["train", "--resume", "/nonexistent"], &["/nonexistent"]);
}

#[test]
fn a_run_is_resumed_with_its_own_options_or_not_at_all() {
    let place = folder();
    let run_folder = path(place.path(), "a");
    assert_eq!(run(&[&["train", "--out", &run_folder][..], SMALL].concat()).code, 0);
    assert_refused(&["train", "--resume", &run_folder, "--width", "9"], &["width", "resum"]);
}

#[test]
fn an_unknown_list_or_verb_is_refused() {
    assert_refused(&["list", "rule"], &["rules"]);
    refusal(&["trian"]);
}
