//! One training step: inference, weight gradient, update.

use crate::{
    backend::Backend,
    error::Error,
    gradient::{Alignment, Gradient},
    infer::Stop,
    lagrangian::Energies,
    minibatch::{Batch, Minibatch, Report, Score},
    network::Network,
    optimizer::Optimizer,
    rule::{Backprop, Rule},
    work::Work,
};

/// A network in training: weights, rule, optimizer and the buffers they need.
pub struct Trainer<B: Backend> {
    network: Network<B::Real>,
    rule: Box<dyn Rule<B>>,
    optimizer: Optimizer<B::Real>,
    minibatch: Minibatch<B>,
    gradient: Gradient<B::Real>,
}

/// Bytes that a [`Trainer`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Weights, their gradient and the optimizer's moments.
    pub weights: usize,
    /// Samples and states of the last minibatch.
    pub states: usize,
}

/// A rule's gradient held against BP's on one batch, with the energies at its inferred state.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// Loss and accuracy of the forward pass.
    pub score: Score,
    /// Energies at the inferred state, summed over the samples.
    pub energies: Energies,
    /// Alignment of the rule's weight gradient with BP's.
    pub alignment: Alignment,
    /// Cycles of inference.
    pub steps: usize,
    /// Why inference stopped.
    pub stop: Stop,
    /// Work of the rule's inference and weight gradient.
    pub work: Work,
}

impl<B: Backend> Trainer<B> {
    /// Puts the parts together.
    ///
    /// # Errors
    /// If the optimizer was made for another network, or the minibatch's penalties or the rule do not fit this one.
    pub fn new(
        network: Network<B::Real>,
        rule: Box<dyn Rule<B>>,
        optimizer: Optimizer<B::Real>,
        minibatch: Minibatch<B>,
    ) -> Result<Self, Error> {
        optimizer.fits(&network)?;
        minibatch.objective().fits(&network)?;
        rule.fits(&network, minibatch.objective())?;
        let gradient = Gradient::zeros(&network);
        Ok(Trainer { network, rule, optimizer, minibatch, gradient })
    }

    /// Goes on with another rule.
    pub fn set_rule(&mut self, rule: Box<dyn Rule<B>>) {
        self.rule = rule;
    }

    /// The network.
    pub fn network(&self) -> &Network<B::Real> {
        &self.network
    }

    /// The optimizer.
    pub fn optimizer(&self) -> &Optimizer<B::Real> {
        &self.optimizer
    }

    /// What it holds now.
    pub fn memory(&self) -> Memory {
        let weights = self.network.parameters() * size_of::<B::Real>();
        Memory { weights: 2 * weights + self.optimizer.bytes(), states: self.minibatch.bytes() }
    }

    /// Inference on `batch`, then one update of the weights at learning rate `rate`.
    ///
    /// # Errors
    /// If the batch does not fit the network, the activities diverged, the minibatch was interrupted, or the
    /// rate is not a number of at least 0; weights and optimizer are then as they were.
    pub fn step(&mut self, batch: &Batch<B::Real>, rate: f64) -> Result<Report, Error> {
        self.minibatch.load(&self.network, batch)?;
        let mut report = self.minibatch.infer(&self.network, self.rule.as_ref())?;
        report.stop = report.stop.usable()?;
        report.work += self.minibatch.weight_gradient(&self.network, &mut self.gradient)?;
        self.optimizer.update(&mut self.network, &self.gradient, rate)?;
        Ok(report)
    }

    /// Loss and accuracy on `batch`, without inference or update.
    ///
    /// # Errors
    /// If the batch does not fit the network, or the loss is not finite.
    pub fn evaluate(&mut self, batch: &Batch<B::Real>) -> Result<Score, Error> {
        self.minibatch.load(&self.network, batch)?;
        self.minibatch.evaluate(&self.network)
    }

    /// Compares the rule's weight gradient on `batch` with BP's; changes no weight.
    ///
    /// # Errors
    /// If the batch does not fit the network, the activities diverged, or the minibatch was
    /// interrupted.
    pub fn probe(&mut self, batch: &Batch<B::Real>) -> Result<Probe, Error> {
        probe(&mut self.minibatch, &self.network, self.rule.as_ref(), batch, &mut self.gradient)
    }
}

/// Compares a rule's weight gradient on `batch` with BP's. `minibatch` is left holding the rule's
/// inferred states and `gradient` the rule's gradient.
///
/// # Errors
/// If the batch does not fit the network, the activities diverged, or the minibatch was interrupted.
pub fn probe<B: Backend>(
    minibatch: &mut Minibatch<B>,
    network: &Network<B::Real>,
    rule: &dyn Rule<B>,
    batch: &Batch<B::Real>,
    gradient: &mut Gradient<B::Real>,
) -> Result<Probe, Error> {
    let mut backprop = Gradient::zeros(network);
    minibatch.load(network, batch)?;
    minibatch.infer(network, &Backprop)?;
    minibatch.weight_gradient(network, &mut backprop)?;
    minibatch.reset_work();
    let mut report = minibatch.infer(network, rule)?;
    report.stop = report.stop.usable()?;
    report.work += minibatch.weight_gradient(network, gradient)?;
    let energies = minibatch.energies(network)?;
    let alignment = Alignment::new(gradient, &backprop);
    Ok(Probe { score: report.score, energies, alignment, steps: report.steps, stop: report.stop, work: report.work })
}
