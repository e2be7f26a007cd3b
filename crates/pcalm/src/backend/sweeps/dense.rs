//! One dense edge: prediction f, its derivative J and the transpose Jᵀ, and the weight gradient (docs/maths.md §1, §4).
//!
//! Each adds `base`, if there is one, to what it computes; buffers may have more rows than needed.

use super::Kernel;
use crate::{
    backend::host::Slopes,
    network::{Dense, Placement},
    real::Real,
    stack::Matrix,
};

/// `out` ← f(z), with the activation's slopes and rates there into `at`.
pub fn predict<K: Kernel<Real = R>, R: Real>(
    kernel: &K,
    dense: &Dense<R>,
    z: &Matrix<R>,
    base: Option<&Matrix<R>>,
    at: &mut Slopes<R>,
    out: &mut Matrix<R>,
) {
    let nonlinear = dense.nonlinearity().is_some();
    match dense.placement() {
        Placement::Pre if nonlinear => {
            kernel.activate(dense.activation(), z.data(), at.rates.data_mut(), at.slopes.data_mut());
            kernel.forward(dense, &at.rates, dense.bias(), base, out);
        }
        Placement::Pre => kernel.forward(dense, z, dense.bias(), base, out),
        Placement::Post => {
            kernel.forward(dense, z, dense.bias(), None, out);
            if nonlinear {
                let slopes = at.slopes.data_mut();
                kernel.activate_in_place(dense.activation(), &mut out.data_mut()[..slopes.len()], slopes);
            }
            if let Some(base) = base {
                add(base, out);
            }
        }
    }
}

/// `out` ← Jᵀ q. Uses `signal` as a buffer.
pub fn pull<K: Kernel<Real = R>, R: Real>(
    kernel: &K,
    dense: &Dense<R>,
    q: &Matrix<R>,
    base: Option<&Matrix<R>>,
    at: &Slopes<R>,
    signal: &mut Matrix<R>,
    out: &mut Matrix<R>,
) {
    match dense.nonlinearity() {
        None => kernel.transposed(dense, q, None, base, out),
        Some((_, Placement::Pre)) => kernel.transposed(dense, q, Some(&at.slopes), base, out),
        Some((_, Placement::Post)) => {
            gated(&at.slopes, q, signal);
            kernel.transposed(dense, signal, None, base, out);
        }
    }
}

/// `out` ← J v. Uses `signal` as a buffer.
pub fn push<K: Kernel<Real = R>, R: Real>(
    kernel: &K,
    dense: &Dense<R>,
    v: &Matrix<R>,
    base: Option<&Matrix<R>>,
    at: &Slopes<R>,
    signal: &mut Matrix<R>,
    out: &mut Matrix<R>,
) {
    let nonlinear = dense.nonlinearity().is_some();
    match dense.placement() {
        Placement::Pre if nonlinear => {
            gated(&at.slopes, v, signal);
            kernel.forward(dense, signal, None, base, out);
        }
        Placement::Pre => kernel.forward(dense, v, None, base, out),
        Placement::Post => {
            kernel.forward(dense, v, None, None, out);
            if nonlinear {
                gate(&at.slopes, out);
            }
            if let Some(base) = base {
                add(base, out);
            }
        }
    }
}

/// Adds −`weight` · a q φ(z)ᵀ to the weights' part of `gradient`, and −`weight` · q to the bias's, summed over samples.
pub fn weight_gradient<K: Kernel<Real = R>, R: Real>(
    kernel: &K,
    dense: &Dense<R>,
    (z, q): (&Matrix<R>, &Matrix<R>),
    at: &Slopes<R>,
    weight: R,
    gradient: &mut [R],
) {
    let (weights, bias) = gradient.split_at_mut(dense.weight().len());
    let mut learn = |q: &Matrix<R>, x: &Matrix<R>| {
        kernel.outer(-weight * dense.scale(), q, x, weights);
        for (i, b) in bias.iter_mut().enumerate() {
            *b += -weight * q.row(i).iter().copied().sum::<R>();
        }
    };
    match dense.nonlinearity() {
        None => learn(q, z),
        Some((_, Placement::Pre)) => learn(q, &at.rates),
        Some((_, Placement::Post)) => {
            let mut signal = q.clone();
            gate(&at.slopes, &mut signal);
            learn(&signal, z);
        }
    }
}

/// `out ← slopes ⊙ m`.
fn gated<R: Real>(slopes: &Matrix<R>, m: &Matrix<R>, out: &mut Matrix<R>) {
    for ((s, &m), &slope) in out.data_mut().iter_mut().zip(m.data()).zip(slopes.data()) {
        *s = slope * m;
    }
}

/// `m ← slopes ⊙ m`.
pub fn gate<R: Real>(slopes: &Matrix<R>, m: &mut Matrix<R>) {
    for (v, &slope) in m.data_mut().iter_mut().zip(slopes.data()) {
        *v *= slope;
    }
}

/// `m ← m + other`.
pub fn add<R: Real>(other: &Matrix<R>, m: &mut Matrix<R>) {
    for (v, &o) in m.data_mut().iter_mut().zip(other.data()) {
        *v += o;
    }
}
