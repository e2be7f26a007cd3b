//! The exact equilibrium of PC in linear networks: closed forms, dense solves with any precision, and
//! the energy as ½ rᵀR⁻¹r.

#![cfg(feature = "theory")]

mod common;

use common::{Data, network, numbers, operators};
use faer::Mat;
use nalgebra::{DMatrix, DVector};
use pcalm::{
    EnergyShape, Error, Objective, Precision,
    activation::Activation,
    backend::{Backend, Reference},
    lagrangian::{DualStep, Lagrangian},
    loss::Loss,
    minibatch::Batch,
    network::{Link, Network, Placement},
    parametrization::{Architecture, PARAMETRIZATIONS},
    theory::LinearEquilibrium,
};

fn with(precisions: &[Precision]) -> Result<Objective<f64>, Error> {
    Objective::weighted(Loss::SquaredError, &[1.0], precisions, EnergyShape::HalfSquare)
}

#[test]
fn a_network_of_three_scalars_has_the_closed_form() {
    for (w1, w2, x, y) in [(0.7, 1.3, 0.9, -0.4), (-1.1, 0.2, 2.0, 1.0), (0.5, -3.0, -1.0, 0.3)] {
        let edges = [w1, w2].map(|w| Link::new(vec![w], 1, 1, 1.0, false).unwrap());
        let network = Network::chain(edges.to_vec(), Activation::Identity, Placement::Pre).unwrap();
        let solved = LinearEquilibrium::new(&network, &with(&[]).unwrap()).unwrap();
        let (at, to) = (Mat::from_fn(1, 1, |_, _| x), Mat::from_fn(1, 1, |_, _| y));
        let z = solved.activities(at.as_ref(), to.as_ref())[0][(0, 0)];
        let wanted: f64 = (w1 * x + w2 * y) / (1.0 + w2 * w2);
        assert!((z - wanted).abs() < 1e-14, "z* = {z}, wanted {wanted}");
        let loss: f64 = 0.5 * (w2 * w1 * x - y).powi(2);
        let energy = solved.energies(at.as_ref(), to.as_ref()).unwrap()[0];
        assert!((energy - loss / (1.0 + w2 * w2)).abs() < 1e-14 * loss.max(1.0), "F* = {energy}");
        assert!((solved.rescaling()[(0, 0)] - (1.0 + w2 * w2)).abs() < 1e-14);
    }
}

/// A random symmetric positive definite matrix.
fn spd(n: usize, seed: u64) -> DMatrix<f64> {
    let a = DMatrix::from_vec(n, n, numbers(n * n, seed));
    &a * a.transpose() + DMatrix::identity(n, n) * 0.5
}

/// argmin over all z of Σ ½ c_lᵀΠ_l c_l with c_L = z_L − f_L, z_L = y: the normal equations of the stacked
/// residuals c = A z + b, with no blocks.
fn dense(v: &[DMatrix<f64>], precisions: &[DMatrix<f64>], x: &DVector<f64>, y: &DVector<f64>) -> DVector<f64> {
    let sizes: Vec<usize> = v.iter().map(|v| v.nrows()).collect();
    let starts: Vec<usize> = sizes.iter().scan(0, |at, n| Some(std::mem::replace(at, *at + n))).collect();
    let (rows, columns) = (starts[v.len() - 1] + sizes[v.len() - 1], starts[v.len() - 1]);
    let (mut a, mut b) = (DMatrix::zeros(rows, columns), DVector::zeros(rows));
    let mut weight = DMatrix::zeros(rows, rows);
    for l in 0..v.len() {
        weight.view_mut((starts[l], starts[l]), (sizes[l], sizes[l])).copy_from(&precisions[l]);
        if l + 1 < v.len() {
            a.view_mut((starts[l], starts[l]), (sizes[l], sizes[l])).fill_with_identity();
        } else {
            b.rows_mut(starts[l], sizes[l]).copy_from(y);
        }
        if l > 0 {
            a.view_mut((starts[l], starts[l - 1]), v[l].shape()).copy_from(&-&v[l]);
        }
    }
    let mut first = b.rows_mut(0, sizes[0]);
    first -= &v[0] * x;
    (a.transpose() * &weight * &a).cholesky().unwrap().solve(&-(a.transpose() * weight * b))
}

#[test]
fn equilibria_with_scalar_diagonal_and_full_precisions_equal_a_dense_solution() {
    for (widths, residual) in [(vec![3, 4, 2], false), (vec![3, 4, 2, 5, 3], false), (vec![4, 3, 3, 3, 3, 2], true)] {
        for &placement in Placement::ALL {
            let network = network(&widths, residual, Activation::Identity, placement, 3);
            let sizes = network.widths();
            for kind in ["scalar", "diagonal", "full"] {
                let precisions: Vec<(Precision, DMatrix<f64>)> = sizes
                    .iter()
                    .enumerate()
                    .map(|(l, &n)| match kind {
                        "scalar" => {
                            let p = 0.4 + 0.5 * l as f64;
                            (Precision::Scalar(p), DMatrix::identity(n, n) * p)
                        }
                        "diagonal" => {
                            let p: Vec<f64> = numbers(n, 40 + l as u64).iter().map(|v| 1.1 + v).collect();
                            (Precision::Diagonal(p.clone()), DMatrix::from_diagonal(&DVector::from_vec(p)))
                        }
                        _ => {
                            let p = spd(n, 60 + l as u64);
                            (Precision::Full(p.as_slice().to_vec()), p)
                        }
                    })
                    .collect();
                let what = format!("{widths:?} residual {residual} {} {kind}", placement.name());
                let given: Vec<Precision> = precisions.iter().map(|p| p.0.clone()).collect();
                let solved = LinearEquilibrium::new(&network, &with(&given).unwrap()).unwrap();
                let (x, y) = (numbers(widths[0], 7), numbers(widths[widths.len() - 1], 8));
                let column = |v: &[f64]| Mat::from_fn(v.len(), 1, |i, _| v[i]);
                let found = solved.activities(column(&x).as_ref(), column(&y).as_ref());
                let found: Vec<f64> = found.iter().flat_map(|z| (0..z.nrows()).map(|i| z[(i, 0)])).collect();
                let all: Vec<DMatrix<f64>> = precisions.iter().map(|p| p.1.clone()).collect();
                let v = operators(&network);
                let (x, y) = (DVector::from_vec(x), DVector::from_vec(y));
                let wanted = dense(&v, &all, &x, &y);
                let error = common::relative(&found, wanted.as_slice());
                assert!(error < 1e-12, "{what}: {error:e} from the dense solution");

                // F at that point, from its definition.
                let mut below = x.clone();
                let mut energy = 0.0;
                let mut at = 0;
                for (l, v) in v.iter().enumerate() {
                    let n = v.nrows();
                    let here = if l < network.hidden() { wanted.rows(at, n).into_owned() } else { y.clone() };
                    let c = &here - v * &below;
                    energy += 0.5 * (c.transpose() * &all[l] * &c)[0];
                    (below, at) = (here, at + n);
                }
                let found = solved.energies(column(x.as_slice()).as_ref(), column(y.as_slice()).as_ref()).unwrap()[0];
                assert!((found / energy - 1.0).abs() < 1e-12, "{what}: F* {found}, wanted {energy}");
            }
        }
    }
}

#[test]
fn the_rescaled_energy_is_the_energy_at_the_equilibrium_in_every_parametrization() {
    for residual in [false, true] {
        let widths = vec![5, 6, 6, 6, 6, 3];
        let architecture =
            Architecture { widths, residual, activation: Activation::Identity, placement: Placement::Pre, bias: false };
        for info in PARAMETRIZATIONS {
            let network = architecture.draw::<f64>((info.at)(0.4), 0.7, 12).unwrap();
            let solved = LinearEquilibrium::new(&network, &with(&[]).unwrap()).unwrap();
            let data = Data::new(&network, 3, Loss::SquaredError, 5);
            let backend = Reference::<f64>::new();
            let (block, mut state) = data.batch().block(&backend, &network).unwrap();
            let objective = Loss::SquaredError.into();
            let lagrangian = Lagrangian::new(&backend, &network, &block, &objective).unwrap();
            solved.place(&lagrangian, &mut state);
            let mut buffer = state.activities().clone();
            let energy = lagrangian.energies(&mut state, &mut buffer).energy();
            let rescaled: f64 = solved.energies_of(&block).unwrap().iter().sum();
            assert!((rescaled / energy - 1.0).abs() < 1e-10, "{} residual {residual}", info.name);
            // Nothing moves there.
            lagrangian.credit(&mut state, DualStep::Still);
            lagrangian.activity_gradient(&mut state, &mut buffer);
            assert!(buffer.max_abs() < 1e-12, "{}: gradient {:e}", info.name, buffer.max_abs());
        }
    }
}

#[test]
fn what_has_no_closed_form_or_does_not_fit_is_refused() {
    let linear = network(&[3, 4, 2], false, Activation::Identity, Placement::Pre, 1);
    let refused = |network: &Network<f64>, layers: &[Precision], word: &str| {
        let error =
            with(layers).and_then(|objective| LinearEquilibrium::new(network, &objective)).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    };
    let one = Precision::default();
    refused(&network(&[3, 4, 2], false, Activation::Relu, Placement::Pre, 1), &[], "relu");
    refused(&linear, &[one.clone(), one.clone(), one.clone()], "3 values for 2 edges");
    refused(&linear, &[Precision::Diagonal(vec![1.0; 3]), one.clone()], "layer 1");
    refused(&linear, &[Precision::Scalar(-1.0)], "not a positive number");
    refused(&linear, &[one.clone(), Precision::Scalar(f64::NAN)], "of the output has NaN");
}

#[test]
fn a_batch_that_does_not_fit_gets_no_block() {
    let linear = network(&[3, 4, 2], false, Activation::Identity, Placement::Pre, 1);
    let (x, y) = (numbers(8, 1), numbers(4, 2));
    let batch = Batch::new(&x, &y, 2).unwrap();
    assert!(batch.block(&Reference::<f64>::new(), &linear).is_err());
    assert!(Reference::<f64>::new().block_samples() > 0);
}
