//! `pcalm theory spectrum`: stability, speed of convergence, and a recommended budget.

use super::{
    Case,
    picture::{self, NamedEigenvalues},
    write_report, write_table,
};
use crate::{LabError, folder::Folder};
use pcalm::{
    error::StabilityBound,
    theory::{Advice, Eigenvalue, Iteration, Linearisation, Mode, Radius, Spectrum, crossing_time, stability_bound},
};
use serde::Serialize;

/// What the spectrum of one sample's linearisation says. Limits are those of stability.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SpectrumReport {
    /// Depth L.
    pub depth: usize,
    /// Unknowns Σ n_l.
    pub unknowns: usize,
    /// Whether the network is linear and the loss quadratic, so that all this is exact.
    pub exact: bool,
    /// Largest singular value of C.
    pub sigma_max: f64,
    /// Smallest singular value of C.
    pub sigma_min: f64,
    /// Largest eigenvalue of the activity Hessian.
    pub lambda_max: f64,
    /// Smallest eigenvalue of the activity Hessian.
    pub lambda_min: f64,
    /// κ of the activity Hessian.
    pub condition: f64,
    /// κ of CᵀC.
    pub condition_of_constraint: f64,
    /// η in use.
    pub eta: f64,
    /// α in use.
    pub alpha: f64,
    /// ρ_l in use; none where a precision is no number.
    pub rho: Vec<Option<f64>>,
    /// η σ_max² (2ρ + α) with the largest ρ: Jury's bound, below 4.
    pub jury: f64,
    /// η λ_max(2H + αCᵀC): the exact bound, below 4.
    pub stability: f64,
    /// Whether the exact bound holds.
    pub stable: bool,
    /// Largest η by Jury's bound.
    pub largest_eta_jury: f64,
    /// Largest η.
    pub largest_eta: f64,
    /// Largest α by Jury's bound, if any.
    pub largest_alpha_jury: Option<f64>,
    /// Largest α, if any.
    pub largest_alpha: Option<f64>,
    /// Spectral radius of M without the loss curvature; for one ρ.
    pub radius_without_loss: Option<f64>,
    /// Spectral radius of M: the largest found; not looked for in very large networks.
    pub radius: Option<f64>,
    /// A bound on it; the same unless not all slow modes could be looked at.
    pub radius_at_most: f64,
    /// Steps per factor ten of the distance to the fixed point at that bound, if it shrinks.
    pub steps_per_decade: Option<f64>,
    /// Radii of the annulus of the oscillating modes; for one ρ.
    pub annulus: Option<[f64; 2]>,
    /// Modes that oscillate, of the singular values computed.
    pub oscillating: Option<usize>,
    /// T* = L/√(ηα); none with α = 0.
    pub crossing_time: Option<f64>,
    /// Recommended η.
    pub advised_eta: f64,
    /// Recommended α.
    pub advised_alpha: f64,
    /// Recommended budget T.
    pub advised_budget: usize,
    /// Why.
    pub reason: String,
}

#[derive(Serialize)]
struct ModeRow {
    sigma: f64,
    real: f64,
    imaginary: f64,
    radius: f64,
    oscillates: bool,
}

#[derive(Serialize)]
struct EigenvalueRow {
    loss_curvature: bool,
    real: f64,
    imaginary: f64,
}

/// Measures the linearisation of the case's first sample; writes `spectrum.json`, `modes.csv`,
/// `eigenvalues.csv` and `spectrum.svg`, the tables and the picture where the network is small enough.
///
/// # Errors
/// If the linearisation is not finite or the files cannot be written.
pub fn spectrum(case: &Case, folder: &Folder) -> Result<SpectrumReport, LabError> {
    case.refuse_precondition("the spectrum")?;
    let (x, y) = case.samples.first();
    let linearisation = Linearisation::at_forward_pass(&case.network, &case.objective, x, y)?;
    let spectrum = Spectrum::new(&linearisation)?;
    let eta = case.eta()?;
    let iteration = Iteration { linearisation: &linearisation, eta, alpha: case.rule.alpha };
    let modes: Option<Vec<(f64, Mode)>> = spectrum
        .singular_values
        .as_ref()
        .filter(|_| case.objective.is_uniform())
        .map(|all| all.iter().map(|&sigma| (sigma, iteration.mode(sigma))).collect());
    let eigenvalues = iteration.eigenvalues(true)?;
    let radius = iteration.radius(&spectrum, eigenvalues.as_deref())?;
    let oscillating = modes.as_ref().map(|modes| modes.iter().filter(|(_, mode)| mode.oscillates()).count());
    let report = report(case, &spectrum, &iteration, radius, oscillating)?;
    let mut clouds: Vec<NamedEigenvalues> = Vec::new();
    if let Some(modes) = &modes {
        let rows = modes.iter().flat_map(|(sigma, mode)| {
            mode.eigenvalues().map(|e| ModeRow {
                sigma: *sigma,
                real: e.re,
                imaginary: e.im,
                radius: e.norm(),
                oscillates: mode.oscillates(),
            })
        });
        write_table(folder, "modes.csv", &rows.collect::<Vec<_>>())?;
        let points = modes.iter().flat_map(|(_, mode)| mode.eigenvalues().map(|e| (e.re, e.im)));
        clouds.push(("without the loss", points.collect()));
    }
    if let Some(all) = eigenvalues {
        let without = iteration.eigenvalues(false)?.unwrap_or_default();
        let row = |loss_curvature| move |e: &Eigenvalue| EigenvalueRow { loss_curvature, real: e.re, imaginary: e.im };
        let rows: Vec<EigenvalueRow> = all.iter().map(row(true)).chain(without.iter().map(row(false))).collect();
        write_table(folder, "eigenvalues.csv", &rows)?;
        clouds.push(("with the loss", all.iter().map(|e| (e.re, e.im)).collect()));
    }
    if !clouds.is_empty() {
        let radii = report.annulus.map_or_else(Vec::new, |a| a.to_vec());
        picture::spectrum(folder, clouds, &radii)?;
    }
    write_report(folder, "spectrum.json", &report)?;
    Ok(report)
}

fn report(
    case: &Case,
    spectrum: &Spectrum,
    iteration: &Iteration,
    radius: Radius,
    oscillating: Option<usize>,
) -> Result<SpectrumReport, LabError> {
    let (eta, alpha, depth) = (iteration.eta, iteration.alpha, case.network.depth());
    let uniform = case.objective.is_uniform();
    let sigma_squared = spectrum.sigma_max * spectrum.sigma_max;
    let jury = stability_bound(&case.objective, eta, sigma_squared, alpha);
    let advice = Advice::new(iteration.linearisation, spectrum)?;
    let stability = iteration.stability(spectrum)?;
    let ends = [spectrum.sigma_max, spectrum.sigma_min].map(|sigma| iteration.mode(sigma));
    let jury_alpha = StabilityBound::LIMIT / (eta * sigma_squared) - 2.0 * jury.rho;
    Ok(SpectrumReport {
        depth,
        unknowns: spectrum.unknowns,
        exact: case.is_linear(),
        sigma_max: spectrum.sigma_max,
        sigma_min: spectrum.sigma_min,
        lambda_max: spectrum.lambda_max,
        lambda_min: spectrum.lambda_min,
        condition: spectrum.condition(),
        condition_of_constraint: spectrum.condition_of_constraint(),
        eta,
        alpha,
        rho: case.rho(),
        jury: jury.value,
        stability: stability.value(),
        stable: stability.holds(),
        largest_eta_jury: jury.largest_eta(),
        largest_eta: stability.largest_eta(),
        largest_alpha_jury: (jury_alpha > 0.0).then_some(jury_alpha),
        largest_alpha: iteration.largest_alpha(spectrum)?,
        radius_without_loss: uniform.then(|| ends[0].radius().max(ends[1].radius())),
        radius: radius.found,
        radius_at_most: radius.at_most,
        steps_per_decade: (radius.at_most < 1.0).then(|| -std::f64::consts::LN_10 / radius.at_most.ln()),
        annulus: uniform.then(|| ends.map(|mode| mode.determinant().max(0.0).sqrt())),
        oscillating,
        crossing_time: (alpha > 0.0).then(|| crossing_time(depth, eta, alpha)),
        advised_eta: advice.eta,
        advised_alpha: advice.alpha,
        advised_budget: advice.budget,
        reason: advice.reason,
    })
}
