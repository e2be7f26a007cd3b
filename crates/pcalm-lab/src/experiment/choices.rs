//! The names among an experiment's options as values of the library: what can be refused before there are data.

use super::{Budget, EnergyChoice, Experiment};
use crate::{choice::choose, error::LabError};
use pcalm::{
    activation::Activation,
    backend::Cpu,
    catalogue::Catalogue,
    loss::Loss,
    network::{Network, Placement},
    optimizer::{MethodInfo, OPTIMIZERS, Schedule},
    parametrization::{PARAMETRIZATIONS, Parametrization},
    real::Real,
    rule::{Credit, RuleFacts},
};

/// Which edges a network has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topology {
    /// Neighbours, and skips between hidden layers of equal width.
    Residual,
    /// Neighbours alone.
    Chain,
    /// Those of a network file.
    File,
}

impl Topology {
    /// All of them, for lists and tests.
    pub const ALL: &'static [Topology] = &[Topology::Residual, Topology::Chain, Topology::File];

    /// The name used in files and flags.
    pub fn name(self) -> &'static str {
        match self {
            Topology::Residual => "residual",
            Topology::Chain => "chain",
            Topology::File => "file",
        }
    }

    /// That of a network.
    pub fn of<R: Real>(network: &Network<R>) -> Self {
        match network.as_chain() {
            None => Topology::File,
            Some(chain) if chain.is_residual() => Topology::Residual,
            Some(_) => Topology::Chain,
        }
    }
}

/// What every name stands for.
pub struct Choices {
    pub(super) activation: Activation,
    pub(super) placement: Placement,
    pub(super) loss: Loss,
    pub(super) energy: EnergyChoice,
    pub(super) topology: Topology,
    pub(super) parametrization: Parametrization,
    pub(super) optimizer: &'static MethodInfo,
    pub(super) schedule: Schedule,
    pub(super) credit: Credit,
    pub(super) rule: RuleFacts,
    pub(super) drop_last: bool,
    pub(super) budget: Budget,
}

impl Choices {
    /// Looks every name up.
    ///
    /// # Errors
    /// If one is unknown, or the budget is none; the message names the option and what there is.
    pub fn of(e: &Experiment, catalogue: &Catalogue) -> Result<Self, LabError> {
        let (names, rules) = (catalogue.names(), catalogue.rules::<Cpu>());
        let rules = || rules.iter().map(|rule| rule.facts);
        switch("dtype", &e.dtype, ["f32", "f64"])?;
        Ok(Choices {
            activation: choose("activation", &e.activation, names.activations().iter().map(|a| a.name()), |name| {
                names.activation(name)
            })?,
            placement: choose(
                "placement",
                &e.placement,
                Placement::ALL.iter().map(|p| p.name()),
                Placement::from_name,
            )?,
            loss: choose("loss", &e.loss, names.losses().iter().map(|l| l.name()), |name| names.loss(name))?,
            energy: EnergyChoice::of(&e.energy_options())?,
            topology: choose("topology", &e.topology, Topology::ALL.iter().map(|t| t.name()), |name| {
                Topology::ALL.iter().copied().find(|t| t.name() == name)
            })?,
            parametrization: choose(
                "parametrization",
                &e.parametrization,
                PARAMETRIZATIONS.iter().map(|p| p.name),
                |name| PARAMETRIZATIONS.iter().find(|p| p.name == name).map(|p| (p.at)(e.path_position)),
            )?,
            optimizer: choose("optimizer", &e.optimizer, OPTIMIZERS.iter().map(|o| o.name), |name| {
                OPTIMIZERS.iter().find(|o| o.name == name)
            })?,
            schedule: choose("schedule", &e.schedule, Schedule::ALL.iter().map(|s| s.name()), |name| {
                Schedule::ALL.iter().copied().find(|s| s.name() == name)
            })?,
            credit: choose("credit", &e.credit, Credit::ALL.iter().map(|c| c.name()), Credit::from_name)?,
            rule: choose("rule", &e.rule, rules().map(|r| r.name), |name| rules().find(|r| r.name == name))?,
            drop_last: switch("last-batch", &e.last_batch, ["drop", "keep"])?,
            budget: Budget::parse(&e.budget)?,
        })
    }
}

/// Whether the first of two names was given.
fn switch(option: &str, given: &str, names: [&'static str; 2]) -> Result<bool, LabError> {
    choose(option, given, names, |name| names.iter().position(|n| *n == name)).map(|at| at == 0)
}
