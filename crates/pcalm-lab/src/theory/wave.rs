//! `pcalm theory wave`: where credit is at every step, with PC and with PC-ALM.

use super::{Case, picture, write_report, write_table};
use crate::{LabError, folder::Folder, record::finite};
use pcalm::{
    backend::Reference,
    lagrangian::Lagrangian,
    minibatch::Batch,
    theory::{Dispersion, Iteration, Linearisation, Wave, crossing_time, dispersion},
};
use serde::Serialize;

/// Predicted and measured travel of credit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WaveReport {
    /// Depth L.
    pub depth: usize,
    /// Samples.
    pub samples: usize,
    /// Whether the theory is exact for the network.
    pub exact: bool,
    /// η.
    pub eta: f64,
    /// α of PC-ALM.
    pub alpha: f64,
    /// Steps.
    pub budget: usize,
    /// √(ηα), layers per step.
    pub predicted_speed: f64,
    /// Layers per step of PC-ALM's front, if it crossed.
    pub measured_speed: Option<f64>,
    /// T* = L/√(ηα).
    pub predicted_inflection: f64,
    /// Step at which PC-ALM's alignment rises fastest.
    pub measured_inflection: Option<f64>,
    /// Alignment to BP at the last step, PC-ALM.
    pub alm_alignment: f64,
    /// Alignment to BP at the last step, PC.
    pub pc_alignment: f64,
    /// p of half-width ∝ stepsᵖ of PC: ½ is diffusion.
    pub pc_exponent: Option<f64>,
    /// Layers with at least half of BP's credit at the last step, from the readout: PC-ALM and PC.
    pub reached: [usize; 2],
    /// Median of measured over predicted damping of the slowest fifth of the oscillating modes; with few
    /// enough unknowns.
    pub damping_ratio: Option<f64>,
    /// The same of the phases.
    pub phase_ratio: Option<f64>,
}

/// A row of `credit.csv`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CreditRow {
    rule: &'static str,
    step: usize,
    layer: usize,
    credit: f64,
    dual: f64,
    residual: f64,
    backprop: f64,
    alignment: Option<f64>,
    norm_ratio: Option<f64>,
}

#[derive(Serialize)]
struct StepRow {
    rule: &'static str,
    step: usize,
    alignment: Option<f64>,
    norm_ratio: Option<f64>,
    half_width: Option<f64>,
    front: usize,
}

#[derive(Serialize)]
struct DispersionRow {
    wavenumber: f64,
    long_wave_damping: f64,
    predicted_damping: f64,
    measured_damping: f64,
    long_wave_phase: f64,
    predicted_phase: f64,
    measured_phase: f64,
}

/// Watches `budget` steps of both; writes `wave.json`, `credit.csv`, `steps.csv`, `dispersion.csv` and
/// `wave.svg`.
///
/// # Errors
/// If α is 0, an inference diverges or the files cannot be written.
pub fn wave(case: &Case, folder: &Folder, budget: usize) -> Result<WaveReport, LabError> {
    let (eta, alpha) = (case.eta()?, case.rule.alpha);
    if alpha == 0.0 {
        return Err(LabError::option("alpha", "0 is plain PC, which has no wave; it is shown beside any other α"));
    }
    let depth = case.network.depth();
    let predicted = crossing_time(depth, eta, alpha);
    let watch = |alpha: f64| -> Result<Wave, LabError> {
        case.watch(&Reference::<f64>::new(), "pc-alm", &case.settings(eta, alpha, budget))
    };
    let (alm, pc) = rayon::join(|| watch(alpha), || watch(0.0));
    let (alm, pc) = (alm?, pc?);
    let both = [("pc-alm", &alm), ("pc", &pc)];
    write_table(
        folder,
        "credit.csv",
        &both.iter().flat_map(|(rule, wave)| credit_rows(rule, wave)).collect::<Vec<_>>(),
    )?;
    write_table(folder, "steps.csv", &both.iter().flat_map(|(rule, wave)| step_rows(rule, wave)).collect::<Vec<_>>())?;
    let modes = modes(case, eta, budget)?;
    if let Some(modes) = &modes {
        write_table(folder, "dispersion.csv", &modes.iter().map(dispersion_row).collect::<Vec<_>>())?;
    }
    picture::wave(folder, &alm, &pc, budget)?;
    let slow = modes.map(|modes| modes[..modes.len().div_ceil(5)].to_vec());
    let ratio = |of: fn(&Dispersion) -> f64| slow.as_ref().and_then(|m| median(m.iter().map(of).collect()));
    let last = |wave: &Wave| wave.moments.last().map_or(f64::NAN, |m| m.agreement.cosine);
    let report = WaveReport {
        depth,
        samples: case.samples.batch()?.samples(),
        exact: case.is_linear(),
        eta,
        alpha,
        budget,
        predicted_speed: (eta * alpha).sqrt(),
        measured_speed: alm.front_speed(),
        predicted_inflection: predicted,
        measured_inflection: alm.inflection(),
        alm_alignment: last(&alm),
        pc_alignment: last(&pc),
        pc_exponent: pc.spreading_exponent(),
        reached: [alm.arrivals().len(), pc.arrivals().len()],
        damping_ratio: ratio(|m| m.measured_damping / m.predicted_damping),
        phase_ratio: ratio(|m| m.measured_phase / m.predicted_phase),
    };
    write_report(folder, "wave.json", &report)?;
    Ok(report)
}

/// Damping and phase of the modes on the first sample, over enough steps to see the slowest turn.
fn modes(case: &Case, eta: f64, budget: usize) -> Result<Option<Vec<Dispersion>>, LabError> {
    let (x, y) = case.samples.first();
    if !case.objective.is_uniform() {
        return Ok(None);
    }
    let linearisation = Linearisation::at_forward_pass(&case.network, &case.objective, x, y)?;
    let iteration = Iteration { linearisation: &linearisation, eta, alpha: case.rule.alpha };
    let backend = Reference::<f64>::new();
    let one = Batch::new(x, y, 1)?;
    let (block, mut state) = one.block(&backend, &case.network)?;
    let lagrangian = Lagrangian::new(&backend, &case.network, &block, &case.objective)?;
    let rule = case.rule(eta, case.rule.alpha, 2 * budget)?;
    Ok(dispersion(&iteration, &lagrangian, &mut state, rule.as_ref())?)
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// A row per step and hidden layer.
pub fn credit_rows(rule: &'static str, wave: &Wave) -> Vec<CreditRow> {
    let row = |step: usize| {
        wave.moments[step].layers.iter().zip(&wave.backprop).enumerate().map(move |(l, (layer, &backprop))| CreditRow {
            rule,
            step,
            layer: l + 1,
            credit: layer.credit,
            dual: layer.dual,
            residual: layer.residual,
            backprop,
            alignment: finite(layer.agreement.cosine),
            norm_ratio: finite(layer.agreement.norm_ratio),
        })
    };
    (0..wave.moments.len()).flat_map(row).collect()
}

fn step_rows(rule: &'static str, wave: &Wave) -> Vec<StepRow> {
    let arrivals = wave.arrivals();
    let row = |(m, half_width): (&pcalm::theory::Moment, Option<f64>)| StepRow {
        rule,
        step: m.step,
        alignment: finite(m.agreement.cosine),
        norm_ratio: finite(m.agreement.norm_ratio),
        half_width,
        front: arrivals.iter().take_while(|t| **t <= m.step as f64).count(),
    };
    wave.moments.iter().zip(wave.half_widths()).map(row).collect()
}

fn dispersion_row(m: &Dispersion) -> DispersionRow {
    DispersionRow {
        wavenumber: m.wavenumber,
        long_wave_damping: m.long_wave_damping,
        predicted_damping: m.predicted_damping,
        measured_damping: m.measured_damping,
        long_wave_phase: m.long_wave_phase,
        predicted_phase: m.predicted_phase,
        measured_phase: m.measured_phase,
    }
}
