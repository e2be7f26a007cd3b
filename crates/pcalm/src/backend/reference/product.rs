//! The three products: a W x, a Wᵀ q and the outer product q xᵀ.
//!
//! Each sample's sums run over features in index order and never mix columns, so a sample's
//! result does not depend on its batch mates. Columns are taken [`LANES`] at a time in
//! fixed-size arrays, which the compiler turns into vector registers.

use crate::{
    network::Edge,
    real::Real,
    stack::{LANES, Matrix},
};

type Lanes<R> = [R; LANES];

/// Rows computed together, so that each loaded input row is used this many times.
const ROWS: usize = 2;

/// `out ← a W x`; `x` may have more rows than W has columns.
pub fn forward<R: Real>(edge: &Edge<R>, x: &Matrix<R>, out: &mut Matrix<R>) {
    let n = edge.cols();
    let weight = |row: usize, k: usize| edge.weight()[row * n + k];
    multiply(edge.scale(), edge.rows(), n, weight, x, out);
}

/// `out ← a Wᵀ q`; `q` and `out` may have more rows than needed.
pub fn transposed<R: Real>(edge: &Edge<R>, q: &Matrix<R>, out: &mut Matrix<R>) {
    let n = edge.cols();
    let weight = |row: usize, k: usize| edge.weight()[k * n + row];
    multiply(edge.scale(), n, edge.rows(), weight, q, out);
}

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

/// `gradient += factor · q xᵀ`, summed over samples in a fixed order.
pub fn outer<R: Real>(factor: R, q: &Matrix<R>, x: &Matrix<R>, gradient: &mut [R]) {
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
