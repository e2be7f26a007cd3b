//! Losses and energies against their definitions, written out here.

mod common;

use common::{Data, for_each_kind, network, product, run, settings, softmax, weighted};
use pcalm::{
    activation::Activation,
    loss::Loss,
    network::{Link, Network, Placement},
};

const SAMPLES: usize = 5;

#[test]
fn the_augmented_lagrangian_equals_its_completed_square() {
    // [ALM] eq. 9: ℓ + ½ Σ ρ ‖c + λ/ρ‖² − ½ Σ ‖λ‖²/ρ, with c from z and f by plain loops.
    for_each_kind(|activation, placement, loss, what| {
        let network = network(&[3, 4, 4, 3, 2], true, activation, placement, 2);
        let data = Data::new(&network, SAMPLES, loss, 2);
        let rho = [0.7, 1.0, 1.6];
        let mut done = run("pc-alm", &network, &data, weighted(loss, &rho), &settings(6, 0.2));
        let energies = done.minibatch.energies(&network).unwrap();
        let phi = |v: &[f64]| v.iter().map(|&v| activation.value(v)).collect::<Vec<_>>();
        let (mut residual, mut square) = (0.0, 0.0);
        for (l, (edge, skip)) in common::links(&network).into_iter().enumerate().take(network.hidden()) {
            let (z, lambda) = (done.z(l), done.lambda(l));
            let below = if l == 0 { data.x.clone() } else { done.z(l - 1) };
            for s in 0..SAMPLES {
                let input = &below[s * edge.cols()..][..edge.cols()];
                let prediction = match placement {
                    Placement::Pre if l == 0 => product(edge, input),
                    Placement::Pre => product(edge, &phi(input)),
                    Placement::Post => phi(&product(edge, input)),
                };
                for i in 0..edge.rows() {
                    let at = s * edge.rows() + i;
                    let c = z[at] - prediction[i] - if skip { input[i] } else { 0.0 };
                    residual += 0.5 * rho[l] * c * c;
                    square += 0.5 * rho[l] * (c + lambda[at] / rho[l]).powi(2) - 0.5 * lambda[at].powi(2) / rho[l];
                }
            }
        }
        let close = |found: f64, wanted: f64| (found - wanted).abs() < 1e-13 * (1.0 + wanted.abs());
        assert!(close(energies.residual, residual), "{what}: {} {residual}", energies.residual);
        assert!(close(energies.lagrangian(), energies.loss + square), "{what}: {}", energies.lagrangian());
        assert!(close(energies.energy(), energies.loss + residual), "{what}: {}", energies.energy());
        assert!(energies.dual != 0.0, "{what}: the duals add nothing");
    });
}

#[test]
fn losses_and_output_credit_are_those_of_the_definitions() {
    for &loss in Loss::ALL {
        let network = network(&[3, 4, 3], false, Activation::Tanh, Placement::Post, 3);
        let data = Data::new(&network, SAMPLES, loss, 3);
        let done = run("bp", &network, &data, loss, &settings(1, 1.0));
        let (output, credit) = (done.minibatch.output(), done.credit(1));
        let mut total = 0.0;
        for ((f, y), q) in output.chunks(3).zip(data.y.chunks(3)).zip(credit.chunks(3)) {
            let p = if loss == Loss::CrossEntropy { softmax(f) } else { f.to_vec() };
            for i in 0..3 {
                total += match loss {
                    Loss::SquaredError => 0.5 * (f[i] - y[i]).powi(2),
                    _ => -y[i] * p[i].ln(),
                };
                assert!((q[i] - (y[i] - p[i])).abs() < 1e-15, "{}: q_L = −e", loss.name());
            }
        }
        assert!((done.report.score.loss - total).abs() < 1e-14, "{}", loss.name());
        assert!((done.report.score.mean_loss() - total / SAMPLES as f64).abs() < 1e-14);
    }
}

#[test]
fn the_cross_entropy_of_far_outputs_does_not_overflow() {
    let edge = |w: [f32; 4]| Link::new(w.to_vec(), 2, 2, 1.0, false).unwrap();
    let edges = vec![edge([1.0, 0.0, 0.0, 1.0]), edge([1.0, 0.0, 0.0, 1.0])];
    let network = Network::chain(edges, Activation::Identity, Placement::Pre).unwrap();
    for (x, loss) in [([1e4, 0.0], 0.0), ([0.0, 1e4], 1e4), ([1e4, 1e4], 2f64.ln()), ([-1e4, -1e4], 2f64.ln())] {
        let data = Data { x: x.to_vec(), y: vec![1.0, 0.0], samples: 1 };
        let done = run("bp", &network, &data, Loss::CrossEntropy, &settings(1, 1.0));
        assert!((done.report.score.loss - loss).abs() < 1e-12, "{x:?}: {}", done.report.score.loss);
        assert!(done.gradient.edges.concat().iter().all(|g| g.is_finite()), "{x:?}");
    }
}

#[test]
fn accuracy_counts_the_samples_whose_largest_output_is_the_targets() {
    let identity = || Link::new(vec![1.0, 0.0, 0.0, 1.0], 2, 2, 1.0, false).unwrap();
    let network = Network::chain(vec![identity(), identity()], Activation::Identity, Placement::Pre).unwrap();
    let data = Data { x: vec![2.0, 1.0, 1.0, 2.0, -1.0, -2.0, 0.0, 3.0], y: [1.0, 0.0].repeat(4), samples: 4 };
    let score = run("bp", &network, &data, Loss::SquaredError, &settings(1, 1.0)).report.score;
    assert_eq!((score.correct, score.samples, score.accuracy()), (2, 4, 0.5));
}
