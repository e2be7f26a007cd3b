//! Small networks and batches for the tests, and the one way they run a rule.
#![allow(dead_code)]

pub mod graphs;
pub mod targets;

use nalgebra::DMatrix;
use pcalm::{
    Precision,
    activation::{ACTIVATIONS, Activation},
    backend::Reference,
    energy_shape::{ENERGY_SHAPES, EnergyShape},
    gradient::Gradient,
    loss::Loss,
    minibatch::{Batch, Minibatch, Report},
    network::{Dense, Link, Network, Placement},
    objective::Objective,
    real::Real,
    rule::{self, Pace, RuleSettings},
    theory::curvature,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeSet;

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
            Link::new(numbers(n * m, 1000 * seed + l as u64), m, n, scale, skip).unwrap()
        })
        .collect();
    Network::chain(edges, activation, placement).unwrap()
}

/// The same chain with biases in ±0.4, drawn from the seed.
pub fn biased(network: Network<f64>, seed: u64) -> Network<f64> {
    let with_bias = |(l, (dense, skip)): (usize, (&Dense<f64>, bool))| {
        let bias: Vec<f64> = numbers(dense.rows(), 5000 + 100 * seed + l as u64).iter().map(|b| 0.4 * b).collect();
        Link { dense: dense.clone().biased(&bias).unwrap(), skip }
    };
    let links = links(&network).into_iter().enumerate().map(with_bias).collect();
    let chain = network.as_chain().unwrap();
    Network::chain(links, chain.activation(), chain.placement()).unwrap()
}

/// The dense maps of a chain, each with whether it has a skip.
pub fn links<R: Real>(network: &Network<R>) -> Vec<(&Dense<R>, bool)> {
    let chain = network.as_chain().unwrap();
    (0..chain.depth()).map(|l| chain.link(l)).collect()
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
pub fn run<R: Real>(
    name: &str,
    network: &Network<R>,
    data: &Data<R>,
    objective: impl Into<Objective<R>>,
    settings: &RuleSettings,
) -> Run<R> {
    let rule = rule::build(name, settings).unwrap();
    run_rule(rule.as_ref(), network, data, objective)
}

/// The names of all rules.
pub fn rule_names() -> Vec<&'static str> {
    rule::rules::<Reference<f64>>().iter().map(|info| info.facts.name).collect()
}

/// Of those that iterate.
pub fn iterative_rules() -> Vec<&'static str> {
    rule::rules::<Reference<f64>>().iter().filter(|info| info.facts.iterative).map(|info| info.facts.name).collect()
}

/// Of those whose step is bounded by the curvature of F.
pub fn rules_that_may_diverge() -> Vec<&'static str> {
    let all = rule::rules::<Reference<f64>>();
    let bounded = all.iter().filter(|info| info.facts.iterative && info.facts.pace == Pace::Curvature);
    bounded.map(|info| info.facts.name).collect()
}

/// Without those that solve to a tolerance: not after the same steps in another number type.
pub fn without_solves(names: Vec<&'static str>) -> Vec<&'static str> {
    names.into_iter().filter(|name| !["mm", "pc-equilibrium"].contains(name)).collect()
}

/// Without target propagation, which inverts the weights: rounding comes out larger by their condition.
pub fn without_inverses(names: Vec<&'static str>) -> Vec<&'static str> {
    names.into_iter().filter(|name| *name != "target-propagation").collect()
}

/// A walk of rules over cases, each of which some may refuse as such. None may refuse them all.
pub struct RuleWalk {
    names: Vec<&'static str>,
    ran: BTreeSet<&'static str>,
}

impl RuleWalk {
    pub fn of(names: Vec<&'static str>) -> Self {
        RuleWalk { names, ran: BTreeSet::new() }
    }

    /// Those that run on this case.
    pub fn on<R: Real>(
        &mut self,
        network: &Network<R>,
        objective: impl Into<Objective<R>>,
        settings: &RuleSettings,
    ) -> Vec<&'static str> {
        let objective = objective.into();
        let fits = |name: &str| {
            let rule = rule::build::<Reference<R>>(name, settings).unwrap();
            rule.fits(network, &objective).is_ok()
        };
        let found: Vec<&'static str> = self.names.iter().copied().filter(|name| fits(name)).collect();
        self.ran.extend(&found);
        found
    }

    /// Every rule has run on some case.
    pub fn end(self) {
        let left: Vec<_> = self.names.iter().filter(|name| !self.ran.contains(*name)).collect();
        assert!(left.is_empty(), "ran on no case: {left:?}");
    }
}

/// An objective with these penalties ρ.
pub fn weighted<R: Real>(loss: Loss, rho: &[f64]) -> Objective<R> {
    Objective::new(loss, rho).unwrap()
}

/// Precisions of every kind for a network's edges: by number, by unit, and full; that of the output one number where the
/// loss takes no more.
pub fn precisions<R: Real>(network: &Network<R>, loss: Loss, kind: &str) -> Vec<Precision> {
    let widths = network.widths();
    let of = |(l, &n): (usize, &usize)| match kind {
        "scalar" => Precision::Scalar(0.4 + 0.3 * l as f64),
        _ if l == network.hidden() && loss != Loss::SquaredError => Precision::Scalar(1.7),
        "diagonal" => Precision::Diagonal(numbers(n, 400 + l as u64).iter().map(|v| 1.2 + v).collect()),
        _ => {
            let a = DMatrix::from_vec(n, n, numbers(n * n, 600 + l as u64));
            let spd = &a * a.transpose() + DMatrix::identity(n, n) * 0.5;
            // Symmetric to the bit, as those who write files make them.
            Precision::Full((0..n * n).map(|k| spd[(k / n, k % n)].max(spd[(k % n, k / n)])).collect())
        }
    };
    widths.iter().enumerate().map(of).collect()
}

/// Every way to weigh residuals: penalties, precisions of every kind, and energies of every shape.
pub fn objectives<R: Real>(network: &Network<R>, loss: Loss) -> Vec<(String, Objective<R>)> {
    let rho: Vec<f64> = (0..network.hidden()).map(|l| 0.5 + 0.4 * l as f64).collect();
    let made = |what: String, rho: &[f64], kind: &str, shape| {
        let precisions = if kind == "none" { Vec::new() } else { precisions(network, loss, kind) };
        (what, Objective::weighted(loss, rho, &precisions, shape).unwrap())
    };
    let kinds = ["scalar", "diagonal", "full"].map(|kind| made(kind.into(), &[0.8], kind, EnergyShape::HalfSquare));
    let shaped = ENERGY_SHAPES.iter().skip(1).map(|info| {
        let kind = if info.scaled { "diagonal" } else { "scalar" };
        made(info.name.into(), &[1.0], kind, info.at(0.777).unwrap())
    });
    [made("ρ".into(), &rho, "none", EnergyShape::HalfSquare)].into_iter().chain(kinds).chain(shaped).collect()
}

/// `data` loaded for `network`; with a bare loss, ρ is 1.
pub fn minibatch<R: Real>(
    network: &Network<R>,
    data: &Data<R>,
    objective: impl Into<Objective<R>>,
) -> Minibatch<Reference<R>> {
    let mut minibatch = Minibatch::new(Reference::new(), objective);
    minibatch.load(network, &data.batch()).unwrap();
    minibatch
}

/// Runs a rule object on `data`.
pub fn run_rule<R: Real>(
    rule: &dyn rule::Rule<Reference<R>>,
    network: &Network<R>,
    data: &Data<R>,
    objective: impl Into<Objective<R>>,
) -> Run<R> {
    let mut minibatch = minibatch(network, data, objective);
    let report = minibatch.infer(network, rule).unwrap();
    let mut gradient = Gradient::zeros(network);
    minibatch.weight_gradient(network, &mut gradient).unwrap();
    Run { report, gradient, minibatch, hidden: network.hidden() }
}

/// Settings with this budget; the rest as in the docs' defaults, but that target propagation takes the nearest target and
/// one in the range of φ, so that it refuses no samples.
pub fn settings(budget: usize, eta: f64) -> RuleSettings {
    // With any η: `first-step` is BP with η = 1 alone.
    RuleSettings { budget, eta, any_step: true, clip: Some(1e-3), nearest: true, ..RuleSettings::default() }
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

/// df/dt at t = 0 from central differences at h and h/2, Richardson-extrapolated: the error is
/// h⁴ f⁽⁵⁾/480, which leaves 1e-8 far behind where plain differences would not reach it.
pub fn derivative(h: f64, mut f: impl FnMut(f64) -> f64) -> f64 {
    let mut central = |h: f64| (f(h) - f(-h)) / (2.0 * h);
    (4.0 * central(0.5 * h) - central(h)) / 3.0
}

/// Where φ' jumps.
pub fn kinks(activation: Activation) -> &'static [f64] {
    match activation {
        Activation::Relu | Activation::LeakyRelu => &[0.0],
        Activation::HardTanh => &[-1.0, 1.0],
        _ => &[],
    }
}

/// a W v + b of one edge for one sample, by plain loops.
pub fn product(edge: &Dense<f64>, v: &[f64]) -> Vec<f64> {
    let rows = edge.weight().chunks(edge.cols()).enumerate();
    let bias = |i: usize| edge.bias().map_or(0.0, |b| b[i]);
    rows.map(|(i, row)| bias(i) + edge.scale() * row.iter().zip(v).map(|(w, v)| w * v).sum::<f64>()).collect()
}

/// Everything φ is applied to at inputs `x` and activities `z` (per hidden layer, row-major):
/// the activities in `pre` placement, a W z in `post`.
pub fn inputs_of_phi(network: &Network<f64>, x: &[f64], z: &[Vec<f64>]) -> Vec<f64> {
    match network.as_chain().unwrap().placement() {
        Placement::Pre => z.concat(),
        Placement::Post => network.dense()[..network.hidden()]
            .iter()
            .enumerate()
            .flat_map(|(l, edge)| {
                let below = if l == 0 { x } else { &z[l - 1] };
                below.chunks(edge.cols()).flat_map(|v| product(edge, v)).collect::<Vec<_>>()
            })
            .collect(),
    }
}

/// Distance of the closest of `values` to a kink of φ; infinite where φ has none.
pub fn distance_from_kinks(activation: Activation, values: &[f64]) -> f64 {
    let distances = values.iter().flat_map(|v| kinks(activation).iter().map(move |k| (v - k).abs()));
    distances.fold(f64::INFINITY, f64::min)
}

/// The forward pass, per hidden layer and row-major.
pub fn forward(network: &Network<f64>, data: &Data, loss: Loss) -> Vec<Vec<f64>> {
    let mut minibatch = minibatch(network, data, loss);
    minibatch.evaluate(network).unwrap();
    (0..network.hidden()).map(|l| minibatch.unload(l, |s| s.activities())).collect()
}

/// The first of the cases `make(1), make(2), …` whose forward pass stays `margin` away from the
/// kinks of φ and, where there are kinks, has units on both sides of one.
pub fn away_from_kinks(margin: f64, make: impl Fn(u64) -> (Network<f64>, Data)) -> (Network<f64>, Data) {
    let suitable = |(network, data): &(Network<f64>, Data)| {
        let inputs = inputs_of_phi(network, &data.x, &forward(network, data, Loss::SquaredError));
        let slope = |v: &f64| network.as_chain().unwrap().activation().slope(*v);
        let both_sides = inputs.iter().any(|v| slope(v) < 0.5) && inputs.iter().any(|v| slope(v) == 1.0);
        let smooth = kinks(network.as_chain().unwrap().activation()).is_empty();
        smooth || (both_sides && distance_from_kinks(network.as_chain().unwrap().activation(), &inputs) > margin)
    };
    (1..1000).map(make).find(suitable).expect("no seed below 1000 stays away from the kinks")
}

/// Calls `body` with every activation, placement and loss, and what to call the case.
pub fn for_each_kind(mut body: impl FnMut(Activation, Placement, Loss, &str)) {
    for &activation in ACTIVATIONS {
        for &placement in Placement::ALL {
            for &loss in Loss::ALL {
                let what = format!("{} {} {}", activation.name(), placement.name(), loss.name());
                body(activation, placement, loss, &what);
            }
        }
    }
}

/// D, hidden widths and O of a chain of unequal widths and of a residual network with one
/// unequal pair, where there is no skip.
pub const SHAPES: &[(&[usize], bool)] = &[(&[3, 4, 2, 5, 3], false), (&[3, 4, 4, 3, 3, 2], true)];

/// a Wᵀ q of one edge for one sample, by plain loops.
pub fn transposed_product(edge: &Dense<f64>, q: &[f64]) -> Vec<f64> {
    let column = |i: usize| edge.weight().iter().skip(i).step_by(edge.cols());
    (0..edge.cols()).map(|i| edge.scale() * column(i).zip(q).map(|(w, q)| w * q).sum::<f64>()).collect()
}

/// 1/λ_max, the default step size.
pub fn default_step(network: &Network<f64>, data: &Data, loss: Loss) -> f64 {
    let mut minibatch = minibatch(network, data, loss);
    1.0 / curvature(&mut minibatch, network, 1e-6, 10_000).unwrap().lambda_max
}

/// The numbers' bits, for results that must not differ at all.
pub fn bits<R: Real>(values: &[R]) -> Vec<u64> {
    values.iter().map(|v| v.wide().to_bits()).collect()
}

impl<R: Real> Run<R> {
    /// Bits of every activity, dual, credit, output and weight gradient.
    pub fn all_bits(&self) -> Vec<u64> {
        let layers = (0..self.hidden).flat_map(|l| [self.z(l), self.lambda(l), self.credit(l)]);
        let rest = [self.credit(self.hidden), self.minibatch.output(), self.gradient.edges.concat()];
        layers.chain(rest).flat_map(|values| bits(&values)).collect()
    }
}

/// exp f over its sum.
pub fn softmax(f: &[f64]) -> Vec<f64> {
    let sum: f64 = f.iter().map(|f| f.exp()).sum();
    f.iter().map(|f| f.exp() / sum).collect()
}

/// The targets at which the forward pass has no output error, row-major.
pub fn unclamped(network: &Network<f64>, data: &Data, loss: Loss) -> Vec<f64> {
    let mut minibatch = minibatch(network, data, loss);
    minibatch.evaluate(network).unwrap();
    let output = minibatch.output();
    match loss {
        Loss::SquaredError => output,
        _ => output.chunks(network.outputs()).flat_map(softmax).collect(),
    }
}

/// V_l = a_l W_l + τ_l I of every edge.
pub fn operators(network: &Network<f64>) -> Vec<DMatrix<f64>> {
    let operator = |(dense, skip): (&Dense<f64>, bool)| {
        let w = DMatrix::from_row_slice(dense.rows(), dense.cols(), dense.weight());
        w * dense.scale() + DMatrix::identity(dense.rows(), dense.cols()) * f64::from(u8::from(skip))
    };
    links(network).into_iter().map(operator).collect()
}
