//! A few extreme eigenvalues of a symmetric map, by faer's restarted Lanczos iteration, or all of
//! them from the dense matrix where it is small.

use crate::error::Error;
use faer::{
    Col, Mat, MatMut, MatRef, Par, Side, c64,
    dyn_stack::{MemBuffer, MemStack, StackReq},
    matrix_free::{
        LinOp,
        eigen::{
            PartialEigenParams, partial_eigen, partial_eigen_scratch, partial_self_adjoint_eigen,
            partial_self_adjoint_eigen_scratch,
        },
    },
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::atomic::{AtomicU64, Ordering};

/// Up to this many unknowns the matrix is formed.
const DENSE: usize = 128;
/// Vectors kept between restarts, at least and at most.
const KEPT: (usize, usize) = (32, 96);

/// The `count` eigenvalues of largest magnitude of a symmetric n × n map, largest magnitude first,
/// and the eigenvector of the first; to a residual of `tolerance` times a bound `scale` on them.
/// The error of an eigenvalue is at most that residual, and usually its square over the gap.
pub fn largest(
    n: usize,
    count: usize,
    tolerance: f64,
    scale: f64,
    apply: impl Fn(&[f64], &mut [f64]) + Sync,
) -> Result<(Vec<f64>, Vec<f64>), Error> {
    if n <= DENSE.max(8 * count) {
        return dense(n, count, apply);
    }
    let map = Map { n, apply, calls: AtomicU64::new(0) };
    let (params, start) = setup(n, count);
    let mut vectors = Mat::zeros(n, count);
    let mut values = vec![0.0; count];
    let mut memory = MemBuffer::new(partial_self_adjoint_eigen_scratch(&map, count, Par::Seq, params));
    let info = partial_self_adjoint_eigen(
        vectors.as_mut(),
        &mut values,
        &map,
        start.as_ref(),
        tolerance * scale,
        Par::rayon(0),
        MemStack::new(&mut memory),
        params,
    );
    map.check(info.n_converged_eigen, count)?;
    let first = (0..n).map(|i| vectors[(i, 0)]).collect();
    Ok((values, first))
}

/// The `count` eigenvalues of largest magnitude of a general n × n map, in no order; as
/// [`largest`].
pub fn largest_of_general(
    n: usize,
    count: usize,
    tolerance: f64,
    scale: f64,
    apply: impl Fn(&[f64], &mut [f64]) + Sync,
) -> Result<Vec<c64>, Error> {
    if n <= DENSE.max(8 * count) {
        return matrix(n, apply).eigenvalues().map_err(|_| not_finite());
    }
    let map = Map { n, apply, calls: AtomicU64::new(0) };
    let (params, start) = setup(n, count);
    let mut vectors = Mat::zeros(n, count);
    let mut values = vec![c64::new(0.0, 0.0); count];
    let mut memory = MemBuffer::new(partial_eigen_scratch(&map, count, Par::Seq, params));
    let info = partial_eigen(
        vectors.as_mut(),
        &mut values,
        &map,
        start.as_ref(),
        tolerance * scale,
        Par::rayon(0),
        MemStack::new(&mut memory),
        params,
    );
    map.check(info.n_converged_eigen, count)?;
    Ok(values)
}

fn setup(n: usize, count: usize) -> (PartialEigenParams, Col<f64>) {
    let (min_dim, max_dim) = (KEPT.0.max(2 * count), KEPT.1.max(4 * count).min(n - 1));
    let params = PartialEigenParams { min_dim, max_dim, max_restarts: 200, ..Default::default() };
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    (params, Col::from_fn(n, |_| rng.random::<f64>() - 0.5))
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

fn dense(n: usize, count: usize, apply: impl Fn(&[f64], &mut [f64])) -> Result<(Vec<f64>, Vec<f64>), Error> {
    let eigen = matrix(n, apply).self_adjoint_eigen(Side::Lower).map_err(|_| not_finite())?;
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| eigen.S()[j].abs().total_cmp(&eigen.S()[i].abs()));
    let values = order[..count.min(n)].iter().map(|&i| eigen.S()[i]).collect();
    Ok((values, (0..n).map(|i| eigen.U()[(i, order[0])]).collect()))
}

pub fn not_finite() -> Error {
    Error::Network("its linearisation is not finite: the weights are too large".into())
}

struct Map<F> {
    n: usize,
    apply: F,
    calls: AtomicU64,
}

impl<F> std::fmt::Debug for Map<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a symmetric map of {} unknowns", self.n)
    }
}

impl<F> Map<F> {
    fn check(&self, converged: usize, wanted: usize) -> Result<(), Error> {
        if converged >= wanted {
            return Ok(());
        }
        let steps = self.calls.load(Ordering::Relaxed);
        Err(Error::NotConverged { what: "the extreme eigenvalues of the network's linearisation", steps })
    }
}

impl<F: Fn(&[f64], &mut [f64]) + Sync> LinOp<f64> for Map<F> {
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
            let size = image.iter().map(|v| v * v).sum::<f64>().sqrt() / (self.n as f64).sqrt();
            for (i, value) in image.iter().enumerate() {
                out[(i, j)] = value + f64::EPSILON * size * (rng.random::<f64>() - 0.5);
            }
        }
    }

    fn conj_apply(&self, out: MatMut<f64>, v: MatRef<f64>, par: Par, stack: &mut MemStack) {
        self.apply(out, v, par, stack);
    }
}
