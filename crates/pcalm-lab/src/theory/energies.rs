//! `pcalm theory energies`: the loss, the residuals' energy and what couples them at every step of predictive coding.
//!
//! Under the flow ż = −∂F/∂z the loss changes by −m per unit of time, m = gᵀ∂F/∂z with g = ∂ℓ_Π/∂z; it falls as long as m
//! is positive \[FRM eq. 13, 47\]. At the forward pass m = ‖g‖². That it stays positive, so that the loss could never
//! rise, does not hold in general.

use super::{Case, picture, write_report, write_table};
use crate::LabError;
use crate::folder::Folder;
use pcalm::{
    backend::Reference, infer::infer, lagrangian::Lagrangian, minibatch::Batch, network::Network, rule::RuleSettings,
    state::State,
};
use rayon::prelude::*;
use serde::Serialize;
use std::ops::ControlFlow;

/// Share of the first value that rounding may make.
const ROUNDING: f64 = 1e-12;

/// What the loss and the energy did in one inference.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EnergiesReport {
    /// Samples.
    pub samples: usize,
    /// Steps followed.
    pub budget: usize,
    /// η.
    pub eta: f64,
    /// Mean loss ℓ_Π of the forward pass, which is F there.
    pub first_loss: f64,
    /// Its lowest mean after any step.
    pub lowest_loss: f64,
    /// The step of that.
    pub lowest_at: usize,
    /// Mean loss after the last step.
    pub last_loss: f64,
    /// Mean F after the last step.
    pub last_energy: f64,
    /// Steps, counted over all samples, with m ≤ 0: there the flow raises the loss.
    pub nonpositive: usize,
    /// Samples with such a step.
    pub samples_nonpositive: usize,
    /// Steps, counted over all samples, that raised the loss.
    pub rising: usize,
    /// Samples with such a step.
    pub samples_rising: usize,
    /// The largest rise of a sample's loss above its lowest value before, as a share of its first.
    pub largest_rise: f64,
    /// Steps, counted over all samples, that raised F: none at stable step sizes.
    pub energy_rising: usize,
}

/// A row of `energies.csv`: means over the samples, and counts of samples.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EnergyRow {
    pub(super) step: usize,
    /// η times the step.
    time: f64,
    /// ℓ_Π.
    pub(super) loss: f64,
    /// Ẽ.
    pub(super) residual: f64,
    /// F.
    pub(super) energy: f64,
    /// m.
    pub(super) margin: f64,
    /// Samples with m ≤ 0.
    pub(super) nonpositive: usize,
    /// Samples whose loss rose in this step.
    pub(super) rising: usize,
    /// Samples whose F rose.
    energy_rising: usize,
}

/// One sample at one step.
#[derive(Clone, Copy)]
struct EnergyMoment {
    loss: f64,
    residual: f64,
    margin: f64,
}

impl EnergyMoment {
    fn energy(&self) -> f64 {
        self.loss + self.residual
    }
}

/// Follows `budget` steps of PC; writes `energies.json`, `energies.csv` and `energies.svg`.
///
/// # Errors
/// If a setting is out of range for `pc`, or the inference diverges.
pub fn energies(case: &Case, folder: &Folder, budget: usize) -> Result<EnergiesReport, LabError> {
    let eta = case.eta()?;
    let settings = RuleSettings { tolerance: None, ..case.settings(eta, 0.0, budget) };
    let all: Vec<Vec<EnergyMoment>> =
        case.each_sample().into_par_iter().map(|(x, y)| watch(case, (&x, &y), &settings)).collect::<Result<_, _>>()?;
    let samples = all.len();
    let mean = |step: usize, of: fn(&EnergyMoment) -> f64| {
        all.iter().map(|moments| of(&moments[step])).sum::<f64>() / samples as f64
    };
    let count = |step: usize, is: fn(&[EnergyMoment], usize) -> bool| all.iter().filter(|m| is(m, step)).count();
    let rows: Vec<EnergyRow> = (0..=budget)
        .map(|step| EnergyRow {
            step,
            time: eta * step as f64,
            loss: mean(step, |m| m.loss),
            residual: mean(step, |m| m.residual),
            energy: mean(step, EnergyMoment::energy),
            margin: mean(step, |m| m.margin),
            nonpositive: count(step, is_nonpositive),
            rising: count(step, is_rising),
            energy_rising: count(step, is_energy_rising),
        })
        .collect();
    write_table(folder, "energies.csv", &rows)?;
    picture::energies(folder, &rows)?;
    let any = |is: fn(&[EnergyMoment], usize) -> bool| {
        all.iter().filter(|moments| (0..=budget).any(|step| is(moments, step))).count()
    };
    let (first, last) = (&rows[0], &rows[rows.len() - 1]);
    let lowest = rows.iter().min_by(|a, b| a.loss.total_cmp(&b.loss)).unwrap_or(first);
    let report = EnergiesReport {
        samples,
        budget,
        eta,
        first_loss: first.loss,
        lowest_loss: lowest.loss,
        lowest_at: lowest.step,
        last_loss: last.loss,
        last_energy: last.energy,
        nonpositive: rows.iter().map(|row| row.nonpositive).sum(),
        samples_nonpositive: any(is_nonpositive),
        rising: rows.iter().map(|row| row.rising).sum(),
        samples_rising: any(is_rising),
        largest_rise: all.iter().map(|moments| rise(moments)).fold(0.0, f64::max),
        energy_rising: rows.iter().map(|row| row.energy_rising).sum(),
    };
    write_report(folder, "energies.json", &report)?;
    Ok(report)
}

/// At rest m is 0 but for rounding.
fn is_nonpositive(moments: &[EnergyMoment], step: usize) -> bool {
    moments[step].margin <= 0.0 && moments[step].margin.abs() > ROUNDING * moments[0].margin
}

fn is_rising(moments: &[EnergyMoment], step: usize) -> bool {
    step > 0 && moments[step].loss - moments[step - 1].loss > ROUNDING * moments[0].loss
}

fn is_energy_rising(moments: &[EnergyMoment], step: usize) -> bool {
    step > 0 && moments[step].energy() - moments[step - 1].energy() > ROUNDING * moments[0].energy()
}

/// The largest rise of the loss above its lowest value before, as a share of the first.
fn rise(moments: &[EnergyMoment]) -> f64 {
    let (mut lowest, mut largest) = (f64::INFINITY, 0.0f64);
    for moment in moments {
        lowest = lowest.min(moment.loss);
        largest = largest.max(moment.loss - lowest);
    }
    if moments[0].loss > 0.0 { largest / moments[0].loss } else { 0.0 }
}

/// One sample at every step.
fn watch(case: &Case, (x, y): (&[f64], &[f64]), settings: &RuleSettings) -> Result<Vec<EnergyMoment>, LabError> {
    let (backend, network): (_, &Network<f64>) = (Reference::<f64>::new(), &case.network);
    let (block, mut state) = Batch::new(x, y, 1)?.block(&backend, network)?;
    let lagrangian = Lagrangian::new(&backend, network, &block, &case.objective)?;
    let mut moments = Vec::with_capacity(settings.budget.saturating_add(1));
    let mut look = state.clone();
    let (mut downhill, mut of_loss) = (state.activities().clone(), state.activities().clone());
    let mut observer = |_: usize, _: &Lagrangian<Reference<f64>>, state: &State<Reference<f64>>| {
        look.activities_mut().copy_from(state.activities());
        lagrangian.credit_and_residuals(&mut look, &mut downhill);
        let found = lagrangian.energies_at(&look, &downhill);
        lagrangian.activity_gradient(&mut look, &mut downhill);
        // What the output's credit alone makes of it is ∂ℓ_Π/∂z.
        let credit = look.credit_mut();
        credit.layers.iter_mut().take(network.hidden()).for_each(|layer| layer.clear());
        lagrangian.activity_gradient(&mut look, &mut of_loss);
        let margin = lagrangian.inner(&of_loss, &downhill)[0];
        moments.push(EnergyMoment { loss: found.loss, residual: found.residual, margin });
        ControlFlow::Continue(())
    };
    let rule = pcalm::rule::build("pc", settings)?;
    infer(rule.as_ref(), &lagrangian, &mut state, &mut observer).stop.usable()?;
    Ok(moments)
}
