//! The cross-entropy ℓ = −Σ y log softmax(f) with targets that sum to anything: credit and curvature are
//! the derivatives of the loss that is reported.

#![cfg(feature = "theory")]

mod common;

use common::{Data, bits, default_step, derivative, network, numbers, relative, run, settings, softmax, weighted};
use nalgebra::{DMatrix, DVector};
use pcalm::{
    activation::Activation,
    infer::Stop,
    lagrangian::DualStep,
    loss::Loss,
    network::{Network, Placement},
    real::Real,
    rule::RuleSettings,
    stack::Matrix,
    theory::Linearisation,
};

const LOSS: Loss = Loss::CrossEntropy;
const OUTPUTS: usize = 4;
const SAMPLES: usize = 3;

/// What the targets of the three samples sum to.
const SUMS: [f64; SAMPLES] = [0.0, 0.3, 2.5];

/// Row-major targets with these sums; those that sum to 0 are not all 0.
fn targets(outputs: usize, seed: u64) -> Vec<f64> {
    let mut y = numbers(SAMPLES * outputs, seed);
    for (row, wanted) in y.chunks_mut(outputs).zip(SUMS) {
        let excess = (row.iter().sum::<f64>() - wanted) / outputs as f64;
        row.iter_mut().for_each(|y| *y -= excess);
    }
    y
}

fn data(network: &Network<f64>, seed: u64) -> Data {
    Data { y: targets(network.outputs(), seed), ..Data::new(network, SAMPLES, LOSS, seed) }
}

fn matrix<R: Real>(values: &[R], rows: usize) -> Matrix<R> {
    let mut m = Matrix::zeros(rows, values.len() / rows);
    m.load(values);
    m
}

fn rows<R: Real>(m: &Matrix<R>, samples: usize) -> Vec<R> {
    let mut values = Vec::new();
    m.unload(samples, &mut values);
    values
}

fn credit<R: Real>(output: &[R], target: &[R], outputs: usize) -> Vec<R> {
    let samples = output.len() / outputs;
    let (output, target) = (matrix(output, outputs), matrix(target, outputs));
    let mut credit = Matrix::zeros(outputs, samples);
    LOSS.output_credit(&output, &target, samples, &mut credit);
    rows(&credit, samples)
}

/// `values` with `change` added to entry `at`.
fn moved(values: &[f64], at: usize, change: f64) -> Vec<f64> {
    let mut values = values.to_vec();
    values[at] += change;
    values
}

#[test]
fn the_output_credit_is_minus_the_derivative_of_the_loss() {
    let (f, y) = (numbers(SAMPLES * OUTPUTS, 3), targets(OUTPUTS, 4));
    let found = credit(&f, &y, OUTPUTS);
    let target = matrix(&y, OUTPUTS);
    for (at, found) in found.iter().enumerate() {
        let wanted = derivative(1e-3, |h| LOSS.total(&matrix(&moved(&f, at, h), OUTPUTS), &target, SAMPLES));
        assert!((found + wanted).abs() < 1e-11, "{at}: {found} {wanted}");
    }
}

#[test]
fn the_curvature_is_minus_the_derivative_of_the_output_credit() {
    let (f, y) = (numbers(SAMPLES * OUTPUTS, 5), targets(OUTPUTS, 6));
    let v = numbers(SAMPLES * OUTPUTS, 7);
    let mut product = matrix(&v, OUTPUTS);
    LOSS.curvature_product(&matrix(&f, OUTPUTS), &matrix(&y, OUTPUTS), &mut product, SAMPLES);
    let along = |h: f64| f.iter().zip(&v).map(|(f, v)| f + h * v).collect::<Vec<_>>();
    for (at, found) in rows(&product, SAMPLES).into_iter().enumerate() {
        let wanted = derivative(1e-3, |h| credit(&along(h), &y, OUTPUTS)[at]);
        assert!((found + wanted).abs() < 1e-11, "{at}: {found} {wanted}");
    }
}

fn check_one_hot<R: Real>() {
    let f: Vec<R> = numbers(SAMPLES * OUTPUTS, 8).into_iter().map(|f| R::of(3.0 * f)).collect();
    let hot = |k: usize| if k % OUTPUTS == k / OUTPUTS { R::one() } else { R::zero() };
    let y: Vec<R> = (0..SAMPLES * OUTPUTS).map(hot).collect();
    let wanted = f.chunks(OUTPUTS).zip(y.chunks(OUTPUTS)).flat_map(|(f, y)| {
        let top = f.iter().fold(R::neg_infinity(), |t, &f| t.max(f));
        let powers: Vec<R> = f.iter().map(|&f| (f - top).exp()).collect();
        let sum: R = powers.iter().copied().sum();
        powers.into_iter().zip(y).map(|(p, &y)| y - p / sum).collect::<Vec<_>>()
    });
    assert_eq!(bits(&credit(&f, &y, OUTPUTS)), bits(&wanted.collect::<Vec<_>>()));
}

#[test]
fn one_hot_targets_have_the_bits_of_target_minus_softmax() {
    check_one_hot::<f32>();
    check_one_hot::<f64>();
}

#[test]
fn backpropagation_is_the_derivative_of_the_loss_in_the_weights() {
    for &placement in Placement::ALL {
        let network = network(&[3, 4, 4, 3], true, Activation::Tanh, placement, 1);
        let data = data(&network, 1);
        let done = run("bp", &network, &data, LOSS, &settings(1, 1.0));
        for (l, gradient) in done.gradient.edges.iter().enumerate() {
            for (at, found) in gradient.iter().enumerate() {
                let wanted = derivative(1e-3, |h| {
                    let mut moved = network.clone();
                    moved.weights_mut()[l][at] += h;
                    let score = run("bp", &moved, &data, LOSS, &settings(1, 1.0)).report.score;
                    score.mean_loss()
                });
                assert!((found - wanted).abs() < 1e-10, "{placement:?} {l} {at}: {found} {wanted}");
            }
        }
    }
}

#[test]
fn the_activity_gradient_is_the_derivative_of_the_energy() {
    let network = network(&[3, 4, 4, 3], true, Activation::Tanh, Placement::Pre, 2);
    let data = data(&network, 2);
    let mut done = run("pc", &network, &data, LOSS, &settings(5, 0.2));
    let checks = done.minibatch.map(&network, |lagrangian, state| {
        let mut gradient = state.activities().clone();
        lagrangian.credit(state, DualStep::Still);
        lagrangian.activity_gradient(state, &mut gradient);
        let mut residuals = gradient.clone();
        for (l, layer) in gradient.layers.iter().enumerate() {
            for i in 0..layer.rows() {
                for s in 0..SAMPLES {
                    let at = i * layer.cols() + s;
                    let z = state.activities().layers[l].data()[at];
                    let wanted = derivative(1e-3, |h| {
                        state.activities_mut().layers[l].data_mut()[at] = z + h;
                        lagrangian.energies(state, &mut residuals).energy()
                    });
                    state.activities_mut().layers[l].data_mut()[at] = z;
                    assert!((layer.data()[at] - wanted).abs() < 1e-10, "{l} {i} {s}");
                }
            }
        }
    });
    checks.unwrap();
}

#[test]
fn pc_alm_converges_to_backpropagation() {
    for &placement in Placement::ALL {
        let network = network(&[3, 4, 4, 3], true, Activation::Identity, placement, 3);
        let data = data(&network, 3);
        let eta = 0.8 * default_step(&network, &data, LOSS);
        let settings = RuleSettings { tolerance: Some(1e-11), ..settings(100_000, eta) };
        let backprop = run("bp", &network, &data, LOSS, &settings);
        let done = run("pc-alm", &network, &data, LOSS, &settings);
        assert_eq!(done.report.stop, Stop::Converged);
        for (found, wanted) in done.gradient.edges.iter().zip(&backprop.gradient.edges) {
            assert!(relative(found, wanted) < 1e-8);
        }
    }
}

#[test]
fn the_linearisation_has_the_curvature_of_the_loss() {
    let network = network(&[3, 4, 4, 3], true, Activation::Identity, Placement::Pre, 4);
    let data = data(&network, 4);
    for (s, sum) in SUMS.into_iter().enumerate() {
        let (x, y) = (&data.x[3 * s..][..3], &data.y[3 * s..][..3]);
        let lin = Linearisation::at_forward_pass(&network, &weighted(LOSS, &[1.0]), x, y).unwrap();
        let operators = common::operators(&network);
        let output = operators.iter().fold(DVector::from_row_slice(x), |z, v| v * z);
        let p = DVector::from_vec(softmax(output.as_slice()));
        let curvature = (DMatrix::from_diagonal(&p) - &p * p.transpose()) * sum;
        let wanted = operators[2].transpose() * curvature * &operators[2];
        let found = lin.dense_loss_curvature();
        for (i, j) in (0..4).flat_map(|i| (0..4).map(move |j| (i, j))) {
            // The root of a curvature that is 0 but for rounding is 1e-8, squared again 1e-16.
            assert!((found[(4 + i, 4 + j)] - wanted[(i, j)]).abs() < 1e-14, "sum {sum}");
        }
    }
    let error = Linearisation::at_forward_pass(&network, &LOSS.into(), &data.x[..3], &[0.5, -1.0, 0.0]).unwrap_err();
    assert!(error.to_string().contains("sum to -0.5"), "{error}");
}
