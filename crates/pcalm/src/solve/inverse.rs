//! The inverse of one link of a chain, as target propagation takes it (docs/maths.md §5; FRM eq. 3, eq. 25).
//!
//! With u = V s + b, V = a W, a link without a skip is undone in two steps, in the order that its placement says: V⁺ takes
//! u − b to the smallest s, and φ⁻¹ undoes φ. A link with a skip has no such form and is solved for
//! ([`skip_inverse`](super::skip_inverse)), unless it is linear: then the skip is part of V.

use super::{
    dense::{product, singular_decomposition},
    skip_inverse::{self, Solution},
};
use crate::{
    activation::Activation,
    backend::{Kernel, Reference},
    error::Refusal,
    network::{Dense, Placement},
    real::Real,
    stack::Matrix,
    work::Work,
};
use faer::Mat;

/// The inverse of the link that leaves a node. All matrices have samples in columns, of which those beyond the samples
/// mean nothing.
#[derive(Clone, Debug)]
pub struct LinkInverse {
    /// The node it finds the state of; the link enters the next.
    node: usize,
    /// The link; a skip beside a linear one is part of its weights.
    map: Dense<f64>,
    skip: bool,
    /// V⁺, or what stands in its place.
    back: Dense<f64>,
    /// What is known of V⁺.
    pub spectrum: Option<LinkSpectrum>,
}

/// What decides how much of a link can be undone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkSpectrum {
    /// Singular values of V above the cut-off.
    pub rank: usize,
    /// σ_max.
    pub largest: f64,
    /// σ_min/σ_max, over all min(n, m) singular values.
    pub ratio: f64,
}

/// How inverses are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reach {
    /// δ: how far from the ends of φ's range values are clipped to; without, values beyond are refused.
    pub clip: Option<f64>,
    /// Whether, of all states that V maps to the same, the one nearest to the forward pass is taken, not the smallest.
    pub nearest: bool,
}

/// What happened on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    /// Values φ⁻¹ was asked for that are outside the range of φ.
    pub outside: usize,
    /// Values that were clipped, those inside the range but too near its end among them.
    pub clipped: usize,
    /// Products with V, V⁺ or what stands in its place.
    pub work: Work,
}

/// Why there is no target, without the rule that wanted it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Impossible {
    /// 1-based layer.
    pub layer: usize,
    /// What is wrong and what would be right.
    pub problem: String,
}

impl Impossible {
    /// As the refusal of a rule.
    pub fn of(self, rule: &str) -> Refusal {
        Refusal { rule: rule.into(), layer: Some(self.layer), problem: self.problem }
    }
}

/// The activation that keeps a link, of this map and skip, from being inverted, if one does.
pub fn obstacle<R: Real>((dense, skip): (&Dense<R>, bool)) -> Option<Activation> {
    let phi = dense.activation();
    (!skip && phi.range().is_none()).then_some(phi)
}

impl LinkInverse {
    /// Of the link that leaves `node`, by the pseudo-inverse of its weights.
    pub fn new(node: usize, (dense, skip): (&Dense<f64>, bool)) -> Result<Self, Impossible> {
        let impossible = |problem: &str| Impossible { layer: node, problem: problem.into() };
        let linear = dense.nonlinearity().is_none();
        let map = if skip && linear { with_skip(dense) } else { Some(dense.clone()) };
        let map = map.ok_or_else(|| impossible("the weights of the link that leaves it overflow"))?;
        let inverted = pseudo_inverse(&map);
        let (back, spectrum) =
            inverted.ok_or_else(|| impossible("the weights of the link that leaves it have no finite inverse"))?;
        Ok(LinkInverse { node, map, skip: skip && !linear, back, spectrum: Some(spectrum) })
    }

    /// Of the link without a skip that leaves `node`, with backward weights in the pseudo-inverse's place.
    pub fn through(node: usize, map: &Dense<f64>, back: &Dense<f64>) -> Self {
        LinkInverse { node, map: map.clone(), skip: false, back: back.clone(), spectrum: None }
    }

    /// The state that the link takes to `above`; `here` is the forward pass at the node.
    pub fn find(
        &self,
        above: &Matrix<f64>,
        here: &Matrix<f64>,
        reach: Reach,
        samples: usize,
        tally: &mut Tally,
    ) -> Result<Matrix<f64>, Impossible> {
        if self.skip {
            return self.solve(above, here, samples, tally);
        }
        let before = self.map.placement() == Placement::Pre;
        let mut u = above.clone();
        if !before {
            self.deactivate(&mut u, self.node + 1, reach.clip, samples, tally)?;
        }
        let mut signal = here.clone();
        if before {
            let phi = self.map.activation();
            signal.data_mut().iter_mut().for_each(|z| *z = phi.value(*z));
        }
        let mut found = if reach.nearest {
            subtract(&mut u, &times(&self.map, &signal, samples, tally));
            let mut found = times(&self.back, &u, samples, tally);
            found.data_mut().iter_mut().zip(signal.data()).for_each(|(s, kept)| *s += kept);
            found
        } else {
            let cols = u.cols();
            for (row, &b) in u.data_mut().chunks_exact_mut(cols).zip(self.map.bias().unwrap_or_default()) {
                row.iter_mut().for_each(|u| *u -= b);
            }
            times(&self.back, &u, samples, tally)
        };
        if before {
            self.deactivate(&mut found, self.node, reach.clip, samples, tally)?;
        }
        Ok(found)
    }

    /// `values` ← φ⁻¹(values), which are those of a `layer`.
    fn deactivate(
        &self,
        values: &mut Matrix<f64>,
        layer: usize,
        clip: Option<f64>,
        samples: usize,
        tally: &mut Tally,
    ) -> Result<(), Impossible> {
        let phi = self.map.activation();
        let (low, high) = phi.range().unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
        let (mut outside, mut worst) = (0, 0.0);
        let (rows, cols) = (values.rows(), values.cols());
        for row in values.data_mut().chunks_exact_mut(cols) {
            row[samples..].fill(0.5);
            for v in &mut row[..samples] {
                if !(low < *v && *v < high) {
                    outside += 1;
                    worst = if v.abs() > f64::abs(worst) || v.is_nan() { *v } else { worst };
                }
                if let Some(delta) = clip {
                    let kept = v.clamp(low + delta, high - delta);
                    tally.clipped += usize::from(kept != *v);
                    *v = kept;
                }
                *v = phi.inverse(*v).unwrap_or(f64::NAN);
            }
        }
        tally.outside += outside;
        // What is not a number stays so when clipped, and is refused by whoever writes the targets.
        if outside > 0 && clip.is_none() {
            let problem = format!(
                "{outside} of {} units are outside of ({low}, {high}), the range of {}, the farthest at {worst:.6}; clip \
                 them to it (`--clip 0.001`), or take targets that a network like this one can produce",
                rows * samples,
                phi.name()
            );
            return Err(Impossible { layer, problem });
        }
        Ok(())
    }

    /// z of z + V φ(z) + b = t, or z + φ(V z + b) = t.
    fn solve(
        &self,
        above: &Matrix<f64>,
        here: &Matrix<f64>,
        samples: usize,
        tally: &mut Tally,
    ) -> Result<Matrix<f64>, Impossible> {
        let Solution { found, unsolved, worst, products } = skip_inverse::solve(&self.map, above, here, samples);
        tally.work.count(self.map.rows(), self.map.cols(), products);
        if unsolved > 0 {
            let largest = self.spectrum.map_or(f64::NAN, |s| s.largest);
            let problem = format!(
                "in {unsolved} of {samples} samples Newton's method from the forward pass finds no state that the link with \
                 a skip takes to the target of layer {} (relative residual {worst:.1e}); one is sure to exist where σ_max(V) \
                 times the largest slope of {} is below 1, and σ_max(V) is {largest:.3}; take smaller weights or targets \
                 nearer to the output, or difference-target-propagation",
                self.node + 1,
                self.map.activation().name()
            );
            return Err(Impossible { layer: self.node, problem });
        }
        Ok(found)
    }
}

/// `dense` x, with its bias, counted.
pub fn times(dense: &Dense<f64>, x: &Matrix<f64>, samples: usize, tally: &mut Tally) -> Matrix<f64> {
    tally.work.count(dense.rows(), dense.cols(), samples);
    let mut out = Matrix::zeros(dense.rows(), x.cols());
    Reference::<f64>::new().kernel.forward(dense, x, dense.bias(), None, &mut out);
    out
}

/// `m ← m − other`.
pub fn subtract(m: &mut Matrix<f64>, other: &Matrix<f64>) {
    m.data_mut().iter_mut().zip(other.data()).for_each(|(m, o)| *m -= o);
}

/// V + I with the same bias; `None` if a number overflows.
fn with_skip(dense: &Dense<f64>) -> Option<Dense<f64>> {
    let (n, scale) = (dense.cols(), dense.scale());
    let identity = |at: usize| f64::from(u8::from(at / n == at % n));
    let weight = dense.weight().iter().enumerate().map(|(at, w)| scale * w + identity(at)).collect();
    let whole = Dense::new(weight, dense.rows(), n, 1.0).ok()?.activated(dense.activation(), dense.placement());
    match dense.bias() {
        Some(bias) => whole.biased(bias).ok(),
        None => Some(whole),
    }
}

/// V⁺ with the singular values up to max(n, m) ε σ_max left out; `None` if a number is not finite.
fn pseudo_inverse(dense: &Dense<f64>) -> Option<(Dense<f64>, LinkSpectrum)> {
    let (rows, cols) = (dense.rows(), dense.cols());
    let v = Mat::from_fn(rows, cols, |i, j| dense.scale() * dense.weight()[i * cols + j]);
    let (left, sigmas, right) = singular_decomposition(&v)?;
    let (largest, smallest) = (*sigmas.first()?, *sigmas.last()?);
    let rank = sigmas.iter().filter(|&&s| s > rows.max(cols) as f64 * f64::EPSILON * largest).count();
    let scaled = Mat::from_fn(cols, rank, |i, k| right[(i, k)] / sigmas[k]);
    let inverse = product(scaled.as_ref(), left.subcols(0, rank).transpose());
    let numbers = (0..cols).flat_map(|i| (0..rows).map(move |j| (i, j))).map(|at| inverse[at]).collect();
    let ratio = if largest > 0.0 { smallest / largest } else { 0.0 };
    Some((Dense::new(numbers, cols, rows, 1.0).ok()?, LinkSpectrum { rank, largest, ratio }))
}
