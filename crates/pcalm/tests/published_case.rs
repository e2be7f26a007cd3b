//! The worked case published with [ALM]'s reference code, to the 2e-5 its printed digits allow.

mod common;

use common::{Data, distance, run};
use pcalm::{
    activation::Activation,
    loss::Loss,
    network::{Link, Network, Placement},
    rule::RuleSettings,
};

const TOLERANCE: f64 = 2e-5;

fn network() -> Network<f64> {
    let edge = |weight: [f64; 4], scale: f64, skip| Link::new(weight.to_vec(), 2, 2, scale, skip).unwrap();
    let edges = vec![
        edge([0.2, -0.3, 0.4, 0.1], 0.5f64.sqrt(), false),
        edge([0.5, -0.2, 0.3, 0.7], (1.0 / 6.0f64).sqrt(), true),
        edge([-0.4, 0.6, 0.8, -0.1], 0.5, false),
    ];
    Network::chain(edges, Activation::Tanh, Placement::Pre).unwrap()
}

fn data() -> Data {
    Data { x: vec![0.25, -0.75, 1.0, 0.5], y: vec![1.0, 0.0, 0.0, 1.0], samples: 2 }
}

fn settings() -> RuleSettings {
    RuleSettings { budget: 3, eta: 0.1, ..RuleSettings::default() }
}

#[test]
fn backpropagation_has_the_published_loss() {
    let done = run("bp", &network(), &data(), Loss::SquaredError, &settings());
    let loss = done.report.score.mean_loss();
    assert!((loss - 0.52758825).abs() < TOLERANCE, "{loss}");
}

#[test]
fn pc_alm_has_the_published_duals_activities_and_gradients() {
    let done = run("pc-alm", &network(), &data(), Loss::SquaredError, &settings());
    let close = |found: &[f64], wanted: [f64; 4]| assert!(distance(found, &wanted) < TOLERANCE, "{found:?} {wanted:?}");
    close(&done.lambda(0), [-0.00474936, 0.00843060, 0.01011738, -0.00243908]);
    close(&done.lambda(1), [-0.05741480, 0.07686545, 0.10629874, -0.01796719]);
    close(&done.z(1), [0.17840122, 0.12007725, 0.11716225, 0.39411852]);
    close(&done.gradient.edges[0], [-0.01194267, -0.01157133, 0.00047837, 0.01003363]);
    close(&done.gradient.edges[2], [-0.04150981, -0.02150429, -0.02549093, -0.08917965]);
}

#[test]
fn pc_has_the_published_activities_and_gradient() {
    let done = run("pc", &network(), &data(), Loss::SquaredError, &settings());
    let close = |found: &[f64], wanted: [f64; 4]| assert!(distance(found, &wanted) < TOLERANCE, "{found:?} {wanted:?}");
    close(&done.z(1), [0.17096184, 0.13000423, 0.13089964, 0.39179778]);
    close(&done.gradient.edges[0], [-0.00415013, -0.00401918, 0.00015893, 0.00349402]);
}
