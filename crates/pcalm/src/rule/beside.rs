//! What rules share that move activities beside the forward pass, which they end at.

use crate::{
    backend::Backend,
    lagrangian::{DualStep, Lagrangian},
    state::State,
};

/// λ ← E'(z − z̄), then z ← z̄, for a rule that keeps the forward pass z̄ in the stack `forward` of its memory: what it
/// has moved the activities to becomes the credit of the forward pass, where c = 0.
pub(super) fn keep_as_duals<B: Backend>(lagrangian: &Lagrangian<B>, state: &mut State<B>, forward: usize) {
    lagrangian.credit_beside(state, DualStep::Still, forward);
    lagrangian.copy(&state.credit, &mut state.duals);
    lagrangian.copy(&state.memory[forward], &mut state.activities);
    state.touch();
}
