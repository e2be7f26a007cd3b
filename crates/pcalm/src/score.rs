//! How well a forward pass does.

use crate::{
    backend::Backend, error::Divergence, infer::overflow, lagrangian::Lagrangian, stack::Matrix, state::State,
};

/// Loss and hits of the forward pass, summed over samples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// Σ ℓ at the forward pass.
    pub loss: f64,
    /// Samples whose largest output is where the target's largest entry is.
    pub correct: usize,
    /// Samples.
    pub samples: usize,
}

impl Score {
    /// Mean loss per sample.
    pub fn mean_loss(&self) -> f64 {
        self.loss / self.samples as f64
    }

    /// Fraction of samples classified correctly.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.samples as f64
    }

    /// The score of the forward pass that `state` holds, or where it overflowed if the loss is not
    /// finite; `rule` is what that is reported of.
    pub(crate) fn of<B: Backend>(
        rule: &str,
        lagrangian: &Lagrangian<B>,
        state: &State<B>,
    ) -> Result<Self, Box<Divergence>> {
        let (backend, samples) = (lagrangian.backend(), lagrangian.samples());
        let (output, target) = (backend.output(&state.memo), backend.target(lagrangian.problem().block));
        let loss = lagrangian.loss(state);
        if !loss.is_finite() {
            return Err(overflow(rule, lagrangian, state));
        }
        let top = |m: &Matrix<B::Real>, s: usize| {
            (0..m.rows()).fold(0, |best, i| if m.at(i, s) > m.at(best, s) { i } else { best })
        };
        let correct = (0..samples).filter(|&s| top(&output, s) == top(&target, s)).count();
        Ok(Score { loss, correct, samples })
    }
}

impl std::ops::AddAssign for Score {
    fn add_assign(&mut self, other: Self) {
        self.loss += other.loss;
        self.correct += other.correct;
        self.samples += other.samples;
    }
}
