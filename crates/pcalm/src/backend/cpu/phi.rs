//! Activations and their slopes on vectors.
//!
//! The exponential, tangent and error functions follow the range reductions and minimax
//! polynomials of S. Moshier's Cephes library (`expf`, `tanhf`, `ndtrf`, 1989), good to a few units
//! in the last place; the tests measure it against `f64`.
#![allow(unsafe_code)]
// The polynomials are quoted as published, in more digits than `f32` holds.
#![allow(clippy::excessive_precision)]

use super::{
    Simd,
    vector::{Job, Vector},
};
use crate::{
    activation::{Activation, LEAK},
    stack::LANES,
};
use std::marker::PhantomData;

/// An activation φ as a type, so that kernels are compiled for each.
pub trait Phi {
    /// Whether φ'(x) costs no more than a comparison, so that it is taken afresh where needed
    /// instead of being stored.
    const CHEAP_SLOPE: bool;

    /// φ(x) and φ'(x).
    ///
    /// # Safety
    /// As [`Vector`].
    unsafe fn both<V: Vector>(x: V) -> (V, V);

    /// φ'(x) · scale.
    ///
    /// # Safety
    /// As [`Vector`].
    #[inline(always)]
    unsafe fn gated<V: Vector>(x: V, scale: V) -> V {
        // SAFETY: passed on from the caller.
        unsafe { scale.mul(Self::both(x).1) }
    }
}

/// Work that is compiled for each activation.
pub trait PhiJob {
    /// Does the work for φ.
    fn run<P: Phi>(self);
}

/// Runs the job for the activation chosen at run time; not for one that there are no kernels of, and says so.
pub fn with_phi(phi: Activation, job: impl PhiJob) -> bool {
    match phi {
        Activation::Identity => job.run::<Identity>(),
        Activation::Tanh => job.run::<Tanh>(),
        Activation::Relu => job.run::<Relu>(),
        Activation::LeakyRelu => job.run::<LeakyRelu>(),
        Activation::Gelu => job.run::<Gelu>(),
        Activation::Silu => job.run::<Silu>(),
        Activation::Sigmoid => job.run::<Sigmoid>(),
        Activation::HardTanh => job.run::<HardTanh>(),
        Activation::Own(_) => return false,
    }
    true
}

struct Identity;
struct Tanh;
struct Relu;
struct LeakyRelu;
struct Gelu;
struct Silu;
struct Sigmoid;
struct HardTanh;

// SAFETY of every `unsafe` block below: operations of `Vector`, whose contract the callers keep.

impl Phi for Identity {
    const CHEAP_SLOPE: bool = true;
    #[inline(always)]
    unsafe fn both<V: Vector>(x: V) -> (V, V) {
        unsafe { (x, V::splat(1.0)) }
    }
}

impl Phi for Relu {
    const CHEAP_SLOPE: bool = true;
    #[inline(always)]
    unsafe fn both<V: Vector>(x: V) -> (V, V) {
        unsafe {
            let (zero, one) = (V::splat(0.0), V::splat(1.0));
            (x.at_least(zero), zero.if_less(x, one, zero))
        }
    }
    /// A choice between two products that are the same for a whole layer.
    #[inline(always)]
    unsafe fn gated<V: Vector>(x: V, scale: V) -> V {
        unsafe {
            let zero = V::splat(0.0);
            zero.if_less(x, scale, scale.mul(zero))
        }
    }
}

impl Phi for LeakyRelu {
    const CHEAP_SLOPE: bool = true;
    #[inline(always)]
    unsafe fn both<V: Vector>(x: V) -> (V, V) {
        unsafe {
            let (zero, leak) = (V::splat(0.0), V::splat(LEAK as f32));
            (zero.if_less(x, x, x.mul(leak)), zero.if_less(x, V::splat(1.0), leak))
        }
    }
}

impl Phi for HardTanh {
    const CHEAP_SLOPE: bool = true;
    #[inline(always)]
    unsafe fn both<V: Vector>(x: V) -> (V, V) {
        unsafe {
            let (one, minus, zero) = (V::splat(1.0), V::splat(-1.0), V::splat(0.0));
            let value = one.if_less(x, one, x.if_less(minus, minus, x));
            let inside = x.if_less(minus, zero, V::splat(1.0));
            let slope = one.if_less(x, zero, inside);
            (value, slope)
        }
    }
}

impl Phi for Tanh {
    const CHEAP_SLOPE: bool = false;
    #[inline(always)]
    unsafe fn both<V: Vector>(x: V) -> (V, V) {
        unsafe {
            let t = tanh(x);
            (t, V::splat(1.0).sub(t.mul(t)))
        }
    }
}

impl Phi for Sigmoid {
    const CHEAP_SLOPE: bool = false;
    #[inline(always)]
    unsafe fn both<V: Vector>(x: V) -> (V, V) {
        unsafe {
            let (s, rest) = sigmoid(x);
            (s, s.mul(rest))
        }
    }
}

impl Phi for Silu {
    const CHEAP_SLOPE: bool = false;
    #[inline(always)]
    unsafe fn both<V: Vector>(x: V) -> (V, V) {
        unsafe {
            let (s, rest) = sigmoid(x);
            (x.mul(s), s.mul(x.mul_add(rest, V::splat(1.0))))
        }
    }
}

impl Phi for Gelu {
    const CHEAP_SLOPE: bool = false;
    #[inline(always)]
    unsafe fn both<V: Vector>(x: V) -> (V, V) {
        unsafe {
            let half = V::splat(0.5);
            // 1/√(2π)
            let density = V::splat(0.398_942_28).mul(exp(x.mul(x).mul(V::splat(-0.5))));
            let cdf = half.mul(erfc(x.mul(V::splat(-std::f32::consts::FRAC_1_SQRT_2))));
            (x.mul(cdf), cdf.add(x.mul(density)))
        }
    }
}

/// σ(x) and 1 − σ(x), each to full relative accuracy.
#[inline(always)]
unsafe fn sigmoid<V: Vector>(x: V) -> (V, V) {
    unsafe {
        let (one, e) = (V::splat(1.0), exp(V::splat(0.0).sub(x)));
        let s = one.div(one.add(e));
        // Where e is infinite, s is 0 and their product no number.
        (s, s.if_less(V::splat(f32::MIN_POSITIVE), one, e.mul(s)))
    }
}

/// |x|; NaN stays NaN.
#[inline(always)]
unsafe fn absolute<V: Vector>(x: V) -> V {
    unsafe {
        let zero = V::splat(0.0);
        x.if_less(zero, zero.sub(x), x)
    }
}

#[inline(always)]
unsafe fn polynomial<V: Vector, const N: usize>(x: V, coefficients: [f32; N]) -> V {
    unsafe {
        let mut sum = V::splat(coefficients[0]);
        let mut i = 1;
        while i < N {
            sum = sum.mul_add(x, V::splat(coefficients[i]));
            i += 1;
        }
        sum
    }
}

/// eˣ, 0 where it is below the smallest normal number, infinite from e^88.38 up.
#[inline(always)]
unsafe fn exp<V: Vector>(x: V) -> V {
    unsafe {
        // The bounds keep 2ⁿ in the normal range; NaN fails both comparisons and passes through.
        let (low, high) = (V::splat(-87.336_54), V::splat(88.376_26));
        let given = x;
        let x = x.if_less(low, low, x);
        let x = high.if_less(x, high, x);
        let n = x.mul(V::splat(std::f32::consts::LOG2_E)).round();
        // ln 2 in two parts, so that r is exact to the last place.
        let r = n.mul_add(V::splat(-0.693_359_375), x);
        let r = n.mul_add(V::splat(2.121_944_4e-4), r);
        let p = polynomial(
            r,
            [
                1.987_569_15e-4,
                1.398_199_950_7e-3,
                8.333_451_907_3e-3,
                4.166_579_589_4e-2,
                1.666_666_545_9e-1,
                5.000_000_120_1e-1,
            ],
        );
        let e = p.mul_add(r.mul(r), r).add(V::splat(1.0));
        let e = given.if_less(low, V::splat(0.0), e.mul(n.exp2_integer()));
        high.if_less(given, V::splat(f32::INFINITY), e)
    }
}

#[inline(always)]
unsafe fn tanh<V: Vector>(x: V) -> V {
    unsafe {
        let (one, two, size) = (V::splat(1.0), V::splat(2.0), absolute(x));
        let e = exp(size.add(size));
        let large = one.sub(two.div(e.add(one)));
        let large = x.if_less(V::splat(0.0), V::splat(0.0).sub(large), large);
        let z = x.mul(x);
        let p = polynomial(
            z,
            [
                -5.704_988_727_45e-3,
                2.063_908_879_54e-2,
                -5.373_971_555_31e-2,
                1.333_144_220_36e-1,
                -3.333_328_194_22e-1,
            ],
        );
        let small = p.mul(z).mul_add(x, x);
        size.if_less(V::splat(0.625), small, large)
    }
}

/// 1 − erf(x), to full relative accuracy where it is small.
#[inline(always)]
unsafe fn erfc<V: Vector>(x: V) -> V {
    unsafe {
        let (one, two, size) = (V::splat(1.0), V::splat(2.0), absolute(x));
        // Past this erfc is 0 or 2, and the square of x must not overflow.
        let far = V::splat(12.0);
        let size = far.if_less(size, far, size);
        // e^(−x²) with the square's rounding error put back, which would grow with x².
        let square = size.mul(size);
        let rest = size.mul_add(size, V::splat(0.0).sub(square));
        let e = exp(V::splat(0.0).sub(square));
        let e = e.sub(e.mul(rest));
        let (q, y) = (one.div(size), one.div(square));
        let middle = polynomial(
            y,
            [
                2.326_819_970_068_386e-2,
                -1.387_039_388_740_657e-1,
                3.687_424_674_597_105e-1,
                -5.824_733_027_278_666e-1,
                6.210_004_621_745_983e-1,
                -4.944_515_323_274_145e-1,
                3.404_879_937_665_872e-1,
                -2.741_127_028_184_656e-1,
                5.638_259_427_386_472e-1,
            ],
        );
        let tail = polynomial(
            y,
            [
                -1.047_766_399_936_249e1,
                1.297_719_955_372_516e1,
                -7.495_518_717_768_503e0,
                2.921_019_019_210_786e0,
                -1.015_265_279_202_7e0,
                4.218_463_358_204_948e-1,
                -2.820_767_439_740_514e-1,
                5.641_895_067_754_075e-1,
            ],
        );
        let far = e.mul(q).mul(size.if_less(two, middle, tail));
        let far = x.if_less(V::splat(0.0), two.sub(far), far);
        let near = polynomial(
            square,
            [
                7.853_861_353_153_693e-5,
                -8.010_193_625_184_903e-4,
                5.188_327_685_732_524e-3,
                -2.685_381_193_529_856e-2,
                1.128_358_514_861_418e-1,
                -3.761_262_582_423_3e-1,
                1.128_379_165_726_71e0,
            ],
        );
        let near = one.sub(x.mul(near));
        size.if_less(one, near, far)
    }
}

/// `values ← φ(x)` and `slopes ← φ'(x)`; without an x, at the old values.
pub struct Activate<'a> {
    pub kernel: Simd,
    pub x: Option<&'a [f32]>,
    pub values: &'a mut [f32],
    pub slopes: &'a mut [f32],
}

impl PhiJob for Activate<'_> {
    fn run<P: Phi>(self) {
        let kernel = self.kernel;
        kernel.run(ActivationJob { job: self, phi: PhantomData::<P> });
    }
}

struct ActivationJob<'a, P> {
    job: Activate<'a>,
    phi: PhantomData<P>,
}

impl<P: Phi> Job for ActivationJob<'_, P> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector, const TALL: usize, const WIDE: usize>(self) {
        let Activate { x, values, slopes, .. } = self.job;
        let count = values.len();
        assert!(count.is_multiple_of(LANES) && slopes.len() == count);
        let (values, slopes) = (values.as_mut_ptr(), slopes.as_mut_ptr());
        let x = x.map_or(values.cast_const(), |x| {
            assert!(x.len() == count);
            x.as_ptr()
        });
        // SAFETY: all slices hold `count` numbers, a multiple of every register's lanes.
        unsafe {
            let mut at = 0;
            while at < count {
                let (value, slope) = P::both(V::load(x.add(at)));
                slope.store(slopes.add(at));
                value.store(values.add(at));
                at += V::LANES;
            }
        }
    }
}
