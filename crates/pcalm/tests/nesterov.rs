//! Predictive coding with Nesterov's momentum, against hand-written recursions and its theory.

mod common;

use common::{Data, SHAPES, for_each_kind, network, relative, run, settings};
use nalgebra::{DMatrix, DVector};
use pcalm::{
    activation::Activation,
    error::Error,
    loss::Loss,
    network::{Link, Network, Placement},
    real::Real,
    rule::{self, RuleSettings},
    theory::nesterov_momentum,
};

/// F = ½(z − x)² + ½(v z − y)²: one hidden unit behind the weight 1.
fn scalar(v: f64) -> (Network<f64>, Data) {
    let edges = vec![Link::new(vec![1.0], 1, 1, 1.0, false).unwrap(), Link::new(vec![v], 1, 1, 1.0, false).unwrap()];
    let network = Network::chain(edges, Activation::Identity, Placement::Pre).unwrap();
    (network, Data { x: vec![0.8], y: vec![-0.5], samples: 1 })
}

fn accelerated(budget: usize, eta: f64, beta: f64) -> RuleSettings {
    RuleSettings { nesterov: beta, ..settings(budget, eta) }
}

#[test]
fn without_momentum_it_is_predictive_coding_bit_for_bit() {
    fn check<R: Real>(network: &Network<f64>, data: &Data, loss: Loss, what: &str) {
        let (network, data) = (network.cast::<R>(), data.cast::<R>());
        let settings = RuleSettings { nesterov: 0.0, ..settings(6, 0.2) };
        let pc = run("pc", &network, &data, loss, &settings);
        assert!(run("pc-nesterov", &network, &data, loss, &settings).all_bits() == pc.all_bits(), "{what}");
    }
    for &(widths, residual) in SHAPES {
        for_each_kind(|activation, placement, loss, what| {
            let network = network(widths, residual, activation, placement, 3);
            let data = Data::new(&network, 3, loss, 3);
            check::<f64>(&network, &data, loss, &format!("{what} f64"));
            check::<f32>(&network, &data, loss, &format!("{what} f32"));
        });
    }
}

#[test]
fn one_hidden_unit_moves_by_the_recursion_written_out() {
    let (v, eta, beta, steps) = (1.7, 0.21, 0.6, 9);
    let (network, data) = scalar(v);
    let (x, y) = (data.x[0], data.y[0]);
    let (mut before, mut z) = (x, x);
    for _ in 0..steps {
        let ahead = z + beta * (z - before);
        before = z;
        z = ahead - eta * ((ahead - x) + v * (v * ahead - y));
    }
    let found = run("pc-nesterov", &network, &data, Loss::SquaredError, &accelerated(steps, eta, beta));
    // A hundred roundings of numbers of order 1.
    assert!((found.z(0)[0] - z).abs() < 1e-14, "{} and {z}", found.z(0)[0]);
}

#[test]
fn a_linear_network_moves_as_the_dense_quadratic_does() {
    // The dense energy shares no code with the sweeps: z − Cz and the readout as one least-squares problem.
    let network = network(&[5, 4, 4, 4, 3], true, Activation::Identity, Placement::Pre, 8);
    let data = Data::new(&network, 1, Loss::SquaredError, 8);
    let (hidden, n) = (network.hidden(), 4);
    let operators = common::operators(&network);
    let operator = |l: usize| operators[l].clone();
    let rows = hidden * n + network.outputs();
    let (mut a, mut b) = (DMatrix::<f64>::zeros(rows, hidden * n), DVector::<f64>::zeros(rows));
    for l in 0..hidden {
        a.view_mut((l * n, l * n), (n, n)).copy_from(&DMatrix::identity(n, n));
        if l > 0 {
            a.view_mut((l * n, (l - 1) * n), (n, n)).copy_from(&-operator(l));
        }
    }
    a.view_mut((hidden * n, (hidden - 1) * n), (network.outputs(), n)).copy_from(&operator(hidden));
    b.rows_mut(0, n).copy_from(&(operator(0) * DVector::from_column_slice(&data.x)));
    b.rows_mut(hidden * n, network.outputs()).copy_from(&DVector::from_column_slice(&data.y));

    let (eta, beta, steps) = (0.15, 0.8, 40);
    let mut z = DVector::<f64>::zeros(hidden * n);
    z.rows_mut(0, n).copy_from(&b.rows(0, n));
    for l in 1..hidden {
        let forward = operator(l) * z.rows((l - 1) * n, n);
        z.rows_mut(l * n, n).copy_from(&forward);
    }
    let mut before = z.clone();
    for _ in 0..steps {
        let ahead = &z + (&z - &before) * beta;
        before = z;
        z = &ahead - a.transpose() * (&a * &ahead - &b) * eta;
    }
    let found = run("pc-nesterov", &network, &data, Loss::SquaredError, &accelerated(steps, eta, beta));
    let activities: Vec<f64> = (0..hidden).flat_map(|l| found.z(l).to_vec()).collect();
    assert!(relative(&activities, z.as_slice()) < 1e-12);
}

#[test]
fn it_is_stable_up_to_the_step_its_bound_names() {
    // ηh < 2(1 + β)/(1 + 2β) with h = 1 + v².
    let v = 1.3;
    let (network, data) = scalar(v);
    let (x, y, h) = (data.x[0], data.y[0], 1.0 + v * v);
    let goal = (x + v * y) / h;
    for beta in [0.0, 0.3, 0.9] {
        let limit = 2.0 * (1.0 + beta) / (1.0 + 2.0 * beta) / h;
        let distance = |eta: f64, steps: usize| {
            let run = run("pc-nesterov", &network, &data, Loss::SquaredError, &accelerated(steps, eta, beta));
            (run.z(0)[0] - goal).abs()
        };
        assert!(distance(0.99 * limit, 1200) < distance(0.99 * limit, 12), "β = {beta}: unstable below its limit");
        assert!(distance(1.01 * limit, 600) > distance(1.01 * limit, 12), "β = {beta}: stable above its limit");
        let info = rule::rules::<pcalm::backend::Cpu>().into_iter().find(|r| r.facts.name == "pc-nesterov").unwrap();
        let alpha = (info.facts.dual_step)(&RuleSettings { nesterov: beta, ..RuleSettings::default() }, 1.0);
        let bound = pcalm::error::StabilityBound::new(limit, h, 1.0, alpha);
        assert!((bound.value - pcalm::error::StabilityBound::LIMIT).abs() < 1e-12, "β = {beta}: {}", bound.value);
    }
}

#[test]
fn the_tuned_momentum_shrinks_the_slowest_mode_as_the_theory_says() {
    // Two modes of condition κ: at η = 1/λ_max the slow one has |θ|² = β(1 − 1/κ) = (1 − 1/√κ)².
    let kappa: f64 = 400.0;
    let beta = nesterov_momentum(kappa);
    let radius = (beta * (1.0 - 1.0 / kappa)).sqrt();
    assert!((radius - (1.0 - 1.0 / kappa.sqrt())).abs() < 1e-15);
    // A hidden unit whose curvature 1 + v² is κ times smaller than 1/η.
    let v = 1.0;
    let (network, data) = scalar(v);
    let eta = 1.0 / (kappa * (1.0 + v * v));
    let goal = (data.x[0] + v * data.y[0]) / (1.0 + v * v);
    let distance = |steps: usize| {
        let run = run("pc-nesterov", &network, &data, Loss::SquaredError, &accelerated(steps, eta, beta));
        (run.z(0)[0] - goal).abs()
    };
    // A double root: t radiusᵗ, so the measured rate from 200 to 400 steps is off by less than ln 2/200.
    let rate = (distance(400) / distance(200)).ln() / 200.0;
    assert!((rate - radius.ln()).abs() < 2.0f64.ln() / 200.0 + 1e-9, "{rate} and {}", radius.ln());
}

#[test]
fn a_momentum_outside_its_range_is_refused() {
    for beta in [-0.1, 1.0, f64::NAN] {
        let refused = rule::build::<pcalm::backend::Cpu>("pc-nesterov", &accelerated(3, 0.1, beta));
        assert!(matches!(refused, Err(Error::Setting { name: "nesterov", .. })), "{beta}");
    }
}
