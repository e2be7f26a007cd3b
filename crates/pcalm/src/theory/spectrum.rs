//! The spectrum of a network's inference and what follows from it: which steps are stable, how fast
//! they converge, how many are needed (docs/maths.md §7; \[ALM\] app. C, D).
//!
//! Symbols as in [`linearisation`](super::linearisation), and A = diag(α_l) the dual steps. An
//! eigenvalue θ of the iteration M with (z, λ) obeys, once λ is eliminated, the symmetric quadratic
//! problem
//!
//!   [(θ − 1)² I + η(θ − 1) H + ηθ CᵀAC] z = 0.
//!
//! For any z let h = zᵀHz and k = zᵀCᵀACz, with ‖z‖ = 1; then θ is a root of
//! θ² + (ηh + ηk − 2)θ + 1 − ηh, and both roots lie in the unit circle iff k > 0, h > 0 and
//! η(2h + k) < 4. So all modes shrink if η λ_max(2H + CᵀAC) < 4, and if it is above 4 the problem is
//! singular at some real θ < −1: with S, and for any ρ_l and α_l, this is the exact bound. With
//! S = 0 and one ρ and α it is η σ_max²(2ρ + α) < 4.

use super::{
    dense::{self, dot},
    krylov::{self, not_finite},
    linearisation::Linearisation,
    mode::Mode,
};
use crate::error::{Error, StabilityBound};
use faer::{Mat, c64};

/// Up to this many unknowns all singular values are computed, from the dense C.
pub const DENSE_SINGULAR_VALUES: usize = 2048;
/// Up to this many unknowns all eigenvalues of M are computed, from the dense M.
pub const DENSE_ITERATION: usize = 1024;

/// Eigenvalues of M next to 1 that are looked at for the slowest: at first, and at most.
const SLOW_MODES: (usize, usize) = (8, 32);
/// More unknowns than this count as many: eigenvalues are then found to fewer digits, and the slow
/// modes of M only bounded.
pub const MANY: usize = 32_768;
/// Residual of the extreme eigenvalues, relative; with many unknowns, the second. Their error is far
/// smaller: measured 1e-7 with the second, at width 256 and depth 128.
const TOLERANCE: (f64, f64) = (1e-7, 1e-5);
/// How close to a bound from above an eigenvalue is taken from below, relative.
const CERTAIN: f64 = 1e-9;

/// The extreme eigenvalues of CᵀC and of the Hessian H, and all singular values of C where there
/// are few enough.
#[derive(Clone, Debug)]
pub struct Spectrum {
    /// Unknowns of one sample, Σ n_l.
    pub unknowns: usize,
    /// σ of C, largest first; `None` beyond [`DENSE_SINGULAR_VALUES`] unknowns.
    pub singular_values: Option<Vec<f64>>,
    /// Largest singular value of C.
    pub sigma_max: f64,
    /// Smallest singular value of C.
    pub sigma_min: f64,
    /// Largest eigenvalue of H.
    pub lambda_max: f64,
    /// Smallest eigenvalue of H.
    pub lambda_min: f64,
    /// The eigenvector of λ_max.
    top: Vec<f64>,
}

impl Spectrum {
    /// Of `linearisation`.
    ///
    /// # Errors
    /// If the linearisation is not finite, or the iteration for its eigenvalues does not converge.
    pub fn new(linearisation: &Linearisation) -> Result<Self, Error> {
        let n = linearisation.unknowns();
        let singular_values = if n <= DENSE_SINGULAR_VALUES {
            Some(dense::singular_values(&linearisation.dense_constraint()).ok_or_else(not_finite)?)
        } else {
            None
        };
        let hessian = |v: &[f64], out: &mut [f64]| linearisation.hessian(v, out);
        let (lambda_max, top) = krylov::largest(n, tolerance(n), hessian)?;
        let (sigma_max, sigma_min) = match &singular_values {
            Some(all) => (all[0], all[n - 1]),
            None => {
                let most = Bounded { linearisation, top: &top, lambda_max };
                let inverse = top_of_inverse(n, |v| linearisation.solve_stiffness(|_| 1.0, v))?;
                (most.largest(0.0, 1.0)?.0.sqrt(), inverse.sqrt().recip())
            }
        };
        let inverse = linearisation.hessian_inverse()?;
        let lambda_min = top_of_inverse(n, |v| inverse.apply(v))?.recip();
        Ok(Spectrum { unknowns: n, singular_values, sigma_max, sigma_min, lambda_max, lambda_min, top })
    }

    /// κ(H) = λ_max/λ_min: plain PC needs about κ steps.
    pub fn condition(&self) -> f64 {
        self.lambda_max / self.lambda_min
    }

    /// κ(CᵀC) = (σ_max/σ_min)².
    pub fn condition_of_constraint(&self) -> f64 {
        (self.sigma_max / self.sigma_min).powi(2)
    }
}

/// One iteration: step sizes on a linearisation, whose ρ it takes.
#[derive(Clone, Copy, Debug)]
pub struct Iteration<'s, 'a> {
    /// C, S and ρ.
    pub linearisation: &'s Linearisation<'a>,
    /// Activity step η.
    pub eta: f64,
    /// Dual step α; 0 is PC.
    pub alpha: f64,
}

impl Iteration<'_, '_> {
    /// The exact stability bound, S included.
    ///
    /// # Errors
    /// As [`Spectrum::new`].
    pub fn stability(&self, spectrum: &Spectrum) -> Result<Stability, Error> {
        Ok(Stability { eta: self.eta, curvature: self.bounded(spectrum).largest(2.0, self.alpha)?.0 })
    }

    /// The largest α that is stable at this η, or `None` if η is too large for any.
    ///
    /// # Errors
    /// As [`Spectrum::new`].
    pub fn largest_alpha(&self, spectrum: &Spectrum) -> Result<Option<f64>, Error> {
        let limit = StabilityBound::LIMIT / self.eta;
        if 2.0 * spectrum.lambda_max >= limit {
            return Ok(None);
        }
        // λ_max(2H + αK) is convex and rises in α, so Newton's iteration from the right falls to its
        // root; and it is at least (2ρ + α) σ_max² with the smallest ρ, so Jury's bound with that ρ is to
        // the right.
        let mut alpha = limit / (spectrum.sigma_max * spectrum.sigma_max) - 2.0 * self.linearisation.least_rho();
        for _ in 0..100 {
            let (value, x) = self.bounded(spectrum).largest(2.0, alpha)?;
            let mut image = vec![0.0; x.len()];
            self.linearisation.constraint(&x, &mut image);
            let step = (value - limit) / dot(&image, &image);
            alpha -= step;
            if step.abs() <= TOLERANCE.0 * alpha {
                break;
            }
        }
        Ok(Some(alpha))
    }

    fn bounded<'b>(&'b self, spectrum: &'b Spectrum) -> Bounded<'b> {
        Bounded { linearisation: self.linearisation, top: &spectrum.top, lambda_max: spectrum.lambda_max }
    }

    /// The spectral radius of M with S: the factor by which the slowest mode shrinks per step. With
    /// α = 0, of the activities alone. `all` are M's [`eigenvalues`](Self::eigenvalues) with the loss, where
    /// there are.
    ///
    /// # Errors
    /// As [`Spectrum::new`].
    pub fn radius(&self, spectrum: &Spectrum, all: Option<&[c64]>) -> Result<Radius, Error> {
        let exactly = |value: f64| Radius { found: Some(value), at_most: value };
        if self.alpha == 0.0 {
            let ends = [spectrum.lambda_min, spectrum.lambda_max];
            return Ok(exactly(ends.map(|e| (1.0 - self.eta * e).abs()).into_iter().fold(0.0, f64::max)));
        }
        if let Some(all) = all {
            return Ok(exactly(all.iter().map(|e| e.norm()).fold(0.0, f64::max)));
        }
        let slow = self.slow_radius(spectrum)?;
        let fast = self.fast_radius(slow.at_most, spectrum)?;
        Ok(Radius { found: slow.found.map(|found| found.max(fast)), at_most: slow.at_most.max(fast) })
    }

    /// The largest |θ| of the modes with θ not real and negative.
    ///
    /// The modes nearest to 1 are looked at, up to a distance s. All others that are complex have
    /// |θ|² = 1 − ηh with h ≥ ρk and s² ≤ |θ − 1|² = ηαk, where k = ‖Cz‖², and any has h ≥ λ_min; all
    /// others that are real have θ ≤ 1 − s. More are looked at until that rules out the others, or they are
    /// too many.
    fn slow_radius(&self, spectrum: &Spectrum) -> Result<Radius, Error> {
        let rho = self.linearisation.least_rho();
        let mut count = SLOW_MODES.0;
        if self.linearisation.unknowns() > MANY {
            // A complex one has |θ|² = 1 − ηh; a real one θ ≤ 1 − k/(h + k), k the Rayleigh quotient of
            // αCᵀC.
            let k = self.alpha * spectrum.sigma_min * spectrum.sigma_min;
            let complex = (1.0 - self.eta * spectrum.lambda_min).max(0.0).sqrt();
            let at_most = complex.max(1.0 - k / (spectrum.lambda_max + k));
            return Ok(Radius { found: None, at_most });
        }
        loop {
            let modes = self.slow_modes(count)?;
            let found = modes.iter().map(|e| e.norm()).fold(0.0, f64::max);
            let reach = modes.iter().map(|e| (e - 1.0).norm()).fold(0.0, f64::max);
            let complex = 1.0 - (rho * reach * reach / self.alpha).max(self.eta * spectrum.lambda_min);
            let others = complex.max(0.0).sqrt().max(1.0 - reach);
            if found >= others || count >= SLOW_MODES.1 {
                return Ok(Radius { found: Some(found), at_most: found.max(others) });
            }
            count *= 2;
        }
    }

    /// The `count` eigenvalues θ of M nearest to 1, by inverting M − 1 in the variables z and w, where
    /// (θ − 1) w = √(ηα) C z: it becomes [[−η(H + αCᵀC), −√(ηα) Cᵀ], [√(ηα) C, 0]], whose inverse
    /// is a forward and an adjoint pass.
    fn slow_modes(&self, count: usize) -> Result<Vec<c64>, Error> {
        let (lin, n) = (self.linearisation, self.linearisation.unknowns());
        let root = (self.eta * self.alpha).sqrt();
        let invert = |v: &[f64], out: &mut [f64]| {
            let (z, w) = out.split_at_mut(n);
            z.copy_from_slice(&v[n..]);
            z.iter_mut().for_each(|z| *z /= root);
            lin.solve_constraint(z);
            lin.stiffness(|d| d + self.alpha, z, w);
            lin.add_loss_curvature(1.0, z, w);
            w.iter_mut().zip(v).for_each(|(w, v)| *w = -(v + self.eta * *w) / root);
            lin.solve_constraint_transposed(w);
        };
        let inverse = krylov::largest_of_general(2 * n, count, TOLERANCE.0, invert)?;
        Ok(inverse.into_iter().map(|mu| 1.0 + mu.inv()).collect())
    }

    /// The size of the most negative eigenvalue −r, which solves λ_max(η(H + αr/(1 + r) CᵀC)) = 1 + r, or
    /// 0 if it is below `radius`.
    fn fast_radius(&self, radius: f64, spectrum: &Spectrum) -> Result<f64, Error> {
        let mut r = radius;
        let mut beyond = 0.0;
        for _ in 0..100 {
            let share = self.alpha * r / (1.0 + r);
            if self.eta * self.linearisation.at_most(1.0, share, spectrum.lambda_max) <= 1.0 + r {
                break;
            }
            let found = self.eta * self.bounded(spectrum).largest(1.0, share)?.0 - 1.0;
            if found <= r * (1.0 + 1e-12) {
                break;
            }
            (r, beyond) = (found, found);
        }
        Ok(beyond)
    }

    /// All eigenvalues of M, from the dense matrix: 2n with α > 0; with α = 0 the n of the
    /// activities alone, 1 − η times those of H. `with_loss` says whether S is part of it. Sorted by modulus, then
    /// real part, then imaginary part, each from largest to smallest. `None` beyond [`DENSE_ITERATION`] unknowns.
    ///
    /// # Errors
    /// If the linearisation is not finite.
    pub fn eigenvalues(&self, with_loss: bool) -> Result<Option<Vec<c64>>, Error> {
        if self.linearisation.unknowns() > DENSE_ITERATION {
            return Ok(None);
        }
        let matrix = self.dense(with_loss);
        let n = self.linearisation.unknowns();
        let size = if self.alpha == 0.0 { n } else { 2 * n };
        dense::eigenvalues(matrix.submatrix(0, 0, size, size)).map(Some).ok_or_else(not_finite)
    }

    /// M = [[I − ηH, −ηCᵀ], [αC(I − ηH), I − ηαCCᵀ]], `[2n, 2n]`; H without S if not `with_loss`.
    pub fn dense(&self, with_loss: bool) -> Mat<f64> {
        let (lin, n) = (self.linearisation, self.linearisation.unknowns());
        let c = lin.dense_constraint();
        let mut weighted = c.clone();
        (0..n).for_each(|j| lin.weigh(|d| d, weighted.col_as_slice_mut(j)));
        let mut h = dense::product(c.transpose(), weighted.as_ref());
        if with_loss {
            h += lin.dense_loss_curvature();
        }
        let activities = Mat::<f64>::identity(n, n) - &h * faer::Scale(self.eta);
        let dual = c.transpose() * faer::Scale(-self.eta);
        let mut m = Mat::zeros(2 * n, 2 * n);
        dense::multiply(m.as_mut().submatrix_mut(n, 0, n, n), c.as_ref(), activities.as_ref(), self.alpha);
        dense::multiply(m.as_mut().submatrix_mut(n, n, n, n), c.as_ref(), dual.as_ref(), self.alpha);
        (n..2 * n).for_each(|i| m[(i, i)] += 1.0);
        m.as_mut().submatrix_mut(0, 0, n, n).copy_from(activities);
        m.as_mut().submatrix_mut(0, n, n, n).copy_from(dual);
        m
    }

    /// The map of the singular value σ, for one ρ on all layers.
    pub fn mode(&self, sigma: f64) -> Mode {
        Mode { x: self.eta * sigma * sigma, rho: self.linearisation.least_rho(), alpha: self.alpha }
    }
}

/// The exact bound on the step sizes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stability {
    eta: f64,
    /// λ_max(2H + αCᵀC).
    curvature: f64,
}

impl Stability {
    /// η λ_max(2H + αCᵀC), which must stay below 4.
    pub fn value(self) -> f64 {
        self.eta * self.curvature
    }

    /// Whether it does.
    pub fn holds(self) -> bool {
        self.value() < StabilityBound::LIMIT
    }

    /// The largest η that is stable at this α (any η below it is).
    pub fn largest_eta(self) -> f64 {
        StabilityBound::LIMIT / self.curvature
    }
}

/// A spectral radius: the largest |θ| that was found, and a bound that no other can pass. They are equal
/// unless so many modes are nearly as slow as the slowest that not all were looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Radius {
    /// Largest |θ| found; not looked for with [`MANY`] unknowns.
    pub found: Option<f64>,
    /// No |θ| is larger.
    pub at_most: f64,
}

/// λ_max of combinations of H and CᵀC, from that of H.
struct Bounded<'b> {
    linearisation: &'b Linearisation<'b>,
    /// The eigenvector of λ_max(H).
    top: &'b [f64],
    lambda_max: f64,
}

impl Bounded<'_> {
    /// λ_max(hH + kCᵀC) and its eigenvector. Where S hardly matters H's own eigenvector already reaches
    /// the bound, to the tolerance that any would be found with.
    fn largest(&self, h: f64, k: f64) -> Result<(f64, Vec<f64>), Error> {
        let (lin, n) = (self.linearisation, self.top.len());
        let apply = |v: &[f64], out: &mut [f64]| {
            lin.stiffness(|d| h * d + k, v, out);
            if h > 0.0 {
                lin.add_loss_curvature(h, v, out);
            }
        };
        let mut image = vec![0.0; n];
        apply(self.top, &mut image);
        let reached = dot(self.top, &image);
        if reached >= lin.at_most(h, k, self.lambda_max) * (1.0 - CERTAIN) {
            return Ok((reached, self.top.to_vec()));
        }
        krylov::largest(n, tolerance(n), apply)
    }
}

fn tolerance(n: usize) -> f64 {
    if n > MANY { TOLERANCE.1 } else { TOLERANCE.0 }
}

/// λ_max of the inverse of a symmetric positive map, which `solve` applies in place.
fn top_of_inverse(n: usize, solve: impl Fn(&mut [f64]) + Sync) -> Result<f64, Error> {
    let apply = |v: &[f64], out: &mut [f64]| {
        out.copy_from_slice(v);
        solve(out);
    };
    Ok(krylov::largest(n, tolerance(n), apply)?.0)
}
