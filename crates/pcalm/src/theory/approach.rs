//! How far inference is from given points at every step.

use super::follow::follow;
use crate::{backend::Host, error::Error, lagrangian::Lagrangian, rule::Rule, stack::Stack, state::State};

/// ‖z − z*‖ and ‖λ − λ*‖ over all layers and samples of a block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distance {
    /// Of the activities.
    pub activities: f64,
    /// Of the duals.
    pub duals: f64,
}

/// The distances of one inference by `rule` from each of the points (z*, λ*) in `goals`, before the first
/// step and after each.
///
/// # Errors
/// If the rule does not fit the network, or the activities diverge.
pub fn distances<B: Host, const N: usize>(
    lagrangian: &Lagrangian<B>,
    state: &mut State<B>,
    rule: &dyn Rule<B>,
    goals: [&State<B>; N],
) -> Result<Vec<[Distance; N]>, Error> {
    let samples = lagrangian.samples();
    let (mut found, mut difference) = (Vec::new(), state.activities.clone());
    let mut apart = |a: &Stack<B::Real>, b: &Stack<B::Real>| {
        difference.copy_from(a);
        for (d, b) in difference.layers.iter_mut().zip(&b.layers) {
            d.data_mut().iter_mut().zip(b.data()).for_each(|(d, &b)| *d -= b);
        }
        difference.norm_squared(samples).sqrt()
    };
    follow(rule, lagrangian, state, |_, state| {
        found.push(goals.map(|goal| Distance {
            activities: apart(&state.activities, &goal.activities),
            duals: apart(&state.duals, &goal.duals),
        }));
    })?;
    Ok(found)
}
