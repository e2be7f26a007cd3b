//! An inference seen at every step.

use crate::{backend::Host, error::Error, infer::infer, lagrangian::Lagrangian, rule::Rule, state::State};
use std::ops::ControlFlow;

/// Runs `rule` to its end, showing `look` the state before the first step and after each.
///
/// # Errors
/// If the activities diverge, or the Lagrangian is interrupted.
pub fn follow<B: Host>(
    rule: &dyn Rule<B>,
    lagrangian: &Lagrangian<B>,
    state: &mut State<B>,
    mut look: impl FnMut(usize, &State<B>),
) -> Result<(), Error> {
    let mut observer = |step: usize, _: &Lagrangian<B>, state: &State<B>| {
        look(step, state);
        ControlFlow::Continue(())
    };
    infer(rule, lagrangian, state, &mut observer).stop.usable().map(|_| ())
}
