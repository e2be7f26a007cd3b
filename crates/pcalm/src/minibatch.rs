//! A minibatch cut into blocks of samples, inferred in parallel.
//!
//! Blocks are cut by the batch, never by the number of threads, and sums over blocks are taken
//! in block order: results do not depend on how many threads the ambient rayon pool has.

use crate::{
    backend::{Backend, Held, Problem, Samples},
    error::Error,
    gradient::Gradient,
    infer::{Stop, infer},
    lagrangian::{Energies, Lagrangian, products},
    network::{Network, Shape},
    objective::Objective,
    real::Real,
    rule::Rule,
    stack::LANES,
    state::State,
    work::Work,
};
pub use crate::{batch::Batch, score::Score};
use num_traits::Zero;
use rayon::prelude::*;
use std::{
    ops::ControlFlow,
    sync::{Arc, atomic::AtomicBool},
};

/// What one inference over a whole minibatch did.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Loss and accuracy of the forward pass it started from.
    pub score: Score,
    /// Cycles done (the most of any block).
    pub steps: usize,
    /// Why it ended: a divergence if any block diverged, else that of the block that ran longest, with the units on
    /// kinks of all blocks.
    pub stop: Stop,
    /// Arithmetic done.
    pub work: Work,
}

impl<R: Real> Batch<'_, R> {
    /// All samples as one block with its state, for a closer look at one inference than a
    /// [`Minibatch`] gives.
    ///
    /// # Errors
    /// If the batch does not fit the network.
    pub fn block<B: Backend<Real = R>>(
        &self,
        backend: &B,
        network: &Network<R>,
    ) -> Result<(B::Block, State<B>), Error> {
        self.fits(network)?;
        let mut slot = Slot::new(backend, network, self.samples());
        slot.load(backend, (network, backend.weights(network)), (self.inputs, self.targets));
        Ok((slot.block, slot.state))
    }
}

/// The blocks of a minibatch with their states, kept from step to step.
#[derive(Debug)]
pub struct Minibatch<B: Backend> {
    backend: B,
    objective: Objective<B::Real>,
    samples: usize,
    slots: Vec<Slot<B>>,
    interrupt: Arc<AtomicBool>,
}

/// One block with its state.
#[derive(Debug)]
struct Slot<B: Backend> {
    block: B::Block,
    state: State<B>,
    made_for: (Shape, usize),
}

impl<B: Backend> Minibatch<B> {
    /// Holds no samples yet; with a bare loss, ρ is 1.
    pub fn new(backend: B, objective: impl Into<Objective<B::Real>>) -> Self {
        let objective = objective.into();
        Minibatch { backend, objective, samples: 0, slots: Vec::new(), interrupt: Arc::default() }
    }

    /// Loss and penalties of every inference here.
    pub fn objective(&self) -> &Objective<B::Real> {
        &self.objective
    }

    /// From now on, while `flag` is raised (true), inference and power iterations end before their
    /// next step with [`Error::Interrupted`]. Whoever raises it lowers it only after the call under
    /// way has returned.
    pub fn set_interrupt(&mut self, flag: Arc<AtomicBool>) {
        self.interrupt = flag;
    }

    /// Takes in the samples of `batch` and computes the constant part of inference.
    ///
    /// # Errors
    /// If the batch does not fit the network.
    pub fn load(&mut self, network: &Network<B::Real>, batch: &Batch<B::Real>) -> Result<(), Error> {
        batch.fits(network)?;
        let size = self.backend.block_samples();
        self.samples = batch.samples();
        let counts: Vec<usize> = (0..batch.samples()).step_by(size).map(|at| size.min(batch.samples() - at)).collect();
        self.slots.truncate(counts.len());
        for (i, &count) in counts.iter().enumerate() {
            match self.slots.get_mut(i) {
                Some(slot) if slot.fits(network, count) => {}
                Some(slot) => *slot = Slot::new(&self.backend, network, count),
                None => self.slots.push(Slot::new(&self.backend, network, count)),
            }
        }
        let (d, o) = (batch.input_width(), batch.target_width());
        let (backend, weights) = (&self.backend, self.backend.weights(network));
        self.slots.par_iter_mut().zip(counts).enumerate().for_each(|(i, (slot, count))| {
            let (from, to) = (i * size, i * size + count);
            let samples = (&batch.inputs[from * d..to * d], &batch.targets[from * o..to * o]);
            slot.load(backend, (network, weights), samples);
        });
        Ok(())
    }

    /// Bytes of the blocks and states held.
    pub fn bytes(&self) -> usize {
        self.slots.iter().map(|slot| slot.block.bytes() + slot.state.bytes()).sum()
    }

    /// Counts work from zero again, the constant part of inference left out.
    pub fn reset_work(&mut self) {
        for slot in &mut self.slots {
            slot.state.work = Work::default();
        }
    }

    /// Runs `rule` on every block; the states keep the result.
    ///
    /// # Errors
    /// If no samples are loaded, the network does not fit them or the rule, the rule refuses the samples, or the flag
    /// of [`set_interrupt`](Self::set_interrupt) is raised.
    pub fn infer(&mut self, network: &Network<B::Real>, rule: &dyn Rule<B>) -> Result<Report, Error> {
        rule.fits(network, &self.objective)?;
        let parts = self.map(network, |lagrangian, state| {
            let mut score = Ok(Score::default());
            let mut look = |step: usize, lagrangian: &Lagrangian<B>, state: &State<B>| {
                if step == 0 {
                    score = Score::of(rule.name(), lagrangian, state);
                }
                if score.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            };
            let done = infer(rule, lagrangian, state, &mut look);
            let (score, stop) = match score {
                Ok(score) => (score, done.stop),
                Err(divergence) => (Score::default(), Stop::Diverged(divergence)),
            };
            (score, done.steps, stop, state.work)
        })?;
        if parts.iter().any(|(_, _, stop, _)| *stop == Stop::Interrupted) {
            return Err(Error::Interrupted);
        }
        let mut report = Report { score: Score::default(), steps: 0, stop: Stop::Budget, work: Work::default() };
        for (i, (score, steps, stop, work)) in parts.into_iter().enumerate() {
            if let Stop::Refused(refusal) = stop {
                return Err(Error::Refused(refusal));
            }
            report.score += score;
            report.work += work;
            let diverged = matches!(report.stop, Stop::Diverged(_));
            match (&mut report.stop, stop) {
                // Units on kinks are those of all blocks; one block that is not done yet counts for all.
                (Stop::AtKinks { units }, Stop::AtKinks { units: more }) => *units += more,
                (Stop::Converged, stop @ Stop::AtKinks { .. }) | (Stop::AtKinks { .. }, stop @ Stop::Budget) => {
                    report.stop = stop;
                }
                (Stop::AtKinks { .. }, Stop::Converged) if i > 0 => {}
                (_, stop) if !diverged && (i == 0 || steps > report.steps || matches!(stop, Stop::Diverged(_))) => {
                    report.stop = stop;
                }
                _ => {}
            }
            report.steps = report.steps.max(steps);
        }
        Ok(report)
    }

    /// Loss and accuracy of the forward pass, without inference.
    ///
    /// # Errors
    /// If no samples are loaded, the network does not fit them, or the loss is not finite.
    pub fn evaluate(&mut self, network: &Network<B::Real>) -> Result<Score, Error> {
        let scores = self.map(network, |lagrangian, state| {
            lagrangian.forward(state);
            Score::of("evaluation", lagrangian, state)
        })?;
        let mut sum = Score::default();
        for score in scores {
            sum += score.map_err(Error::Diverged)?;
        }
        Ok(sum)
    }

    /// `gradient` ← the weight gradient at the states' credit, a mean over the batch; returns
    /// the work of it.
    ///
    /// # Errors
    /// If no samples are loaded, or network or gradient do not fit them.
    pub fn weight_gradient(&self, network: &Network<B::Real>, gradient: &mut Gradient<B::Real>) -> Result<Work, Error> {
        self.ready(network)?;
        gradient.fits(network)?;
        let weight = B::Real::of(1.0 / self.samples as f64);
        let weights = self.backend.weights(network);
        gradient.edges.par_iter_mut().zip(network.dense_edges()).for_each(|(out, &edge)| {
            out.fill(B::Real::zero());
            for slot in &self.slots {
                let problem = Problem { network, weights, block: &slot.block, objective: &self.objective };
                let at = (slot.state.activities(), slot.state.credit(), &slot.state.memo);
                self.backend.weight_gradient(&problem, at, edge, weight, out);
            }
        });
        let mut work = Work::default();
        for dense in network.dense() {
            work.count(dense.rows(), dense.cols(), self.samples);
        }
        Ok(work)
    }

    /// The energies at the states, summed over the samples.
    ///
    /// # Errors
    /// If no samples are loaded, or the network does not fit them.
    pub fn energies(&mut self, network: &Network<B::Real>) -> Result<Energies, Error> {
        let parts = self.map(network, |lagrangian, state| {
            let mut buffer = state.activities.clone();
            lagrangian.energies(state, &mut buffer)
        })?;
        Ok(parts.into_iter().fold(Energies::default(), |mut sum, e| {
            sum += e;
            sum
        }))
    }

    /// The chosen matrix of layer `l` over the whole batch, row-major `[B, n_l]`.
    pub fn unload(&self, l: usize, part: impl Fn(&State<B>) -> &B::Stack) -> Vec<B::Real> {
        let mut values = Vec::new();
        for slot in &self.slots {
            self.backend.read(part(&slot.state)).layers[l].unload(slot.block.samples(), &mut values);
        }
        values
    }

    /// The network's output at the states, row-major `[B, O]`.
    pub fn output(&self) -> Vec<B::Real> {
        let mut values = Vec::new();
        for slot in &self.slots {
            self.backend.output(&slot.state.memo).unload(slot.block.samples(), &mut values);
        }
        values
    }

    /// What `measure` says of each block's Lagrangian and state, in block order.
    ///
    /// # Errors
    /// If no samples are loaded, or the network does not fit them.
    pub fn map<T: Send>(
        &mut self,
        network: &Network<B::Real>,
        measure: impl Fn(&Lagrangian<B>, &mut State<B>) -> T + Sync,
    ) -> Result<Vec<T>, Error> {
        self.ready(network)?;
        let (backend, objective, interrupt) = (&self.backend, &self.objective, &*self.interrupt);
        let weights = backend.weights(network);
        let slots = self.slots.par_iter_mut();
        slots
            .map(|slot| {
                let problem = Problem { network, weights, block: &slot.block, objective };
                let lagrangian = Lagrangian::of(backend, problem)?.interruptible(interrupt);
                Ok(measure(&lagrangian, &mut slot.state))
            })
            .collect()
    }

    /// Whether samples are loaded, for a network of this shape.
    fn ready(&self, network: &Network<B::Real>) -> Result<(), Error> {
        if self.slots.is_empty() {
            return Err(Error::Batch("no samples are loaded yet".into()));
        }
        match self.slots.iter().all(|slot| slot.fits(network, slot.block.samples())) {
            true => Ok(()),
            false => Err(Error::Batch("the samples were loaded for a network of another shape".into())),
        }
    }
}

impl<B: Backend> Slot<B> {
    fn new(backend: &B, network: &Network<B::Real>, samples: usize) -> Self {
        Slot {
            block: backend.block(network, samples),
            state: State::zeros(backend, network, samples),
            made_for: (Shape::of(network), padded(samples)),
        }
    }

    /// Whether the buffers have the shapes [`new`](Self::new) would give them.
    fn fits(&self, network: &Network<B::Real>, samples: usize) -> bool {
        self.made_for.1 == padded(samples) && self.made_for.0.is_of(network)
    }

    /// Takes in samples, counting work from zero.
    fn load(&mut self, backend: &B, network: (&Network<B::Real>, B::Weights<'_>), samples: (&[B::Real], &[B::Real])) {
        backend.load(network, samples, &mut self.block, &mut self.state.memo);
        self.state.touch();
        self.state.work = products(network.0, true, self.block.samples());
    }
}

/// Samples with what is beside them to fill vectors: buffers for one number of samples serve another.
fn padded(samples: usize) -> usize {
    samples.next_multiple_of(LANES)
}
