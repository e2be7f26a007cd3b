//! Stability watched during training: λ_max and κ every N steps, on a few samples.

use crate::{LabError, batches::Gathered, dataset::Dataset, extremes};
use pcalm::{
    backend::Reference, error::StabilityBound, lagrangian::Lagrangian, network::Network, objective::Objective,
    real::Real,
};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, collections::BTreeMap};

/// Training samples watched, the first ones in file order.
const SAMPLES: usize = 2;

/// Where watching stands, for a checkpoint. The vectors are kept in `f32`, in the checkpoint and between
/// measurements alike, so that a resumed run has the same bits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WatchState {
    /// Eigenvectors of λ_max and λ_min per sample.
    ends: Vec<(Vec<f32>, Vec<f32>)>,
}

impl WatchState {
    /// The vectors by name.
    pub fn vectors<R: Real>(&self) -> BTreeMap<String, Vec<R>> {
        let wide = |v: &[f32]| v.iter().map(|v| R::of(f64::from(*v))).collect();
        let named = |(sample, (top, bottom)): (usize, &(Vec<f32>, Vec<f32>))| {
            [(name(sample, TOP), wide(top)), (name(sample, BOTTOM), wide(bottom))]
        };
        self.ends.iter().enumerate().flat_map(named).collect()
    }

    /// Back from [`vectors`](Self::vectors).
    pub fn from_vectors<R: Real>(vectors: &BTreeMap<String, Cow<[R]>>) -> Self {
        let narrow = |end: &str, sample: usize| {
            vectors.get(&name(sample, end)).map(|v| v.iter().map(|v| v.wide() as f32).collect::<Vec<f32>>())
        };
        let ends = (0..).map_while(|sample| narrow(TOP, sample).zip(narrow(BOTTOM, sample)));
        WatchState { ends: ends.collect() }
    }
}

const TOP: &str = "top";
const BOTTOM: &str = "bottom";

fn name(sample: usize, end: &str) -> String {
    format!("watch.{sample}.{end}")
}

/// A row of `stability.csv`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StabilityRow {
    /// Training steps done.
    pub step: u64,
    /// Largest λ_max of the watched samples' activity Hessians.
    pub lambda_max: f64,
    /// Smallest λ_min.
    pub lambda_min: f64,
    /// κ, the larger of the samples' λ_max/λ_min.
    pub condition: f64,
    /// η from here on.
    pub eta: f64,
    /// η (2 + α/ρ) λ_max with the smallest ρ: not less than the exact η λ_max(2H + αCᵀC); stable below 4.
    pub stability: f64,
}

/// Watches a training.
#[derive(Debug)]
pub struct Watch {
    samples: Gathered<f64>,
    objective: Objective<f64>,
    dual_step: f64,
}

impl StabilityRow {
    /// Whether inference is stable.
    pub fn is_stable(&self) -> bool {
        self.stability < StabilityBound::LIMIT
    }
}

/// κ of the activity Hessian of `network` on the samples a [`Watch`] would look at.
///
/// # Errors
/// If the network's activities are not finite.
pub fn condition<R: Real>(data: &Dataset, network: &Network<R>, objective: &Objective<f64>) -> Result<f64, LabError> {
    let row = Watch::new(data, objective.clone(), 0.0).measure(&mut WatchState::default(), network, 0, |_| 1.0)?;
    Ok(row.condition)
}

impl Watch {
    /// On the first training samples, with this dual step.
    pub fn new(data: &Dataset, objective: Objective<f64>, dual_step: f64) -> Self {
        let mut samples = Gathered::default();
        samples.gather(&data.train, 0..SAMPLES.min(data.train.len()));
        Watch { samples, objective, dual_step }
    }

    /// Measures `network` after `step` steps; `eta` says which η to go on with at a λ_max.
    ///
    /// # Errors
    /// If the network's activities are not finite.
    pub fn measure<R: Real>(
        &self,
        state: &mut WatchState,
        network: &Network<R>,
        step: u64,
        eta: impl Fn(f64) -> f64,
    ) -> Result<StabilityRow, LabError> {
        let network = network.cast::<f64>();
        let backend = Reference::<f64>::new();
        let batch = self.samples.batch()?;
        let (block, mut activities) = batch.block(&backend, &network)?;
        let lagrangian = Lagrangian::new(&backend, &network, &block, &self.objective)?;
        lagrangian.forward(&mut activities);
        state.ends.resize(batch.samples(), Default::default());
        let (mut lambda_max, mut lambda_min) = (0.0f64, f64::INFINITY);
        let (mut condition, mut bound) = (0.0f64, 0.0f64);
        for (sample, kept) in state.ends.iter_mut().enumerate() {
            let (largest, smallest, at_most) =
                extremes::follow(&lagrangian, (&activities, sample), self.dual_step, kept)?;
            lambda_max = lambda_max.max(largest);
            lambda_min = lambda_min.min(smallest);
            condition = condition.max(largest / smallest);
            bound = bound.max(at_most);
        }
        let eta = eta(lambda_max);
        let stability = eta * bound;
        Ok(StabilityRow { step, lambda_max, lambda_min, condition, eta, stability })
    }
}
