//! Difference target propagation with given backward weights \[FRM A.1.3, after Lee et al. 2015\] (docs/maths.md §5).
//!
//! t_{l−1} = z̄_{l−1} + g_l(t_l) − g_l(z̄_l): what the decoder g gets wrong at the forward pass is taken off, so that a
//! network that meets its target has no credit, whatever g. In linear networks with linear g it is target propagation
//! with B = V⁻¹, and with B = Vᵀ backpropagation, times β from the gradient.

use super::{
    Decoder, Rule, RuleSettings, TargetTop,
    aim::{self, Aim, FORWARD, Scene},
    beside::keep_as_duals,
    positive,
};
use crate::{
    backend::Backend,
    error::{Error, Refusal},
    infer::{Step, Stop},
    lagrangian::{DualStep, Lagrangian},
    network::{Chain, Dense, Network, Placement},
    objective::Objective,
    real::Real,
    solve::{
        inverse::{Impossible, obstacle},
        targets::{Decoding, FoundTargets, by_decoders, transposes},
    },
    state::State,
};
use std::sync::Arc;

/// Targets by backward weights; nothing iterates.
#[derive(Clone, Debug)]
pub struct DifferenceTargetPropagation {
    top: TargetTop,
    beta: f64,
    decoder: Decoder,
    difference: bool,
    clip: Option<f64>,
    backward: Option<Arc<Vec<Dense<f64>>>>,
}

const NAME: &str = "difference-target-propagation";

/// β where the top is a gradient: the step from there is to be a small one, as decoders are true near the forward pass
/// alone.
const SMALL: f64 = 0.1;

impl DifferenceTargetPropagation {
    /// With `top`, `beta`, `decoder`, `difference`, `clip` and `backward` of `settings`.
    ///
    /// # Errors
    /// If β is not a positive number, the clip not in (0, ½), or a backward weight has a bias or an activation.
    pub fn new(settings: &RuleSettings) -> Result<Self, Error> {
        let RuleSettings { top, decoder, difference, .. } = *settings;
        let usual = if top == TargetTop::Target { 1.0 } else { SMALL };
        let beta = positive("beta", settings.beta.unwrap_or(usual))?;
        let backward = settings.backward.clone();
        let bare = |b: &Dense<f64>| b.bias().is_none() && b.nonlinearity().is_none();
        if let Some(at) = backward.as_ref().and_then(|all| all.iter().position(|b| !bare(b))) {
            let problem = format!("b.{} has a bias or an activation; backward weights are a matrix each", at + 2);
            return Err(Error::setting("backward", problem));
        }
        Ok(DifferenceTargetPropagation { top, beta, decoder, difference, clip: aim::clip(settings)?, backward })
    }

    /// Whether the backward weights, where there are any, have the shapes of the links they undo.
    fn backward_fits<R: Real>(&self, chain: Chain<R>) -> Result<(), Error> {
        let Some(backward) = &self.backward else { return Ok(()) };
        let links = chain.depth() - 1;
        if backward.len() != links {
            let problem = format!("{} matrices for the {links} links above the first hidden layer", backward.len());
            return Err(Error::setting("backward", problem));
        }
        for (l, b) in (1..).zip(backward.iter()) {
            let (dense, _) = chain.link(l);
            if (b.rows(), b.cols()) != (dense.cols(), dense.rows()) {
                let problem = format!(
                    "b.{} is [{}, {}], and goes from layer {} to layer {}: [{}, {}]",
                    l + 1,
                    b.rows(),
                    b.cols(),
                    l + 1,
                    l,
                    dense.cols(),
                    dense.rows()
                );
                return Err(Error::setting("backward", problem));
            }
        }
        Ok(())
    }

    /// Whether every link has the inverse that the decoder is one of.
    fn decoder_fits<R: Real>(&self, chain: Chain<R>) -> Result<(), Error> {
        for node in (1..chain.depth()).filter(|_| self.decoder == Decoder::Inverse) {
            let (dense, skip) = chain.link(node);
            let layer = if chain.placement() == Placement::Pre { node } else { node + 1 };
            let problem = if skip {
                format!("layer {}: a skip runs beside its link, which the decoder `inverse` does not undo", node + 1)
            } else if let Some(phi) = obstacle((dense, false)) {
                format!("layer {layer}: {} has no inverse, which the decoder `inverse` needs there", phi.name())
            } else {
                continue;
            };
            return Err(Error::setting("decoder", format!("{problem}; take `linear` or `phi`")));
        }
        Ok(())
    }
}

impl<B: Backend> Aim<B> for DifferenceTargetPropagation {
    fn find(
        &self,
        lagrangian: &Lagrangian<B>,
        state: &mut State<B>,
        scene: &Scene,
    ) -> Result<FoundTargets, Impossible> {
        let chain = scene.chain()?;
        let top = match self.top {
            TargetTop::Target => scene.towards_target(self.beta),
            TargetTop::Gradient => {
                // At the forward pass the activity gradient is ∂ℓ_Π/∂z of the last hidden layer, and 0 below.
                lagrangian.credit(state, DualStep::Still);
                lagrangian.descend(state, B::Real::of(self.beta));
                let last = chain.depth() - 1;
                (last, Scene::activities(lagrangian, state, last))
            }
        };
        let own;
        let backward = match &self.backward {
            Some(given) => given.as_slice(),
            None => {
                let overflow = || Impossible { layer: 1, problem: "the weights above it overflow".into() };
                own = transposes(chain).ok_or_else(overflow)?;
                &own
            }
        };
        let Self { decoder, difference, clip, .. } = *self;
        by_decoders(chain, &scene.pass, top, Decoding { decoder, difference, clip, backward })
    }
}

impl<B: Backend> Rule<B> for DifferenceTargetPropagation {
    fn name(&self) -> &str {
        NAME
    }

    fn memory(&self) -> usize {
        1
    }

    fn fits(&self, network: &Network<B::Real>, objective: &Objective<B::Real>) -> Result<(), Error> {
        let chain = aim::fits(NAME, network, objective, self.top == TargetTop::Target)?;
        self.backward_fits(chain)?;
        self.decoder_fits(chain)
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
