//! Equilibria of linear networks against a dense solution, assembled here sample by sample:
//! (CᵀΠC + S) z = right-hand side ([FRM] thm 3.4, docs/maths.md §7), and F* = ½ rᵀ R⁻¹ r.

mod common;

use common::{Data, Run, distance, minibatch, network, operators, run, settings, weighted};
use nalgebra::{DMatrix, DVector};
use pcalm::{
    activation::Activation,
    infer::Stop,
    loss::Loss,
    network::{Network, Placement},
    parametrization::{Architecture, PARAMETRIZATIONS},
    rule::RuleSettings,
    theory::curvature,
};

const SAMPLES: usize = 3;

/// The equilibrium activities of all hidden layers, one sample.
fn solve(v: &[DMatrix<f64>], rho: &[f64], x: &DVector<f64>, y: &DVector<f64>) -> DVector<f64> {
    let hidden = v.len() - 1;
    let starts: Vec<usize> = v.iter().scan(0, |at, v| Some(std::mem::replace(at, *at + v.nrows()))).collect();
    let total = starts[hidden];
    let mut c = DMatrix::<f64>::identity(total, total);
    let mut b = DVector::<f64>::zeros(total);
    let mut weights = DVector::<f64>::zeros(total);
    for l in 0..hidden {
        weights.rows_mut(starts[l], v[l].nrows()).fill(rho[l]);
        if l > 0 {
            c.view_mut((starts[l], starts[l - 1]), v[l].shape()).copy_from(&-&v[l]);
        }
    }
    b.rows_mut(0, v[0].nrows()).copy_from(&-(&v[0] * x));
    let weighted = DMatrix::from_diagonal(&weights) * &c;
    let mut hessian = c.transpose() * &weighted;
    let mut right = -(weighted.transpose() * b);
    let (top, readout) = (starts[hidden - 1], &v[hidden]);
    let mut block = hessian.view_mut((top, top), (readout.ncols(), readout.ncols()));
    block += readout.transpose() * readout;
    let mut part = right.rows_mut(top, readout.ncols());
    part += readout.transpose() * y;
    hessian.cholesky().expect("the Hessian is positive definite").solve(&right)
}

/// F* = ½ rᵀ R⁻¹ r, with R = I + Σ_l (V_L … V_{l+1}) (V_L … V_{l+1})ᵀ/ρ_l.
fn energy(v: &[DMatrix<f64>], rho: &[f64], x: &DVector<f64>, y: &DVector<f64>) -> f64 {
    let mut tail = DMatrix::<f64>::identity(y.len(), y.len());
    let mut r = tail.clone();
    for l in (1..v.len()).rev() {
        tail *= &v[l];
        r += &tail * tail.transpose() / rho[l - 1];
    }
    let error = y - tail * &v[0] * x;
    0.5 * error.dot(&r.cholesky().expect("R is positive definite").solve(&error))
}

/// PC to tolerance, at a step inside the stability bound for these penalties.
fn equilibrate(network: &Network<f64>, data: &Data, rho: &[f64], what: &str) -> Run<f64> {
    let mut batch = minibatch(network, data, weighted(Loss::SquaredError, rho));
    let lambda_max = curvature(&mut batch, network, 1e-6, 10_000).unwrap().lambda_max;
    let settings = RuleSettings { tolerance: Some(1e-13), ..settings(1_000_000, 1.8 / lambda_max) };
    let done = run("pc", network, data, weighted(Loss::SquaredError, rho), &settings);
    assert_eq!(done.report.stop, Stop::Converged, "{what}");
    done
}

fn check(network: &Network<f64>, rho: &[f64], what: &str) {
    let data = Data::new(network, SAMPLES, Loss::SquaredError, 4);
    let mut done = equilibrate(network, &data, rho, what);
    let v = operators(network);
    let mut total = 0.0;
    for s in 0..SAMPLES {
        let row = |values: &[f64]| {
            let n = values.len() / SAMPLES;
            values[s * n..][..n].to_vec()
        };
        let (x, y) = (DVector::from_vec(row(&data.x)), DVector::from_vec(row(&data.y)));
        let found: Vec<f64> = (0..done.hidden).flat_map(|l| row(&done.z(l))).collect();
        let error = distance(&found, solve(&v, rho, &x, &y).as_slice());
        assert!(error < 1e-10, "{what}, sample {s}: {error:e} from the dense solution");
        total += energy(&v, rho, &x, &y);
    }
    let found = done.minibatch.energies(network).unwrap().energy();
    assert!((found - total).abs() < 1e-12 * total.max(1.0), "{what}: energy {found}, wanted {total}");
}

#[test]
fn predictive_coding_ends_at_the_dense_solution_of_a_linear_network() {
    let shapes: [(&[usize], bool); 5] = [
        (&[3, 4, 2], false),
        (&[3, 4, 2, 5, 3], false),
        (&[4, 3, 3, 3, 3, 2], false),
        (&[4, 3, 3, 3, 3, 2], true),
        (&[3, 4, 4, 2, 2, 1], true),
    ];
    for (widths, residual) in shapes {
        for &placement in Placement::ALL {
            let network = network(widths, residual, Activation::Identity, placement, 9);
            let layered: Vec<f64> = (0..network.hidden()).map(|l| 0.4 + 0.5 * l as f64).collect();
            let falling: Vec<f64> = layered.iter().rev().copied().collect();
            for rho in [vec![1.0; network.hidden()], vec![0.3; network.hidden()], layered, falling] {
                check(&network, &rho, &format!("{widths:?} residual {residual} {} ρ {rho:?}", placement.name()));
            }
        }
    }
}

#[test]
fn predictive_coding_ends_at_the_dense_solution_in_every_parametrization() {
    for residual in [false, true] {
        let architecture = Architecture {
            widths: vec![5, 6, 6, 6, 3],
            residual,
            activation: Activation::Identity,
            placement: Placement::Pre,
            bias: false,
        };
        for info in PARAMETRIZATIONS {
            for (gamma0, rho) in [(1.0, [1.0; 3]), (0.5, [2.0, 0.5, 1.5])] {
                let network = architecture.draw((info.at)(0.4), gamma0, 12).unwrap();
                check(&network, &rho, &format!("{} residual {residual} γ0 {gamma0}", info.name));
            }
        }
    }
}
