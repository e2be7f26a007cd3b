//! Target propagation by inverses \[FRM eq. 3 and 25\] (docs/maths.md §5).
//!
//! t_L = y, and t_l is what layer l + 1's edge takes to t_{l+1}: by φ⁻¹ and the pseudo-inverse, or with a skip by a solve.
//! In square invertible networks f(t) = t above, and for t_L = o + β(y − o) the displacement t − z̄ is a Gauss–Newton
//! step to first order in β.

use super::{
    Rule, RuleSettings,
    aim::{self, Aim, FORWARD, Scene},
    beside::keep_as_duals,
    positive,
};
use crate::{
    backend::Backend,
    error::{Error, Refusal},
    infer::{Step, Stop},
    lagrangian::Lagrangian,
    network::{Network, Placement},
    objective::Objective,
    solve::{
        inverse::{Impossible, Reach, obstacle},
        targets::{FoundTargets, by_inverses},
    },
    stack::Matrix,
    state::State,
};

/// Targets by inverses; nothing iterates.
#[derive(Clone, Debug)]
pub struct TargetPropagation {
    beta: f64,
    reach: Reach,
}

const NAME: &str = "target-propagation";

impl TargetPropagation {
    /// With `beta`, `clip` and `nearest` of `settings`.
    ///
    /// # Errors
    /// If β is not a positive number or the clip not in (0, ½).
    pub fn new(settings: &RuleSettings) -> Result<Self, Error> {
        let beta = positive("beta", settings.beta.unwrap_or(1.0))?;
        Ok(TargetPropagation { beta, reach: Reach { clip: aim::clip(settings)?, nearest: settings.nearest } })
    }

    /// t_0, the input that all layers' targets would come from; in `f64`, samples in columns.
    ///
    /// # Errors
    /// If the rule cannot run on this network or these samples.
    pub fn input_target<B: Backend>(
        &self,
        lagrangian: &Lagrangian<B>,
        state: &mut State<B>,
    ) -> Result<Matrix<f64>, Refusal> {
        aim::possible(self, lagrangian)?;
        lagrangian.forward(state);
        let scene = Scene::new(lagrangian, state);
        let mut found = self.down_to(0, &scene).map_err(|problem| problem.of(NAME))?;
        Ok(found.targets.swap_remove(0))
    }

    fn down_to(&self, lowest: usize, scene: &Scene) -> Result<FoundTargets, Impossible> {
        by_inverses(scene.chain()?, &scene.pass, scene.towards_target(self.beta), lowest, self.reach)
    }
}

impl<B: Backend> Aim<B> for TargetPropagation {
    fn find(&self, _: &Lagrangian<B>, _: &mut State<B>, scene: &Scene) -> Result<FoundTargets, Impossible> {
        self.down_to(1, scene)
    }
}

impl<B: Backend> Rule<B> for TargetPropagation {
    fn name(&self) -> &str {
        NAME
    }

    fn memory(&self) -> usize {
        1
    }

    fn fits(&self, network: &Network<B::Real>, objective: &Objective<B::Real>) -> Result<(), Error> {
        let chain = aim::fits(NAME, network, objective, true)?;
        for node in 1..chain.depth() {
            if let Some(phi) = obstacle(chain.link(node)) {
                let layer = if chain.placement() == Placement::Pre { node } else { node + 1 };
                return Err(Error::Network(format!(
                    "layer {layer}: {} has no inverse, which {NAME} needs there; take identity, tanh, sigmoid or leaky-relu \
                     (in `post` placement a network of one hidden layer needs none), or difference-target-propagation",
                    phi.name()
                )));
            }
        }
        Ok(())
    }

    fn init(&self, lagrangian: &Lagrangian<B>, state: &mut State<B>) -> Result<(), Refusal> {
        aim::aim(self, lagrangian, state).map(drop)
    }

    fn step(&self, _lagrangian: &Lagrangian<B>, _state: &mut State<B>, _at: Step) {}

    fn terminate(&self, _lagrangian: &Lagrangian<B>, _state: &mut State<B>, _cycles: usize) -> Option<Stop> {
        Some(Stop::Converged)
    }

    fn settle(&self, lagrangian: &Lagrangian<B>, state: &mut State<B>) {
        keep_as_duals(lagrangian, state, FORWARD);
    }
}
