//! A few extreme eigenvalues of a linear map: of a symmetric one by linfa's LOBPCG, of a general one by
//! faer's restarted Arnoldi iteration, or from the dense matrix where it is small.

use super::dense::{self, dot};
use crate::error::Error;
use faer::{
    Col, Mat, MatMut, MatRef, Par, c64,
    dyn_stack::{MemBuffer, MemStack, StackReq},
    matrix_free::{
        LinOp,
        eigen::{PartialEigenParams, partial_eigen, partial_eigen_scratch},
    },
};
use linfa_linalg::{Order, lobpcg::lobpcg};
use ndarray::{Array2, ArrayView2};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
    cell::Cell,
    sync::atomic::{AtomicU64, Ordering},
};

/// Up to this many unknowns the matrix is formed.
const DENSE: usize = 128;
/// Steps of LOBPCG, and restarts of Arnoldi's iteration, before it gives up.
const LIMITS: (usize, usize) = (2000, 100);

/// The largest eigenvalue of a symmetric positive n × n map and its eigenvector; to a residual of
/// `tolerance` times about the size of the map. The error of the eigenvalue is at most that residual, and
/// usually its square over the gap to the next.
pub fn largest(n: usize, tolerance: f64, apply: impl Fn(&[f64], &mut [f64]) + Sync) -> Result<(f64, Vec<f64>), Error> {
    if n <= DENSE {
        let (values, vectors) = dense::symmetric_eigen(&matrix(n, apply)).ok_or_else(not_finite)?;
        return Ok((values[n - 1], (0..n).map(|i| vectors[(i, n - 1)]).collect()));
    }
    let calls = Cell::new(0);
    let by_columns = |v: ArrayView2<f64>| {
        let mut out = Array2::zeros(v.dim());
        let mut image = vec![0.0; n];
        for (from, mut to) in v.columns().into_iter().zip(out.columns_mut()) {
            calls.set(calls.get() + 1);
            apply(&from.to_vec(), &mut image);
            to.iter_mut().zip(&image).for_each(|(to, i)| *to = *i);
        }
        out
    };
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let start = Array2::from_shape_fn((n, 1), |_| rng.random::<f64>() - 0.5);
    let goal = tolerance * norm(n, &apply);
    let found = match lobpcg(by_columns, start, |_| {}, None, goal as f32, LIMITS.0, Order::Largest) {
        Ok(found) => Some(found),
        // It also fails when its directions become dependent, which happens once they have converged.
        Err((_, best)) => best,
    };
    match found {
        Some(found) if found.rnorm[0] <= 10.0 * goal => Ok((found.eigvals[0], found.eigvecs.column(0).to_vec())),
        _ => Err(gave_up(calls.get())),
    }
}

fn gave_up(steps: u64) -> Error {
    Error::NotConverged { what: "the extreme eigenvalues of the network's linearisation", steps }
}

/// About `count` eigenvalues of largest magnitude of a general n × n map, as [`dense::sort`]ed; found as
/// [`largest`]. A conjugate pair at the end of the count may be missing.
pub fn largest_of_general(
    n: usize,
    count: usize,
    tolerance: f64,
    apply: impl Fn(&[f64], &mut [f64]) + Sync,
) -> Result<Vec<c64>, Error> {
    if n <= DENSE.max(8 * count) {
        return dense::eigenvalues(matrix(n, apply).as_ref()).ok_or_else(not_finite);
    }
    let goal = tolerance * norm(n, &apply);
    let map = MatrixFree { n, apply, calls: AtomicU64::new(0) };
    let params = PartialEigenParams { max_restarts: LIMITS.1, ..Default::default() };
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let start = Col::from_fn(n, |_| rng.random::<f64>() - 0.5);
    let mut vectors = Mat::zeros(n, count);
    let mut values = vec![c64::new(0.0, 0.0); count];
    let mut memory = MemBuffer::new(partial_eigen_scratch(&map, count, dense::ONE_THREAD, params));
    let info = partial_eigen(
        vectors.as_mut(),
        &mut values,
        &map,
        start.as_ref(),
        goal,
        dense::ONE_THREAD,
        MemStack::new(&mut memory),
        params,
    );
    if info.n_converged_eigen < count.saturating_sub(2).max(1) {
        return Err(gave_up(map.calls.into_inner()));
    }
    values.truncate(info.n_converged_eigen);
    dense::sort(&mut values);
    Ok(values)
}

/// About the size of a map, from a few power iterations.
fn norm(n: usize, apply: impl Fn(&[f64], &mut [f64])) -> f64 {
    let mut v = vec![(n as f64).sqrt().recip(); n];
    let mut image = vec![0.0; n];
    let mut size = 0.0;
    for _ in 0..4 {
        apply(&v, &mut image);
        size = dot(&image, &image).sqrt();
        v.iter_mut().zip(&image).for_each(|(v, i)| *v = i / size);
    }
    size
}

fn matrix(n: usize, apply: impl Fn(&[f64], &mut [f64])) -> Mat<f64> {
    let mut matrix = Mat::zeros(n, n);
    let (mut unit, mut image) = (vec![0.0; n], vec![0.0; n]);
    for j in 0..n {
        unit[j] = 1.0;
        apply(&unit, &mut image);
        unit[j] = 0.0;
        (0..n).for_each(|i| matrix[(i, j)] = image[i]);
    }
    matrix
}

pub fn not_finite() -> Error {
    Error::Network("its linearisation is not finite: the weights are too large".into())
}

struct MatrixFree<F> {
    n: usize,
    apply: F,
    calls: AtomicU64,
}

impl<F> std::fmt::Debug for MatrixFree<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a map of {} unknowns", self.n)
    }
}

impl<F: Fn(&[f64], &mut [f64]) + Sync> LinOp<f64> for MatrixFree<F> {
    fn apply_scratch(&self, _columns: usize, _par: Par) -> StackReq {
        StackReq::EMPTY
    }

    fn nrows(&self) -> usize {
        self.n
    }

    fn ncols(&self) -> usize {
        self.n
    }

    fn apply(&self, mut out: MatMut<f64>, v: MatRef<f64>, _par: Par, _stack: &mut MemStack) {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let mut rng = ChaCha8Rng::seed_from_u64(call);
        for j in 0..v.ncols() {
            let input: Vec<f64> = (0..self.n).map(|i| v[(i, j)]).collect();
            let mut image = vec![0.0; self.n];
            (self.apply)(&input, &mut image);
            // The iteration orthogonalises without end if its space is exhausted exactly (C = I, say);
            // noise of the size of rounding keeps that from happening.
            let size = dot(&image, &image).sqrt() / (self.n as f64).sqrt();
            for (i, value) in image.iter().enumerate() {
                out[(i, j)] = value + f64::EPSILON * size * (rng.random::<f64>() - 0.5);
            }
        }
    }

    fn conj_apply(&self, out: MatMut<f64>, v: MatRef<f64>, par: Par, stack: &mut MemStack) {
        self.apply(out, v, par, stack);
    }
}
