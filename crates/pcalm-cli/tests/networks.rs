//! Networks with biases, and networks whose edges join more than neighbours, through the whole program.

mod common;

use common::{folder, path, run};
use pcalm::{
    Activation, Dense, Edge, Loss, Map, Network, Placement,
    network::file::{NetworkFile, tensors},
    tensor_file::TensorFile,
};
use std::path::Path;

/// From the data's inputs to 10 outputs over three hidden nodes, with a skip over one of them, and the first read by
/// the output too.
fn long_skips(to: &Path) {
    let dense = |from: usize, to: usize, (cols, rows): (usize, usize), phi: Activation, bias: bool| {
        let weight = (0..rows * cols).map(|k| ((k * 7919 + 31 * from + to) % 101) as f64 / 50.5 - 1.0).collect();
        let mut dense = Dense::new(weight, rows, cols, 1.0 / (cols as f64).sqrt()).unwrap();
        if bias {
            dense = dense.biased(&vec![0.05; rows]).unwrap();
        }
        Edge { from, to, map: Map::Dense(dense.activated(phi, Placement::Pre)) }
    };
    let network = Network::new(vec![
        dense(0, 1, (INPUTS, 8), Activation::Identity, true),
        dense(1, 2, (8, 8), Activation::Tanh, true),
        dense(2, 3, (8, 8), Activation::Tanh, false),
        Edge { from: 1, to: 3, map: Map::Skip },
        dense(3, 4, (8, 10), Activation::Tanh, true),
        dense(1, 4, (8, 10), Activation::Gelu, false),
    ])
    .unwrap();
    tensors(&network, Loss::SquaredError).save(to).unwrap();
}

/// Of the embedded data set `glyphs`.
const INPUTS: usize = 784;

/// `train` with these options to `out`; returns what it said.
fn train(out: &str, more: &[&str]) -> common::Said {
    let base =
        ["train", "--quiet", "--train-samples", "192", "--test-samples", "64", "--probe-samples", "32", "--out", out];
    run(&[&base[..], more].concat())
}

#[test]
fn a_network_with_biases_trains_resumes_to_the_same_bits_and_says_its_gradients() {
    let place = folder();
    let at = |name: &str| path(place.path(), name);
    let options = ["--bias", "--width", "8", "--depth", "5", "--learning-rate", "0.01"];
    let two = train(&at("two"), &[&options[..], &["--epochs", "2"]].concat());
    assert_eq!(two.code, 0, "{}", two.err);
    assert_eq!(train(&at("one"), &[&options[..], &["--epochs", "1"]].concat()).code, 0);
    let resumed = run(&["train", "--resume", &at("one"), "--epochs", "2", "--quiet"]);
    assert_eq!(resumed.code, 0, "{}", resumed.err);
    for name in ["network.safetensors", "metrics.csv"] {
        let read = |run: &str| std::fs::read(Path::new(&at(run)).join(name)).unwrap();
        assert!(read("one") == read("two"), "{name} differs after a resumption");
    }
    let network = at("two/network.safetensors");
    let file = NetworkFile::<f64>::load(network.as_ref()).unwrap();
    assert!(file.network.dense().iter().all(|dense| dense.bias().is_some_and(|b| b.iter().any(|b| *b != 0.0))));
    let out = at("out.safetensors");
    let arguments =
        ["infer", "--network", &network, "--dataset", "glyphs", "--samples", "8", "--rule", "bp", "--output", &out];
    let said = run(&arguments);
    assert_eq!(said.code, 0, "{}", said.err);
    let found = TensorFile::<f64>::load(out.as_ref()).unwrap();
    // In `pre` placement the gradient of a bias is the batch mean of −q.
    for l in 1..=4 {
        let (samples, _, credit) = found.matrix(&format!("credit.{l}")).unwrap();
        let bias = found.vector(&format!("grad.b.{l}")).unwrap();
        for (i, g) in bias.iter().enumerate() {
            let mean = credit.iter().skip(i).step_by(bias.len()).sum::<f64>() / samples as f64;
            assert!((g + mean).abs() < 1e-6, "grad.b.{l}[{i}]: {g} {mean}");
        }
    }
    // Its start has biases, which --bias may say and nothing can deny.
    let goes_on = train(&at("on"), &["--init", &network, "--bias"]);
    assert_eq!(goes_on.code, 0, "{}", goes_on.err);
}

#[test]
fn a_file_without_biases_contradicts_the_option() {
    let place = folder();
    let (plain, on) = (path(place.path(), "plain"), path(place.path(), "on"));
    assert_eq!(train(&plain, &["--width", "8", "--depth", "3"]).code, 0);
    let said = train(&on, &["--init", &format!("{plain}/network.safetensors"), "--bias"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("bias"), "{}", said.err);
}

#[test]
fn a_network_with_long_skips_trains_resumes_and_is_studied() {
    let place = folder();
    let at = |name: &str| path(place.path(), name);
    let start = at("start.safetensors");
    long_skips(start.as_ref());
    for rule in ["bp", "pc", "pc-alm"] {
        let (two, one) = (at(&format!("two-{rule}")), at(&format!("one-{rule}")));
        let options = ["--init", &start, "--rule", rule, "--learning-rate", "0.01"];
        let said = train(&two, &[&options[..], &["--epochs", "2"]].concat());
        assert_eq!(said.code, 0, "{rule}: {}", said.err);
        assert_eq!(train(&one, &[&options[..], &["--epochs", "1"]].concat()).code, 0);
        let said = run(&["train", "--resume", &one, "--epochs", "2", "--quiet"]);
        assert_eq!(said.code, 0, "{rule}: {}", said.err);
        let read = |run: &str| std::fs::read(Path::new(run).join("network.safetensors")).unwrap();
        assert!(read(&one) == read(&two), "{rule}: other weights after a resumption");
        let before = NetworkFile::<f64>::load(start.as_ref()).unwrap().network;
        let after = NetworkFile::<f64>::load(Path::new(&two).join("network.safetensors").as_ref()).unwrap().network;
        assert_eq!(after.edges().len(), before.edges().len());
        for (before, after) in before.dense().iter().zip(after.dense()) {
            assert_ne!(before.parameters(), after.parameters(), "{rule}: weights that nothing moved");
        }
    }
    let trained = at("two-pc-alm/network.safetensors");
    for arguments in [
        ["evaluate", "--network", &trained, "--dataset", "glyphs"],
        ["theory", "spectrum", "--network", &trained, "--quiet"],
        ["theory", "equilibrium", "--network", &trained, "--quiet"],
        ["theory", "energies", "--network", &trained, "--quiet"],
        ["theory", "wave", "--network", &trained, "--quiet"],
    ] {
        let out = at(&format!("study-{}", arguments[1].trim_start_matches('-')));
        let more: &[&str] = if arguments[0] == "theory" { &["--out", &out] } else { &[] };
        let said = run(&[&arguments[..], more].concat());
        assert_eq!(said.code, 0, "{arguments:?}: {}", said.err);
    }
    // What is for chains alone says so.
    let said = run(&["theory", "relaxation", "--network", &trained, "--out", &at("none")]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("chains alone") || said.err.contains("identity"), "{}", said.err);
    let said = train(&at("no"), &["--topology", "file"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("--init"), "{}", said.err);
}
