//! An experiment with every choice resolved to a value of the library.

use super::{Choices, Experiment, choices::Topology, start::shape};
use crate::{dataset::Dataset, error::LabError, extremes, model::check_fit};
use pcalm::{
    catalogue::{Catalogue, Engine},
    loss::Loss,
    network::file::NetworkFile,
    objective::Objective,
    optimizer::{Schedule, Settings},
    parametrization::{Architecture, Parametrization},
    real::Real,
    rule::{Pace, RuleSettings},
};

/// Steps between measurements where `auto-track` needs some and none are asked for.
const WATCH_EVERY: u64 = 50;

/// Weight matrices at most: far more than can be trained, few enough to be counted one by one.
const DEEPEST: usize = 1_000_000;

/// A validated experiment on a data set of known shape.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Shape of the network.
    pub architecture: Architecture,
    /// What names stand for.
    pub catalogue: Catalogue,
    /// How its weights are drawn.
    pub parametrization: Parametrization,
    /// Loss and penalties.
    pub objective: Objective<f64>,
    dual_step: fn(&RuleSettings, f64) -> f64,
    /// Rule settings; η and β are 0 where they are still to be measured.
    pub rule: RuleSettings,
    /// Whether η is to be measured (`auto` and `auto-track`).
    pub auto_eta: bool,
    /// Whether η follows 1/λ_max (`auto-track`).
    pub track_eta: bool,
    /// Whether β is to be measured.
    pub auto_nesterov: bool,
    /// Steps between measurements of the stability; 0 for none.
    pub watch_every: u64,
    /// Whether the rule iterates with η at all.
    pub iterative: bool,
    /// What decides how large η may be.
    pub pace: Pace,
    /// The optimizer.
    pub optimizer: Settings,
    /// Learning rate after the parametrization's rule.
    pub learning_rate: f64,
    /// Learning-rate schedule.
    pub schedule: Schedule,
    /// Whether an epoch's last, smaller batch is left out.
    pub drop_last: bool,
    /// Training samples.
    pub samples: usize,
}

impl Plan {
    /// Resolves names, checks ranges, and fits the network to the data set.
    ///
    /// # Errors
    /// If an option's value is unknown or out of range; the message names the option.
    pub fn new(experiment: &Experiment, data: &Dataset, catalogue: &Catalogue) -> Result<Self, LabError> {
        let e = experiment;
        let Choices {
            activation,
            placement,
            loss,
            energy,
            topology,
            parametrization,
            optimizer,
            schedule,
            credit,
            rule,
            drop_last,
            budget,
        } = Choices::of(e, catalogue)?;

        if topology == Topology::File && e.init.is_none() {
            return Err(LabError::option("topology", "`file` needs a network file; give it with --init"));
        }
        let residual = topology == Topology::Residual;
        let architecture = Architecture { widths: widths(e, data)?, residual, activation, placement, bias: e.bias };
        refuse_targets_unfit_for(loss, data)?;
        let track_eta = e.eta == "auto-track";
        let auto_eta = e.eta == "auto" || track_eta;
        let watch_every = if track_eta && e.watch_stability == 0 { WATCH_EVERY } else { e.watch_stability };
        // What is watched is the Hessian's spectrum, which moves no other rules.
        let watch_every = if rule.iterative && rule.pace == Pace::Curvature { watch_every } else { 0 };
        let eta = if auto_eta { 0.0 } else { positive("eta", &e.eta)? };
        let auto_nesterov = rule.accelerated && e.nesterov == "auto";
        let measured = [
            ("--eta auto-track", track_eta && watch_every > 0),
            ("--watch-stability", watch_every > 0),
            ("--nesterov auto", auto_nesterov),
        ];
        if track_eta && e.precondition {
            let problem =
                "`auto-track` follows λ_max of the Hessian, and preconditioned steps see another; take `auto`";
            return Err(LabError::option("eta", problem));
        }
        if let Some((option, _)) = measured.iter().find(|(_, asked_for)| *asked_for) {
            extremes::needed_by(option)?;
        }
        let nesterov = if rule.accelerated && !auto_nesterov { momentum(&e.nesterov)? } else { 0.0 };
        let settings = RuleSettings {
            budget: budget.cycles(architecture.depth())?,
            eta,
            alpha: e.alpha,
            inner_steps: e.inner_steps,
            nesterov,
            credit,
            tolerance: e.tolerance,
            inner_tolerance: e.inner_tolerance,
            precondition: e.precondition,
            any_step: e.any_step,
            ..e.target_options().on(RuleSettings::default())?
        };
        for (name, value) in
            [("batch", e.batch as u64), ("epochs", e.epochs), ("probe-samples", e.probe_samples as u64)]
        {
            if value == 0 {
                return Err(LabError::option(name, "0; at least 1 is needed"));
            }
        }
        for (name, value) in [("metrics-every", e.metrics_every), ("checkpoint-every", e.checkpoint_every)] {
            if value == 0 {
                return Err(LabError::option(name, "0; at least 1 is needed"));
            }
        }
        let rate = positive("learning-rate", &e.learning_rate.to_string())?;
        if drop_last && e.batch > data.train.len() {
            let problem = format!("{} samples per batch, but the training set has {}", e.batch, data.train.len());
            return Err(LabError::option("batch", problem));
        }
        Ok(Plan {
            catalogue: catalogue.clone(),
            parametrization,
            objective: energy.at(loss, &architecture.widths[1..])?,
            auto_eta,
            track_eta,
            auto_nesterov,
            watch_every,
            iterative: rule.iterative,
            pace: rule.pace,
            dual_step: rule.dual_step,
            rule: settings,
            optimizer: Settings {
                method: optimizer.method,
                momentum: e.momentum,
                beta1: e.beta1,
                beta2: e.beta2,
                epsilon: e.epsilon,
                weight_decay: e.weight_decay,
            },
            learning_rate: parametrization.learning_rate(&architecture, rate, e.gamma0, optimizer.adaptive),
            schedule,
            drop_last,
            samples: data.train.len(),
            architecture,
        })
    }

    /// Whether the stability bound is about the rule's steps: not where they are divided by the precisions, or where η
    /// is 1.
    pub fn is_bounded(&self) -> bool {
        self.iterative
            && match self.pace {
                Pace::Curvature => !self.rule.precondition,
                Pace::Precision => true,
                Pace::One => false,
            }
    }

    /// The dual step that enters the stability bound.
    pub fn dual_step(&self) -> f64 {
        (self.dual_step)(&self.rule, self.objective.largest_penalty())
    }

    /// The network to start from: drawn from the seed, or read from `--init`.
    ///
    /// # Errors
    /// If the weights cannot be drawn, or the file does not fit the data set.
    pub fn network<R: Real>(&self, experiment: &Experiment, data: &Dataset) -> Result<NetworkFile<R>, LabError> {
        let Some(path) = &experiment.init else {
            let network = self.architecture.draw(self.parametrization, experiment.gamma0, experiment.seed)?;
            return Ok(NetworkFile { network, loss: self.objective.loss() });
        };
        let file = NetworkFile::<R>::load_known_by(self.catalogue.names(), path)?;
        check_fit(&file.network, data, path)?;
        if shape(&file.network) != self.architecture || file.loss != self.objective.loss() {
            let problem = "the options describe another network than this file; `fit_to_init` makes them agree";
            return Err(LabError::run(path, problem));
        }
        Ok(file)
    }
}

/// Builds the experiment's rule with a step size that is known by now.
///
/// # Errors
/// If a setting is out of range for the rule.
pub fn rule<B: Engine>(name: &str, plan: &Plan, eta: f64) -> Result<pcalm::rule::BoxedRule<B>, LabError> {
    let settings = RuleSettings { eta, ..plan.rule.clone() };
    Ok(plan.catalogue.rule(name, &settings)?)
}

/// How far from 1 the targets of a sample may sum for the cross-entropy.
const SUM_TOLERANCE: f64 = 1e-5;

/// The cross-entropy compares distributions.
fn refuse_targets_unfit_for(loss: Loss, data: &Dataset) -> Result<(), LabError> {
    if loss != Loss::CrossEntropy {
        return Ok(());
    }
    for (split, part) in [(&data.train, "training"), (&data.test, "test")] {
        if let Some(at) = split.targets.first_that_is_no_distribution(SUM_TOLERANCE) {
            let problem = format!(
                "cross-entropy needs classes, or targets of 0 or more that sum to 1; those of {part} sample {} of `{}` \
                 do not; use squared-error",
                at + 1,
                data.name
            );
            return Err(LabError::option("loss", problem));
        }
    }
    Ok(())
}

fn widths(e: &Experiment, data: &Dataset) -> Result<Vec<usize>, LabError> {
    let hidden = match &e.widths {
        Some(widths) => widths.clone(),
        None if e.depth < 2 => {
            let problem = format!("{} weight matrices; a network needs at least 2 (one hidden layer)", e.depth);
            return Err(LabError::option("depth", problem));
        }
        None if e.depth > DEEPEST => {
            let problem = format!("{} weight matrices; at most {DEEPEST} can be had", e.depth);
            return Err(LabError::option("depth", problem));
        }
        None => vec![e.width; e.depth - 1],
    };
    let option = if e.widths.is_some() { "widths" } else { "width" };
    if hidden.is_empty() || hidden.contains(&0) {
        return Err(LabError::option(option, "a hidden layer of width 0; every layer needs at least 1 unit"));
    }
    Ok([&[data.dim()], &hidden[..], &[data.outputs()]].concat())
}

fn positive(option: &str, text: &str) -> Result<f64, LabError> {
    let auto = if option == "eta" { ", `auto` or `auto-track`" } else { "" };
    let value: Option<f64> = text.parse().ok().filter(|v: &f64| v.is_finite() && *v > 0.0);
    value.ok_or_else(|| LabError::option(option, format!("`{text}` is not a positive number{auto}")))
}

/// A momentum that was given as a number.
///
/// # Errors
/// If it is none.
pub fn momentum(text: &str) -> Result<f64, LabError> {
    let value: Option<f64> = text.parse().ok().filter(|v| (0.0..1.0).contains(v));
    value.ok_or_else(|| LabError::option("nesterov", format!("`{text}` is not a number in [0, 1), or `auto`")))
}
