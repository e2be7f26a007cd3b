//! What a rule that chooses targets has chosen on a batch.

use crate::LabError;
use pcalm::{backend::Host, minibatch::Minibatch, network::Network, rule::RuleSettings};
use serde::Serialize;

/// How the target of one hidden layer came about, over all samples; distances are roots of mean squares.
#[derive(Clone, Debug, Serialize)]
pub struct TargetRow {
    /// The layer.
    pub layer: usize,
    /// ‖t − z̄‖.
    pub distance: f64,
    /// ‖f(t) − t above‖, where there is a target above.
    pub reconstruction: Option<f64>,
    /// Rank of the link above, where it was inverted.
    pub rank: Option<usize>,
    /// σ_min/σ_max of it.
    pub conditioning: Option<f64>,
    /// Values outside of φ's range on the way.
    pub outside: usize,
    /// Those that were clipped.
    pub clipped: usize,
}

/// Targets of all hidden layers, `[samples, n_l]`, and how they came about; empty for a rule that chooses none.
#[derive(Debug, Default)]
pub struct ChosenTargets<R> {
    /// t.
    pub values: Vec<Vec<R>>,
    /// One row per layer.
    pub rows: Vec<TargetRow>,
}

/// Of the rule of that name on the samples loaded; leaves z = t in the states.
///
/// # Errors
/// If the rule cannot run on them.
#[cfg(feature = "theory")]
pub fn of<B: Host>(
    minibatch: &mut Minibatch<B>,
    network: &Network<B::Real>,
    rule: &str,
    settings: &RuleSettings,
) -> Result<ChosenTargets<B::Real>, LabError> {
    use pcalm::rule::{TARGET_RULES, target_facts};
    if !TARGET_RULES.contains(&rule) {
        return Ok(ChosenTargets::default());
    }
    let blocks = minibatch.map(network, |lagrangian, state| target_facts(rule, settings, lagrangian, state))?;
    let mut sum: Vec<pcalm::rule::TargetFacts> = Vec::new();
    for block in blocks {
        let block = block?;
        match sum.is_empty() {
            true => sum = block,
            false => sum.iter_mut().zip(block).for_each(|(sum, facts)| *sum += facts),
        }
    }
    let rows = sum.into_iter().map(|f| TargetRow {
        layer: f.layer,
        distance: f.distance,
        reconstruction: f.reconstruction,
        rank: f.rank,
        conditioning: f.conditioning,
        outside: f.outside,
        clipped: f.clipped,
    });
    let rows = rows.collect();
    let values = (0..network.hidden()).map(|l| minibatch.unload(l, |s| s.activities())).collect();
    Ok(ChosenTargets { values, rows })
}

/// No rule chooses targets without the linear algebra of the theory.
#[cfg(not(feature = "theory"))]
pub fn of<B: Host>(
    _minibatch: &mut Minibatch<B>,
    _network: &Network<B::Real>,
    _rule: &str,
    _settings: &RuleSettings,
) -> Result<ChosenTargets<B::Real>, LabError> {
    Ok(ChosenTargets::default())
}
