//! Four lanes of plain Rust, for any processor.
#![allow(unsafe_code)]

use super::vector::{Job, Vector};

/// 4 lanes, which compilers keep in one 128-bit register where there is one.
#[derive(Clone, Copy)]
pub struct PortableVector([f32; 4]);

/// Runs a job compiled for the baseline of the target.
pub fn run_portable<J: Job>(job: J) -> J::Output {
    // SAFETY: `PortableVector` needs no instruction set.
    unsafe { job.run::<PortableVector, 4, 2>() }
}

impl PortableVector {
    #[inline(always)]
    fn map(self, f: impl Fn(f32) -> f32) -> Self {
        PortableVector(self.0.map(f))
    }

    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        PortableVector(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }
}

// SAFETY: plain Rust on lanes that the caller vouches for.
unsafe impl Vector for PortableVector {
    const LANES: usize = 4;

    #[inline(always)]
    unsafe fn prefetch(_at: *const f32) {}
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        unsafe { PortableVector(from.cast::<[f32; 4]>().read_unaligned()) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { to.cast::<[f32; 4]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        PortableVector([value; 4])
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| a / b)
    }
    // Two roundings: a fused one would be a slow library call on a baseline without it.
    #[inline(always)]
    unsafe fn mul_add(self, b: Self, c: Self) -> Self {
        self.zip(b, |a, b| a * b).zip(c, |p, c| p + c)
    }
    #[inline(always)]
    unsafe fn if_less(self, bound: Self, then: Self, otherwise: Self) -> Self {
        PortableVector(std::array::from_fn(|i| if self.0[i] < bound.0[i] { then.0[i] } else { otherwise.0[i] }))
    }
    #[inline(always)]
    unsafe fn at_least(self, bound: Self) -> Self {
        self.zip(bound, |x, b| if x < b { b } else { x })
    }
    #[inline(always)]
    unsafe fn round(self) -> Self {
        // Adding and taking away 1.5 · 2²³ leaves the nearest integer.
        self.map(|x| (x + 12_582_912.0) - 12_582_912.0)
    }
    #[inline(always)]
    unsafe fn exp2_integer(self) -> Self {
        self.map(|n| f32::from_bits(((n as i32 + 127) as u32) << 23))
    }
}
