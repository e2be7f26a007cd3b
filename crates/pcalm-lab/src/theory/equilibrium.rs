//! `pcalm theory equilibrium`: where predictive coding ends in a linear network, and how far that is from
//! backpropagation.

use super::{Case, write_report, write_table};
use crate::{LabError, folder::Folder, record::finite};
use pcalm::{
    backend::Reference,
    gradient::{Alignment, Gradient},
    infer::infer,
    lagrangian::Lagrangian,
    rule::Backprop,
    state::State,
    theory::{Distance, Equilibrium, distances},
};
use serde::Serialize;

/// The exact equilibrium of PC on the case's samples, beside BP.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EquilibriumReport {
    /// Samples.
    pub samples: usize,
    /// Mean loss of the forward pass, ℓ.
    pub loss: f64,
    /// Mean energy at the equilibrium, F*.
    pub energy: f64,
    /// The same as ½ rᵀR⁻¹r.
    pub rescaled_energy: f64,
    /// Trace of the rescaling R over the number of outputs; 1 where the hidden layers give nothing.
    pub rescaling: f64,
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
}

/// Solves the equilibrium, follows `budget` steps of PC and PC-ALM towards it and the KKT point; writes
/// `equilibrium.json`, `layers.csv` and `distances.csv`.
///
/// # Errors
/// If the network is not linear, the loss not the squared error, or the inference diverges.
pub fn equilibrium(case: &Case, folder: &Folder, budget: usize) -> Result<EquilibriumReport, LabError> {
    if case.objective.loss() != pcalm::loss::Loss::SquaredError {
        return Err(LabError::option("loss", "the equilibrium has a closed form with `squared-error` alone"));
    }
    let (network, rho, eta, alpha) = (&case.network, case.rho(), case.eta()?, case.rule.alpha);
    let solved = Equilibrium::new(network, &case.objective)?;
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

    solved.place(&lagrangian, &mut state);
    let rest = state.clone();
    let mut found = Gradient::zeros(network);
    lagrangian.weight_gradient(&state, &mut found);
    let energy = lagrangian.energies(&mut state, &mut buffer).energy() / samples as f64;
    let rescaled = solved.energies_of(&block)?.iter().sum::<f64>() / samples as f64;
    let alignment = Alignment::new(&found, &wanted);

    let norms = |s: &State<Reference<f64>>, l: usize| s.credit().layers[l].norm_squared(samples).sqrt();
    let layers: Vec<LayerCreditRow> = alignment
        .layers
        .iter()
        .enumerate()
        .map(|(l, a)| LayerCreditRow {
            layer: l + 1,
            credit: norms(&rest, l),
            backprop: norms(&kkt, l),
            alignment: finite(a.cosine),
            norm_ratio: finite(a.norm_ratio),
        })
        .collect();
    write_table(folder, "layers.csv", &layers)?;

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
    write_table(folder, "distances.csv", &rows)?;
    let (first, last) = (&rows[0], &rows[rows.len() - 1]);
    let outputs = solved.rescaling().nrows();
    let report = EquilibriumReport {
        samples,
        loss,
        energy,
        rescaled_energy: rescaled,
        rescaling: (0..outputs).map(|i| solved.rescaling()[(i, i)]).sum::<f64>() / outputs as f64,
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
