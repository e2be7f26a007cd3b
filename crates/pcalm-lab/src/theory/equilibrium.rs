//! `pcalm theory equilibrium`: where predictive coding ends, and how far that is from backpropagation. In linear networks
//! by the closed form, in others by the rule `pc-equilibrium`.

use super::{Case, write_report, write_table};
use crate::{LabError, folder::Folder, record::finite};
use pcalm::{
    backend::Reference,
    gradient::{Alignment, Gradient},
    infer::{Rule, Stop, infer},
    lagrangian::Lagrangian,
    rule::{Backprop, RuleSettings},
    state::State,
    theory::{Distance, LinearEquilibrium, distances},
};
use serde::Serialize;

/// The exact equilibrium of PC on the case's samples, beside BP.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EquilibriumReport {
    /// Samples.
    pub samples: usize,
    /// Whether it is the closed form of a linear network; else it is the minimum that Newton's steps find from the
    /// forward pass.
    pub closed_form: bool,
    /// Why the solve ended.
    pub stop: String,
    /// Units that rest on kinks of the activation, over all samples, where it ended there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub units_at_kinks: Option<usize>,
    /// ‖∂F/∂z‖_∞ that is left; at kinks it is no measure of how far the minimum is.
    pub gradient_left: f64,
    /// Mean loss of the forward pass, ℓ_Π.
    pub loss: f64,
    /// Mean loss at the equilibrium.
    pub loss_at_rest: f64,
    /// Mean energy at the equilibrium, F*.
    pub energy: f64,
    /// The same as ½ rᵀR⁻¹r, of the closed form alone.
    pub rescaled_energy: Option<f64>,
    /// Trace of the rescaling R over the number of outputs; 1 where the hidden layers give nothing.
    pub rescaling: Option<f64>,
    /// Cosine of the equilibrium's weight gradient and BP's.
    pub alignment: f64,
    /// Its norm over that of BP's.
    pub norm_ratio: f64,
    /// Cosine per weight matrix.
    pub layer_alignment: Vec<Option<f64>>,
    /// Norm ratio per weight matrix.
    pub layer_norm_ratio: Vec<Option<f64>>,
    /// η of the inference that was followed.
    pub eta: f64,
    /// α of PC-ALM's.
    pub alpha: f64,
    /// ρ_l, the precisions of the hidden layers; none where one is no number.
    pub rho: Vec<Option<f64>>,
    /// Steps followed.
    pub budget: usize,
    /// ‖z − z*‖/‖z_0 − z*‖ of PC after the last step, z* its equilibrium.
    pub pc_distance: f64,
    /// ‖λ − λ*‖/‖λ*‖ of PC-ALM after the last step, λ* the KKT point's, which is BP's.
    pub alm_distance: f64,
}

/// Distances after a step, over all layers and samples.
#[derive(Serialize)]
struct DistanceRow {
    step: usize,
    /// ‖z − z*‖ of PC to its equilibrium.
    pc_to_equilibrium: f64,
    /// ‖z − z_f‖ of PC to the forward pass.
    pc_to_forward: f64,
    /// ‖z − z*‖ of PC-ALM to PC's equilibrium.
    alm_to_equilibrium: f64,
    /// ‖z − z_f‖ of PC-ALM to the KKT point's activities, the forward pass.
    alm_to_forward: f64,
    /// ‖λ − λ*‖ of PC-ALM to the KKT point's duals, the adjoints.
    alm_to_adjoint: f64,
}

#[derive(Serialize)]
struct LayerCreditRow {
    layer: usize,
    credit: f64,
    backprop: f64,
    alignment: Option<f64>,
    norm_ratio: Option<f64>,
    /// ‖c_l‖ at the equilibrium; none at the output.
    residual: Option<f64>,
}

/// Sets the state to the equilibrium: its closed form, if there is one, and why the solve ended.
fn solve(
    case: &Case,
    lagrangian: &Lagrangian<Reference<f64>>,
    state: &mut State<Reference<f64>>,
) -> Result<(Option<LinearEquilibrium>, Stop), LabError> {
    let (network, objective) = (&case.network, &case.objective);
    if case.is_linear() && network.as_chain().is_some() {
        let solved = LinearEquilibrium::new(network, objective)?;
        solved.place(lagrangian, state);
        return Ok((Some(solved), Stop::Converged));
    }
    // To its own tolerance, whatever that of the inference that is followed.
    let rule = pcalm::rule::build::<Reference<f64>>("pc-equilibrium", &RuleSettings::default())?;
    Rule::<Reference<f64>>::fits(rule.as_ref(), network, objective)?;
    Ok((None, infer(rule.as_ref(), lagrangian, state, &mut ()).stop.usable()?))
}

/// Solves the equilibrium, follows `budget` steps of PC and PC-ALM towards it and the KKT point; writes
/// `equilibrium.json`, `layers.csv` and `distances.csv`.
///
/// # Errors
/// If the network is too large to solve for, or the inference diverges.
pub fn equilibrium(case: &Case, folder: &Folder, budget: usize) -> Result<EquilibriumReport, LabError> {
    let (network, rho, eta, alpha) = (&case.network, case.rho(), case.eta()?, case.rule.alpha);
    let (backend, batch) = (Reference::<f64>::new(), case.samples.batch()?);
    let (block, mut state) = batch.block(&backend, network)?;
    let lagrangian = Lagrangian::new(&backend, network, &block, &case.objective)?;
    let samples = batch.samples();

    let _ = infer(&Backprop, &lagrangian, &mut state, &mut ());
    let kkt = state.clone();
    let mut wanted = Gradient::zeros(network);
    lagrangian.weight_gradient(&state, &mut wanted);
    let mut buffer = state.activities().clone();
    let loss = lagrangian.energies(&mut state, &mut buffer).loss / samples as f64;

    let (solved, stop) = solve(case, &lagrangian, &mut state)?;
    let rest = state.clone();
    let mut found = Gradient::zeros(network);
    lagrangian.weight_gradient(&state, &mut found);
    lagrangian.activity_gradient(&mut state, &mut buffer);
    let left = buffer.layers.iter().flat_map(|m| (0..samples).flat_map(|s| m.column(s)));
    let gradient_left = left.map(f64::abs).fold(0.0, f64::max);
    let at_rest = lagrangian.energies(&mut state, &mut buffer);
    let mean = |energies: Vec<f64>| energies.iter().sum::<f64>() / samples as f64;
    let rescaled = solved.as_ref().map(|solved| solved.energies_of(&block).map(mean)).transpose()?;
    let residuals: Vec<f64> = buffer.layers.iter().map(|c| c.norm_squared(samples).sqrt()).collect();
    let alignment = Alignment::new(&found, &wanted);

    let norms = |s: &State<Reference<f64>>, l: usize| s.credit().layers[l].norm_squared(samples).sqrt();
    // A row per weight matrix, with what there is of the layer it leads to.
    let entered = network.edges().iter().filter(|edge| edge.dense().is_some()).map(|edge| edge.to - 1);
    let layers: Vec<LayerCreditRow> = alignment
        .layers
        .iter()
        .zip(entered)
        .enumerate()
        .map(|(place, (a, l))| LayerCreditRow {
            layer: place + 1,
            credit: norms(&rest, l),
            backprop: norms(&kkt, l),
            alignment: finite(a.cosine),
            norm_ratio: finite(a.norm_ratio),
            residual: residuals.get(l).copied(),
        })
        .collect();

    let mut follow = |alpha: f64| -> Result<Vec<[Distance; 2]>, LabError> {
        let rule = case.rule(eta, alpha, budget)?;
        Ok(distances(&lagrangian, &mut state, rule.as_ref(), [&rest, &kkt])?)
    };
    let (pc, alm) = (follow(0.0)?, follow(alpha)?);
    let rows: Vec<DistanceRow> = pc
        .iter()
        .zip(&alm)
        .enumerate()
        .map(|(step, ([pc_rest, pc_kkt], [alm_rest, alm_kkt]))| DistanceRow {
            step,
            pc_to_equilibrium: pc_rest.activities,
            pc_to_forward: pc_kkt.activities,
            alm_to_equilibrium: alm_rest.activities,
            alm_to_forward: alm_kkt.activities,
            alm_to_adjoint: alm_kkt.duals,
        })
        .collect();
    // Not before the inferences have come to their ends.
    write_table(folder, "layers.csv", &layers)?;
    write_table(folder, "distances.csv", &rows)?;
    let (first, last) = (&rows[0], &rows[rows.len() - 1]);
    let trace = |solved: &LinearEquilibrium| {
        let outputs = solved.rescaling().nrows();
        (0..outputs).map(|i| solved.rescaling()[(i, i)]).sum::<f64>() / outputs as f64
    };
    let report = EquilibriumReport {
        samples,
        closed_form: solved.is_some(),
        stop: stop.name().to_owned(),
        units_at_kinks: stop.units_at_kinks(),
        gradient_left,
        loss,
        loss_at_rest: at_rest.loss / samples as f64,
        energy: at_rest.energy() / samples as f64,
        rescaled_energy: rescaled,
        rescaling: solved.as_ref().map(trace),
        alignment: alignment.whole.cosine,
        norm_ratio: alignment.whole.norm_ratio,
        layer_alignment: layers.iter().map(|l| l.alignment).collect(),
        layer_norm_ratio: layers.iter().map(|l| l.norm_ratio).collect(),
        eta,
        alpha,
        rho,
        budget,
        pc_distance: last.pc_to_equilibrium / first.pc_to_equilibrium,
        alm_distance: last.alm_to_adjoint / first.alm_to_adjoint,
    };
    write_report(folder, "equilibrium.json", &report)?;
    Ok(report)
}
