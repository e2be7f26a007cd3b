//! The largest curvature in few products, by Lanczos' iteration \[Lanczos 1950\].
//!
//! After k products with a symmetric A the largest eigenvalue of the k × k tridiagonal matrix T is the largest
//! Rayleigh quotient in their whole span, where power iteration has only that of the last vector: on a chain, whose
//! largest eigenvalues crowd together, 40 products give it to a few in a thousand, and power iteration to some per cent.
//! Vectors are not orthogonalised again: that duplicates eigenvalues of T and moves none beyond those of A.

use super::curvature::{AppliedOperator, Operator, over_blocks, random_directions, scale_samples};
use crate::{
    backend::Host,
    error::Error,
    lagrangian::Lagrangian,
    minibatch::Minibatch,
    network::Network,
    real::Real,
    stack::{Stack, nan_max},
    state::State,
};

/// The largest eigenvalue of `operator` over the samples loaded into `minibatch`, from below, after so many `products`.
///
/// # Errors
/// As [`largest_eigenvalue`](super::largest_eigenvalue).
pub fn estimate<B: Host>(
    minibatch: &mut Minibatch<B>,
    network: &Network<B::Real>,
    operator: Operator,
    products: usize,
) -> Result<f64, Error> {
    let found = over_blocks(minibatch, network, |lagrangian, state| {
        block(lagrangian, state, operator, products).map(|largest| (largest, products))
    })?;
    Ok(found.0)
}

/// Over the samples of one block, each iterated on its own, all at once.
fn block<B: Host>(
    lagrangian: &Lagrangian<B>,
    state: &mut State<B>,
    operator: Operator,
    products: usize,
) -> Result<f64, Error> {
    let samples = lagrangian.samples();
    let mut map = AppliedOperator::new(lagrangian, state, operator);
    let mut v = random_directions(&state.activities, samples);
    let (mut before, mut image) = (v.clone(), v.clone());
    before.clear();
    let mut rows: Vec<Tridiagonal> = vec![Tridiagonal::default(); samples];
    let mut coupling = vec![0.0; samples];
    for _ in 0..products {
        if lagrangian.interrupted() {
            return Err(Error::Interrupted);
        }
        map.apply(lagrangian, state, &v, &mut image);
        let diagonal = lagrangian.inner(&v, &image);
        subtract(&mut image, &diagonal, &v);
        subtract(&mut image, &coupling, &before);
        let norms: Vec<f64> = lagrangian.inner(&image, &image).into_iter().map(f64::sqrt).collect();
        for ((row, &d), &c) in rows.iter_mut().zip(&diagonal).zip(&norms) {
            row.diagonal.push(d);
            row.coupling.push(c);
        }
        // A span that is used up goes on with nothing: zeros, which add the eigenvalue 0 alone.
        let factors: Vec<f64> = norms.iter().map(|n| if *n > 0.0 { n.recip() } else { 0.0 }).collect();
        scale_samples(&mut image, &factors);
        coupling = norms;
        std::mem::swap(&mut before, &mut v);
        std::mem::swap(&mut v, &mut image);
    }
    Ok(rows.iter().map(|row| row.largest() - map.shift()).fold(0.0, nan_max))
}

/// `v −= factor · other`, a factor per sample.
fn subtract<R: Real>(v: &mut Stack<R>, factors: &[f64], other: &Stack<R>) {
    let factors: Vec<R> = factors.iter().map(|&f| R::of(f)).collect();
    for (v, other) in v.layers.iter_mut().zip(&other.layers) {
        let cols = v.cols();
        for (v, other) in v.data_mut().chunks_exact_mut(cols).zip(other.data().chunks_exact(cols)) {
            v.iter_mut().zip(other).zip(&factors).for_each(|((v, &o), &f)| *v -= f * o);
        }
    }
}

/// A symmetric tridiagonal matrix; the last coupling leads out of it.
#[derive(Clone, Debug, Default)]
struct Tridiagonal {
    diagonal: Vec<f64>,
    coupling: Vec<f64>,
}

impl Tridiagonal {
    /// Its largest eigenvalue, by bisection on Sturm's count; NaN if an entry is.
    fn largest(&self) -> f64 {
        let radius = |i: usize| self.beside(i) + if i + 1 < self.diagonal.len() { self.coupling[i] } else { 0.0 };
        let ends = (0..self.diagonal.len()).map(|i| (self.diagonal[i] - radius(i), self.diagonal[i] + radius(i)));
        let (mut low, mut high) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |a, b| (a.0.min(b.0), a.1.max(b.1)));
        if !self.diagonal.iter().chain(&self.coupling).all(|v| v.is_finite()) {
            return f64::NAN;
        }
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if self.has_above(middle) { low = middle } else { high = middle }
        }
        high
    }

    /// The coupling of row `i` to the one before it.
    fn beside(&self, i: usize) -> f64 {
        i.checked_sub(1).map_or(0.0, |before| self.coupling[before])
    }

    /// Whether an eigenvalue lies above `x`: whether T − x has a positive pivot.
    fn has_above(&self, x: f64) -> bool {
        let mut pivot = 1.0;
        self.diagonal.iter().enumerate().any(|(i, d)| {
            let beside = self.beside(i);
            pivot = d - x - beside * beside / pivot;
            // An exact zero would divide by it; either sign will do.
            pivot = if pivot == 0.0 { -f64::MIN_POSITIVE } else { pivot };
            pivot > 0.0
        })
    }
}
