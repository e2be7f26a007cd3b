//! Elementwise operations on vectors: the kernel's, and the parts of them that the fused cycle takes one register at a
//! time.
#![allow(unsafe_code)]

use super::vector::{Job, Vector};
use crate::stack::LANES;

/// α and ρ of one layer.
#[derive(Clone, Copy)]
pub struct Steps<V> {
    pub alpha: V,
    pub rho: V,
}

impl<V: Vector> Steps<V> {
    /// # Safety
    /// As [`Vector`].
    #[inline(always)]
    pub unsafe fn new(alpha: f32, rho: f32) -> Self {
        // SAFETY: passed on from the caller.
        unsafe { Steps { alpha: V::splat(alpha), rho: V::splat(rho) } }
    }

    /// λ += αc; returns q = λ + ρc.
    ///
    /// # Safety
    /// As [`Vector`].
    #[inline(always)]
    pub unsafe fn credit(&self, c: V, lambda: *mut f32) -> V {
        // SAFETY: passed on from the caller.
        unsafe {
            let dual = self.alpha.mul_add(c, V::load(lambda));
            dual.store(lambda);
            self.rho.mul_add(c, dual)
        }
    }
}

/// z − η (q − pulled), with `minus_eta` = −η.
///
/// # Safety
/// As [`Vector`].
#[inline(always)]
pub unsafe fn descended<V: Vector>(minus_eta: V, q: V, pulled: V, z: V) -> V {
    // SAFETY: passed on from the caller.
    unsafe { minus_eta.mul_add(q.sub(pulled), z) }
}

/// With c = z − f: `duals += alpha · c`, then `f ← duals + rho · c`.
pub struct ElementwiseCredit<'a> {
    pub alpha: f32,
    pub rho: f32,
    pub z: &'a [f32],
    pub f: &'a mut [f32],
    pub duals: &'a mut [f32],
}

impl Job for ElementwiseCredit<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector, const TALL: usize, const WIDE: usize>(self) {
        let count = self.z.len();
        assert!(count.is_multiple_of(LANES) && self.f.len() == count && self.duals.len() == count);
        // SAFETY: all slices hold `count` numbers, a multiple of every register's lanes.
        unsafe {
            let steps = Steps::<V>::new(self.alpha, self.rho);
            for at in (0..count).step_by(V::LANES) {
                let f = self.f.as_mut_ptr().add(at);
                let c = V::load(self.z.as_ptr().add(at)).sub(V::load(f));
                steps.credit(c, self.duals.as_mut_ptr().add(at)).store(f);
            }
        }
    }
}

/// `y ← a x + b y`; the product with a in one rounding with the sum, where the machine has it.
pub struct Combine<'a> {
    pub a: f32,
    pub x: &'a [f32],
    pub b: f32,
    pub y: &'a mut [f32],
}

impl Job for Combine<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector, const TALL: usize, const WIDE: usize>(self) {
        let count = self.y.len();
        assert!(count.is_multiple_of(LANES) && self.x.len() == count);
        // SAFETY: both slices hold `count` numbers, a multiple of every register's lanes.
        unsafe {
            let (a, b) = (V::splat(self.a), V::splat(self.b));
            for at in (0..count).step_by(V::LANES) {
                let y = self.y.as_mut_ptr().add(at);
                a.mul_add(V::load(self.x.as_ptr().add(at)), b.mul(V::load(y))).store(y);
            }
        }
    }
}
