//! Products and decompositions of dense matrices, each on one thread.
//!
//! faer's operators and methods share their work out over the threads at hand, and other shares round otherwise: the
//! same question would have other bits on another machine. Theory therefore multiplies, factors and decomposes here
//! alone. Threads would not make it faster either: at the sizes that are formed (two thousand rows at most) two took as
//! long as one.

use crate::precision::Weighting;
use faer::{
    Accum, Mat, MatMut, MatRef, Par, c64,
    diag::Diag,
    dyn_stack::{MemBuffer, MemStack, StackReq},
    linalg::{
        cholesky::llt,
        evd::{self, ComputeEigenvectors},
        lu::partial_pivoting as lu,
        matmul::matmul,
        svd::{self, ComputeSvdVectors},
    },
};

/// What faer is told wherever it asks how many threads to use.
pub const ONE_THREAD: Par = Par::Seq;

/// `out ← factor · a b`.
pub fn multiply(out: MatMut<f64>, a: MatRef<f64>, b: MatRef<f64>, factor: f64) {
    matmul(out, Accum::Replace, a, b, factor, ONE_THREAD);
}

/// `a b`.
pub fn product(a: MatRef<f64>, b: MatRef<f64>) -> Mat<f64> {
    let mut out = Mat::zeros(a.nrows(), b.ncols());
    multiply(out.as_mut(), a, b, 1.0);
    out
}

/// ⟨a, b⟩.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Π of `n` units.
pub fn precision_matrix(weight: &Weighting<f64>, n: usize) -> Mat<f64> {
    let rows: Vec<Vec<f64>> = (0..n).map(|i| weight.row(i, n)).collect();
    Mat::from_fn(n, n, |i, j| rows[i][j])
}

/// Singular values, largest first; `None` if a number is not finite.
pub fn singular_values(matrix: &Mat<f64>) -> Option<Vec<f64>> {
    let mut values = Diag::zeros(matrix.nrows().min(matrix.ncols()));
    let none = ComputeSvdVectors::No;
    let scratch = svd::svd_scratch::<f64>(matrix.nrows(), matrix.ncols(), none, none, ONE_THREAD, Default::default());
    with(scratch, |stack| {
        svd::svd(matrix.as_ref(), values.as_mut(), None, None, ONE_THREAD, stack, Default::default())
    })
    .ok()?;
    Some(numbers(&values))
}

/// Singular values, largest first, and the right singular vectors as columns; `None` as there.
pub fn singular_vectors(matrix: &Mat<f64>) -> Option<(Vec<f64>, Mat<f64>)> {
    let (_, values, right) = singular_decomposition(matrix)?;
    Some((values, right))
}

/// All left singular vectors as columns, the singular values, largest first, and all right singular vectors; `None` as
/// there.
pub fn singular_decomposition(matrix: &Mat<f64>) -> Option<(Mat<f64>, Vec<f64>, Mat<f64>)> {
    let (rows, columns) = matrix.shape();
    let mut values = Diag::zeros(rows.min(columns));
    let (mut left, mut right) = (Mat::zeros(rows, rows), Mat::zeros(columns, columns));
    let full = ComputeSvdVectors::Full;
    with(svd::svd_scratch::<f64>(rows, columns, full, full, ONE_THREAD, Default::default()), |stack| {
        let vectors = (Some(left.as_mut()), Some(right.as_mut()));
        svd::svd(matrix.as_ref(), values.as_mut(), vectors.0, vectors.1, ONE_THREAD, stack, Default::default())
    })
    .ok()?;
    Some((left, numbers(&values), right))
}

/// x of `matrix` x = `right` by elimination with partial pivoting; `None` if there is no finite one.
pub fn solve(mut matrix: Mat<f64>, mut right: Mat<f64>) -> Option<Mat<f64>> {
    let n = matrix.nrows();
    let (mut order, mut back) = (vec![0usize; n], vec![0usize; n]);
    let needed = lu::factor::lu_in_place_scratch::<usize, f64>(n, n, ONE_THREAD, Default::default())
        .or(lu::solve::solve_in_place_scratch::<usize, f64>(n, right.ncols(), ONE_THREAD));
    with(needed, |stack| {
        let into = (&mut order[..], &mut back[..]);
        let (_, rows) = lu::factor::lu_in_place(matrix.as_mut(), into.0, into.1, ONE_THREAD, stack, Default::default());
        lu::solve::solve_in_place(matrix.as_ref(), matrix.as_ref(), rows, right.as_mut(), ONE_THREAD, stack);
    });
    let finite = (0..right.ncols()).all(|j| (0..n).all(|i| right[(i, j)].is_finite()));
    finite.then_some(right)
}

/// Eigenvalues of a symmetric matrix, of which the lower half is read, smallest first, and the eigenvectors as columns;
/// `None` if a number is not finite.
pub fn symmetric_eigen(matrix: &Mat<f64>) -> Option<(Vec<f64>, Mat<f64>)> {
    let n = matrix.nrows();
    let (mut values, mut vectors) = (Diag::zeros(n), Mat::zeros(n, n));
    let scratch = evd::self_adjoint_evd_scratch::<f64>(n, ComputeEigenvectors::Yes, ONE_THREAD, Default::default());
    with(scratch, |stack| {
        let into = Some(vectors.as_mut());
        evd::self_adjoint_evd(matrix.as_ref(), values.as_mut(), into, ONE_THREAD, stack, Default::default())
    })
    .ok()?;
    Some((numbers(&values), vectors))
}

/// Eigenvalues of a square matrix, as [`sort`]ed; `None` if a number is not finite.
pub fn eigenvalues(matrix: MatRef<f64>) -> Option<Vec<c64>> {
    let n = matrix.nrows();
    let (mut real, mut imaginary) = (Diag::zeros(n), Diag::zeros(n));
    let none = ComputeEigenvectors::No;
    with(evd::evd_scratch::<f64>(n, none, none, ONE_THREAD, Default::default()), |stack| {
        let values = (real.as_mut(), imaginary.as_mut());
        evd::evd_real(matrix, values.0, values.1, None, None, ONE_THREAD, stack, Default::default())
    })
    .ok()?;
    let mut all: Vec<c64> =
        numbers(&real).into_iter().zip(numbers(&imaginary)).map(|(re, im)| c64::new(re, im)).collect();
    sort(&mut all);
    Some(all)
}

/// Sorts eigenvalues by modulus, those of one modulus by real part, those of one real part by imaginary part, each from
/// largest to smallest: a conjugate pair stays together, the one above the axis first. A solver's order is no result.
pub fn sort(eigenvalues: &mut [c64]) {
    let key = |e: &c64| [e.norm(), e.re, e.im];
    eigenvalues.sort_by(|a, b| {
        let both = key(b).into_iter().zip(key(a));
        both.map(|(b, a)| b.total_cmp(&a)).find(|order| order.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
    });
}

/// The lower factor L of a symmetric positive definite matrix LLᵀ.
#[derive(Debug)]
pub struct Cholesky(Mat<f64>);

impl Cholesky {
    /// Of a matrix of which the lower half is read; `None` if it is not finite and positive definite.
    pub fn new(matrix: &Mat<f64>) -> Option<Self> {
        let n = matrix.nrows();
        let mut lower = Mat::zeros(n, n);
        lower.copy_from_triangular_lower(matrix);
        with(llt::factor::cholesky_in_place_scratch::<f64>(n, ONE_THREAD, Default::default()), |stack| {
            let plain = Default::default();
            llt::factor::cholesky_in_place(lower.as_mut(), plain, ONE_THREAD, stack, Default::default())
        })
        .ok()?;
        Some(Cholesky(lower))
    }

    /// x of (LLᵀ) x = `right`, column by column.
    pub fn solve(&self, mut right: Mat<f64>) -> Mat<f64> {
        let scratch = llt::solve::solve_in_place_scratch::<f64>(self.0.nrows(), right.ncols(), ONE_THREAD);
        with(scratch, |stack| llt::solve::solve_in_place(self.0.as_ref(), right.as_mut(), ONE_THREAD, stack));
        right
    }

    /// (LLᵀ)⁻¹.
    pub fn inverse(&self) -> Mat<f64> {
        self.solve(Mat::identity(self.0.nrows(), self.0.nrows()))
    }
}

/// Lends `work` the memory it asks for.
fn with<T>(needed: StackReq, work: impl FnOnce(&mut MemStack) -> T) -> T {
    work(MemStack::new(&mut MemBuffer::new(needed)))
}

fn numbers(diagonal: &Diag<f64>) -> Vec<f64> {
    diagonal.column_vector().iter().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eigenvalues_come_by_modulus_then_real_part_and_pairs_stay_together() {
        let sorted = [(3.0, 0.0), (-3.0, 0.0), (1.0, 2.0), (1.0, -2.0), (-1.0, 2.0), (-1.0, -2.0), (0.5, 0.0)];
        let mut shuffled: Vec<c64> = [4, 1, 6, 3, 0, 5, 2].map(|i: usize| c64::new(sorted[i].0, sorted[i].1)).to_vec();
        sort(&mut shuffled);
        assert_eq!(shuffled.iter().map(|e| (e.re, e.im)).collect::<Vec<_>>(), sorted);
    }
}
