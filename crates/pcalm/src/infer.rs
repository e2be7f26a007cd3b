//! The one inference loop, and what it asks of a rule.

use crate::{
    backend::Backend,
    error::{Divergence, Error, Refusal},
    lagrangian::Lagrangian,
    network::Network,
    objective::Objective,
    real::Real,
    stack::nan_max,
    state::State,
};
use std::ops::ControlFlow;

/// Why an inference ended.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Stop {
    /// The rule's closed form or tolerance was reached.
    Converged,
    /// The energy's minimum was reached, where it lies on kinks of the activation: no gradient is zero there, but no
    /// direction leads down (docs/maths.md §5).
    AtKinks {
        /// Units that are on a kink, over all samples.
        units: usize,
    },
    /// The budget T was used up.
    Budget,
    /// The observer asked to stop.
    Observer,
    /// It was [interrupted](crate::lagrangian::Lagrangian::interruptible); the state is of no use.
    Interrupted,
    /// Activities or the output became non-finite, or activities exploded.
    Diverged(Box<Divergence>),
    /// The rule cannot run on these samples.
    Refused(Box<Refusal>),
}

impl Stop {
    /// The reason in one word, for tables and files.
    pub fn name(&self) -> &'static str {
        match self {
            Stop::Converged => "converged",
            Stop::AtKinks { .. } => "at-kinks",
            Stop::Budget => "budget",
            Stop::Observer => "observer",
            Stop::Interrupted => "interrupted",
            Stop::Diverged(_) => "diverged",
            Stop::Refused(_) => "refused",
        }
    }

    /// Units that rest on kinks, where it ended there.
    pub fn units_at_kinks(&self) -> Option<usize> {
        if let Stop::AtKinks { units } = self { Some(*units) } else { None }
    }

    /// The reason, where the state is of use.
    ///
    /// # Errors
    /// If it is not: after a divergence, a refusal or an interrupt.
    pub fn usable(self) -> Result<Self, Error> {
        match self {
            Stop::Diverged(divergence) => Err(Error::Diverged(divergence)),
            Stop::Refused(refusal) => Err(Error::Refused(refusal)),
            Stop::Interrupted => Err(Error::Interrupted),
            other => Ok(other),
        }
    }
}

/// Where inference stands as a step begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Cycles done.
    pub cycle: usize,
    /// Steps done in the cycle under way.
    pub inner: usize,
}

/// How a rule picks (z, λ) for one block of samples. [`infer`] owns the loop, and asks the
/// Lagrangian for the credit of what was picked: no rule makes any.
pub trait Rule<B: Backend>: Send + Sync {
    /// The rule's name in reports.
    fn name(&self) -> &str;

    /// How many stacks shaped like the activities it keeps from step to step; they are in
    /// [`State::memory`], zero before [`init`](Self::init).
    fn memory(&self) -> usize {
        0
    }

    /// Whether it can run on this network with this objective.
    ///
    /// # Errors
    /// If it cannot; the message names the layer and the reason.
    fn fits(&self, _network: &Network<B::Real>, _objective: &Objective<B::Real>) -> Result<(), Error> {
        Ok(())
    }

    /// Sets the state to the rule's starting point.
    ///
    /// # Errors
    /// If the rule cannot run on these samples.
    fn init(&self, lagrangian: &Lagrangian<B>, state: &mut State<B>) -> Result<(), Refusal>;

    /// One step of inference.
    fn step(&self, lagrangian: &Lagrangian<B>, state: &mut State<B>, at: Step);

    /// Whether the step at `at`, just done, was the last of its cycle: what budgets and observers count.
    fn completes(&self, _lagrangian: &Lagrangian<B>, _state: &mut State<B>, _at: Step) -> bool {
        true
    }

    /// Whether to stop after `cycles` cycles.
    fn terminate(&self, lagrangian: &Lagrangian<B>, state: &mut State<B>, cycles: usize) -> Option<Stop>;

    /// The last choice of (z, λ), after the last step.
    fn settle(&self, _lagrangian: &Lagrangian<B>, _state: &mut State<B>) {}
}

/// Sees every state inference visits, [through](Lagrangian::read) the Lagrangian; `()` looks at nothing.
pub trait Observer<B: Backend> {
    /// Called before the first cycle (`step` 0) and after each.
    fn observe(&mut self, step: usize, lagrangian: &Lagrangian<B>, state: &State<B>) -> ControlFlow<()>;
}

impl<B: Backend> Observer<B> for () {
    fn observe(&mut self, _step: usize, _lagrangian: &Lagrangian<B>, _state: &State<B>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

impl<B: Backend, F: FnMut(usize, &Lagrangian<B>, &State<B>) -> ControlFlow<()>> Observer<B> for F {
    fn observe(&mut self, step: usize, lagrangian: &Lagrangian<B>, state: &State<B>) -> ControlFlow<()> {
        self(step, lagrangian, state)
    }
}

/// How an inference went; the state holds the result.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a divergence is in what it returns"]
pub struct Inference {
    /// Cycles done.
    pub steps: usize,
    /// Why it ended.
    pub stop: Stop,
}

/// Activities larger than this multiple of the forward pass's largest (or of 1, if that is
/// larger) count as exploded.
pub const EXPLOSION: f64 = 1e6;

/// Steps between looks at the size of activities and output. On finding a divergence the loop is run
/// again with a look at every step, to name the first bad one.
const LOOK_EVERY: usize = 64;

/// Runs `rule` on `lagrangian`: init, then steps until the rule, the observer, an interrupt or a
/// divergence stops it, then the credit of the (z, λ) it settled on. The only inference loop there is:
/// budget, tolerance and observer look between cycles, interrupts and divergences at every step.
pub fn infer<B: Backend>(
    rule: &dyn Rule<B>,
    lagrangian: &Lagrangian<B>,
    state: &mut State<B>,
    observer: &mut dyn Observer<B>,
) -> Inference {
    let found = attempt(rule, lagrangian, state, observer, None);
    if matches!(&found.stop, Stop::Diverged(d) if d.step > 0) {
        let mut residuals = state.activities.clone();
        return attempt(rule, lagrangian, state, &mut (), Some(&mut residuals));
    }
    found
}

/// With a buffer in `closely`, looks at every step, at the output of that very step.
fn attempt<B: Backend>(
    rule: &dyn Rule<B>,
    lagrangian: &Lagrangian<B>,
    state: &mut State<B>,
    observer: &mut dyn Observer<B>,
    mut closely: Option<&mut B::Stack>,
) -> Inference {
    state.begin(lagrangian.backend(), rule.memory());
    if let Err(refusal) = rule.init(lagrangian, state) {
        return Inference { steps: 0, stop: Stop::Refused(Box::new(refusal)) };
    }
    let look = DivergenceCheck::new(rule.name(), lagrangian, state);
    let (mut at, mut done) = (Step::default(), 0usize);
    loop {
        if lagrangian.interrupted() {
            return Inference { steps: at.cycle, stop: Stop::Interrupted };
        }
        let between = at.inner == 0;
        let stop = if between { rule.terminate(lagrangian, state, at.cycle) } else { None };
        // A cycle leaves the output of the activities it began with. Looked at beside the state: a rule may count on the
        // slopes that it left there.
        let seen = closely.as_mut().map(|residuals| {
            let mut copy = state.clone();
            lagrangian.residuals(&mut copy, residuals);
            copy
        });
        // The cycle that a divergence is found in counts.
        let steps = if between { at.cycle } else { at.cycle + 1 };
        if (closely.is_some() || done.is_multiple_of(LOOK_EVERY) || stop.is_some())
            && let Some(divergence) = look.at(steps, seen.as_ref().unwrap_or(state))
        {
            return Inference { steps, stop: Stop::Diverged(divergence) };
        }
        let halted = between && observer.observe(at.cycle, lagrangian, state).is_break();
        if let Some(stop) = stop.or(halted.then_some(Stop::Observer)) {
            rule.settle(lagrangian, state);
            lagrangian.settle(state);
            // Only now is the output that of the final activities.
            let overflow = look.at_output(steps, state);
            return Inference { steps, stop: overflow.map_or(stop, Stop::Diverged) };
        }
        rule.step(lagrangian, state, at);
        done += 1;
        at = match rule.completes(lagrangian, state, at) {
            true => Step { cycle: at.cycle + 1, inner: 0 },
            false => Step { inner: at.inner + 1, ..at },
        };
    }
}

/// Where a forward pass whose loss is not finite has overflowed.
pub(crate) fn overflow<B: Backend>(rule: &str, lagrangian: &Lagrangian<B>, state: &State<B>) -> Box<Divergence> {
    let look = DivergenceCheck::new(rule, lagrangian, state);
    look.at(0, state).unwrap_or_else(|| look.divergence(0, look.hidden(), look.output(state)))
}

/// A look for a divergence, made at the forward pass.
struct DivergenceCheck<'r, 'a, B: Backend> {
    rule: &'r str,
    lagrangian: &'r Lagrangian<'a, B>,
    initial_norm: f64,
}

impl<'r, 'a, B: Backend> DivergenceCheck<'r, 'a, B> {
    fn new(rule: &'r str, lagrangian: &'r Lagrangian<'a, B>, state: &State<B>) -> Self {
        DivergenceCheck { rule, lagrangian, initial_norm: lagrangian.largest(&state.activities).wide() }
    }

    fn hidden(&self) -> usize {
        self.lagrangian.problem().network.hidden()
    }

    /// The first layer whose activities are not finite or have exploded, or the output if that is
    /// not finite, if any.
    fn at(&self, step: usize, state: &State<B>) -> Option<Box<Divergence>> {
        // A forward pass that is not finite sets no limit: the layers that are finite in it are healthy.
        let limit = if self.initial_norm.is_finite() { EXPLOSION * self.initial_norm.max(1.0) } else { f64::INFINITY };
        let hidden = (0..self.hidden()).find_map(|l| {
            let norm = self.lagrangian.backend().largest(&state.activities, l).wide();
            let healthy = norm <= limit && norm.is_finite();
            (!healthy).then(|| self.divergence(step, l, norm))
        });
        hidden.or_else(|| self.at_output(step, state))
    }

    /// The output, if it is not finite.
    fn at_output(&self, step: usize, state: &State<B>) -> Option<Box<Divergence>> {
        let norm = self.output(state);
        (!norm.is_finite()).then(|| self.divergence(step, self.hidden(), norm))
    }

    /// max |f_L| over the samples: in `post` placement those of the padding are not 0 and may overflow
    /// where no sample's does.
    fn output(&self, state: &State<B>) -> f64 {
        let output = self.lagrangian.backend().output(&state.memo);
        let rows = output.data().chunks_exact(output.cols());
        let samples = self.lagrangian.samples();
        rows.flat_map(|row| &row[..samples]).map(|f| f.wide().abs()).fold(0.0, nan_max)
    }

    /// At the 0-based layer `l`.
    fn divergence(&self, step: usize, l: usize, norm: f64) -> Box<Divergence> {
        let (rule, initial_norm) = (self.rule.to_owned(), self.initial_norm);
        Box::new(Divergence { rule, step, layer: l + 1, norm, initial_norm, bound: None })
    }
}
