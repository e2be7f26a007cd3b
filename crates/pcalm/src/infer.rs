//! The one inference loop.

use crate::{backend::Backend, error::Divergence, lagrangian::Lagrangian, real::Real, rule::Rule, state::State};
use std::ops::ControlFlow;

/// Why an inference ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Stop {
    /// The rule's closed form or tolerance was reached.
    Converged,
    /// The budget T was used up.
    Budget,
    /// The observer asked to stop.
    Observer,
    /// Activities became non-finite or exploded.
    Diverged(Box<Divergence>),
}

impl Stop {
    /// The reason in one word, for tables and files.
    pub fn name(&self) -> &'static str {
        match self {
            Stop::Converged => "converged",
            Stop::Budget => "budget",
            Stop::Observer => "observer",
            Stop::Diverged(_) => "diverged",
        }
    }
}

/// Sees every state inference visits; `()` looks at nothing.
pub trait Observer<R> {
    /// Called before the first cycle (`step` 0) and after each.
    fn observe(&mut self, step: usize, state: &State<R>) -> ControlFlow<()>;
}

impl<R> Observer<R> for () {
    fn observe(&mut self, _step: usize, _state: &State<R>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

impl<R, F: FnMut(usize, &State<R>) -> ControlFlow<()>> Observer<R> for F {
    fn observe(&mut self, step: usize, state: &State<R>) -> ControlFlow<()> {
        self(step, state)
    }
}

/// How an inference went; the state holds the result.
#[derive(Clone, Debug, PartialEq)]
pub struct Inference {
    /// Cycles done.
    pub steps: usize,
    /// Why it ended.
    pub stop: Stop,
}

/// Activities larger than this multiple of the forward pass's largest (or of 1, if that is
/// larger) count as exploded.
pub const EXPLOSION: f64 = 1e6;

/// Cycles between looks at the size of the activities. On finding a divergence the loop is run
/// again with a look at every step, to name the first bad one.
const LOOK_EVERY: usize = 64;

/// Runs `rule` on `lagrangian`: init, then cycles until the rule, the observer or a divergence
/// stops it, then the credit for the weight gradient. The only inference loop there is.
pub fn infer<B: Backend>(
    rule: &dyn Rule<B>,
    lagrangian: &Lagrangian<B>,
    state: &mut State<B::Real>,
    observer: &mut dyn Observer<B::Real>,
) -> Inference {
    let found = attempt(rule, lagrangian, state, observer, LOOK_EVERY);
    if matches!(&found.stop, Stop::Diverged(d) if d.step > 0) {
        return attempt(rule, lagrangian, state, &mut (), 1);
    }
    found
}

fn attempt<B: Backend>(
    rule: &dyn Rule<B>,
    lagrangian: &Lagrangian<B>,
    state: &mut State<B::Real>,
    observer: &mut dyn Observer<B::Real>,
    look_every: usize,
) -> Inference {
    // What an earlier inference knew of its own front does not hold for other weights or samples.
    state.front = 0;
    rule.init(lagrangian, state);
    let initial_norm = state.activities.max_abs().wide();
    let mut steps = 0;
    loop {
        let stop = rule.terminate(lagrangian, state, steps);
        if (steps % look_every == 0 || stop.is_some())
            && let Some(divergence) = divergence(rule.name(), steps, initial_norm, state)
        {
            return Inference { steps, stop: Stop::Diverged(Box::new(divergence)) };
        }
        let seen = observer.observe(steps, state);
        let stop = stop.or(seen.is_break().then_some(Stop::Observer));
        if let Some(stop) = stop {
            rule.read(lagrangian, state);
            return Inference { steps, stop };
        }
        rule.step(lagrangian, state);
        steps += 1;
    }
}

/// The first layer whose activities are not finite or have exploded, if any.
fn divergence<R: Real>(rule: &str, step: usize, initial_norm: f64, state: &State<R>) -> Option<Divergence> {
    // A forward pass that is not finite sets no limit: the layers that are finite in it are healthy.
    let limit = if initial_norm.is_finite() { EXPLOSION * initial_norm.max(1.0) } else { f64::INFINITY };
    state.activities.layers.iter().enumerate().find_map(|(l, z)| {
        let norm = z.max_abs().wide();
        let healthy = norm <= limit && norm.is_finite();
        (!healthy).then(|| Divergence { rule: rule.to_owned(), step, layer: l + 1, norm, initial_norm, bound: None })
    })
}
