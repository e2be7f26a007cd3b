//! Every number of the golden file of the other two papers' rules, written by an independent NumPy study in f64
//! (tests/golden/README.md), is what the library computes: recursions to 1e-11, solves to 1e-9 of the largest entry.

#![cfg(feature = "theory")]

mod common;

use common::{Data, Run, relative, run};
use pcalm::{
    Activation, EnergyShape, Gradient, Loss, Network, Objective, Placement, Precision, RuleSettings,
    gradient::Alignment, infer::Stop, network::Link,
};
use serde_json::Value;

/// Rules of the file, what they are called here, and to what they agree.
const RULES: &[(&str, &str, f64)] = &[
    ("bp", "bp", 1e-11),
    ("pc", "pc", 1e-11),
    ("pc-alm", "pc-alm", 1e-11),
    ("pc-fixed-prediction", "fixed-prediction", 1e-11),
    ("z-il", "first-step", 1e-11),
    ("pc-equilibrium", "pc-equilibrium", 1e-9),
    ("pc-lambda", "pc-equilibrium", 1e-9),
];

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// Every number in nested lists, in order.
fn flat(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(flat).collect(),
        number => vec![number.as_f64().unwrap()],
    }
}

/// [sample][layer][unit] or [layer][sample][unit] as they come, one list per layer.
fn layers(value: &Value) -> Vec<Vec<f64>> {
    value.as_array().unwrap().iter().map(flat).collect()
}

fn network(case: &Value) -> Network<f64> {
    let links = case["weights"].as_array().unwrap().iter().enumerate().map(|(l, weight)| {
        let (rows, cols) = (weight.as_array().unwrap().len(), weight[0].as_array().unwrap().len());
        let skip = case["skips"][l].as_u64() == Some(1);
        Link::new(flat(weight), rows, cols, case["scales"][l].as_f64().unwrap(), skip).unwrap()
    });
    let activation = Activation::from_name(text(&case["activation"])).unwrap();
    Network::chain(links.collect(), activation, Placement::from_name(text(&case["placement"])).unwrap()).unwrap()
}

fn precision(value: &Value) -> Precision {
    match value {
        Value::Null => Precision::default(),
        Value::Array(rows) if rows[0].is_array() => Precision::Full(flat(value)),
        Value::Array(_) => Precision::Diagonal(flat(value)),
        number => Precision::Scalar(number.as_f64().unwrap()),
    }
}

fn shape(value: &Value) -> EnergyShape {
    let (name, scale) = match value {
        Value::Null => ("half-square", 1.0),
        Value::Array(pair) => (text(&pair[0]), pair[1].as_f64().unwrap()),
        name => (text(name), 1.0),
    };
    EnergyShape::named(if name == "logcosh" { "log-cosh" } else { name }, scale).unwrap()
}

fn objective(loss: Loss, settings: &Value) -> Objective<f64> {
    let rho = settings["rho"].as_f64().unwrap_or(1.0);
    let mut precisions: Vec<Precision> =
        settings["precision"].as_array().map_or_else(Vec::new, |all| all.iter().map(precision).collect());
    if text(&settings["rule"]) == "pc-lambda" {
        let share = settings["lam"].as_f64().unwrap();
        return Objective::with_loss_share(loss, share).unwrap();
    }
    if precisions.is_empty() {
        precisions = Vec::new();
    }
    Objective::weighted(loss, &[rho], &precisions, shape(&settings["h"])).unwrap()
}

fn settings_of(record: &Value) -> RuleSettings {
    let number = |name: &str| record[name].as_f64();
    RuleSettings {
        budget: record["T"].as_u64().map_or(1, |t| usize::try_from(t).unwrap()),
        eta: number("eta").unwrap_or(1.0),
        alpha: number("alpha").unwrap_or(1.0),
        any_step: true,
        ..RuleSettings::default()
    }
}

/// Calls `check` with every record of the rules above that is in the file, run.
fn each(check: impl Fn(&mut Run<f64>, &Network<f64>, &Objective<f64>, &Data, &Value, f64, &str)) -> usize {
    let file: Value = serde_json::from_str(include_str!("golden/frm-tr.json")).unwrap();
    let mut records = 0;
    for case in file["cases"].as_array().unwrap() {
        let network = network(case);
        let loss = if text(&case["loss"]) == "squared" { Loss::SquaredError } else { Loss::CrossEntropy };
        let samples = case["x"].as_array().unwrap().len();
        let data = Data { x: flat(&case["x"]), y: flat(&case["y"]), samples };
        for (i, record) in case["records"].as_array().unwrap().iter().enumerate() {
            let settings = &record["settings"];
            let Some((_, rule, tolerance)) = RULES.iter().find(|r| r.0 == text(&settings["rule"])) else { continue };
            let objective = objective(loss, settings);
            let mut done = run(rule, &network, &data, objective.clone(), &settings_of(settings));
            let what =
                format!("{}: record {i} ({rule}, Π {}, h {})", case["name"], settings["precision"], settings["h"]);
            check(&mut done, &network, &objective, &data, &record["output"], *tolerance, &what);
            records += 1;
        }
    }
    records
}

/// Equal to the tolerance of the largest entry wanted, or of 1.
fn agree(found: &[f64], wanted: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), wanted.len(), "{what}: a different number of entries");
    let size = wanted.iter().fold(1.0, |m: f64, w| m.max(w.abs()));
    for (i, (f, w)) in found.iter().zip(wanted).enumerate() {
        assert!((f - w).abs() <= tolerance * size, "{what}, entry {i}: found {f:e}, the golden file has {w:e}");
    }
}

#[test]
fn activities_duals_and_credit_are_the_golden_ones() {
    let records = each(|done, _, objective, _, wanted, tolerance, what| {
        let (z, q) = (layers(&wanted["z"]), layers(&wanted["q"]));
        for l in 0..done.hidden {
            let mut found = done.z(l);
            if text(&wanted["rule"]) == "pc-fixed-prediction" {
                // Here the moved state becomes the credit of the forward pass; z = z̄ + Π⁻¹q leads back to it.
                let n = found.len() / done.report.score.samples;
                let weight = objective.penalty(l).unwrap().weight();
                let pi = nalgebra::DMatrix::from_fn(n, n, |i, j| weight.row(i, n)[j]);
                let inverse = pi.try_inverse().unwrap();
                for (z, q) in found.chunks_mut(n).zip(done.credit(l).chunks(n)) {
                    let moved = &inverse * nalgebra::DVector::from_column_slice(q);
                    z.iter_mut().zip(moved.iter()).for_each(|(z, m)| *z += m);
                }
            }
            agree(&found, &z[l], tolerance, &format!("{what}, z {}", l + 1));
            agree(&done.credit(l), &q[l], tolerance, &format!("{what}, q {}", l + 1));
            if text(&wanted["rule"]) == "pc-alm" {
                agree(&done.lambda(l), &layers(&wanted["lam"])[l], tolerance, &format!("{what}, lambda {}", l + 1));
            }
        }
        agree(&done.credit(done.hidden), &flat(&wanted["q_output"]), tolerance, &format!("{what}, q of the output"));
    });
    assert_eq!(records, 229, "records of the file that are covered");
}

#[test]
fn weight_gradients_and_their_alignment_with_backpropagation_are_the_golden_ones() {
    each(|done, network, objective, data, wanted, tolerance, what| {
        let gradients = layers(&wanted["grads"]);
        for (l, gradient) in gradients.iter().enumerate() {
            agree(&done.gradient.edges[l], gradient, tolerance, &format!("{what}, gradient {}", l + 1));
        }
        // Of the λ-energy the file compares with BP of the plain loss.
        let plain = Objective::from(objective.loss());
        let of = if text(&wanted["rule"]) == "pc-lambda" { &plain } else { objective };
        let backprop: Gradient<f64> = run("bp", network, data, of.clone(), &RuleSettings::default()).gradient;
        let whole = Alignment::new(&done.gradient, &backprop).whole;
        agree(&[whole.cosine], &flat(&wanted["alignment"]), 10.0 * tolerance, &format!("{what}, alignment"));
        agree(&[whole.norm_ratio], &flat(&wanted["norm_ratio"]), 10.0 * tolerance, &format!("{what}, norm ratio"));
    });
}

#[test]
fn energies_are_the_golden_ones() {
    each(|done, network, _, _, wanted, tolerance, what| {
        // The file has the energies of the state that moved, this rule's state is the forward pass.
        if text(&wanted["rule"]) == "pc-fixed-prediction" {
            return;
        }
        let energies = done.minibatch.energies(network).unwrap();
        let samples = done.report.score.samples as f64;
        // The file's energy is that of PC, ½ cᵀΠc, also where PC-ALM weighs it with ρ.
        let rho = if text(&wanted["rule"]) == "pc-alm" { 1.2 } else { 1.0 };
        let (loss, residual) = (energies.loss, energies.residual / rho);
        for (found, name) in [(loss, "loss"), (residual, "residual"), (loss + residual, "energy")] {
            agree(&[found / samples], &flat(&wanted[name]), tolerance, &format!("{what}, {name}"));
        }
        if text(&wanted["rule"]).starts_with("pc-equilibrium") {
            assert_eq!(done.report.stop, Stop::Converged, "{what}");
        }
        let closed = wanted.get("F_closed").map(flat);
        if let Some(closed) = closed {
            let mean = closed.iter().sum::<f64>() / closed.len() as f64;
            assert!(relative(&[energies.energy() / samples], &[mean]) < tolerance, "{what}: F* as ½ rᵀR⁻¹r");
        }
    });
}
