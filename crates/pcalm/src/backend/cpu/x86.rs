//! Registers of x86-64: AVX-512 and AVX2 with FMA.
#![allow(unsafe_code)]

use super::vector::{Job, Vector};
use std::arch::x86_64::*;

/// 16 lanes (AVX-512F).
#[derive(Clone, Copy)]
pub struct Zmm(__m512);

/// 8 lanes (AVX2 and FMA).
#[derive(Clone, Copy)]
pub struct Ymm(__m256);

/// Runs a job compiled for AVX-512F.
///
/// # Safety
/// The processor must have it.
#[target_feature(enable = "avx512f,avx2,fma")]
pub unsafe fn run_avx512<J: Job>(job: J) -> J::Output {
    // SAFETY: this function is compiled for the instruction set of `Zmm`.
    unsafe { job.run::<Zmm, 8, 2>() }
}

/// Runs a job compiled for AVX2 and FMA.
///
/// # Safety
/// The processor must have both.
#[target_feature(enable = "avx2,fma")]
pub unsafe fn run_avx2<J: Job>(job: J) -> J::Output {
    // SAFETY: this function is compiled for the instruction set of `Ymm`.
    unsafe { job.run::<Ymm, 6, 2>() }
}

// SAFETY: each method is one or two instructions of AVX-512F on lanes that the caller vouches for.
unsafe impl Vector for Zmm {
    const LANES: usize = 16;

    #[inline(always)]
    unsafe fn prefetch(at: *const f32) {
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        unsafe { Zmm(_mm512_loadu_ps(from)) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { _mm512_storeu_ps(to, self.0) }
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        unsafe { Zmm(_mm512_set1_ps(value)) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        unsafe { Zmm(_mm512_add_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        unsafe { Zmm(_mm512_sub_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        unsafe { Zmm(_mm512_mul_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        unsafe { Zmm(_mm512_div_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn mul_add(self, b: Self, c: Self) -> Self {
        unsafe { Zmm(_mm512_fmadd_ps(self.0, b.0, c.0)) }
    }
    #[inline(always)]
    unsafe fn if_less(self, bound: Self, then: Self, otherwise: Self) -> Self {
        unsafe {
            let less = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(self.0, bound.0);
            Zmm(_mm512_mask_blend_ps(less, otherwise.0, then.0))
        }
    }
    // The instruction gives its second operand where one is NaN.
    #[inline(always)]
    unsafe fn at_least(self, bound: Self) -> Self {
        unsafe { Zmm(_mm512_max_ps(bound.0, self.0)) }
    }
    #[inline(always)]
    unsafe fn round(self) -> Self {
        unsafe { Zmm(_mm512_roundscale_ps::<_MM_FROUND_TO_NEAREST_INT>(self.0)) }
    }
    #[inline(always)]
    unsafe fn exp2_integer(self) -> Self {
        unsafe { Zmm(_mm512_scalef_ps(_mm512_set1_ps(1.0), self.0)) }
    }
}

// SAFETY: each method is a few instructions of AVX2 or FMA on lanes that the caller vouches for.
unsafe impl Vector for Ymm {
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn prefetch(at: *const f32) {
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        unsafe { Ymm(_mm256_loadu_ps(from)) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { _mm256_storeu_ps(to, self.0) }
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        unsafe { Ymm(_mm256_set1_ps(value)) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        unsafe { Ymm(_mm256_add_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        unsafe { Ymm(_mm256_sub_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        unsafe { Ymm(_mm256_mul_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        unsafe { Ymm(_mm256_div_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn mul_add(self, b: Self, c: Self) -> Self {
        unsafe { Ymm(_mm256_fmadd_ps(self.0, b.0, c.0)) }
    }
    #[inline(always)]
    unsafe fn if_less(self, bound: Self, then: Self, otherwise: Self) -> Self {
        unsafe {
            let less = _mm256_cmp_ps::<_CMP_LT_OQ>(self.0, bound.0);
            Ymm(_mm256_blendv_ps(otherwise.0, then.0, less))
        }
    }
    // The instruction gives its second operand where one is NaN.
    #[inline(always)]
    unsafe fn at_least(self, bound: Self) -> Self {
        unsafe { Ymm(_mm256_max_ps(bound.0, self.0)) }
    }
    #[inline(always)]
    unsafe fn round(self) -> Self {
        unsafe { Ymm(_mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0)) }
    }
    #[inline(always)]
    unsafe fn exp2_integer(self) -> Self {
        unsafe {
            let biased = _mm256_add_epi32(_mm256_cvtps_epi32(self.0), _mm256_set1_epi32(127));
            Ymm(_mm256_castsi256_ps(_mm256_slli_epi32::<23>(biased)))
        }
    }
}
