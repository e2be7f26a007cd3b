//! Small networks and batches for the tests, and the one way they run a rule.
#![allow(dead_code)]

use pcalm::{
    activation::Activation,
    backend::Reference,
    gradient::Gradient,
    lagrangian::penalties,
    loss::Loss,
    minibatch::{Batch, Minibatch, Report},
    network::{Edge, Network, Placement},
    real::Real,
    rule::{self, RuleSettings},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Numbers in (−1, 1) from a seed.
pub fn numbers(count: usize, seed: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| 2.0 * rng.random::<f64>() - 1.0).collect()
}

/// A network with weights uniform in ±1, scaled by 1/√fan-in (times 1/√L on skip edges).
pub fn network(
    widths: &[usize],
    residual: bool,
    activation: Activation,
    placement: Placement,
    seed: u64,
) -> Network<f64> {
    let depth = widths.len() - 1;
    let edges = (0..depth)
        .map(|l| {
            let (n, m) = (widths[l], widths[l + 1]);
            let skip = residual && l > 0 && l + 1 < depth && n == m;
            let scale = if skip { 1.0 / (n as f64 * depth as f64).sqrt() } else { 1.5 / (n as f64).sqrt() };
            Edge::new(numbers(n * m, 1000 * seed + l as u64), m, n, scale, skip).unwrap()
        })
        .collect();
    Network::new(edges, activation, placement).unwrap()
}

/// A batch of inputs and targets for `network`; targets sum to 1 for the cross-entropy.
pub struct Data<R = f64> {
    pub x: Vec<R>,
    pub y: Vec<R>,
    pub samples: usize,
}

impl Data {
    pub fn new(network: &Network<f64>, samples: usize, loss: Loss, seed: u64) -> Self {
        let x = numbers(samples * network.inputs(), 77 + seed);
        let mut y = numbers(samples * network.outputs(), 99 + seed);
        if loss == Loss::CrossEntropy {
            for row in y.chunks_mut(network.outputs()) {
                let sum: f64 = row.iter().map(|v| v.abs()).sum();
                row.iter_mut().for_each(|v| *v = v.abs() / sum);
            }
        }
        Data { x, y, samples }
    }

    /// The same numbers rounded to another type.
    pub fn cast<R: Real>(&self) -> Data<R> {
        let round = |values: &[f64]| values.iter().map(|&v| R::of(v)).collect();
        Data { x: round(&self.x), y: round(&self.y), samples: self.samples }
    }
}

impl<R: Real> Data<R> {
    pub fn batch(&self) -> Batch<'_, R> {
        Batch::new(&self.x, &self.y, self.samples).unwrap()
    }
}

/// The outcome of one rule on one batch.
pub struct Run<R: Real> {
    pub report: Report,
    pub gradient: Gradient<R>,
    pub minibatch: Minibatch<Reference<R>>,
    pub hidden: usize,
}

impl<R: Real> Run<R> {
    pub fn z(&self, l: usize) -> Vec<R> {
        self.minibatch.unload(l, |s| s.activities())
    }
    pub fn lambda(&self, l: usize) -> Vec<R> {
        self.minibatch.unload(l, |s| s.duals())
    }
    pub fn credit(&self, l: usize) -> Vec<R> {
        self.minibatch.unload(l, |s| s.credit())
    }
}

/// Runs the rule called `name` on `data`.
pub fn run<R: Real>(name: &str, network: &Network<R>, data: &Data<R>, loss: Loss, settings: &RuleSettings) -> Run<R> {
    let rule = rule::build(name, settings).unwrap();
    run_rule(rule.as_ref(), network, data, loss, settings)
}

/// `data` loaded for `network`, with the penalties ρ given.
pub fn minibatch<R: Real>(network: &Network<R>, data: &Data<R>, loss: Loss, rho: &[f64]) -> Minibatch<Reference<R>> {
    let rho = penalties(rho, network.hidden()).unwrap();
    let mut minibatch = Minibatch::new(Reference::new(), loss, rho);
    minibatch.load(network, &data.batch()).unwrap();
    minibatch
}

/// Runs a rule object on `data`.
pub fn run_rule<R: Real>(
    rule: &dyn rule::Rule<Reference<R>>,
    network: &Network<R>,
    data: &Data<R>,
    loss: Loss,
    settings: &RuleSettings,
) -> Run<R> {
    let mut minibatch = minibatch(network, data, loss, &settings.rho);
    let report = minibatch.infer(network, rule).unwrap();
    let mut gradient = Gradient::zeros(network);
    minibatch.weight_gradient(network, &mut gradient);
    Run { report, gradient, minibatch, hidden: network.hidden() }
}

/// Settings with this budget for `network`; the rest as in the docs' defaults.
pub fn settings<R: Real>(network: &Network<R>, budget: usize, eta: f64) -> RuleSettings {
    RuleSettings { hidden: network.hidden(), budget, eta, ..RuleSettings::default() }
}

/// Largest |a − b|.
pub fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, |m, d| if d <= m { m } else { d })
}

/// ‖a − b‖ / ‖b‖.
pub fn relative(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let difference: f64 = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum();
    let norm: f64 = b.iter().map(|b| b * b).sum();
    (difference / norm).sqrt()
}
