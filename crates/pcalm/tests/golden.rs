//! Every number of the golden file, written by an independent NumPy implementation of the same
//! equations (tests/golden/README.md), is what the library computes, to 1e-10.

mod common;

use common::{Data, Run, run};
use pcalm::{
    activation::Activation,
    gradient::{Agreement, Alignment, Gradient},
    loss::Loss,
    network::{Link, Network, Placement},
    rule::{Credit, RuleSettings},
};
use serde_json::Value;

const TOLERANCE: f64 = 1e-10;

/// The file's cases, each with its name.
fn cases() -> Vec<(String, Value)> {
    let file: Value = serde_json::from_str(include_str!("golden/golden.json")).unwrap();
    let cases = file["cases"].as_array().unwrap();
    cases.iter().map(|case| (text(&case["name"]).to_owned(), case.clone())).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn count(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

/// Every number in nested lists, in order; `null` is NaN.
fn flat(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(flat).collect(),
        Value::Null => vec![f64::NAN],
        number => vec![number.as_f64().unwrap()],
    }
}

/// Equal to 1e-10 of the larger of 1 and the number wanted; NaN only where NaN is wanted.
fn check(found: &[f64], wanted: &Value, what: &str) {
    let wanted = flat(wanted);
    assert_eq!(found.len(), wanted.len(), "{what}: a different number of entries");
    for (i, (&f, &w)) in found.iter().zip(&wanted).enumerate() {
        let close = (f - w).abs() <= TOLERANCE * w.abs().max(1.0) || (f.is_nan() && w.is_nan());
        assert!(close, "{what}, entry {i}: found {f:e}, the golden file has {w:e}");
    }
}

fn network(case: &Value) -> Network<f64> {
    let edges = case["weights"].as_array().unwrap().iter().enumerate().map(|(l, weight)| {
        let (rows, cols) = (weight.as_array().unwrap().len(), weight[0].as_array().unwrap().len());
        let skip = count(&case["skips"][l]) == 1;
        let link = Link::new(flat(weight), rows, cols, case["scales"][l].as_f64().unwrap(), skip).unwrap();
        match &case["biases"] {
            Value::Null => link,
            biases => Link { dense: link.dense.biased(&flat(&biases[l])).unwrap(), skip },
        }
    });
    let activation = Activation::from_name(text(&case["activation"])).unwrap();
    let placement = Placement::from_name(text(&case["placement"])).unwrap();
    Network::chain(edges.collect(), activation, placement).unwrap()
}

fn loss(case: &Value) -> Loss {
    match text(&case["loss"]) {
        "squared" => Loss::SquaredError,
        "softmax-cross-entropy" => Loss::CrossEntropy,
        other => panic!("a loss `{other}` in the golden file"),
    }
}

fn settings(record: &Value) -> RuleSettings {
    let mut settings = RuleSettings { inner_limit: 1_000_000, ..RuleSettings::default() };
    if text(&record["rule"]) == "bp" {
        return settings;
    }
    settings.budget = count(&record["budget"]);
    settings.eta = record["eta"].as_f64().unwrap();
    if text(&record["rule"]) == "pc-alm" {
        settings.alpha = record["alpha"].as_f64().unwrap();
        settings.inner_steps = count(&record["inner"]);
        settings.credit = Credit::from_name(text(&record["credit"])).unwrap();
    }
    if text(&record["rule"]) == "mm" {
        settings.inner_tolerance = record["tolerance"].as_f64().unwrap();
    }
    settings
}

/// Calls `check_run` on every record of every case, with the case's BP gradient.
fn each(check_run: impl Fn(&mut Run<f64>, &Network<f64>, &Gradient<f64>, &Value, &str)) {
    let mut records = 0;
    for (name, case) in cases() {
        let (network, loss) = (network(&case), loss(&case));
        let samples = case["x"].as_array().unwrap().len();
        let data = Data { x: flat(&case["x"]), y: flat(&case["y"]), samples };
        let mut backprop = None;
        for (i, record) in case["rules"].as_array().unwrap().iter().enumerate() {
            let rule = text(&record["rule"]);
            let rho = if rule == "bp" { vec![1.0] } else { flat(&record["rho"]) };
            let mut done = run(rule, &network, &data, common::weighted(loss, &rho), &settings(record));
            let backprop = backprop.get_or_insert_with(|| done.gradient.clone());
            check_run(&mut done, &network, backprop, record, &format!("{name}: record {i} ({rule})"));
            records += 1;
        }
    }
    assert!(records > 100, "only {records} records in the golden file");
}

#[test]
fn every_rule_reaches_the_golden_activities_duals_credit_and_output() {
    each(|done, _, _, record, what| {
        for l in 0..done.hidden {
            check(&done.z(l), &record["z"][l], &format!("{what}, z {}", l + 1));
            check(&done.lambda(l), &record["lambda"][l], &format!("{what}, lambda {}", l + 1));
            check(&done.credit(l), &record["q"][l], &format!("{what}, q {}", l + 1));
        }
        check(&done.minibatch.output(), &record["output"], &format!("{what}, output"));
    });
}

#[test]
fn every_rule_has_the_golden_weight_gradients() {
    let none = Value::Array(Vec::new());
    each(|done, network, _, record, what| {
        for l in 0..network.depth() {
            let (weight, bias) = done.gradient.edges[l].split_at(network.dense()[l].weight().len());
            check(weight, &record["gradients"][l], &format!("{what}, gradient {}", l + 1));
            let wanted = if bias.is_empty() { &none } else { &record["bias_gradients"][l] };
            check(bias, wanted, &format!("{what}, gradient of bias {}", l + 1));
        }
    });
}

#[test]
fn every_rule_ends_at_the_golden_loss_energy_and_residual_norm() {
    each(|done, network, _, record, what| {
        let energies = done.minibatch.energies(network).unwrap();
        let samples = done.report.score.samples as f64;
        check(&[energies.loss / samples], &record["loss"], &format!("{what}, loss"));
        check(&[energies.energy() / samples], &record["energy"], &format!("{what}, energy"));
        check(&[energies.residual_norm_squared.sqrt()], &record["residual_norm"], &format!("{what}, residual norm"));
    });
}

#[test]
fn every_rule_has_the_golden_alignment_with_backpropagation() {
    each(|done, _, backprop, record, what| {
        let found = Alignment::new(&done.gradient, backprop);
        let per_layer = |part: fn(&Agreement) -> f64| found.layers.iter().map(part).collect::<Vec<_>>();
        check(&[found.whole.cosine], &record["alignment"], &format!("{what}, alignment"));
        check(&[found.whole.norm_ratio], &record["norm_ratio"], &format!("{what}, norm ratio"));
        check(&per_layer(|a| a.cosine), &record["layer_alignment"], &format!("{what}, alignment per layer"));
        check(&per_layer(|a| a.norm_ratio), &record["layer_norm_ratio"], &format!("{what}, norm ratio per layer"));
    });
}
