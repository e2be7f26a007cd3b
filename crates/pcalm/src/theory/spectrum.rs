//! The spectrum of a network's inference and what follows from it: which steps are stable, how fast
//! they converge, how many are needed (MATHS.md §7; \[ALM\] app. C, D).
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
    krylov::{self, not_finite},
    linearisation::{Linearisation, dot},
    mode::Mode,
};
use crate::error::{Error, StabilityBound};
use faer::{Mat, c64};

/// Up to this many unknowns all singular values are computed, from the dense C.
pub const DENSE_SINGULAR_VALUES: usize = 2048;
/// Up to this many unknowns all eigenvalues of M are computed, from the dense M.
pub const DENSE_ITERATION: usize = 512;

/// Eigenvalues of M next to 1 that are looked at first for the slowest.
const SLOW_MODES: usize = 8;
/// Residual of the extreme eigenvalues, relative.
const TOLERANCE: f64 = 1e-7;

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
}

impl Spectrum {
    /// Of `linearisation`.
    ///
    /// # Errors
    /// If the linearisation is not finite, or the iteration for its eigenvalues does not converge.
    pub fn new(linearisation: &Linearisation) -> Result<Self, Error> {
        let n = linearisation.unknowns();
        let ones = vec![1.0; linearisation.hidden()];
        let singular_values = if n <= DENSE_SINGULAR_VALUES {
            Some(linearisation.dense_constraint().singular_values().map_err(|_| not_finite())?)
        } else {
            None
        };
        let (sigma_max, sigma_min) = match &singular_values {
            Some(all) => (all[0], all[n - 1]),
            None => {
                let largest = top(linearisation, |v, out| linearisation.stiffness(&ones, v, out))?;
                let inverse = top_of_inverse(n, |v| linearisation.solve_stiffness(&ones, v))?;
                (largest.sqrt(), inverse.sqrt().recip())
            }
        };
        let lambda_max = top(linearisation, |v, out| linearisation.hessian(v, out))?;
        let inverse = linearisation.hessian_inverse()?;
        let lambda_min = top_of_inverse(n, |v| inverse.apply(v))?.recip();
        Ok(Spectrum { unknowns: n, singular_values, sigma_max, sigma_min, lambda_max, lambda_min })
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
    /// η λ_max(2H + αCᵀC), which must stay below 4: the exact stability bound, S included.
    ///
    /// # Errors
    /// As [`Spectrum::new`].
    pub fn stability(&self) -> Result<f64, Error> {
        Ok(self.eta * self.bound(self.alpha)?.0)
    }

    /// The largest η that is stable at this α (any η below it is).
    ///
    /// # Errors
    /// As [`Spectrum::new`].
    pub fn largest_eta(&self) -> Result<f64, Error> {
        Ok(StabilityBound::LIMIT / self.bound(self.alpha)?.0)
    }

    /// The largest α that is stable at this η, or `None` if η is too large for any.
    ///
    /// # Errors
    /// As [`Spectrum::new`].
    pub fn largest_alpha(&self) -> Result<Option<f64>, Error> {
        let limit = StabilityBound::LIMIT / self.eta;
        if self.bound(0.0)?.0 >= limit {
            return Ok(None);
        }
        // λ_max(2H + αK) is convex and rises in α, so Newton's iteration from the right falls to its
        // root. Without 2H the root would be limit/σ_max²: that is to the right.
        let ones = vec![1.0; self.linearisation.hidden()];
        let stiffness = top(self.linearisation, |v, out| self.linearisation.stiffness(&ones, v, out))?;
        let mut alpha = limit / stiffness;
        for _ in 0..100 {
            let (value, slope) = self.bound(alpha)?;
            let step = (value - limit) / slope;
            alpha -= step;
            if step.abs() <= 1e-12 * alpha {
                break;
            }
        }
        Ok(Some(alpha))
    }

    /// λ_max(2H + αCᵀC) and its derivative in α, ‖Cx‖² of the eigenvector x.
    fn bound(&self, alpha: f64) -> Result<(f64, f64), Error> {
        let lin = self.linearisation;
        let d: Vec<f64> = lin.rho().iter().map(|rho| 2.0 * rho + alpha).collect();
        let apply = |v: &[f64], out: &mut [f64]| {
            lin.stiffness(&d, v, out);
            lin.add_loss_curvature(2.0, v, out);
        };
        let (values, x) = krylov::largest(lin.unknowns(), 1, TOLERANCE, norm(lin.unknowns(), &apply), apply)?;
        let mut image = vec![0.0; x.len()];
        lin.constraint(&x, &mut image);
        Ok((values[0], image.iter().map(|c| c * c).sum()))
    }

    /// The spectral radius of M with S: the factor by which the slowest mode shrinks per step. With
    /// α = 0, of the activities alone.
    ///
    /// # Errors
    /// As [`Spectrum::new`].
    pub fn radius(&self, spectrum: &Spectrum) -> Result<f64, Error> {
        if self.alpha == 0.0 {
            let ends = [spectrum.lambda_min, spectrum.lambda_max];
            return Ok(ends.map(|e| (1.0 - self.eta * e).abs()).into_iter().fold(0.0, f64::max));
        }
        if let Some(all) = self.eigenvalues(true)? {
            return Ok(all.iter().map(|e| e.norm()).fold(0.0, f64::max));
        }
        self.fast_radius(self.slow_radius()?)
    }

    /// The largest |θ| of the modes with θ not real and negative.
    ///
    /// The modes nearest to 1 are looked at, up to a distance s. All others that are complex have
    /// |θ|² = 1 − ηh with h ≥ ρ k and s² ≤ |θ − 1|² = ηαk, where k = ‖Cz‖²; all others that are real have
    /// θ ≤ 1 − s. More are looked at until that rules out all the others.
    fn slow_radius(&self) -> Result<f64, Error> {
        let rho = self.linearisation.rho().iter().copied().fold(f64::INFINITY, f64::min);
        let mut count = SLOW_MODES;
        loop {
            let modes = self.slow_modes(count)?;
            let radius = modes.iter().map(|e| e.norm()).fold(0.0, f64::max);
            let reach = modes.iter().map(|e| (e - 1.0).norm()).fold(0.0, f64::max);
            let others = (1.0 - rho * reach * reach / self.alpha).max(0.0).sqrt().max(1.0 - reach);
            if radius >= others || 2 * count > self.linearisation.unknowns() {
                return Ok(radius);
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
        let d: Vec<f64> = lin.rho().iter().map(|rho| rho + self.alpha).collect();
        let invert = |v: &[f64], out: &mut [f64]| {
            let (z, w) = out.split_at_mut(n);
            z.copy_from_slice(&v[n..]);
            z.iter_mut().for_each(|z| *z /= root);
            lin.solve_constraint(z);
            lin.stiffness(&d, z, w);
            lin.add_loss_curvature(1.0, z, w);
            w.iter_mut().zip(v).for_each(|(w, v)| *w = -(v + self.eta * *w) / root);
            lin.solve_constraint_transposed(w);
        };
        let inverse = krylov::largest_of_general(2 * n, count, TOLERANCE, norm(2 * n, &invert), invert)?;
        Ok(inverse.into_iter().map(|mu| 1.0 + mu.inv()).collect())
    }

    /// The larger of `radius` and the size of the most negative eigenvalue −r, which solves
    /// λ_max(η(H + αr/(1 + r) CᵀC)) = 1 + r.
    fn fast_radius(&self, radius: f64) -> Result<f64, Error> {
        let lin = self.linearisation;
        let mut r = radius;
        for _ in 0..100 {
            let share = self.alpha * r / (1.0 + r);
            let d: Vec<f64> = lin.rho().iter().map(|rho| rho + share).collect();
            let found = self.eta
                * top(lin, |v, out| {
                    lin.stiffness(&d, v, out);
                    lin.add_loss_curvature(1.0, v, out);
                })?
                - 1.0;
            if found <= r * (1.0 + 1e-12) {
                break;
            }
            r = found;
        }
        Ok(r)
    }

    /// All eigenvalues of M, from the dense matrix: 2n with α > 0; with α = 0 the n of the
    /// activities alone, 1 − η times those of H. `with_loss` says whether S is part of it. `None`
    /// beyond [`DENSE_ITERATION`] unknowns.
    ///
    /// # Errors
    /// If the linearisation is not finite.
    pub fn eigenvalues(&self, with_loss: bool) -> Result<Option<Vec<c64>>, Error> {
        if self.linearisation.unknowns() > DENSE_ITERATION {
            return Ok(None);
        }
        let matrix = self.dense(with_loss);
        let n = self.linearisation.unknowns();
        let matrix = if self.alpha == 0.0 { matrix.submatrix(0, 0, n, n).to_owned() } else { matrix };
        matrix.eigenvalues().map(Some).map_err(|_| not_finite())
    }

    /// M = [[I − ηH, −ηCᵀ], [αC(I − ηH), I − ηαCCᵀ]], `[2n, 2n]`; H without S if not `with_loss`.
    pub fn dense(&self, with_loss: bool) -> Mat<f64> {
        let (lin, n) = (self.linearisation, self.linearisation.unknowns());
        let c = lin.dense_constraint();
        let rho = lin.spread(lin.rho());
        let weighted = Mat::from_fn(n, n, |i, j| rho[i] * c[(i, j)]);
        let mut h = c.transpose() * &weighted;
        if with_loss {
            h += lin.dense_loss_curvature();
        }
        let activities = Mat::<f64>::identity(n, n) - &h * faer::Scale(self.eta);
        let dual = c.transpose() * faer::Scale(-self.eta);
        let mut m = Mat::zeros(2 * n, 2 * n);
        m.as_mut().submatrix_mut(n, 0, n, n).copy_from(&c * &activities * faer::Scale(self.alpha));
        let corner = Mat::<f64>::identity(n, n) + &c * &dual * faer::Scale(self.alpha);
        m.as_mut().submatrix_mut(n, n, n, n).copy_from(corner);
        m.as_mut().submatrix_mut(0, 0, n, n).copy_from(activities);
        m.as_mut().submatrix_mut(0, n, n, n).copy_from(dual);
        m
    }

    /// The map of the singular value σ, for one ρ on all layers.
    pub fn mode(&self, sigma: f64) -> Mode {
        Mode { x: self.eta * sigma * sigma, rho: self.linearisation.rho()[0], alpha: self.alpha }
    }
}

/// λ_max of a symmetric positive map on the linearisation's activities.
fn top(linearisation: &Linearisation, apply: impl Fn(&[f64], &mut [f64]) + Sync) -> Result<f64, Error> {
    let n = linearisation.unknowns();
    Ok(krylov::largest(n, 1, TOLERANCE, norm(n, &apply), apply)?.0[0])
}

/// λ_max of the inverse of a symmetric positive map, which `solve` applies in place.
fn top_of_inverse(n: usize, solve: impl Fn(&mut [f64]) + Sync) -> Result<f64, Error> {
    let apply = |v: &[f64], out: &mut [f64]| {
        out.copy_from_slice(v);
        solve(out);
    };
    Ok(krylov::largest(n, 1, TOLERANCE, norm(n, &apply), apply)?.0[0])
}

/// About the size of a map, from a few power iterations: what tolerances are relative to.
fn norm(n: usize, apply: impl Fn(&[f64], &mut [f64])) -> f64 {
    let mut v = vec![(n as f64).sqrt().recip(); n];
    let mut image = vec![0.0; n];
    let mut size = 0.0;
    for _ in 0..4 {
        apply(&v, &mut image);
        size = dot(&image, &image).sqrt();
        v.iter_mut().zip(&image).for_each(|(v, i)| *v = i / size);
    }
    size
}
