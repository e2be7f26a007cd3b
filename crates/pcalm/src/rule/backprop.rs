//! Backpropagation as the closed form of the Lagrangian's KKT point \[ALM app. A\].

use super::Rule;
use crate::{
    backend::Backend,
    error::Refusal,
    infer::{Step, Stop},
    lagrangian::Lagrangian,
    state::State,
};

/// z = the forward pass, λ = the adjoint recursion; nothing iterates.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backprop;

impl<B: Backend> Rule<B> for Backprop {
    fn name(&self) -> &str {
        "bp"
    }

    fn init(&self, lagrangian: &Lagrangian<B>, state: &mut State<B>) -> Result<(), Refusal> {
        lagrangian.forward(state);
        lagrangian.adjoint(state);
        Ok(())
    }

    fn step(&self, _lagrangian: &Lagrangian<B>, _state: &mut State<B>, _at: Step) {}

    fn terminate(&self, _lagrangian: &Lagrangian<B>, _state: &mut State<B>, _cycles: usize) -> Option<Stop> {
        Some(Stop::Converged)
    }
}
