//! The inverse of a nonlinear link with a skip: z of z + V φ(z) + b = t in `pre` placement, z + φ(V z + b) = t in `post`.
//!
//! Newton's method from the forward pass, each step halved until the residual falls. There is just one solution where
//! σ_max(V) max φ' < 1; elsewhere there may be none, or several, of which this finds one or fails.

use super::{dense, jacobian::Jacobian};
use crate::{
    backend::{self, Reference, host::Slopes},
    network::Dense,
    stack::Matrix,
};
use faer::Mat;

/// What was found.
pub(super) struct Solution {
    /// z of every sample, solved or not.
    pub found: Matrix<f64>,
    /// Samples whose residual is above [`ACCEPTED`].
    pub unsolved: usize,
    /// The largest residual, of the larger of 1 and the target.
    pub worst: f64,
    /// Predictions made, over all samples.
    pub products: usize,
}

/// A residual, relative to the larger of 1 and the target, with which a sample counts as solved.
const ACCEPTED: f64 = 1e-10;
/// And one with which nothing is left to gain.
const EXACT: f64 = 1e-15;
/// Steps and halvings of one of them, after which a sample is given up.
const STEPS: usize = 100;
const HALVINGS: usize = 30;
/// Of the decrease that a step promises, as much has to come.
const ENOUGH: f64 = 1e-4;

/// For the first `samples` columns of `target`, each by itself, from `start`.
pub(super) fn solve(dense: &Dense<f64>, target: &Matrix<f64>, start: &Matrix<f64>, samples: usize) -> Solution {
    let mut slopes = Slopes::of(dense, samples);
    let mut residual = |z: &Matrix<f64>, out: &mut Matrix<f64>| {
        // The skip is the base that the prediction is added to.
        backend::predict(&Reference::<f64>::new().kernel, dense, z, Some(z), &mut slopes, out);
        super::inverse::subtract(out, target);
        slopes.slopes.clone()
    };
    let scales: Vec<f64> = (0..samples).map(|s| norm(target, s).max(1.0)).collect();
    let mut z = start.clone();
    let mut left = z.clone();
    let mut sizes = vec![f64::INFINITY; samples];
    let (mut open, mut products): (Vec<usize>, _) = ((0..samples).collect(), 0);
    for _ in 0..STEPS {
        let slopes = residual(&z, &mut left);
        products += open.len();
        open.iter().for_each(|&s| sizes[s] = norm(&left, s) / scales[s]);
        open.retain(|&s| sizes[s] > EXACT);
        let step = |s: usize| Some((s, direction(dense, &slopes, &left, s)?));
        let mut waiting: Vec<(usize, Mat<f64>)> = open.iter().filter_map(|&s| step(s)).collect();
        open.clear();
        let mut share = 1.0;
        for _ in 0..HALVINGS {
            let mut trial = z.clone();
            waiting.iter().for_each(|(s, step)| shift(&mut trial, *s, share, step));
            residual(&trial, &mut left);
            products += waiting.len();
            let (better, rest): (Vec<_>, Vec<_>) = waiting
                .into_iter()
                .partition(|(s, _)| norm(&left, *s) / scales[*s] < (1.0 - ENOUGH * share) * sizes[*s]);
            for (s, step) in &better {
                shift(&mut z, *s, share, step);
                open.push(*s);
            }
            waiting = rest;
            share *= 0.5;
            if waiting.is_empty() {
                break;
            }
        }
        if open.is_empty() {
            break;
        }
        open.sort_unstable();
    }
    residual(&z, &mut left);
    let sizes = (0..samples).map(|s| norm(&left, s) / scales[s]);
    let unsolved = sizes.clone().filter(|size| size.is_nan() || *size > ACCEPTED).count();
    let worst = sizes.fold(0.0, crate::stack::nan_max);
    Solution { found: z, unsolved, worst, products: products + samples }
}

/// −J⁻¹ r of sample `s`; `None` if J is singular.
fn direction(dense: &Dense<f64>, slopes: &Matrix<f64>, residual: &Matrix<f64>, s: usize) -> Option<Mat<f64>> {
    // Which nodes the link joins does not matter to its matrix.
    let jacobian = Jacobian::of_link(dense, 1, slopes.column(s).collect());
    dense::solve(jacobian.dense(), Mat::from_fn(dense.rows(), 1, |i, _| -residual.at(i, s)))
}

/// z ← z + share · step, of sample `s`.
fn shift(z: &mut Matrix<f64>, s: usize, share: f64, step: &Mat<f64>) {
    let cols = z.cols();
    for i in 0..z.rows() {
        z.data_mut()[i * cols + s] += share * step[(i, 0)];
    }
}

fn norm(m: &Matrix<f64>, s: usize) -> f64 {
    m.column(s).map(|v| v * v).sum::<f64>().sqrt()
}
