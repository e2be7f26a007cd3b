//! Matrix products over the samples of a block, in register tiles.
//!
//! A tile holds `TALL` features × `WIDE` vectors of samples in registers while the inner index
//! runs; what becomes of a finished tile is the business of an [`Epilogue`], so that elementwise
//! work costs no pass of its own. Every sum runs over the inner index in order, whatever the tile:
//! the same numbers come out of every caller.
#![allow(unsafe_code)]

use super::vector::{Job, Vector};
use crate::{
    network::Dense,
    stack::{LANES, Matrix},
};

/// The left factor of a product, read in place: a row-major matrix, or with `T` its transpose.
#[derive(Clone, Copy)]
pub struct Left<const T: bool> {
    pub data: *const f32,
    pub rows: usize,
    pub inner: usize,
}

impl<const T: bool> Left<T> {
    /// From entry (row, k) to (row + 1, k).
    #[inline(always)]
    fn row_stride(&self) -> usize {
        if T { 1 } else { self.inner }
    }

    /// From entry (row, k) to (row, k + 1).
    #[inline(always)]
    fn k_stride(&self) -> usize {
        if T { self.rows } else { 1 }
    }
}

/// Inner indices per turn of the innermost loop.
const UNROLL: usize = 4;

/// Takes the finished sums of a product. Its code is repeated for every sum of a tile, and what makes it longer for all
/// would make the compiler keep the sums in memory: hence constants for what is rare.
pub trait Epilogue<V: Vector> {
    /// Whether the product of the most studied shape is worth code of its own.
    const STUDIED: bool;

    /// `sum` belongs to the `V::LANES` outputs from column `col` of row `row`.
    ///
    /// # Safety
    /// As [`Vector`]; the implementor's pointers must be valid there.
    unsafe fn take(&mut self, row: usize, col: usize, sum: V);
}

/// Left factor times the (inner × cols) matrix `x`, tile by tile into `epilogue`.
///
/// # Safety
/// As [`Vector`]; `left` and `x` must be valid for their shapes, `cols` a multiple of the lanes.
#[inline(always)]
pub unsafe fn product<V: Vector, E: Epilogue<V>, const T: bool, const TALL: usize, const WIDE: usize>(
    left: Left<T>,
    x: *const f32,
    cols: usize,
    epilogue: &mut E,
) {
    // SAFETY: the same product, with the shape spelt out to the compiler or not.
    unsafe {
        // Known counts save the short products of the most studied width their loop overhead.
        if E::STUDIED && (left.rows, left.inner, cols) == (32, 32, 32) {
            all_columns::<V, E, T, TALL, WIDE>(Left { rows: 32, inner: 32, ..left }, x, 32, epilogue);
        } else {
            all_columns::<V, E, T, TALL, WIDE>(left, x, cols, epilogue);
        }
    }
}

#[inline(always)]
unsafe fn all_columns<V: Vector, E: Epilogue<V>, const T: bool, const TALL: usize, const WIDE: usize>(
    left: Left<T>,
    x: *const f32,
    cols: usize,
    epilogue: &mut E,
) {
    // SAFETY: offsets stay below rows · cols and inner · cols, and in `left`'s shape.
    unsafe {
        let mut col = 0;
        while col + WIDE * V::LANES <= cols {
            columns::<V, E, T, TALL, WIDE>(left, x, cols, col, epilogue);
            col += WIDE * V::LANES;
        }
        while col < cols {
            columns::<V, E, T, TALL, 1>(left, x, cols, col, epilogue);
            col += V::LANES;
        }
    }
}

#[inline(always)]
unsafe fn columns<V: Vector, E: Epilogue<V>, const T: bool, const TALL: usize, const WIDE: usize>(
    left: Left<T>,
    x: *const f32,
    cols: usize,
    col: usize,
    epilogue: &mut E,
) {
    // SAFETY: the tiles cover the rows once, none beyond the last.
    unsafe {
        let mut row = 0;
        while row + TALL <= left.rows {
            tile::<V, E, T, TALL, WIDE>(left, x, cols, row, col, epilogue);
            row += TALL;
        }
        if row + 4 <= left.rows {
            tile::<V, E, T, 4, WIDE>(left, x, cols, row, col, epilogue);
            row += 4;
        }
        while row < left.rows {
            tile::<V, E, T, 1, WIDE>(left, x, cols, row, col, epilogue);
            row += 1;
        }
    }
}

#[inline(always)]
unsafe fn tile<V: Vector, E: Epilogue<V>, const T: bool, const TALL: usize, const WIDE: usize>(
    left: Left<T>,
    x: *const f32,
    cols: usize,
    row: usize,
    col: usize,
    epilogue: &mut E,
) {
    // SAFETY: the caller keeps row + TALL ≤ rows and col + WIDE · lanes ≤ cols.
    unsafe {
        let mut sums = [[V::splat(0.0); WIDE]; TALL];
        let mut weights = left.data.add(row * left.row_stride());
        let mut inputs = x.add(col);
        // The next tile's weights follow this one's in memory; asked for early, a matrix that
        // lives in the outer cache costs no more than one in the inner.
        let mut next = weights.wrapping_add(TALL * left.row_stride());
        for _ in 0..left.inner / UNROLL {
            if !T {
                for line in 0..TALL * UNROLL / LANES {
                    V::prefetch(next.wrapping_add(line * LANES));
                }
                next = next.wrapping_add(TALL * UNROLL);
            }
            for k in 0..UNROLL {
                let weights = weights.add(k * left.k_stride());
                step::<V, T, TALL, WIDE>(left, weights, inputs.add(k * cols), &mut sums);
            }
            weights = weights.add(UNROLL * left.k_stride());
            inputs = inputs.add(UNROLL * cols);
        }
        for _ in 0..left.inner % UNROLL {
            step::<V, T, TALL, WIDE>(left, weights, inputs, &mut sums);
            weights = weights.add(left.k_stride());
            inputs = inputs.add(cols);
        }
        for (r, sums) in sums.iter().enumerate() {
            for (v, &sum) in sums.iter().enumerate() {
                epilogue.take(row + r, col + v * V::LANES, sum);
            }
        }
    }
}

/// Adds the products at one inner index to the sums.
#[inline(always)]
unsafe fn step<V: Vector, const T: bool, const TALL: usize, const WIDE: usize>(
    left: Left<T>,
    weights: *const f32,
    inputs: *const f32,
    sums: &mut [[V; WIDE]; TALL],
) {
    // SAFETY: the caller points to a column of the tile's weights and a row of its inputs.
    unsafe {
        let mut input = [V::splat(0.0); WIDE];
        for (v, input) in input.iter_mut().enumerate() {
            *input = V::load(inputs.add(v * V::LANES));
        }
        for (r, sums) in sums.iter_mut().enumerate() {
            let weight = V::splat(*weights.add(r * left.row_stride()));
            for (sum, &input) in sums.iter_mut().zip(&input) {
                *sum = weight.mul_add(input, *sum);
            }
        }
    }
}

/// `out ← gate ⊙ (scale · sum) + base`; a null gate is 1, a null base 0. With `BIAS` there is one per row and no gate.
pub struct GatedStore<V, const BIAS: bool> {
    pub scale: V,
    pub bias: *const f32,
    pub gate: *const f32,
    pub base: *const f32,
    pub out: *mut f32,
    pub cols: usize,
}

impl<V: Vector, const BIAS: bool> Epilogue<V> for GatedStore<V, BIAS> {
    const STUDIED: bool = !BIAS;

    #[inline(always)]
    unsafe fn take(&mut self, row: usize, col: usize, sum: V) {
        let at = row * self.cols + col;
        // SAFETY: the caller vouches for the pointers there.
        unsafe {
            let out = if BIAS {
                let u = biased(sum, self.scale, self.bias.add(row));
                if self.base.is_null() { u } else { u.add(V::load(self.base.add(at))) }
            } else {
                let mut scale = self.scale;
                if !self.gate.is_null() {
                    scale = scale.mul(V::load(self.gate.add(at)));
                }
                if self.base.is_null() { sum.mul(scale) } else { sum.mul_add(scale, V::load(self.base.add(at))) }
            };
            out.store(self.out.add(at));
        }
    }
}

/// scale · sum + b, before whatever else is added: the sweeps and the fused cycle round alike.
///
/// # Safety
/// As [`Vector`]; `bias` points to b.
#[inline(always)]
pub unsafe fn biased<V: Vector>(sum: V, scale: V, bias: *const f32) -> V {
    // SAFETY: passed on from the caller.
    unsafe { sum.mul_add(scale, V::splat(*bias)) }
}

/// Where the bias begins; null where there is none.
pub fn start_of_bias(bias: Option<&[f32]>) -> *const f32 {
    bias.map_or(std::ptr::null(), <[f32]>::as_ptr)
}

/// `out ← gate ⊙ (a W x) + base`, or with `T` the same with Wᵀ; with a bias, that first.
pub struct EdgeProduct<'a, const T: bool> {
    pub dense: &'a Dense<f32>,
    pub x: &'a Matrix<f32>,
    pub bias: Option<&'a [f32]>,
    pub gate: Option<&'a Matrix<f32>>,
    pub base: Option<&'a Matrix<f32>>,
    pub out: &'a mut Matrix<f32>,
}

impl<const T: bool> Left<T> {
    /// The weights of a dense map.
    pub fn of(dense: &Dense<f32>) -> Self {
        let (rows, inner) = if T { (dense.cols(), dense.rows()) } else { (dense.rows(), dense.cols()) };
        Left { data: dense.weight().as_ptr(), rows, inner }
    }
}

impl<const T: bool> Job for EdgeProduct<'_, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector, const TALL: usize, const WIDE: usize>(self) {
        let (left, cols) = (Left::<T>::of(self.dense), self.x.cols());
        assert!(self.out.cols() == cols && self.out.rows() >= left.rows && self.x.rows() >= left.inner);
        assert!(self.bias.is_none_or(|bias| bias.len() == left.rows && self.gate.is_none()));
        let operand = |m: Option<&Matrix<f32>>| {
            m.map_or(std::ptr::null(), |m| {
                assert!(m.cols() == cols && m.rows() >= left.rows);
                m.data().as_ptr()
            })
        };
        let (bias, gate, base) = (start_of_bias(self.bias), operand(self.gate), operand(self.base));
        // SAFETY: the shapes were checked; `left` points into the map, which outlives the job.
        unsafe {
            let scale = V::splat(self.dense.scale());
            let (x, out) = (self.x.data().as_ptr(), self.out.data_mut().as_mut_ptr());
            if bias.is_null() {
                let mut store = GatedStore::<V, false> { scale, bias, gate, base, out, cols };
                product::<V, _, T, TALL, WIDE>(left, x, cols, &mut store);
            } else {
                let mut store = GatedStore::<V, true> { scale, bias, gate, base, out, cols };
                product::<V, _, T, TALL, WIDE>(left, x, cols, &mut store);
            }
        }
    }
}

/// `gradient += factor · q xᵀ`: a product whose inner index runs over the samples in order.
pub struct Outer<'a> {
    pub factor: f32,
    pub q: &'a Matrix<f32>,
    pub x: &'a Matrix<f32>,
    pub gradient: &'a mut [f32],
}

impl Job for Outer<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector, const TALL: usize, const WIDE: usize>(self) {
        let Outer { factor, q, x, gradient } = self;
        let (rows, cols, samples) = (q.rows(), x.rows(), q.cols());
        assert!(x.cols() == samples && gradient.len() == rows * cols);
        // x with samples down and features across, padded to whole registers.
        let padded = cols.next_multiple_of(LANES);
        let mut across = Matrix::zeros(samples, padded);
        for (i, row) in x.data().chunks_exact(samples).enumerate() {
            for (s, &value) in row.iter().enumerate() {
                across.data_mut()[s * padded + i] = value;
            }
        }
        let left = Left::<false> { data: q.data().as_ptr(), rows, inner: samples };
        // SAFETY: q is rows × samples and `across` samples × padded; `Accumulate` writes no column
        // beyond `cols`.
        unsafe {
            let factor = V::splat(factor);
            let mut accumulate = Accumulate { factor, cols, gradient: gradient.as_mut_ptr() };
            product::<V, _, false, TALL, WIDE>(left, across.data().as_ptr(), padded, &mut accumulate);
        }
    }
}

/// `gradient += factor · sum`, for a gradient whose rows are not padded.
struct Accumulate<V> {
    factor: V,
    cols: usize,
    gradient: *mut f32,
}

impl<V: Vector> Epilogue<V> for Accumulate<V> {
    const STUDIED: bool = true;

    #[inline(always)]
    unsafe fn take(&mut self, row: usize, col: usize, sum: V) {
        // SAFETY: columns below `cols` of row `row` lie in the gradient, and no other is touched.
        unsafe {
            let to = self.gradient.wrapping_add(row * self.cols + col);
            let part = self.factor.mul(sum);
            if col + V::LANES <= self.cols {
                V::load(to).add(part).store(to);
            } else {
                let mut lanes = [0.0; LANES];
                part.store(lanes.as_mut_ptr());
                for (i, lane) in lanes[..self.cols.saturating_sub(col)].iter().enumerate() {
                    *to.add(i) += lane;
                }
            }
        }
    }
}
