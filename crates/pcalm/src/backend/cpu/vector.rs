//! One register of `f32` lanes: all an instruction set has to offer.
#![allow(unsafe_code)]

/// A vector register. Every operation acts lane by lane.
///
/// # Safety
/// All methods may use instructions of one instruction set: they must only run on a processor
/// that has it, inlined into a function compiled for it (see [`Job`]). Pointers must be valid for
/// [`LANES`](Self::LANES) numbers; they need no alignment.
pub unsafe trait Vector: Copy {
    /// Numbers in a register; divides [`stack::LANES`](crate::stack::LANES).
    const LANES: usize;

    /// Asks for the cache line at an address, which need not be valid.
    unsafe fn prefetch(at: *const f32);
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn splat(value: f32) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    unsafe fn div(self, other: Self) -> Self;
    /// self · b + c, in one rounding where the machine has it.
    unsafe fn mul_add(self, b: Self, c: Self) -> Self;
    /// `then` where self < bound, else `otherwise` (also where self is NaN).
    unsafe fn if_less(self, bound: Self, then: Self, otherwise: Self) -> Self;
    /// The larger of self and a bound that is a number; NaN where self is NaN.
    unsafe fn at_least(self, bound: Self) -> Self;
    /// The nearest integer; any result where self is NaN.
    unsafe fn round(self) -> Self;
    /// 2ⁿ for integers n in [−126, 127]; any result where self is NaN.
    unsafe fn exp2_integer(self) -> Self;
}

/// Work written once for every instruction set: `TALL × WIDE` is the register tile that fits it,
/// in rows and vectors.
pub trait Job {
    type Output;

    /// Does the work.
    ///
    /// # Safety
    /// The processor must have V's instruction set, and the caller be compiled for it.
    unsafe fn run<V: Vector, const TALL: usize, const WIDE: usize>(self) -> Self::Output;
}
