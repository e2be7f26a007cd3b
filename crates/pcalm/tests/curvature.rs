//! Power iteration against dense eigenvalues, the matrices taken by differences of sweeps.

mod common;

use common::{Data, away_from_kinks, for_each_kind, minibatch, network, numbers, weighted};
use nalgebra::DMatrix;
use pcalm::{
    activation::Activation,
    backend::Reference,
    lagrangian::{DualStep, Lagrangian},
    loss::Loss,
    network::{Link, Network, Placement},
    stack::Stack,
    state::State,
    theory::{Accuracy, Operator, curvature, largest_eigenvalue},
};

const SAMPLES: usize = 3;
const STEP: f64 = 2e-3;
const MARGIN: f64 = 10.0 * STEP;

/// Positions in the stack of all hidden activities of sample `s`: layer and index in its data.
fn coordinates(stack: &Stack<f64>, s: usize) -> Vec<(usize, usize)> {
    let layers = stack.layers.iter().enumerate();
    layers.flat_map(|(l, layer)| (0..layer.rows()).map(move |i| (l, i * layer.cols() + s))).collect()
}

/// The derivative of `vector` in sample `s`'s activities at the forward pass, by extrapolated
/// central differences, one column per activity.
fn jacobian(
    lagrangian: &Lagrangian<Reference<f64>>,
    state: &mut State<Reference<f64>>,
    s: usize,
    vector: impl Fn(&Lagrangian<Reference<f64>>, &mut State<Reference<f64>>, &mut Stack<f64>),
) -> DMatrix<f64> {
    lagrangian.forward(state);
    let at = coordinates(state.activities(), s);
    let mut buffer = state.activities().clone();
    let mut matrix = DMatrix::zeros(at.len(), at.len());
    for (column, &(l, i)) in at.iter().enumerate() {
        let z = state.activities().layers[l].data()[i];
        // The weights of (4 D(h/2) − D(h))/3 with D the central difference.
        for (offset, weight) in [(1.0, -1.0), (-1.0, 1.0), (0.5, 8.0), (-0.5, -8.0)] {
            state.activities_mut().layers[l].data_mut()[i] = z + offset * STEP;
            vector(lagrangian, state, &mut buffer);
            for (row, &(l, i)) in at.iter().enumerate() {
                matrix[(row, column)] += weight * buffer.layers[l].data()[i] / (6.0 * STEP);
            }
        }
        state.activities_mut().layers[l].data_mut()[i] = z;
    }
    matrix
}

/// The dense λ_max and σ_max², the largest over the samples.
fn dense(network: &Network<f64>, data: &Data, loss: Loss, rho: &[f64]) -> (f64, f64) {
    let mut minibatch = minibatch(network, data, weighted(loss, rho));
    let largest = minibatch.map(network, |lagrangian, state| {
        let eigenvalues = (0..SAMPLES).map(|s| {
            let hessian = jacobian(lagrangian, state, s, |lagrangian, state, out| {
                lagrangian.credit(state, DualStep::Still);
                lagrangian.activity_gradient(state, out);
            });
            let asymmetry = (&hessian - hessian.transpose()).amax();
            assert!(asymmetry < 1e-9, "the Hessian is asymmetric by {asymmetry:e}");
            let c = jacobian(lagrangian, state, s, |lagrangian, state, out| lagrangian.residuals(state, out));
            let top = |m: DMatrix<f64>| m.symmetric_eigenvalues().max();
            (top(hessian), top(c.transpose() * c))
        });
        eigenvalues.fold((0.0, 0.0), |a: (f64, f64), b| (a.0.max(b.0), a.1.max(b.1)))
    });
    largest.unwrap()[0]
}

fn check(network: &Network<f64>, data: &Data, loss: Loss, rho: &[f64], what: &str) {
    let mut batch = minibatch(network, data, weighted(loss, rho));
    let found = curvature(&mut batch, network, 1e-13, 200_000).unwrap();
    let (lambda_max, sigma_squared) = dense(network, data, loss, rho);
    let close = |found: f64, wanted: f64| (found - wanted).abs() < 1e-6 * wanted;
    assert!(close(found.lambda_max, lambda_max), "{what}: λ_max {} {lambda_max}", found.lambda_max);
    assert!(close(found.sigma_squared, sigma_squared), "{what}: σ_max² {} {sigma_squared}", found.sigma_squared);
}

#[test]
fn power_iteration_finds_the_largest_eigenvalues_of_the_dense_matrices() {
    for (widths, residual) in [(&[3, 4, 2, 3, 3][..], false), (&[3, 4, 4, 4, 2][..], true)] {
        for_each_kind(|activation, placement, loss, what| {
            let (network, data) = away_from_kinks(MARGIN, |seed| {
                let network = network(widths, residual, activation, placement, seed);
                let mut data = Data::new(&network, SAMPLES, loss, seed);
                data.x.iter_mut().for_each(|x| *x *= 3.0);
                (network, data)
            });
            check(&network, &data, loss, &[1.0; 3], what);
            check(&network, &data, loss, &[0.5, 1.0, 2.0], &format!("{what}, ρ by layer"));
        });
    }
}

#[test]
fn the_curvature_of_the_activation_counts_when_the_output_error_is_large() {
    // Far targets make the φ'' term of the last hidden layer dominate.
    for activation in [Activation::Tanh, Activation::Gelu, Activation::Silu, Activation::Sigmoid] {
        let network = network(&[3, 4, 4, 4, 2], true, activation, Placement::Pre, 3);
        let mut data = Data::new(&network, SAMPLES, Loss::SquaredError, 3);
        let (near, _) = dense(&network, &data, Loss::SquaredError, &[1.0; 3]);
        data.y.iter_mut().for_each(|y| *y *= 100.0);
        let (far, _) = dense(&network, &data, Loss::SquaredError, &[1.0; 3]);
        assert!(far > 1.2 * near, "{}: the targets do not matter: {near} {far}", activation.name());
        check(&network, &data, Loss::SquaredError, &[1.0; 3], activation.name());
    }
}

#[test]
fn a_chain_of_orthogonal_products_has_the_closed_form_spectrum() {
    // CᵀC is then similar to the second difference with one free end: σ_max² = 4 cos²(π/(2n+1)).
    let width = 5;
    for hidden in [1, 2, 3, 7, 12] {
        let scale = 0.3;
        let orthogonal = |seed: u64| {
            let q = DMatrix::from_vec(width, width, numbers(width * width, seed)).qr().q();
            Link::new((q / scale).as_slice().to_vec(), width, width, scale, false).unwrap()
        };
        let edges = (0..=hidden as u64).map(orthogonal).collect();
        let network = Network::chain(edges, Activation::Identity, Placement::Pre).unwrap();
        let data = Data::new(&network, SAMPLES, Loss::SquaredError, 1);
        let mut batch = minibatch(&network, &data, Loss::SquaredError);
        let found = curvature(&mut batch, &network, 1e-14, 200_000).unwrap().sigma_squared;
        let wanted = 4.0 * (std::f64::consts::PI / (2 * hidden + 1) as f64).cos().powi(2);
        assert!((found - wanted).abs() < 1e-8, "{hidden} hidden layers: {found} {wanted}");
    }
}

#[test]
fn targets_that_do_not_sum_to_one_weigh_the_curvature_of_the_cross_entropy() {
    let network = network(&[3, 4, 4, 4, 3], true, Activation::Tanh, Placement::Pre, 4);
    for sum in [0.0, 0.3, 2.5, 40.0] {
        let mut data = Data::new(&network, SAMPLES, Loss::CrossEntropy, 4);
        data.y.iter_mut().for_each(|y| *y *= sum);
        check(&network, &data, Loss::CrossEntropy, &[1.0; 3], &format!("sum {sum}"));
    }
}

#[test]
fn either_eigenvalue_alone_has_the_bits_it_has_in_the_pair() {
    for_each_kind(|activation, placement, loss, what| {
        let network = network(&[3, 4, 4, 4, 2], true, activation, placement, 5);
        // Two blocks.
        let data = Data::new(&network, 40, loss, 5);
        for (tolerance, limit) in [(1e-3, 500), (1e-9, 10_000), (1e-9, 3)] {
            let fresh = || minibatch(&network, &data, weighted(loss, &[0.5, 1.0, 2.0]));
            let pair = curvature(&mut fresh(), &network, tolerance, limit).unwrap();
            let alone = |operator| {
                largest_eigenvalue(&mut fresh(), &network, operator, Accuracy { tolerance, limit }).unwrap().to_bits()
            };
            assert_eq!(alone(Operator::ENERGY), pair.lambda_max.to_bits(), "{what}");
            assert_eq!(alone(Operator::CONSTRAINT), pair.sigma_squared.to_bits(), "{what}");
        }
    });
}
