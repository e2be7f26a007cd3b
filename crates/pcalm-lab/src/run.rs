//! One training run, from an experiment to a run folder.

use crate::{
    batches::{Gathered, order, steps_per_epoch},
    dataset::Dataset,
    error::LabError,
    experiment::{Experiment, Plan, plan, to_toml},
    folder::{Folder, names},
    memory::{self, Memory},
    provenance::provenance,
    record::{Progress, Tally, csv, finite, json},
    watch::{StabilityRow, Watch, condition},
};
use pcalm::{
    Error,
    backend::{Backend, Cpu, Reference},
    checkpoint::Checkpoint,
    error::StabilityBound,
    lagrangian::penalties,
    minibatch::{Minibatch, Report, Score},
    network::file::{NetworkFile, tensors},
    optimizer::Optimizer,
    real::Real,
    theory::{Curvature, curvature, nesterov_momentum},
    train::{Probe, Trainer},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

/// Relative change of the Rayleigh quotient at which the step size's power iteration stops.
const CURVATURE_TOLERANCE: f64 = 1e-5;
/// Power iterations at most.
const CURVATURE_LIMIT: usize = 500;

/// News of a run, for a progress display.
#[derive(Clone, Debug)]
pub enum News<'a> {
    /// Training begins (or goes on) at a step.
    Begins {
        /// Steps done.
        step: u64,
        /// Steps in all.
        steps: u64,
        /// Step size η.
        eta: f64,
        /// The stability bound, if the rule iterates.
        bound: Option<&'a StabilityBound>,
    },
    /// A step was done.
    Step {
        /// Steps done.
        step: u64,
        /// Mean training loss since the last row of metrics.
        loss: f64,
        /// Training accuracy since the last row of metrics.
        accuracy: f64,
    },
    /// Inference has become unstable, or stable again.
    Stability {
        /// The measurement.
        row: &'a StabilityRow,
    },
    /// An epoch was evaluated.
    Epoch {
        /// Test accuracy.
        accuracy: f64,
    },
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// All epochs were trained.
    Done,
    /// It was asked to stop; it can be resumed.
    Interrupted,
    /// Activities became non-finite or exploded.
    Diverged,
}

/// The outcome of a run; everything here is the same on every repetition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Learning rule.
    pub rule: String,
    /// Seed of weights and batch order.
    pub seed: u64,
    /// How the run ended.
    pub end: End,
    /// What went wrong, if something did.
    pub message: Option<String>,
    /// Training steps done.
    pub steps: u64,
    /// Test accuracy at the last evaluation.
    pub test_accuracy: Option<f64>,
    /// Mean test loss at the last evaluation.
    pub test_loss: Option<f64>,
    /// Alignment (cosine) to BP at the last evaluation.
    pub alignment: Option<f64>,
    /// Norm ratio to BP at the last evaluation.
    pub norm_ratio: Option<f64>,
    /// Why inference stopped at the last step.
    pub stop_reason: Option<String>,
    /// Cycles of inference at the last step.
    pub inference_steps: usize,
    /// Matrix products per sample and training step.
    pub products_per_sample: f64,
    /// Multiply-adds of all training steps.
    pub multiply_adds: u64,
    /// Weights.
    pub parameters: usize,
    /// Step size η, at the end where it follows λ_max.
    pub eta: f64,
    /// Momentum β, where it was tuned from κ.
    pub momentum: Option<f64>,
    /// λ_max of the activity Hessian at the start.
    pub lambda_max: Option<f64>,
    /// η σ_max² (2ρ + α) at the start, which must stay below 4.
    pub stability: Option<f64>,
    /// Learning rate before the schedule.
    pub learning_rate: f64,
}

/// Cost of a run in this process: wall times in seconds, memory in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Training steps timed.
    pub steps: u64,
    /// Seconds in training steps.
    pub training: f64,
    /// Seconds in evaluation and diagnostics.
    pub evaluation: f64,
    /// Seconds in measuring the stability.
    pub watching: f64,
    /// Mean seconds per training step.
    pub seconds_per_step: f64,
    /// Memory.
    pub memory: Memory,
}

/// What [`run`] returns: the outcome, wall times and the rows of `epochs.csv`.
pub type Outcome = (Summary, Cost, Vec<crate::record::EpochRow>);

/// Trains as `experiment` says, in the number type it names; writes to `folder` as it goes.
///
/// With `resume`, goes on from the folder's checkpoint. `interrupt` stops the run after the
/// current step, with a checkpoint.
///
/// # Errors
/// If the experiment cannot be run or its files not be written. A divergence is an outcome, not
/// an error.
pub fn run(
    experiment: &Experiment,
    data: &Dataset,
    folder: &Folder,
    resume: bool,
    interrupt: &AtomicBool,
    news: &mut dyn FnMut(News),
) -> Result<Outcome, LabError> {
    match experiment.dtype.as_str() {
        "f32" => Run::start(Cpu::new(), experiment, data, folder, resume)?.train(interrupt, news),
        "f64" => Run::start(Reference::<f64>::new(), experiment, data, folder, resume)?.train(interrupt, news),
        other => Err(LabError::option("dtype", format!("`{other}` is none of f32, f64"))),
    }
}

struct Run<'a, B: Backend> {
    experiment: &'a Experiment,
    data: &'a Dataset,
    folder: &'a Folder,
    plan: Plan,
    loss: pcalm::loss::Loss,
    bound: Option<StabilityBound>,
    watch: Watch,
    trainer: Trainer<B>,
    progress: Progress,
    cost: Cost,
    last: Option<Report>,
}

impl<'a, B: Backend> Run<'a, B> {
    fn start(
        backend: B,
        experiment: &'a Experiment,
        data: &'a Dataset,
        folder: &'a Folder,
        resume: bool,
    ) -> Result<Self, LabError> {
        let mut plan = Plan::new(experiment, data)?;
        let NetworkFile { mut network, loss } = plan.network::<B::Real>(experiment, data)?;
        let rho = penalties(&plan.rule.rho, network.hidden())?;
        let mut minibatch = Minibatch::new(backend, loss, rho);
        let mut optimizer = Optimizer::new(plan.optimizer, &network)?;

        let progress = if resume {
            let (checkpoint, progress) = read_checkpoint::<B::Real>(folder)?;
            if !same_architecture(&checkpoint.network, &network) || checkpoint.loss != loss {
                let path = folder.file(names::CHECKPOINT);
                return Err(LabError::run(
                    &path,
                    format!("the checkpoint is of another architecture than {}", names::CONFIG),
                ));
            }
            let path = folder.file(names::CHECKPOINT);
            let restored = optimizer.restore(checkpoint.moments.into_owned(), checkpoint.updates);
            restored.map_err(|e| LabError::run(&path, e.to_string()))?;
            network = checkpoint.network.into_owned();
            progress
        } else {
            let measured = if plan.iterative {
                let mut first = Gathered::default();
                let count = experiment.batch.min(data.train.len());
                let order = order(data.train.len(), experiment.seed, 0);
                first.gather(&data.train, order[..count].iter().copied());
                minibatch.load(&network, &first.batch()?)?;
                Some(curvature(&mut minibatch, &network, CURVATURE_TOLERANCE, CURVATURE_LIMIT)?)
            } else {
                None
            };
            let mut fresh = fresh_progress(&plan, measured);
            if plan.auto_nesterov {
                let rho = penalties(&plan.rule.rho, network.hidden())?;
                fresh.momentum = Some(nesterov_momentum(condition(data, &network, loss, rho)?));
            }
            fresh
        };
        if let Some(momentum) = progress.momentum {
            plan.rule.nesterov = momentum;
        }
        let largest_rho = plan.rule.rho.iter().copied().fold(0.0, f64::max);
        let first = first_eta(&plan, progress.lambda_max);
        let bound = progress.sigma_squared.map(|s| StabilityBound::new(first, s, largest_rho, plan.dual_step()));
        let rule = plan::rule::<B>(&experiment.rule, &plan, &network, progress.eta)?;
        let trainer = Trainer::new(network, rule, optimizer, minibatch);
        let cost = Cost::default();
        let rho = penalties::<f64>(&plan.rule.rho, trainer.network().hidden())?;
        let watch = Watch::new(data, loss, rho, plan.dual_step());
        Ok(Run { experiment, data, folder, plan, loss, bound, watch, trainer, progress, cost, last: None })
    }

    fn train(mut self, interrupt: &AtomicBool, news: &mut dyn FnMut(News)) -> Result<Outcome, LabError> {
        let per_epoch = steps_per_epoch(self.data, self.experiment.batch, self.plan.drop_last);
        let total = per_epoch * self.experiment.epochs;
        let (step, eta) = (self.progress.step, self.progress.eta);
        news(News::Begins { step, steps: total, eta, bound: self.bound.as_ref() });
        self.folder.write(names::CONFIG, to_toml(self.experiment)?.as_bytes())?;
        self.folder.write(names::PROVENANCE, &json(&provenance(), self.folder.path())?)?;

        let outcome = self.train_to(total, per_epoch, interrupt, news);
        let (end, message) = match outcome {
            Ok(end) => (end, None),
            Err(LabError::Core(Error::Diverged(mut divergence))) => {
                divergence.bound = self.bound;
                (End::Diverged, Some(divergence.to_string()))
            }
            Err(other) => return Err(other),
        };
        if end != End::Diverged {
            self.checkpoint()?;
        }
        self.write_rows()?;
        let file = tensors(self.trainer.network(), self.loss);
        self.folder.write_with(names::NETWORK, |out| file.write_to(out))?;
        let summary = self.summary(end, message);
        self.folder.write(names::SUMMARY, &json(&summary, self.folder.path())?)?;
        self.cost.memory.peak = memory::peak();
        self.cost.memory.data = self.data.bytes() as u64;
        self.cost.seconds_per_step = self.cost.training / self.cost.steps.max(1) as f64;
        self.folder.write(names::COST, &json(&self.cost, self.folder.path())?)?;
        Ok((summary, self.cost, self.progress.log.epochs))
    }

    fn train_to(
        &mut self,
        total: u64,
        per_epoch: u64,
        interrupt: &AtomicBool,
        news: &mut dyn FnMut(News),
    ) -> Result<End, LabError> {
        if self.progress.log.epochs.is_empty() {
            self.end_epoch(0, news)?;
            if self.plan.watch_every > 0 {
                self.watch_stability(0, news)?;
            }
        }
        let mut gathered = Gathered::default();
        let mut shuffled = (u64::MAX, Vec::new());
        while self.progress.step < total {
            if interrupt.load(Ordering::Relaxed) {
                return Ok(End::Interrupted);
            }
            let (epoch, within) = (self.progress.step / per_epoch, self.progress.step % per_epoch);
            let clock = Instant::now();
            if shuffled.0 != epoch {
                shuffled = (epoch, order(self.data.train.len(), self.experiment.seed, epoch));
            }
            let from = within as usize * self.experiment.batch;
            let to = (from + self.experiment.batch).min(self.data.train.len());
            gathered.gather(&self.data.train, shuffled.1[from..to].iter().copied());
            let factor = self.plan.schedule.factor(self.progress.step, total, self.experiment.warmup);
            let rate = self.plan.learning_rate * factor;
            let report = self.trainer.step(&gathered.batch()?, rate)?;
            self.cost.training += clock.elapsed().as_secs_f64();
            self.cost.steps += 1;
            self.after_step(&report, rate, per_epoch, news);
            self.last = Some(report);
            let step = self.progress.step;
            if self.plan.watch_every > 0 && step.is_multiple_of(self.plan.watch_every) {
                self.watch_stability(step, news)?;
            }
            if step.is_multiple_of(per_epoch) {
                self.end_epoch(step / per_epoch, news)?;
                self.checkpoint()?;
                self.write_rows()?;
            } else if step.is_multiple_of(self.experiment.checkpoint_every) {
                self.checkpoint()?;
                self.write_rows()?;
            }
        }
        Ok(End::Done)
    }

    fn after_step(&mut self, report: &Report, rate: f64, per_epoch: u64, news: &mut dyn FnMut(News)) {
        let p = &mut self.progress;
        p.step += 1;
        p.recent.add(report);
        p.total.add(report);
        let (loss, accuracy) = p.recent.means();
        news(News::Step { step: p.step, loss, accuracy });
        if p.step.is_multiple_of(self.experiment.metrics_every) || p.step.is_multiple_of(per_epoch) {
            p.log.metrics.push(crate::record::MetricRow {
                step: p.step,
                epoch: p.step as f64 / per_epoch as f64,
                learning_rate: rate,
                train_loss: loss,
                train_accuracy: accuracy,
            });
            p.recent = Tally::default();
        }
    }

    /// Measures the stability; says so when it is lost or regained, and follows λ_max if asked to.
    fn watch_stability(&mut self, step: u64, news: &mut dyn FnMut(News)) -> Result<(), LabError> {
        let clock = Instant::now();
        let p = &mut self.progress;
        // By as much as λ_max of the watched samples has changed since the start.
        let first = p.log.stability.first().map(|row| row.lambda_max);
        let (start, now) = (first_eta(&self.plan, p.lambda_max), p.eta);
        let follow = |lambda_max: f64| start * first.unwrap_or(lambda_max) / lambda_max;
        let eta = |lambda_max: f64| if self.plan.track_eta { follow(lambda_max) } else { now };
        let row = self.watch.measure(&mut p.watch, self.trainer.network(), step, eta)?;
        let was_stable = p.log.stability.last().is_none_or(StabilityRow::is_stable);
        p.log.stability.push(row);
        if row.is_stable() != was_stable {
            news(News::Stability { row: &row });
        }
        if row.eta != p.eta {
            p.eta = row.eta;
            let rule = plan::rule::<B>(&self.experiment.rule, &self.plan, self.trainer.network(), row.eta)?;
            self.trainer.set_rule(rule);
        }
        self.cost.watching += clock.elapsed().as_secs_f64();
        Ok(())
    }

    fn end_epoch(&mut self, epoch: u64, news: &mut dyn FnMut(News)) -> Result<(), LabError> {
        let clock = Instant::now();
        let test = self.evaluate()?;
        self.note_memory();
        let probe = self.probe()?;
        self.note_memory();
        let (step, total) = (self.progress.step, self.progress.total);
        self.progress.log.add_epoch(epoch, step, &test, &probe, &total);
        self.cost.evaluation += clock.elapsed().as_secs_f64();
        news(News::Epoch { accuracy: test.accuracy() });
        Ok(())
    }

    /// Training holds no more than evaluation and diagnostics.
    fn note_memory(&mut self) {
        let held = self.trainer.memory();
        self.cost.memory.weights = held.weights as u64;
        self.cost.memory.states = self.cost.memory.states.max(held.states as u64);
    }

    fn evaluate(&mut self) -> Result<Score, LabError> {
        let mut gathered = Gathered::default();
        let mut sum = Score::default();
        // No more samples at a time than the run needs states for anyway.
        let (count, at_once) = (self.data.test.len(), self.experiment.batch.max(self.experiment.probe_samples));
        for from in (0..count).step_by(at_once) {
            let indices = from..(from + at_once).min(count);
            gathered.gather(&self.data.test, indices);
            sum += self.trainer.evaluate(&gathered.batch()?)?;
        }
        Ok(sum)
    }

    fn probe(&mut self) -> Result<Probe, LabError> {
        let mut gathered = Gathered::default();
        let count = self.experiment.probe_samples.min(self.data.train.len());
        gathered.gather(&self.data.train, 0..count);
        Ok(self.trainer.probe(&gathered.batch()?)?)
    }

    fn checkpoint(&self) -> Result<(), LabError> {
        let text =
            serde_json::to_string(&self.progress).map_err(|e| LabError::run(self.folder.path(), e.to_string()))?;
        let notes = BTreeMap::from([(PROGRESS.to_owned(), text)]);
        let (network, optimizer) = (self.trainer.network(), self.trainer.optimizer());
        let checkpoint = Checkpoint::new(network, self.loss, optimizer, notes);
        self.folder.write_with(names::CHECKPOINT, |out| checkpoint.file().write_to(out))
    }

    fn write_rows(&self) -> Result<(), LabError> {
        let log = &self.progress.log;
        let path = self.folder.path();
        self.folder.write(names::METRICS, &csv(&log.metrics, path)?)?;
        self.folder.write(names::EPOCHS, &csv(&log.epochs, path)?)?;
        if !log.stability.is_empty() {
            self.folder.write(names::STABILITY, &csv(&log.stability, path)?)?;
        }
        self.folder.write(names::LAYERS, &csv(&log.layers, path)?)
    }

    fn summary(&self, end: End, message: Option<String>) -> Summary {
        let p = &self.progress;
        let epoch = p.log.epochs.last();
        Summary {
            rule: self.experiment.rule.clone(),
            seed: self.experiment.seed,
            end,
            message,
            steps: p.step,
            test_accuracy: epoch.map(|e| e.test_accuracy),
            test_loss: epoch.and_then(|e| finite(e.test_loss)),
            alignment: epoch.and_then(|e| finite(e.alignment)),
            norm_ratio: epoch.and_then(|e| finite(e.norm_ratio)),
            stop_reason: self.last.as_ref().map(|r| r.stop.name().to_owned()),
            inference_steps: self.last.as_ref().map_or(0, |r| r.steps),
            products_per_sample: p.total.sample_products as f64 / p.total.samples.max(1) as f64,
            multiply_adds: p.total.multiply_adds,
            parameters: self.trainer.network().parameters(),
            eta: p.eta,
            momentum: p.momentum,
            lambda_max: p.lambda_max,
            stability: self.bound.map(|b| b.value),
            learning_rate: self.plan.learning_rate,
        }
    }
}

/// The checkpoint's note that holds the run's [`Progress`].
const PROGRESS: &str = "progress";

/// η at the start; the one in use differs where it follows λ_max.
fn first_eta(plan: &Plan, lambda_max: Option<f64>) -> f64 {
    match lambda_max {
        Some(lambda_max) if plan.auto_eta => 1.0 / lambda_max,
        _ if plan.iterative => plan.rule.eta,
        // Closed forms have no step size; any valid number keeps the settings valid.
        _ => 1.0,
    }
}

fn fresh_progress(plan: &Plan, measured: Option<Curvature>) -> Progress {
    let lambda_max = measured.map(|c| c.lambda_max);
    Progress {
        step: 0,
        eta: first_eta(plan, lambda_max),
        momentum: None,
        watch: Default::default(),
        lambda_max,
        sigma_squared: measured.map(|c| c.sigma_squared),
        recent: Tally::default(),
        total: Tally::default(),
        log: crate::record::Log::default(),
    }
}

fn read_checkpoint<R: Real>(folder: &Folder) -> Result<(Checkpoint<'static, R>, Progress), LabError> {
    let path = folder.file(names::CHECKPOINT);
    let bytes = folder.read(names::CHECKPOINT)?;
    let checkpoint = Checkpoint::from_bytes(&bytes).map_err(|e| LabError::run(&path, e.to_string()))?;
    let text = checkpoint.notes.get(PROGRESS);
    let progress = text.and_then(|t| serde_json::from_str(t).ok());
    let progress = progress.ok_or_else(|| LabError::run(&path, "the checkpoint does not say where the run stands"))?;
    Ok((checkpoint, progress))
}

fn same_architecture<R: Real>(a: &pcalm::network::Network<R>, b: &pcalm::network::Network<R>) -> bool {
    let shape = |n: &pcalm::network::Network<R>| -> Vec<(usize, usize, bool, R)> {
        n.edges().iter().map(|e| (e.rows(), e.cols(), e.skip(), e.scale())).collect()
    };
    (a.activation(), a.placement()) == (b.activation(), b.placement()) && shape(a) == shape(b)
}
