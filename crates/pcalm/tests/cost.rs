//! Arithmetic counted where it is done, against the counts of docs/maths.md §5.

mod common;

use common::{Data, Run, iterative_rules, network, run, settings, without_solves};
use pcalm::{
    activation::Activation,
    loss::Loss,
    network::{Network, Placement},
    rule::RuleSettings,
    work::Work,
};

const SAMPLES: usize = 37;

fn inference(rule: &str, change: impl Fn(RuleSettings) -> RuleSettings) -> (Network<f64>, Work) {
    let network = network(&[3, 4, 4, 5, 2], true, Activation::Tanh, Placement::Pre, 1);
    let data = Data::new(&network, SAMPLES, Loss::SquaredError, 1);
    let settings = change(settings(6, 0.1));
    let Run { report, .. } = run(rule, &network, &data, Loss::SquaredError, &settings);
    (network, report.work)
}

/// Products and multiply-adds of `sweeps` passes over every edge but the first, plus that one's
/// single product.
fn expected(network: &Network<f64>, sweeps: usize) -> Work {
    let size = |l: usize| network.dense()[l].weight().len();
    let upper: usize = (1..network.depth()).map(size).sum();
    Work {
        sample_products: ((network.hidden() * sweeps + 1) * SAMPLES) as u64,
        multiply_adds: ((upper * sweeps + size(0)) * SAMPLES) as u64,
    }
}

#[test]
fn a_step_of_pc_alm_costs_two_products_per_edge_like_one_of_predictive_coding() {
    let steps = |name: &&str| !["fixed-prediction", "first-step"].contains(name);
    for rule in without_solves(iterative_rules()).into_iter().filter(steps) {
        let (network, work) = inference(rule, |s| s);
        // Forward pass, six steps of two sweeps, and the sweep that reads the credit.
        assert_eq!(work, expected(&network, 1 + 2 * 6 + 1), "{rule}");
    }
}

#[test]
fn where_predictions_do_not_move_a_step_costs_one_product_per_edge() {
    let (network, work) = inference("fixed-prediction", |s| s);
    // Forward pass, six sweeps down, and the sweep that reads the credit.
    assert_eq!(work, expected(&network, 1 + 6 + 1));
}

#[test]
fn the_first_wave_costs_two_products_per_edge_and_layer() {
    let (network, work) = inference("first-step", |s| s);
    // Forward pass, L − 1 steps of two sweeps, the last look, the forward pass once more, and its credit.
    assert_eq!(work, expected(&network, 1 + 2 * network.hidden() + 3));
}

#[test]
fn every_inner_step_costs_two_more_products_per_edge() {
    let (network, work) = inference("pc-alm", |s| RuleSettings { inner_steps: 3, ..s });
    assert_eq!(work, expected(&network, 1 + 3 * 2 * 6 + 1));
}

#[test]
fn backpropagation_costs_one_product_each_way() {
    let (network, work) = inference("bp", |s| s);
    assert_eq!(work, expected(&network, 2));
}
