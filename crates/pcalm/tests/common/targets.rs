//! Networks that targets are passed down, and matrices beside them.
#![allow(dead_code)]

use super::{Data, minibatch, numbers};
use nalgebra::DMatrix;
use pcalm::{
    Error,
    activation::Activation,
    loss::Loss,
    network::{Dense, Link, Network, Placement},
    rule::{RuleSettings, TargetFacts, target_facts},
};
use std::sync::Arc;

pub const TP: &str = "target-propagation";
pub const DTP: &str = "difference-target-propagation";
pub const SAMPLES: usize = 4;

/// Every activation that has an inverse.
pub const INVERTIBLE: [Activation; 4] =
    [Activation::Identity, Activation::Tanh, Activation::Sigmoid, Activation::LeakyRelu];

/// A chain of square links near the identity, so that their inverses are tame, with biases; with skips beside links that
/// are small.
pub fn square(n: usize, depth: usize, skips: bool, phi: (Activation, Placement), seed: u64) -> Network<f64> {
    let links = (0..depth).map(|l| {
        let skip = skips && l > 0 && l + 1 < depth;
        let (size, noise) = if skip { (0.0, 0.25) } else { (1.0, 0.3) };
        let random = numbers(n * n, 50 * seed + l as u64);
        let weight = random.iter().enumerate().map(|(at, w)| {
            let identity = if at / n == at % n { size } else { 0.0 };
            identity + noise * w
        });
        let link = Link::new(weight.collect(), n, n, 0.9, skip).unwrap();
        let bias: Vec<f64> = numbers(n, 70 * seed + l as u64).iter().map(|b| 0.2 * b).collect();
        Link { dense: link.dense.biased(&bias).unwrap(), skip }
    });
    Network::chain(links.collect(), phi.0, phi.1).unwrap()
}

/// Data whose targets the network produces from other inputs, which come second.
pub fn reachable(network: &Network<f64>, seed: u64) -> (Data, Data) {
    let data = Data::new(network, SAMPLES, Loss::SquaredError, seed);
    let other = Data { x: numbers(data.x.len(), 300 + seed), y: data.y.clone(), samples: SAMPLES };
    let y = super::unclamped(network, &other, Loss::SquaredError);
    (Data { y, ..data }, other)
}

/// a W of each link as a matrix.
pub fn weights(network: &Network<f64>) -> Vec<DMatrix<f64>> {
    let matrix =
        |dense: &Dense<f64>| DMatrix::from_row_slice(dense.rows(), dense.cols(), dense.weight()) * dense.scale();
    network.dense().into_iter().map(matrix).collect()
}

/// Backward weights of these matrices, B_2 first.
pub fn backward(matrices: impl IntoIterator<Item = DMatrix<f64>>) -> Option<Arc<Vec<Dense<f64>>>> {
    let dense = |m: DMatrix<f64>| Dense::new(m.transpose().as_slice().to_vec(), m.nrows(), m.ncols(), 1.0).unwrap();
    Some(Arc::new(matrices.into_iter().map(dense).collect()))
}

/// One row per sample as columns of a matrix.
pub fn columns(values: &[f64], width: usize) -> DMatrix<f64> {
    DMatrix::from_column_slice(width, values.len() / width, values)
}

/// What is said of a rule's targets.
pub fn facts(
    rule: &str,
    network: &Network<f64>,
    data: &Data,
    settings: &RuleSettings,
) -> Result<Vec<TargetFacts>, Error> {
    let mut minibatch = minibatch(network, data, Loss::SquaredError);
    let facts = minibatch.map(network, |lagrangian, state| target_facts(rule, settings, lagrangian, state));
    facts.unwrap().remove(0)
}
