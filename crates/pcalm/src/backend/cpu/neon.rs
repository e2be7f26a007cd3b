//! Registers of AArch64 (NEON, part of its baseline).
#![allow(unsafe_code)]

use super::vector::{Job, Vector};
use std::arch::aarch64::*;

/// 4 lanes.
#[derive(Clone, Copy)]
pub struct Neon(float32x4_t);

/// Runs a job compiled for NEON.
///
/// # Safety
/// The processor must have it.
#[target_feature(enable = "neon")]
pub unsafe fn run_neon<J: Job>(job: J) -> J::Output {
    // SAFETY: this function is compiled for the instruction set of `Neon`.
    unsafe { job.run::<Neon, 6, 4>() }
}

// SAFETY: each method is a few NEON instructions on lanes that the caller vouches for.
unsafe impl Vector for Neon {
    const LANES: usize = 4;

    #[inline(always)]
    unsafe fn prefetch(_at: *const f32) {}
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        unsafe { Neon(vld1q_f32(from)) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { vst1q_f32(to, self.0) }
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        unsafe { Neon(vdupq_n_f32(value)) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        unsafe { Neon(vaddq_f32(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        unsafe { Neon(vsubq_f32(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        unsafe { Neon(vmulq_f32(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        unsafe { Neon(vdivq_f32(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn mul_add(self, b: Self, c: Self) -> Self {
        unsafe { Neon(vfmaq_f32(c.0, self.0, b.0)) }
    }
    #[inline(always)]
    unsafe fn if_less(self, bound: Self, then: Self, otherwise: Self) -> Self {
        unsafe { Neon(vbslq_f32(vcltq_f32(self.0, bound.0), then.0, otherwise.0)) }
    }
    #[inline(always)]
    unsafe fn at_least(self, bound: Self) -> Self {
        unsafe { Neon(vmaxq_f32(bound.0, self.0)) }
    }
    #[inline(always)]
    unsafe fn round(self) -> Self {
        unsafe { Neon(vrndnq_f32(self.0)) }
    }
    #[inline(always)]
    unsafe fn exp2_integer(self) -> Self {
        unsafe {
            let biased = vaddq_s32(vcvtnq_s32_f32(self.0), vdupq_n_s32(127));
            Neon(vreinterpretq_f32_s32(vshlq_n_s32::<23>(biased)))
        }
    }
}
