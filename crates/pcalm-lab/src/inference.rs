//! One batch, one inference, everything of it.

use crate::{
    LabError,
    batches::Gathered,
    choice::choose,
    dataset::Dataset,
    experiment::{Budget, EnergyChoice, EnergyOptions, TargetOptions, backward_weights, plan::momentum},
    extremes,
    model::Model,
    record::finite,
    step_size::{bounded_curvature, own_step},
    target_report::{self, TargetRow},
};
use pcalm::catalogue::{Catalogue, Engine};
use pcalm::{
    backend::Host,
    error::StabilityBound,
    gradient::{Alignment, Gradient},
    minibatch::{Batch, Minibatch},
    network::{Network, file::insert},
    real::Real,
    rule::{Credit, Pace, RuleSettings},
    tensor_file::TensorFile,
    theory::{nesterov_momentum, stability_bound},
    train::probe,
};
use serde::Serialize;
use std::path::Path;

/// How to infer, as users write it.
#[derive(Clone, Debug)]
pub struct InferenceSettings<'a> {
    /// The rule's name.
    pub rule: &'a str,
    /// What it is.
    pub catalogue: &'a Catalogue,
    /// Cycles: a number or a multiple of the depth.
    pub budget: &'a str,
    /// Step size: a number or `auto`.
    pub eta: &'a str,
    /// Dual step size.
    pub alpha: f64,
    /// Penalties, precisions and the shape of energies.
    pub energy: EnergyOptions<'a>,
    /// Activity steps per cycle.
    pub inner_steps: usize,
    /// Momentum: a number or `auto`.
    pub nesterov: &'a str,
    /// When credit is read.
    pub credit: &'a str,
    /// Ends inference early.
    pub tolerance: Option<f64>,
    /// How far the method of multipliers solves.
    pub inner_tolerance: f64,
    /// Whether activity steps are divided by the precisions.
    pub precondition: bool,
    /// Whether first-step takes other steps than ηρ = 1.
    pub any_step: bool,
    /// How targets are passed down.
    pub targets: TargetOptions<'a>,
    /// A file with backward weights.
    pub backward: Option<&'a Path>,
}

/// What an inference came to; loss, energy and products are means over the samples.
#[derive(Clone, Debug, Serialize)]
pub struct InferenceSummary {
    /// The rule.
    pub rule: String,
    /// Samples in the batch.
    pub samples: usize,
    /// Loss ℓ_Π at the end of inference, weighed by the output's precision.
    pub loss: f64,
    /// Loss ℓ there, as it is without precisions.
    pub plain_loss: f64,
    /// Energy F = ℓ_Π + Σ E(c) there.
    pub energy: f64,
    /// ‖c‖ there, over all layers and samples: a norm, no mean.
    pub residual_norm: f64,
    /// Cosine of the weight gradient with BP's of ℓ_Π.
    pub alignment: Option<f64>,
    /// Its norm over that of BP's.
    pub norm_ratio: Option<f64>,
    /// The cosine per weight matrix.
    pub layer_alignment: Vec<Option<f64>>,
    /// The ratio per weight matrix.
    pub layer_norm_ratio: Vec<Option<f64>>,
    /// Step size, if the rule has one.
    pub eta: Option<f64>,
    /// Cycles done.
    pub steps: usize,
    /// Why it ended.
    pub stop: String,
    /// Units that rest on kinks of the activation, over all samples, where it ended there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub units_at_kinks: Option<usize>,
    /// λ of λℓ + (1 − λ)Ẽ: gradients divided by it are to be compared with those of ℓ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss_share: Option<f64>,
    /// Of every hidden layer, how its target came about, where the rule chooses targets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<TargetRow>,
    /// Matrix products per sample.
    pub products_per_sample: f64,
}

/// An inference that has been done.
#[derive(Debug)]
pub struct FinishedInference<B: Host> {
    /// What it came to.
    pub summary: InferenceSummary,
    minibatch: Minibatch<B>,
    gradient: Gradient<B::Real>,
    network: Network<B::Real>,
    /// t of every hidden layer, where the rule chooses targets.
    targets: Vec<Vec<B::Real>>,
}

/// Inputs and targets of a batch.
#[derive(Clone, Debug)]
pub struct OwnedBatch<R> {
    inputs: Vec<R>,
    targets: Vec<R>,
    count: usize,
}

impl<R: Real> OwnedBatch<R> {
    /// Those of a batch file, with tensors `x` and `y`.
    ///
    /// # Errors
    /// If it cannot be read or the two do not fit.
    pub fn load(path: &Path) -> Result<Self, LabError> {
        let file = TensorFile::<R>::load(path)?;
        let matrix = |name: &str| file.matrix(name).map_err(|e| LabError::run(path, e.to_string()));
        let ((samples, _, x), (targets, _, y)) = (matrix("x")?, matrix("y")?);
        if samples != targets {
            return Err(LabError::run(path, format!("`x` has {samples} samples but `y` has {targets}")));
        }
        Ok(OwnedBatch { inputs: x.to_vec(), targets: y.to_vec(), count: samples })
    }

    /// `count` training samples from the one at `first`, counted from 0.
    ///
    /// # Errors
    /// If there are not so many, or none are asked for.
    pub fn of(data: &Dataset, first: usize, count: usize) -> Result<Self, LabError> {
        let have = data.train.len();
        let end = first.checked_add(count).filter(|end| *end <= have && count > 0).ok_or_else(|| {
            let problem = format!("{count} from {first} on; `{}` has {have} training samples", data.name);
            LabError::option("samples", problem)
        })?;
        let mut gathered = Gathered::default();
        gathered.gather(&data.train, first..end);
        let (inputs, targets) = gathered.into_parts();
        Ok(OwnedBatch { inputs, targets, count })
    }

    fn batch(&self) -> Result<Batch<'_, R>, pcalm::Error> {
        Batch::new(&self.inputs, &self.targets, self.count)
    }

    fn first(&self) -> (Vec<f64>, Vec<f64>) {
        let first = |v: &[R]| v[..v.len() / self.count].iter().map(|v| v.wide()).collect();
        (first(&self.inputs), first(&self.targets))
    }
}

/// Runs one inference; `warn` hears of a step size that breaks the stability bound. `from` is what names the samples
/// in messages.
///
/// # Errors
/// If a setting is out of range, the samples do not fit the network, or inference diverges.
pub fn infer<B: Engine>(
    backend: B,
    model: Model<B::Real>,
    samples: &OwnedBatch<B::Real>,
    from: &Path,
    wanted: &InferenceSettings,
    warn: &mut dyn FnMut(StabilityBound),
) -> Result<FinishedInference<B>, LabError> {
    let Model { network, loss, .. } = model;
    let in_file = |e: pcalm::Error| LabError::run(from, e.to_string());
    let batch = samples.batch().map_err(in_file)?;
    let known = wanted.catalogue.rules::<B>();
    let facts = || known.iter().map(|rule| rule.facts);
    let info = choose("rule", wanted.rule, facts().map(|r| r.name), |name| facts().find(|r| r.name == name))?;
    if info.accelerated && wanted.nesterov == "auto" {
        extremes::needed_by("--nesterov auto")?;
    }
    let objective = EnergyChoice::of(&wanted.energy)?.at(loss, network.widths())?;
    let mut minibatch = Minibatch::new(backend, objective.cast()?);
    minibatch.load(&network, &batch).map_err(in_file)?;
    let nesterov = match wanted.nesterov {
        _ if !info.accelerated => 0.0,
        "auto" => {
            let ((x, y), wide) = (samples.first(), network.cast());
            nesterov_momentum(extremes::condition(&wide, &objective, (&x, &y))?)
        }
        text => momentum(text)?,
    };
    let mut settings = RuleSettings {
        budget: Budget::parse(wanted.budget)?.cycles(network.depth())?,
        eta: 1.0,
        alpha: wanted.alpha,
        inner_steps: wanted.inner_steps,
        nesterov,
        credit: choose("credit", wanted.credit, Credit::ALL.iter().map(|c| c.name()), Credit::from_name)?,
        tolerance: wanted.tolerance,
        inner_tolerance: wanted.inner_tolerance,
        precondition: wanted.precondition,
        any_step: wanted.any_step,
        backward: wanted.backward.map(|path| backward_weights(path, network.depth())).transpose()?,
        ..wanted.targets.on(RuleSettings::default())?
    };
    // A closed form has no step size.
    let dual_step = (info.dual_step)(&settings, objective.largest_penalty());
    let eta = match wanted.eta {
        _ if !info.iterative => None,
        "auto" => Some(own_step(info.pace, wanted.precondition, &mut minibatch, &network, dual_step)?.eta),
        text => {
            let bad = || LabError::option("eta", format!("`{text}` is not a positive number, or `auto`"));
            Some(text.parse::<f64>().map_err(|_| bad())?)
        }
    };
    settings.eta = eta.unwrap_or(settings.eta);
    let rule = wanted.catalogue.rule::<B>(wanted.rule, &settings)?;
    let bound = match eta {
        // Of steps that are divided by the precisions it says nothing.
        Some(eta) if info.pace != Pace::Curvature || !settings.precondition => {
            let sigma_squared = bounded_curvature(info.pace, &mut minibatch, &network)?;
            sigma_squared.map(|sigma_squared| stability_bound(&objective, eta, sigma_squared, dual_step))
        }
        _ => None,
    };
    if let Some(bound) = bound.filter(|b| !b.holds()) {
        warn(bound);
    }
    let targets = target_report::of(&mut minibatch, &network, wanted.rule, &settings)?;
    let mut gradient = Gradient::zeros(&network);
    let probe = match probe(&mut minibatch, &network, rule.as_ref(), &batch, &mut gradient) {
        Err(pcalm::Error::Diverged(mut divergence)) => {
            divergence.bound = bound;
            return Err(pcalm::Error::Diverged(divergence).into());
        }
        other => other?,
    };
    let Alignment { whole, layers } = &probe.alignment;
    let mean = samples.count as f64;
    let summary = InferenceSummary {
        rule: wanted.rule.to_owned(),
        samples: samples.count,
        loss: probe.energies.loss / mean,
        plain_loss: probe.energies.plain_loss / mean,
        energy: probe.energies.energy() / mean,
        residual_norm: probe.energies.residual_norm_squared.sqrt(),
        alignment: finite(whole.cosine),
        norm_ratio: finite(whole.norm_ratio),
        layer_alignment: layers.iter().map(|a| finite(a.cosine)).collect(),
        layer_norm_ratio: layers.iter().map(|a| finite(a.norm_ratio)).collect(),
        eta,
        steps: probe.steps,
        stop: probe.stop.name().to_owned(),
        units_at_kinks: probe.stop.units_at_kinks(),
        loss_share: wanted.energy.loss_share,
        targets: targets.rows,
        products_per_sample: probe.work.sample_products as f64 / mean,
    };
    Ok(FinishedInference { summary, minibatch, gradient, network, targets: targets.values })
}

impl<B: Host> FinishedInference<B> {
    /// Activities, duals, credit, targets where there are any, output and gradients, with the summary as metadata.
    ///
    /// # Errors
    /// If the summary cannot be written as text.
    pub fn tensors(&self) -> Result<TensorFile<'_, B::Real>, serde_json::Error> {
        let mut file = TensorFile::default();
        let (network, minibatch, samples) = (&self.network, &self.minibatch, self.summary.samples);
        let widths = network.widths();
        for (l, &width) in widths[..network.hidden()].iter().enumerate() {
            let shape = [samples, width];
            file.insert(format!("z.{}", l + 1), &shape, minibatch.unload(l, |s| s.activities()));
            file.insert(format!("lambda.{}", l + 1), &shape, minibatch.unload(l, |s| s.duals()));
            file.insert(format!("credit.{}", l + 1), &shape, minibatch.unload(l, |s| s.credit()));
            if let Some(target) = self.targets.get(l) {
                file.insert(format!("target.{}", l + 1), &shape, target.as_slice());
            }
        }
        file.insert("output", &[samples, network.outputs()], minibatch.output());
        for (l, (values, dense)) in self.gradient.edges.iter().zip(network.dense()).enumerate() {
            let names = [format!("grad.{}", l + 1), format!("grad.b.{}", l + 1)];
            insert(&mut file, names, dense, values);
        }
        if let serde_json::Value::Object(entries) = serde_json::to_value(&self.summary)? {
            for (key, value) in entries {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                file.metadata.insert(key, text);
            }
        }
        Ok(file)
    }
}
