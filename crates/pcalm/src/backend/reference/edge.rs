//! One edge at a time: prediction f, its derivative J and the transpose Jᵀ (MATHS.md §1, §4).
//!
//! `l` is the 0-based index of an edge other than the first; it reads layer `l − 1`.

use super::product;
use crate::{
    backend::Problem,
    network::Placement,
    real::Real,
    stack::{Matrix, Stack},
};

/// `out` ← f_l(z), and the activation's slopes at z.
pub fn predict<R: Real>(
    problem: &Problem<R>,
    l: usize,
    z: &Matrix<R>,
    out: &mut Matrix<R>,
    slopes: &mut Stack<R>,
    scratch: &mut [Matrix<R>; 2],
) {
    let (edge, phi) = (&problem.network.edges()[l], problem.network.activation());
    match problem.network.placement() {
        Placement::Pre => {
            let size = z.data().len();
            let rates = &mut scratch[0];
            phi.map_value(z.data(), &mut rates.data_mut()[..size]);
            phi.map_slope(z.data(), slopes.layers[l - 1].data_mut());
            product::forward(edge, rates, out);
        }
        Placement::Post => {
            product::forward(edge, z, out);
            if let Some(slopes) = slopes.layers.get_mut(l) {
                phi.map_slope(out.data(), slopes.data_mut());
                for u in out.data_mut() {
                    *u = phi.value(*u);
                }
            }
        }
    }
    if edge.skip() {
        add(z, out);
    }
}

/// `out` ← J_lᵀ q. Uses `signal` as a buffer; both may be larger than needed.
pub fn pull_back<R: Real>(
    problem: &Problem<R>,
    l: usize,
    q: &Matrix<R>,
    slopes: &Stack<R>,
    signal: &mut Matrix<R>,
    out: &mut Matrix<R>,
) {
    let edge = &problem.network.edges()[l];
    let gate_above = problem.network.placement() == Placement::Post && l < problem.network.hidden();
    if gate_above {
        for ((s, &q), &slope) in signal.data_mut().iter_mut().zip(q.data()).zip(slopes.layers[l].data()) {
            *s = slope * q;
        }
        product::transposed(edge, signal, out);
    } else {
        product::transposed(edge, q, out);
    }
    if problem.network.placement() == Placement::Pre {
        gate(&slopes.layers[l - 1], out);
    }
    if edge.skip() {
        add(q, out);
    }
}

/// `out` ← J_l v. Uses `signal` as a buffer.
pub fn push_forward<R: Real>(
    problem: &Problem<R>,
    l: usize,
    v: &Matrix<R>,
    slopes: &Stack<R>,
    signal: &mut Matrix<R>,
    out: &mut Matrix<R>,
) {
    let edge = &problem.network.edges()[l];
    match problem.network.placement() {
        Placement::Pre => {
            for ((s, &v), &slope) in signal.data_mut().iter_mut().zip(v.data()).zip(slopes.layers[l - 1].data()) {
                *s = slope * v;
            }
            product::forward(edge, signal, out);
        }
        Placement::Post => {
            product::forward(edge, v, out);
            if let Some(slopes) = slopes.layers.get(l) {
                gate(slopes, out);
            }
        }
    }
    if edge.skip() {
        add(v, out);
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
