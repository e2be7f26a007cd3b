//! How far inference is from a point at every step.

use crate::{
    backend::Backend,
    error::Error,
    infer::{Stop, infer},
    lagrangian::Lagrangian,
    rule::{Rule, check_fit},
    stack::Stack,
    state::State,
};
use std::ops::ControlFlow;

/// ‖z − z*‖ and ‖λ − λ*‖ over all layers and samples of a block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distance {
    /// Of the activities.
    pub activities: f64,
    /// Of the duals.
    pub duals: f64,
}

/// The distances of `rule`'s inference from the point (`activities`, `duals`), before the first step and
/// after each.
///
/// # Errors
/// If the rule does not fit the network, or the activities diverge.
pub fn distances<B: Backend>(
    lagrangian: &Lagrangian<B>,
    state: &mut State<B::Real>,
    rule: &dyn Rule<B>,
    activities: &Stack<B::Real>,
    duals: &Stack<B::Real>,
) -> Result<Vec<Distance>, Error> {
    check_fit(rule, lagrangian.problem().network)?;
    let samples = lagrangian.samples();
    let (mut found, mut difference) = (Vec::new(), activities.clone());
    let mut apart = |a: &Stack<B::Real>, b: &Stack<B::Real>| {
        difference.copy_from(a);
        for (d, b) in difference.layers.iter_mut().zip(&b.layers) {
            d.data_mut().iter_mut().zip(b.data()).for_each(|(d, &b)| *d -= b);
        }
        difference.norm_squared(samples).sqrt()
    };
    let mut watch = |_: usize, state: &State<B::Real>| {
        let activities = apart(&state.activities, activities);
        found.push(Distance { activities, duals: apart(&state.duals, duals) });
        ControlFlow::Continue(())
    };
    match infer(rule, lagrangian, state, &mut watch).stop {
        Stop::Diverged(divergence) => Err(Error::Diverged(divergence)),
        Stop::Converged | Stop::Budget | Stop::Observer => Ok(found),
    }
}
