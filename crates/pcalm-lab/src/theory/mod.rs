//! What the theory says of an experiment's network on its data, as reports, tables and pictures.

pub mod energies;
pub mod equilibrium;
pub mod options;
#[cfg_attr(not(feature = "plot"), path = "no_picture.rs")]
pub(crate) mod picture;
pub mod relaxation;
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
use pcalm::Catalogue;
use pcalm::{
    backend::{Host, Reference},
    minibatch::Minibatch,
    network::Network,
    objective::Objective,
    rule::{BoxedRule, RuleSettings},
    theory::{Wave, automatic_step},
};
use serde::Serialize;

/// A network and samples, in `f64`.
#[derive(Debug)]
pub struct Case {
    /// The network, drawn or read.
    pub network: Network<f64>,
    /// Loss and penalties.
    pub objective: Objective<f64>,
    samples: Gathered<f64>,
    rule: RuleSettings,
    auto_eta: bool,
}

impl Case {
    /// The experiment's network with `count` training samples from index `first` on, in file order.
    ///
    /// # Errors
    /// If the experiment cannot be run on the data, or there are too few samples.
    pub fn new(
        experiment: &Experiment,
        catalogue: &Catalogue,
        data: &Dataset,
        first: usize,
        count: usize,
    ) -> Result<Self, LabError> {
        let plan = Plan::new(experiment, data, catalogue)?;
        let file = plan.network::<f64>(experiment, data)?;
        check(&plan, &file.network)?;
        let have = data.train.len();
        if count == 0 || first.saturating_add(count) > have {
            let option = if count == 0 || count > have { "samples" } else { "sample" };
            let problem = format!("{count} from index {first} on, of {have} training samples");
            return Err(LabError::option(option, problem));
        }
        let mut samples = Gathered::default();
        samples.gather(&data.train, first..first + count);
        let objective = plan.objective;
        Ok(Case { network: file.network, objective, samples, rule: plan.rule, auto_eta: plan.auto_eta })
    }

    /// Whether the theory is exact for it: no activation, and quadratic energies.
    pub fn is_linear(&self) -> bool {
        self.network.is_linear() && self.objective.is_quadratic()
    }

    /// Refuses steps that are divided by the precisions, for what is said of plain ones alone.
    ///
    /// # Errors
    /// If the case has such steps; `what` is what is said.
    fn refuse_precondition(&self, what: &str) -> Result<(), LabError> {
        match self.rule.precondition {
            true => Err(LabError::option("precondition", format!("{what} is that of plain steps; leave it out"))),
            false => Ok(()),
        }
    }

    /// Inputs and target of each sample.
    fn each_sample(&self) -> Vec<(Vec<f64>, Vec<f64>)> {
        let (inputs, targets) = self.samples.clone().into_parts();
        let pairs = inputs.chunks_exact(self.network.inputs()).zip(targets.chunks_exact(self.network.outputs()));
        pairs.map(|(x, y)| (x.to_vec(), y.to_vec())).collect()
    }

    /// ρ_l, one per hidden layer; none where a precision is no number.
    pub fn rho(&self) -> Vec<Option<f64>> {
        (0..self.network.hidden()).map(|l| self.objective.penalty(l)?.rho()).collect()
    }

    /// The step size given, or what training would take on these samples.
    ///
    /// # Errors
    /// If the forward pass is not finite.
    pub fn eta(&self) -> Result<f64, LabError> {
        if !self.auto_eta {
            return Ok(self.rule.eta);
        }
        let mut minibatch = Minibatch::new(Reference::<f64>::new(), self.objective.clone());
        minibatch.load(&self.network, &self.samples.batch()?)?;
        Ok(automatic_step(&mut minibatch, &self.network, self.rule.alpha)?.eta)
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
    pub fn watch<B: Host>(&self, backend: &B, name: &str, settings: &RuleSettings) -> Result<Wave, LabError> {
        let (network, samples) = (self.network.cast::<B::Real>(), self.samples.cast::<B::Real>());
        let objective = self.objective.cast()?;
        let rule = pcalm::rule::build(name, settings)?;
        Ok(Wave::watch(backend, &network, &samples.batch()?, &objective, rule.as_ref())?)
    }

    /// The experiment's settings with another η, α and budget.
    pub fn settings(&self, eta: f64, alpha: f64, budget: usize) -> RuleSettings {
        RuleSettings { eta, alpha, budget, ..self.rule.clone() }
    }

    /// The samples.
    pub fn samples(&self) -> &Gathered<f64> {
        &self.samples
    }
}

/// Refuses the settings that PC-ALM would refuse in training.
fn check(plan: &Plan, network: &Network<f64>) -> Result<(), LabError> {
    plan.objective.fits(network)?;
    // A step size that is still to be measured is no reason.
    let eta = if plan.auto_eta { 1.0 } else { plan.rule.eta };
    pcalm::rule::build::<Reference<f64>>("pc-alm", &RuleSettings { eta, ..plan.rule.clone() })?;
    Ok(())
}

fn write_report<T: Serialize>(folder: &Folder, name: &str, report: &T) -> Result<(), LabError> {
    folder.write(name, &json(report, folder.path())?)
}

fn write_table<T: Serialize>(folder: &Folder, name: &str, rows: &[T]) -> Result<(), LabError> {
    folder.write(name, &csv(rows, folder.path())?)
}
