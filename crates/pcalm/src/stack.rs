//! Buffers: one matrix per layer, features down, samples across.
//!
//! A block of samples is stored with its samples contiguous, so that one weight multiplies a
//! whole row of samples, narrow layers still fill the vector lanes, and W and Wᵀ are both read
//! in place. The number of columns is padded to a multiple of [`LANES`]; the padding columns hold
//! samples with input 0 whose output error is held at 0, so their credit is exactly 0 and they
//! add nothing to a weight gradient.

use crate::real::Real;
use aligned_vec::{AVec, ConstAlign};

/// Columns come in multiples of this (one AVX-512 register of `f32`).
pub const LANES: usize = 16;

/// A `rows × cols` matrix, row-major; rows are features and columns are samples of one block.
/// Starts on a cache line; so does every row of a matrix of `f32` or `f64`.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix<R> {
    rows: usize,
    cols: usize,
    data: AVec<R, ConstAlign<LINE>>,
}

/// Bytes in a cache line, and in the longest vector register.
const LINE: usize = 64;

impl<R> Default for Matrix<R> {
    fn default() -> Self {
        Matrix { rows: 0, cols: 0, data: AVec::new(LINE) }
    }
}

impl<R: Real> Matrix<R> {
    /// A matrix of zeros for `rows` features and `samples` samples, padded to [`LANES`].
    pub fn zeros(rows: usize, samples: usize) -> Self {
        let cols = samples.next_multiple_of(LANES);
        Matrix { rows, cols, data: aligned_vec::avec!([LINE]| R::zero(); rows * cols) }
    }

    /// Features.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns, padding included.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// All numbers, row-major.
    pub fn data(&self) -> &[R] {
        &self.data
    }

    /// Bytes of its numbers.
    pub fn bytes(&self) -> usize {
        size_of_val(self.data())
    }

    /// All numbers, row-major.
    pub fn data_mut(&mut self) -> &mut [R] {
        &mut self.data
    }

    /// Feature `i` of every sample.
    pub fn row(&self, i: usize) -> &[R] {
        &self.data[i * self.cols..][..self.cols]
    }

    /// Feature `i` of sample `s`.
    pub fn at(&self, i: usize, s: usize) -> R {
        self.data[i * self.cols + s]
    }

    /// Every feature of sample `s`.
    pub fn column(&self, s: usize) -> impl Iterator<Item = R> + '_ {
        (0..self.rows).map(move |i| self.at(i, s))
    }

    /// Sets every number to zero.
    pub fn clear(&mut self) {
        self.data.fill(R::zero());
    }

    /// The same numbers in another type.
    pub fn cast<S: Real>(&self) -> Matrix<S> {
        let mut other = Matrix::zeros(self.rows, self.cols);
        other.data_mut().iter_mut().zip(self.data()).for_each(|(to, v)| *to = S::of(v.wide()));
        other
    }

    /// Takes the numbers of `other`, which has the same shape.
    pub fn copy_from(&mut self, other: &Self) {
        self.data.copy_from_slice(&other.data);
    }

    /// Reads `samples` rows of the row-major `[samples, rows]` array `source`, the layout of
    /// batches and files, into the columns; padding columns become zero.
    pub fn load(&mut self, source: &[R]) {
        let samples = source.len() / self.rows;
        for (i, row) in self.data.chunks_exact_mut(self.cols).enumerate() {
            for (s, value) in row[..samples].iter_mut().enumerate() {
                *value = source[s * self.rows + i];
            }
            row[samples..].fill(R::zero());
        }
    }

    /// Appends the first `samples` columns to the row-major `[samples, rows]` array `target`.
    pub fn unload(&self, samples: usize, target: &mut Vec<R>) {
        for s in 0..samples {
            target.extend(self.column(s));
        }
    }

    /// Σ v² over the first `samples` columns, in `f64`.
    pub fn norm_squared(&self, samples: usize) -> f64 {
        let row_sum = |row: &[R]| row[..samples].iter().map(|v| v.wide() * v.wide()).sum::<f64>();
        self.data.chunks_exact(self.cols).map(row_sum).sum()
    }

    /// max |v| over all columns; NaN if any number is not finite.
    pub fn max_abs(&self) -> R {
        let mut largest = [R::zero(); LANES];
        // 0 v is 0 for finite v and NaN otherwise, and NaN stays in a sum.
        let mut poison = [R::zero(); LANES];
        for chunk in self.data.as_chunks::<LANES>().0 {
            for (lane, &v) in chunk.iter().enumerate() {
                poison[lane] += R::zero() * v;
                largest[lane] = if v.abs() > largest[lane] { v.abs() } else { largest[lane] };
            }
        }
        let sum: R = poison.iter().copied().sum();
        largest.iter().fold(sum, |m, &v| nan_max(m, v))
    }
}

/// The larger of the two, NaN if either is NaN.
pub(crate) fn nan_max<R: Real>(a: R, b: R) -> R {
    if a.is_nan() || a > b { a } else { b }
}

/// One matrix per layer; the layers may differ in width.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stack<R> {
    /// The layers, input side first.
    pub layers: Vec<Matrix<R>>,
}

impl<R: Real> Stack<R> {
    /// Zeros for these widths and this many samples.
    pub fn zeros(widths: &[usize], samples: usize) -> Self {
        Stack { layers: widths.iter().map(|&n| Matrix::zeros(n, samples)).collect() }
    }

    /// Sets every number to zero.
    pub fn clear(&mut self) {
        self.layers.iter_mut().for_each(Matrix::clear);
    }

    /// Takes the numbers of `other`, which has the same shape.
    pub fn copy_from(&mut self, other: &Self) {
        for (to, from) in self.layers.iter_mut().zip(&other.layers) {
            to.copy_from(from);
        }
    }

    /// The same numbers in another type.
    pub fn cast<S: Real>(&self) -> Stack<S> {
        Stack { layers: self.layers.iter().map(Matrix::cast).collect() }
    }

    /// ⟨self, other⟩ of each of the first `samples` columns, in `f64`.
    pub fn inner(&self, other: &Self, samples: usize) -> Vec<f64> {
        let mut sums = vec![0.0; samples];
        for (a, b) in self.layers.iter().zip(&other.layers) {
            for (a, b) in a.data().chunks_exact(a.cols()).zip(b.data().chunks_exact(b.cols())) {
                for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
                    *sum += a.wide() * b.wide();
                }
            }
        }
        sums
    }

    /// Σ v² over all layers and the first `samples` columns, in `f64`.
    pub fn norm_squared(&self, samples: usize) -> f64 {
        self.layers.iter().map(|m| m.norm_squared(samples)).sum()
    }

    /// max |v| over all layers; NaN if any number is not finite.
    pub fn max_abs(&self) -> R {
        self.layers.iter().map(Matrix::max_abs).fold(R::zero(), nan_max)
    }
}
