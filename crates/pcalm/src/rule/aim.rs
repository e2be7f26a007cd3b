//! What rules share that choose a target for every layer: z is the forward pass z̄, λ = E'(t − z̄).

use super::{DifferenceTargetPropagation, Rule, RuleSettings, TargetPropagation};
use crate::{
    backend::Backend,
    error::{Error, Refusal},
    lagrangian::Lagrangian,
    loss::Loss,
    network::{Chain, Network},
    objective::{End, Objective},
    real::Real,
    solve::{
        inverse::Impossible,
        targets::{ForwardPass, FoundTargets},
    },
    stack::{Matrix, Stack},
    state::State,
};

/// z̄, the forward pass, among what such a rule keeps.
pub(super) const FORWARD: usize = 0;

/// A rule that chooses targets.
pub(super) trait Aim<B: Backend>: Rule<B> {
    /// Targets from some node up to another, t of the first hidden layer the first; the state is at the forward pass, and
    /// what happens to it here does not matter.
    fn find(&self, lagrangian: &Lagrangian<B>, state: &mut State<B>, scene: &Scene)
    -> Result<FoundTargets, Impossible>;
}

/// What targets are worked out from, in `f64` whatever the backend's numbers.
pub(super) struct Scene {
    pub network: Network<f64>,
    pub pass: ForwardPass,
    /// y.
    pub target: Matrix<f64>,
}

impl Scene {
    /// At the forward pass that the state is at.
    pub fn new<B: Backend>(lagrangian: &Lagrangian<B>, state: &State<B>) -> Self {
        let (backend, problem) = (lagrangian.backend(), lagrangian.problem());
        let hidden = lagrangian.read(&state.activities);
        let nodes = std::iter::once(backend.input(problem.block).cast())
            .chain(hidden.layers.iter().map(Matrix::cast))
            .chain([backend.output(&state.memo).cast()]);
        Scene {
            network: problem.network.cast(),
            pass: ForwardPass { nodes: nodes.collect(), samples: lagrangian.samples() },
            target: backend.target(problem.block).cast(),
        }
    }

    /// The network as the chain that [`fits`] has found it to be.
    pub fn chain(&self) -> Result<Chain<'_, f64>, Impossible> {
        self.network.as_chain().ok_or_else(|| Impossible { layer: 1, problem: NO_CHAIN.into() })
    }

    /// The present activities of a node, in `f64`.
    pub fn activities<B: Backend>(lagrangian: &Lagrangian<B>, state: &State<B>, node: usize) -> Matrix<f64> {
        lagrangian.read(&state.activities).layers[node - 1].cast()
    }

    /// t_L = o + β(y − o).
    pub fn towards_target(&self, beta: f64) -> (usize, Matrix<f64>) {
        let last = self.network.depth();
        let mut top = self.target.clone();
        // y itself is not to be rounded.
        if beta != 1.0 {
            let outputs = self.pass.nodes[last].data();
            top.data_mut().iter_mut().zip(outputs).for_each(|(y, o)| *y = o + beta * (*y - o));
        }
        (last, top)
    }
}

const NO_CHAIN: &str =
    "its edges join other nodes than neighbours, and targets are passed down link by link; take a chain";

/// Whether a network and an objective are such that targets can be passed down. With a `top` in the units of the output,
/// the loss is to be the squared error.
pub(super) fn fits<'n, R: Real>(
    rule: &str,
    network: &'n Network<R>,
    objective: &Objective<R>,
    at_output: bool,
) -> Result<Chain<'n, R>, Error> {
    let chain = network.as_chain().ok_or_else(|| Error::Network(NO_CHAIN.into()))?;
    if objective.output() == End::Free {
        return Err(Error::setting("rule", format!("{rule} starts from a target, and the output is free of it")));
    }
    if at_output && objective.loss() != Loss::SquaredError {
        let problem = format!(
            "{rule} takes the target for an output, as with the squared error alone; with {} take \
             difference-target-propagation with the top `gradient`",
            objective.loss().name()
        );
        return Err(Error::setting("loss", problem));
    }
    Ok(chain)
}

/// z ← t and `memory[FORWARD]` ← z̄; `None` if the forward pass or its loss is not finite: then z stays where it is, and
/// whoever runs the rule reports it.
pub(super) fn aim<B: Backend>(
    rule: &impl Aim<B>,
    lagrangian: &Lagrangian<B>,
    state: &mut State<B>,
) -> Result<Option<(Scene, FoundTargets)>, Refusal> {
    possible(rule, lagrangian)?;
    lagrangian.forward(state);
    lagrangian.copy(&state.activities, &mut state.memory[FORWARD]);
    if !lagrangian.largest(&state.activities).wide().is_finite() || !lagrangian.loss(state).is_finite() {
        return Ok(None);
    }
    let scene = Scene::new(lagrangian, state);
    let found = rule.find(lagrangian, state, &scene).map_err(|problem| problem.of(rule.name()))?;
    let mut numbers = lagrangian.read(&state.memory[FORWARD]).into_owned();
    fill(&mut numbers, &found.targets, scene.pass.samples).map_err(|problem| problem.of(rule.name()))?;
    lagrangian.backend().write(&numbers, &mut state.activities);
    for (_, tally) in &found.links {
        state.work += tally.work;
    }
    state.touch();
    Ok(Some((scene, found)))
}

/// What [`Rule::fits`] refuses, for who runs a rule without asking.
pub(super) fn possible<B: Backend>(rule: &impl Rule<B>, lagrangian: &Lagrangian<B>) -> Result<(), Refusal> {
    let problem = lagrangian.problem();
    let refusal = |error: Error| Refusal { rule: rule.name().into(), layer: None, problem: error.to_string() };
    rule.fits(problem.network, problem.objective).map_err(refusal)
}

/// The samples' columns of `numbers` ← those of the targets, of the layers that both have.
fn fill<R: Real>(numbers: &mut Stack<R>, targets: &[Matrix<f64>], samples: usize) -> Result<(), Impossible> {
    for (l, (to, from)) in numbers.layers.iter_mut().zip(targets).enumerate() {
        let cols = to.cols();
        for (i, row) in to.data_mut().chunks_exact_mut(cols).enumerate() {
            for (to, &from) in row.iter_mut().zip(&from.row(i)[..samples]) {
                *to = R::of(from);
                if !to.is_finite() {
                    let problem = format!(
                        "its target overflows ({from:e}): what is above it is all but singular; take smaller steps (`--beta`), \
                         or other weights"
                    );
                    return Err(Impossible { layer: l + 1, problem });
                }
            }
        }
    }
    Ok(())
}

/// How the target of one hidden layer came about, over all samples.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetFacts {
    /// The 1-based layer l.
    pub layer: usize,
    /// Samples.
    pub samples: usize,
    /// ‖t_l − z̄_l‖, the root of its mean square over the samples.
    pub distance: f64,
    /// ‖f_{l+1}(t_l) − t_{l+1}‖ in the same way; none for the last hidden layer where the output has no target.
    pub reconstruction: Option<f64>,
    /// Of V_{l+1}, where it was inverted: singular values above the cut-off max(n, m) ε σ_max.
    pub rank: Option<usize>,
    /// Of V_{l+1}, where it was inverted: σ_min/σ_max.
    pub conditioning: Option<f64>,
    /// Values that φ⁻¹ was asked for outside of φ's range on the way to t_l.
    pub outside: usize,
    /// Those that were clipped.
    pub clipped: usize,
}

/// Of one block more.
impl std::ops::AddAssign for TargetFacts {
    fn add_assign(&mut self, other: Self) {
        let samples = self.samples + other.samples;
        let mean = |a: f64, b: f64| {
            let sum = self.samples as f64 * a * a + other.samples as f64 * b * b;
            (sum / samples as f64).sqrt()
        };
        self.distance = mean(self.distance, other.distance);
        self.reconstruction = self.reconstruction.zip(other.reconstruction).map(|(a, b)| mean(a, b));
        self.outside += other.outside;
        self.clipped += other.clipped;
        self.samples = samples;
    }
}

/// What is to be reported of a target rule's targets on one block, of every hidden layer. The state is left with z = t.
///
/// # Errors
/// If no rule of that name chooses targets, or it cannot run with these settings, on this network or on these samples.
pub fn target_facts<B: Backend>(
    rule: &str,
    settings: &RuleSettings,
    lagrangian: &Lagrangian<B>,
    state: &mut State<B>,
) -> Result<Vec<TargetFacts>, Error> {
    match rule {
        "target-propagation" => facts(&TargetPropagation::new(settings)?, lagrangian, state),
        "difference-target-propagation" => facts(&DifferenceTargetPropagation::new(settings)?, lagrangian, state),
        _ => Err(Error::setting("rule", format!("{rule} chooses no targets; {} do", TARGET_RULES.join(" and ")))),
    }
}

/// The rules that [`target_facts`] knows.
pub const TARGET_RULES: [&str; 2] = ["target-propagation", "difference-target-propagation"];

fn facts<B: Backend>(
    rule: &impl Aim<B>,
    lagrangian: &Lagrangian<B>,
    state: &mut State<B>,
) -> Result<Vec<TargetFacts>, Error> {
    rule.fits(lagrangian.problem().network, lagrangian.problem().objective)?;
    state.begin(lagrangian.backend(), rule.memory());
    let refused = |refusal: Refusal| Error::Refused(Box::new(refusal));
    let Some((scene, found)) = aim(rule, lagrangian, state).map_err(refused)? else {
        return Err(Error::Diverged(crate::infer::overflow(rule.name(), lagrangian, state)));
    };
    let Scene { network, pass: ForwardPass { nodes, samples }, .. } = scene;
    let mut residuals = state.activities.clone();
    lagrangian.residuals(state, &mut residuals);
    let residuals = lagrangian.read(&residuals);
    let output = lagrangian.backend().output(&state.memo).cast();
    let mean = |square: f64| (square / samples as f64).sqrt();
    let between = |a: &Matrix<f64>, b: &Matrix<f64>| {
        let mut difference = a.clone();
        difference.data_mut().iter_mut().zip(b.data()).for_each(|(d, b)| *d -= b);
        mean(difference.norm_squared(samples))
    };
    let last = network.depth();
    let of_layer = |layer: usize| {
        // The target of node 1 is the first.
        let target = |node: usize| found.targets.get(node - 1);
        let reconstruction = match target(layer + 1) {
            Some(above) if layer + 1 == last => Some(between(&output, above)),
            // c_{l+1} at z = t.
            Some(_) => Some(mean(residuals.layers[layer].norm_squared(samples))),
            None => None,
        };
        let (spectrum, tally) = found.links.get(layer - 1).copied().unwrap_or_default();
        TargetFacts {
            layer,
            samples,
            distance: target(layer).map_or(0.0, |t| between(t, &nodes[layer])),
            reconstruction,
            rank: spectrum.map(|s| s.rank),
            conditioning: spectrum.map(|s| s.ratio),
            outside: tally.outside,
            clipped: tally.clipped,
        }
    };
    Ok((1..last).map(of_layer).collect())
}

/// A setting that lies in (0, ½), if it is there.
pub(super) fn clip(settings: &RuleSettings) -> Result<Option<f64>, Error> {
    match settings.clip {
        Some(delta) if !(delta > 0.0 && delta < 0.5) => {
            Err(Error::setting("clip", format!("{delta} is not between 0 and 0.5, exclusive; 0.001 is usual")))
        }
        clip => Ok(clip),
    }
}
