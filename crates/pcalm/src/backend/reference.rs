//! The backend every other one is held to: plain loops in `f32` or `f64`.
//!
//! Columns are taken [`LANES`] at a time in fixed-size arrays, which the compiler turns into
//! vector registers.

use super::sweeps::{
    Kernel, Sweeps,
    dense::{self, add},
};
use crate::{
    activation::Activation,
    network::Dense,
    real::Real,
    stack::{LANES, Matrix},
};
use std::marker::PhantomData;

/// Portable sweeps in `f32` or `f64`, written for the reader.
pub type Reference<R> = Sweeps<Plain<R>>;

/// The kernel of [`Reference`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain<R>(PhantomData<R>);

impl<R: Real> Reference<R> {
    /// The reference backend.
    pub fn new() -> Self {
        Sweeps { kernel: Plain(PhantomData) }
    }
}

impl<R: Real> Kernel for Plain<R> {
    type Real = R;

    fn forward(
        &self,
        dense: &Dense<R>,
        x: &Matrix<R>,
        bias: Option<&[R]>,
        base: Option<&Matrix<R>>,
        out: &mut Matrix<R>,
    ) {
        let n = dense.cols();
        let weight = |row: usize, k: usize| dense.weight()[row * n + k];
        multiply(dense.scale(), dense.rows(), n, weight, x, out);
        if let Some(bias) = bias {
            let cols = out.cols();
            for (row, &b) in out.data_mut().chunks_exact_mut(cols).zip(bias) {
                row.iter_mut().for_each(|v| *v += b);
            }
        }
        if let Some(base) = base {
            add(base, out);
        }
    }

    fn transposed(
        &self,
        dense: &Dense<R>,
        q: &Matrix<R>,
        gate: Option<&Matrix<R>>,
        base: Option<&Matrix<R>>,
        out: &mut Matrix<R>,
    ) {
        let n = dense.cols();
        let weight = |row: usize, k: usize| dense.weight()[k * n + row];
        multiply(dense.scale(), n, dense.rows(), weight, q, out);
        if let Some(slopes) = gate {
            dense::gate(slopes, out);
        }
        if let Some(base) = base {
            add(base, out);
        }
    }

    fn credit(&self, alpha: R, rho: R, z: &[R], f: &mut [R], duals: &mut [R]) {
        for ((f, lambda), &z) in f.iter_mut().zip(duals).zip(z) {
            let c = z - *f;
            *lambda += alpha * c;
            *f = *lambda + rho * c;
        }
    }

    fn combine(&self, a: R, x: &[R], b: R, y: &mut [R]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = a * x + b * *y;
        }
    }

    fn outer(&self, factor: R, q: &Matrix<R>, x: &Matrix<R>, gradient: &mut [R]) {
        let n = x.rows();
        for (i, out) in gradient.chunks_exact_mut(n).enumerate() {
            let q = q.row(i).as_chunks::<LANES>().0;
            for (k, g) in out.iter_mut().enumerate() {
                let mut sum = [R::zero(); LANES];
                for (q, x) in q.iter().zip(x.row(k).as_chunks::<LANES>().0) {
                    for (s, (&q, &x)) in sum.iter_mut().zip(q.iter().zip(x)) {
                        *s += q * x;
                    }
                }
                *g += factor * sum.iter().copied().sum::<R>();
            }
        }
    }

    fn activate_in_place(&self, phi: Activation, values: &mut [R], slopes: &mut [R]) {
        phi.activate(values, slopes);
    }
}

type Lanes<R> = [R; LANES];

/// Rows computed together, so that each loaded input row is used this many times.
const ROWS: usize = 2;

#[inline(always)]
fn multiply<R: Real>(
    scale: R,
    rows: usize,
    inner: usize,
    weight: impl Fn(usize, usize) -> R,
    x: &Matrix<R>,
    out: &mut Matrix<R>,
) {
    let cols = x.cols();
    let x = x.data().as_chunks::<LANES>().0;
    let out = out.data_mut().as_chunks_mut::<LANES>().0;
    let stride = cols / LANES;
    for tile in 0..stride {
        let mut row = 0;
        while row < rows {
            let count = ROWS.min(rows - row);
            let mut sums = [[R::zero(); LANES]; ROWS];
            if count == ROWS {
                for k in 0..inner {
                    let input = &x[k * stride + tile];
                    for (r, sum) in sums.iter_mut().enumerate() {
                        multiply_add(weight(row + r, k), input, sum);
                    }
                }
            } else {
                for k in 0..inner {
                    multiply_add(weight(row, k), &x[k * stride + tile], &mut sums[0]);
                }
            }
            for (r, sum) in sums[..count].iter().enumerate() {
                out[(row + r) * stride + tile] = sum.map(|v| scale * v);
            }
            row += count;
        }
    }
}

#[inline(always)]
fn multiply_add<R: Real>(w: R, x: &Lanes<R>, sum: &mut Lanes<R>) {
    for (s, &x) in sum.iter_mut().zip(x) {
        *s += w * x;
    }
}
