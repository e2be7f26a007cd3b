//! What the theory says of an experiment's network on its data, as reports, tables and pictures.

pub mod equilibrium;
pub mod spectrum;
pub mod stability;
pub mod wave;

use crate::{
    LabError,
    batches::Gathered,
    dataset::Dataset,
    experiment::{Experiment, Plan},
    folder::Folder,
    record::{csv, json},
};
use pcalm::{
    activation::Activation,
    backend::{Backend, Reference},
    lagrangian::penalties,
    loss::Loss,
    minibatch::Minibatch,
    network::Network,
    rule::{BoxedRule, RuleSettings},
    theory::{Wave, curvature},
};
use serde::Serialize;

/// A network and samples, in `f64`.
#[derive(Debug)]
pub struct Case {
    /// The network, drawn or read.
    pub network: Network<f64>,
    /// The loss.
    pub loss: Loss,
    samples: Gathered<f64>,
    rule: RuleSettings,
    auto_eta: bool,
}

/// Relative change at which the power iteration for λ_max stops, and steps at most.
const CURVATURE: (f64, usize) = (1e-6, 5000);

impl Case {
    /// The experiment's network with `count` training samples from index `first` on, in file order.
    ///
    /// # Errors
    /// If the experiment cannot be run on the data, or there are too few samples.
    pub fn new(experiment: &Experiment, data: &Dataset, first: usize, count: usize) -> Result<Self, LabError> {
        let plan = Plan::new(experiment, data)?;
        let file = plan.network::<f64>(experiment, data)?;
        check(&plan, file.network.hidden())?;
        let have = data.train.len();
        if count == 0 || first.saturating_add(count) > have {
            let option = if count == 0 || count > have { "samples" } else { "sample" };
            let problem = format!("{count} from index {first} on, of {have} training samples");
            return Err(LabError::option(option, problem));
        }
        let mut samples = Gathered::default();
        samples.gather(&data.train, first..first + count);
        Ok(Case { network: file.network, loss: file.loss, samples, rule: plan.rule, auto_eta: plan.auto_eta })
    }

    /// Whether the theory is exact for it: no activation, and a quadratic loss.
    pub fn is_linear(&self) -> bool {
        self.network.activation() == Activation::Identity && self.loss == Loss::SquaredError
    }

    /// ρ_l.
    ///
    /// # Errors
    /// If they do not fit the network.
    pub fn rho(&self) -> Result<Vec<f64>, LabError> {
        Ok(penalties(&self.rule.rho, self.network.hidden())?)
    }

    /// The step size given, or 1/λ_max over the samples.
    ///
    /// # Errors
    /// If the forward pass is not finite.
    pub fn eta(&self) -> Result<f64, LabError> {
        if !self.auto_eta {
            return Ok(self.rule.eta);
        }
        let mut minibatch = Minibatch::new(Reference::<f64>::new(), self.loss, self.rho()?);
        minibatch.load(&self.network, &self.samples.batch()?)?;
        Ok(1.0 / curvature(&mut minibatch, &self.network, CURVATURE.0, CURVATURE.1)?.lambda_max)
    }

    /// A rule on it, with this dual step and budget.
    ///
    /// # Errors
    /// If a setting is out of range.
    pub fn rule(&self, eta: f64, alpha: f64, budget: usize) -> Result<BoxedRule<Reference<f64>>, LabError> {
        Ok(pcalm::rule::build("pc-alm", &self.settings(eta, alpha, budget))?)
    }

    /// Watches an inference by the rule called `name` on all samples, on a backend of any number type.
    ///
    /// # Errors
    /// If a setting is out of range for the rule, or inference diverges.
    pub fn watch<B: Backend>(&self, backend: &B, name: &str, settings: &RuleSettings) -> Result<Wave, LabError> {
        let (network, samples) = (self.network.cast::<B::Real>(), self.samples.cast::<B::Real>());
        let rho = penalties(&settings.rho, network.hidden())?;
        let rule = pcalm::rule::build(name, settings)?;
        Ok(Wave::watch(backend, &network, &samples.batch()?, self.loss, &rho, rule.as_ref())?)
    }

    /// The experiment's settings with another η, α and budget.
    pub fn settings(&self, eta: f64, alpha: f64, budget: usize) -> RuleSettings {
        RuleSettings { hidden: self.network.hidden(), eta, alpha, budget, ..self.rule.clone() }
    }

    /// The samples.
    pub fn samples(&self) -> &Gathered<f64> {
        &self.samples
    }
}

/// Refuses the settings that PC-ALM would refuse in training.
fn check(plan: &Plan, hidden: usize) -> Result<(), LabError> {
    penalties::<f64>(&plan.rule.rho, hidden)?;
    // A step size that is still to be measured is no reason.
    let eta = if plan.auto_eta { 1.0 } else { plan.rule.eta };
    pcalm::rule::build::<Reference<f64>>("pc-alm", &RuleSettings { hidden, eta, ..plan.rule.clone() })?;
    Ok(())
}

/// Whether all layers have one ρ, so that the modes of C are on their own.
fn uniform(rho: &[f64]) -> bool {
    rho.iter().all(|r| *r == rho[0])
}

fn write_report<T: Serialize>(folder: &Folder, name: &str, report: &T) -> Result<(), LabError> {
    folder.write(name, &json(report, folder.path())?)
}

fn write_table<T: Serialize>(folder: &Folder, name: &str, rows: &[T]) -> Result<(), LabError> {
    folder.write(name, &csv(rows, folder.path())?)
}
