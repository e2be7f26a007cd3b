//! `pcalm theory relaxation`: the exact path of predictive coding in a linear network beside inference's own steps, and
//! that of one layer between held neighbours beside what is printed of it \[FRM eq. 31\].

use super::{Case, options::LayerPath, picture, write_report, write_table};
use crate::{LabError, folder::Folder, record::finite};
use pcalm::{
    backend::Reference,
    infer::infer,
    lagrangian::Lagrangian,
    rule::RuleSettings,
    state::State,
    theory::{LinearEquilibrium, Linearisation, Relaxation},
};
use serde::Serialize;
use std::ops::ControlFlow;

/// The exact path and how far inference is from it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RelaxationReport {
    /// Samples.
    pub samples: usize,
    /// Unknowns: all hidden activities of a sample.
    pub unknowns: usize,
    /// Steps followed.
    pub budget: usize,
    /// η.
    pub eta: f64,
    /// λ_max(H): steps are stable below 2/λ_max.
    pub lambda_max: f64,
    /// λ_min(H).
    pub lambda_min: f64,
    /// The largest difference of an activity, at any step, between inference and z* + (I − ηH)^T (z(0) − z*).
    pub largest_difference: f64,
    /// ‖z − z*‖/‖z(0) − z*‖ of inference after the last step.
    pub distance: f64,
    /// The same of the continuous path at τ = ηT.
    pub continuous_distance: f64,
    /// The hidden layer that is looked at alone, counted from 1.
    pub layer: usize,
    /// The smallest and the largest eigenvalue of its A.
    pub layer_rates: [f64; 2],
    /// ‖z − z*‖/‖z(0) − z*‖ of that layer on its continuous path at τ = ηT, its neighbours held at their equilibrium.
    pub layer_distance: f64,
    /// The same by eq. 31 as it is printed, which solves the equation with the other sign; none where it overflows.
    pub layer_distance_as_printed: Option<f64>,
}

/// Distances from the equilibrium after a step, over all layers and samples, as shares of the first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PathRow {
    pub(super) step: usize,
    time: f64,
    /// Of inference.
    pub(super) inference: f64,
    /// Of z* + (I − ηH)^T (z(0) − z*).
    pub(super) discrete: f64,
    /// Of z* + e^{−Hτ}(z(0) − z*).
    pub(super) continuous: f64,
    /// The largest difference of an activity between inference and the discrete path.
    difference: f64,
}

/// The same of one layer of the first sample between held neighbours.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerPathRow {
    pub(super) step: usize,
    time: f64,
    /// Of z* + (I − ηA)^T (z(0) − z*).
    pub(super) discrete: f64,
    /// Of z* + e^{−Aτ}(z(0) − z*).
    pub(super) continuous: f64,
    /// Of z* + e^{+Aτ}(z(0) − z*); empty where it overflows.
    pub(super) as_printed: Option<f64>,
}

/// Follows `budget` steps of PC beside its exact path; writes `relaxation.json`, `path.csv`, `layer.csv` and
/// `relaxation.svg`.
///
/// # Errors
/// If the network is not linear, an energy not quadratic, the network too large for a dense Hessian, or the inference
/// diverges.
pub fn relaxation(case: &Case, own: &LayerPath, folder: &Folder, budget: usize) -> Result<RelaxationReport, LabError> {
    case.refuse_precondition("the exact path")?;
    let (network, hidden) = (&case.network, case.network.hidden());
    let layer = own.layer.checked_sub(1).filter(|l| *l < hidden).ok_or_else(|| {
        LabError::option("layer", format!("{} is none of the hidden layers, 1 … {hidden}", own.layer))
    })?;
    let solved = LinearEquilibrium::new(network, &case.objective)?;
    let (backend, batch) = (Reference::<f64>::new(), case.samples.batch()?);
    let (block, mut state) = batch.block(&backend, network)?;
    let lagrangian = Lagrangian::new(&backend, network, &block, &case.objective)?;
    let samples = batch.samples();

    lagrangian.forward(&mut state);
    // F is quadratic: one Hessian for all samples.
    let path = Relaxation::of_energy(&Linearisation::of(network, &case.objective, &block, &state, 0)?)?;
    let starts: Vec<Vec<f64>> = (0..samples).map(|s| stacked(&state, s)).collect();
    solved.place(&lagrangian, &mut state);
    let rests: Vec<Vec<f64>> = (0..samples).map(|s| stacked(&state, s)).collect();
    let eta = case.eta()?;

    let size = |points: &[Vec<f64>]| {
        let apart = points.iter().zip(&rests).map(|(z, rest)| distance(z, rest).powi(2));
        apart.sum::<f64>().sqrt()
    };
    let first = size(&starts);
    let mut rows: Vec<PathRow> = Vec::with_capacity(budget.saturating_add(1));
    let mut observer = |step: usize, _: &Lagrangian<Reference<f64>>, state: &State<Reference<f64>>| {
        let time = eta * step as f64;
        let found: Vec<Vec<f64>> = (0..samples).map(|s| stacked(state, s)).collect();
        let both = || rests.iter().zip(&starts);
        let discrete: Vec<_> = both().map(|(rest, start)| path.discrete(rest, start, eta, step)).collect();
        let continuous: Vec<_> = both().map(|(rest, start)| path.continuous(rest, start, time)).collect();
        let pairs = found.iter().flatten().zip(discrete.iter().flatten());
        rows.push(PathRow {
            step,
            time,
            inference: size(&found) / first,
            discrete: size(&discrete) / first,
            continuous: size(&continuous) / first,
            difference: pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max),
        });
        ControlFlow::Continue(())
    };
    let settings = RuleSettings { tolerance: None, ..case.settings(eta, 0.0, budget) };
    let rule = pcalm::rule::build("pc", &settings)?;
    infer(rule.as_ref(), &lagrangian, &mut state, &mut observer).stop.usable()?;
    write_table(folder, "path.csv", &rows)?;

    let (x, y) = case.samples.first();
    let places = layer_places(network.widths(), hidden);
    let held = |l: usize| &rests[0][places[l].clone()];
    let below = layer.checked_sub(1).map_or(x, held);
    let above = if layer + 1 < hidden { held(layer + 1) } else { y };
    let (alone, rest) = Relaxation::between(network, &case.objective, layer, below, above)?;
    let start = &starts[0][places[layer].clone()];
    let from = distance(start, &rest);
    let layer_rows: Vec<LayerPathRow> = (0..=budget)
        .map(|step| {
            let time = eta * step as f64;
            let share = |z: Vec<f64>| distance(&z, &rest) / from;
            LayerPathRow {
                step,
                time,
                discrete: share(alone.discrete(&rest, start, eta, step)),
                continuous: share(alone.continuous(&rest, start, time)),
                as_printed: finite(share(alone.as_printed(&rest, start, time))),
            }
        })
        .collect();
    write_table(folder, "layer.csv", &layer_rows)?;
    picture::relaxation(folder, &rows, &layer_rows)?;

    let ends = |rates: &[f64]| [rates[0], rates[rates.len() - 1]];
    let ([lambda_min, lambda_max], last, last_alone) =
        (ends(path.rates()), &rows[rows.len() - 1], &layer_rows[layer_rows.len() - 1]);
    let report = RelaxationReport {
        samples,
        unknowns: path.rates().len(),
        budget,
        eta,
        lambda_max,
        lambda_min,
        largest_difference: rows.iter().map(|row| row.difference).fold(0.0, f64::max),
        distance: last.inference,
        continuous_distance: last.continuous,
        layer: own.layer,
        layer_rates: ends(alone.rates()),
        layer_distance: last_alone.continuous,
        layer_distance_as_printed: last_alone.as_printed,
    };
    write_report(folder, "relaxation.json", &report)?;
    Ok(report)
}

/// All hidden activities of a sample.
fn stacked(state: &State<Reference<f64>>, sample: usize) -> Vec<f64> {
    state.activities().layers.iter().flat_map(|layer| layer.column(sample)).collect()
}

/// Where each hidden layer is among them.
fn layer_places(widths: &[usize], hidden: usize) -> Vec<std::ops::Range<usize>> {
    let mut end = 0;
    let place = |&width: &usize| {
        end += width;
        end - width..end
    };
    widths[..hidden].iter().map(place).collect()
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}
