//! One edge at a time: prediction f, its derivative J and the transpose Jᵀ (docs/maths.md §1, §4).
//!
//! `l` is the 0-based index of an edge other than the first; it reads layer `l − 1`.

use super::Kernel;
use crate::{
    backend::Problem,
    network::Placement,
    real::Real,
    stack::{Matrix, Stack},
};

/// `out` ← f_l(z), with the activation's slopes and rates at z.
pub fn predict<K: Kernel<Real = R>, R: Real>(
    kernel: &K,
    problem: &Problem<R>,
    l: usize,
    z: &Matrix<R>,
    out: &mut Matrix<R>,
    slopes: &mut Stack<R>,
    rates: &mut Stack<R>,
) {
    let (edge, phi) = (&problem.network.edges()[l], problem.network.activation());
    let skip = edge.skip().then_some(z);
    match problem.network.placement() {
        Placement::Pre => {
            let rates = &mut rates.layers[l - 1];
            kernel.activate(phi, z.data(), rates.data_mut(), slopes.layers[l - 1].data_mut());
            kernel.forward(edge, rates, skip, out);
        }
        Placement::Post => {
            kernel.forward(edge, z, None, out);
            if let Some(slopes) = slopes.layers.get_mut(l) {
                kernel.activate_in_place(phi, out.data_mut(), slopes.data_mut());
            }
            if let Some(z) = skip {
                add(z, out);
            }
        }
    }
}

/// `out` ← J_lᵀ q. Uses `signal` as a buffer.
pub fn pull_back<K: Kernel<Real = R>, R: Real>(
    kernel: &K,
    problem: &Problem<R>,
    l: usize,
    q: &Matrix<R>,
    slopes: &Stack<R>,
    signal: &mut Matrix<R>,
    out: &mut Matrix<R>,
) {
    let edge = &problem.network.edges()[l];
    let skip = edge.skip().then_some(q);
    match problem.network.placement() {
        Placement::Pre => kernel.transposed(edge, q, Some(&slopes.layers[l - 1]), skip, out),
        Placement::Post if l < problem.network.hidden() => {
            for ((s, &q), &slope) in signal.data_mut().iter_mut().zip(q.data()).zip(slopes.layers[l].data()) {
                *s = slope * q;
            }
            kernel.transposed(edge, signal, None, skip, out);
        }
        Placement::Post => kernel.transposed(edge, q, None, skip, out),
    }
}

/// `out` ← J_l v. Uses `signal` as a buffer.
pub fn push_forward<K: Kernel<Real = R>, R: Real>(
    kernel: &K,
    problem: &Problem<R>,
    l: usize,
    v: &Matrix<R>,
    slopes: &Stack<R>,
    signal: &mut Matrix<R>,
    out: &mut Matrix<R>,
) {
    let edge = &problem.network.edges()[l];
    let skip = edge.skip().then_some(v);
    match problem.network.placement() {
        Placement::Pre => {
            for ((s, &v), &slope) in signal.data_mut().iter_mut().zip(v.data()).zip(slopes.layers[l - 1].data()) {
                *s = slope * v;
            }
            kernel.forward(edge, signal, skip, out);
        }
        Placement::Post => {
            kernel.forward(edge, v, None, out);
            if let Some(slopes) = slopes.layers.get(l) {
                gate(slopes, out);
            }
            if let Some(v) = skip {
                add(v, out);
            }
        }
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
