//! One training run, from an experiment to a run folder.
//!
//! A run goes on from the checkpoint in its folder, or begins if there is none. Whether a folder may be used at all
//! is decided before, in [`tenancy`](crate::tenancy).

mod alarm;
mod begin;
mod changes;
mod epoch;
mod saved;
mod tables;

pub use alarm::Sign;
pub use saved::{RunProgress, check};

use crate::{
    batches::{Gathered, order, steps_per_epoch},
    dataset::Dataset,
    error::LabError,
    experiment::{Contents, Experiment, Plan, RunIdentity, plan},
    folder::{Folder, names},
    interrupt::Interrupt,
    memory, model,
    outcome::{Cost, Outcome, RunEnd, RunSummary},
    record::{EpochRow, MetricRow, TrainingTally, accuracy, finite, json},
    watch::{StabilityRow, Watch},
};
use pcalm::{
    Error,
    backend::{Cpu, Reference},
    catalogue::{Catalogue, Engine},
    error::StabilityBound,
    loss::Loss,
    minibatch::{Minibatch, Report},
    network::Dense,
    real::Real,
    rule::RuleSettings,
    train::Trainer,
};
use std::time::Instant;
use tables::Tables;

/// What `run.json` calls a training run.
pub const COMMAND: &str = "train";

/// News of a run, for a progress display.
#[derive(Clone, Debug)]
pub enum RunNews<'a> {
    /// The largest eigenvalues that step size and stability follow from are measured.
    Measures {
        /// Weights of the network; with many it takes a while.
        weights: usize,
    },
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
        /// Training accuracy since the last row of metrics; absent in regression.
        accuracy: Option<f64>,
    },
    /// Watched inference has become unstable, or stable again.
    Stability {
        /// The measurement.
        row: &'a StabilityRow,
    },
    /// For the first time, inference at the end of an epoch shows a sign of being unstable.
    Unstable {
        /// The epoch.
        epoch: u64,
        /// The sign.
        sign: &'a Sign,
    },
    /// An epoch was evaluated.
    Epoch {
        /// Its row.
        row: &'a EpochRow,
    },
}

/// What to run, and where.
#[derive(Clone, Copy, Debug)]
pub struct TrainingJob<'a> {
    /// The options.
    pub experiment: &'a Experiment,
    /// What names stand for in them.
    pub catalogue: &'a Catalogue,
    /// The samples.
    pub data: &'a Dataset,
    /// What the files read hold.
    pub contents: &'a Contents,
    /// The run's own folder.
    pub folder: &'a Folder,
    /// Stops the run, with a checkpoint.
    pub interrupt: &'a Interrupt,
}

/// Trains as the experiment says, in the number type it names; writes to the folder as it goes, and goes on from
/// the checkpoint there if there is one.
///
/// # Errors
/// If the experiment cannot be run, the checkpoint belongs to another run, or a file cannot be written. A
/// divergence is an outcome, not an error.
pub fn run(job: &TrainingJob, news: &mut dyn FnMut(RunNews)) -> Result<Outcome, LabError> {
    let begins = !job.folder.has(names::CHECKPOINT);
    let outcome = match job.experiment.dtype.as_str() {
        "f32" => TrainingRun::start(Cpu::new(), job, news).and_then(|run| run.train(news)),
        "f64" => TrainingRun::start(Reference::<f64>::new(), job, news).and_then(|run| run.train(news)),
        other => Err(LabError::option("dtype", format!("`{other}` is none of f32, f64"))),
    };
    match outcome {
        // Before the first step there is nothing to keep, and the run can begin again.
        Err(LabError::Core(Error::Interrupted)) => Err(LabError::Interrupted),
        Err(error) if begins && !job.folder.has(names::CHECKPOINT) => {
            // What cannot be run does not occupy a folder.
            let _ = job.folder.remove(&names::OF_A_RUN);
            Err(error)
        }
        other => other,
    }
}

/// Refuses an experiment that cannot be run, before anything is written.
///
/// # Errors
/// If an option is out of range, does not fit the data, or asks for more memory than there is.
pub fn check_options(experiment: &Experiment, catalogue: &Catalogue, data: &Dataset) -> Result<(), LabError> {
    let plan = Plan::new(experiment, data, catalogue)?;
    // With any step size where it is still to be measured.
    let settings = RuleSettings { eta: begin::first_eta(&plan, Some(1.0)), ..plan.rule.clone() };
    catalogue.rule::<Reference<f64>>(&experiment.rule, &settings)?;
    match experiment.dtype.as_str() {
        "f64" => memory::afford(&plan, experiment, &Reference::<f64>::new()),
        _ => memory::afford(&plan, experiment, &Cpu::new()),
    }
}

struct TrainingRun<'a, B: Engine> {
    job: &'a TrainingJob<'a>,
    plan: Plan,
    loss: Loss,
    identity: RunIdentity,
    bound: Option<StabilityBound>,
    watch: Watch,
    trainer: Trainer<B>,
    /// For measuring σ_max² on a few samples, apart from the trainer's own.
    meter: Minibatch<B>,
    progress: RunProgress,
    tables: Tables,
    epochs: Vec<EpochRow>,
    cost: Cost,
    /// Steps done and epochs evaluated at the last checkpoint written here.
    saved: Option<(u64, u64)>,
}

/// Why training stopped short.
enum Halt {
    Interrupted,
    Failed(LabError),
}

impl From<LabError> for Halt {
    fn from(error: LabError) -> Self {
        match error {
            LabError::Core(Error::Interrupted) => Halt::Interrupted,
            other => Halt::Failed(other),
        }
    }
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        LabError::from(error).into()
    }
}

impl<B: Engine + Copy> TrainingRun<'_, B> {
    fn train(mut self, news: &mut dyn FnMut(RunNews)) -> Result<Outcome, LabError> {
        let _careful = self.job.interrupt.careful();
        let experiment = self.job.experiment;
        let per_epoch = steps_per_epoch(self.job.data, experiment.batch, self.plan.drop_last);
        let total = per_epoch.saturating_mul(experiment.epochs);
        let (step, eta) = (self.progress.step, self.progress.eta);
        news(RunNews::Begins { step, steps: total, eta, bound: self.bound.as_ref() });
        let (end, message) = match self.train_to(total, per_epoch, news) {
            Ok(()) => (RunEnd::Done, None),
            Err(Halt::Interrupted) => (RunEnd::Interrupted, None),
            Err(Halt::Failed(LabError::Core(Error::Diverged(mut divergence)))) => {
                divergence.bound = self.bound;
                (RunEnd::Diverged, Some(divergence.to_string()))
            }
            Err(Halt::Failed(other)) => return Err(other),
        };
        if end != RunEnd::Diverged {
            self.checkpoint()?;
        }
        self.finish(end, message)
    }

    fn train_to(&mut self, total: u64, per_epoch: u64, news: &mut dyn FnMut(RunNews)) -> Result<(), Halt> {
        let mut gathered = Gathered::default();
        let mut shuffled = (u64::MAX, Vec::new());
        loop {
            let step = self.progress.step;
            if step.is_multiple_of(per_epoch) && self.progress.evaluated <= step / per_epoch {
                self.end_epoch(step / per_epoch, news)?;
                self.checkpoint()?;
            }
            if self.progress.first_watched.is_none() && self.plan.watch_every > 0 {
                self.watch_stability(step, news)?;
            }
            if step >= total {
                return Ok(());
            }
            if self.job.interrupt.is_raised() {
                return Err(Halt::Interrupted);
            }
            let (epoch, within) = (step / per_epoch, step % per_epoch);
            let clock = Instant::now();
            let (experiment, data) = (self.job.experiment, self.job.data);
            if shuffled.0 != epoch {
                shuffled = (epoch, order(data.train.len(), experiment.seed, epoch));
            }
            let from = within as usize * experiment.batch;
            let to = from.saturating_add(experiment.batch).min(data.train.len());
            gathered.gather(&data.train, shuffled.1[from..to].iter().copied());
            let factor = self.plan.schedule.factor(step, total, experiment.warmup);
            let rate = self.plan.learning_rate * factor;
            let report = self.trainer.step(&gathered.batch()?, rate)?;
            self.cost.training += clock.elapsed().as_secs_f64();
            self.cost.steps += 1;
            self.after_step(&report, rate, per_epoch, news);
            let step = self.progress.step;
            if self.plan.watch_every > 0 && step.is_multiple_of(self.plan.watch_every) {
                self.watch_stability(step, news)?;
            }
            if step.is_multiple_of(experiment.checkpoint_every) && !step.is_multiple_of(per_epoch) {
                self.checkpoint()?;
            }
        }
    }

    fn after_step(&mut self, report: &Report, rate: f64, per_epoch: u64, news: &mut dyn FnMut(RunNews)) {
        let p = &mut self.progress;
        p.step += 1;
        p.recent.add(report);
        p.total.add(report);
        p.stopped = Some((report.stop.name().to_owned(), report.steps));
        let score = p.recent.score();
        let (loss, accuracy) = (score.mean_loss(), accuracy(&self.job.data.train, &score));
        news(RunNews::Step { step: p.step, loss, accuracy });
        if p.step.is_multiple_of(self.job.experiment.metrics_every) || p.step.is_multiple_of(per_epoch) {
            self.tables.metrics.push(MetricRow {
                step: p.step,
                epoch: p.step as f64 / per_epoch as f64,
                learning_rate: rate,
                train_loss: loss,
                train_accuracy: accuracy,
            });
            p.recent = TrainingTally::default();
        }
    }

    /// Measures the stability; says so when it is lost or regained, and follows λ_max if asked to.
    fn watch_stability(&mut self, step: u64, news: &mut dyn FnMut(RunNews)) -> Result<(), LabError> {
        let clock = Instant::now();
        let p = &mut self.progress;
        // By as much as λ_max of the watched samples has changed since the start.
        let (start, now, first) = (begin::first_eta(&self.plan, p.automatic_eta()), p.eta, p.first_watched);
        let follow = |lambda_max: f64| start * first.unwrap_or(lambda_max) / lambda_max;
        let eta = |lambda_max: f64| if self.plan.track_eta { follow(lambda_max) } else { now };
        let row = self.watch.measure(&mut p.watch, self.trainer.network(), step, eta)?;
        p.first_watched = first.or(Some(row.lambda_max));
        let was_stable = std::mem::replace(&mut p.stable, row.is_stable());
        if let Some(table) = &mut self.tables.stability {
            table.push(row);
        }
        if row.is_stable() != was_stable {
            news(RunNews::Stability { row: &row });
        }
        if row.eta != p.eta {
            p.eta = row.eta;
            let name = &self.job.experiment.rule;
            self.trainer.set_rule(plan::rule::<B>(name, &self.plan, row.eta)?);
        }
        self.cost.watching += clock.elapsed().as_secs_f64();
        Ok(())
    }

    /// Brings everything so far to disk. Rows come first: the checkpoint says how many of them count.
    fn checkpoint(&mut self) -> Result<(), LabError> {
        let now = (self.progress.step, self.progress.evaluated);
        if self.saved == Some(now) {
            return Ok(());
        }
        // Weights that have just overflowed cannot be gone on from; the next forward pass will say so.
        let mut weights = self.trainer.network().dense().into_iter().flat_map(Dense::parameters);
        if !weights.all(|w| w.wide().is_finite()) {
            return Ok(());
        }
        self.tables.flush()?;
        self.progress.lengths = self.tables.lengths();
        self.write_cost()?;
        let (network, optimizer) = (self.trainer.network(), self.trainer.optimizer());
        let names = self.job.catalogue.names();
        saved::write((self.job.folder, names), (network, self.loss, optimizer), &self.progress, &self.identity)?;
        self.saved = Some(now);
        Ok(())
    }

    fn write_cost(&mut self) -> Result<(), LabError> {
        self.cost.memory.peak = self.cost.memory.peak.max(memory::peak());
        self.cost.memory.data = self.job.data.bytes() as u64;
        self.cost.seconds_per_step = self.cost.training / self.cost.steps.max(1) as f64;
        self.job.folder.write(names::COST, &json(&self.cost, self.job.folder.path())?)
    }

    fn finish(mut self, end: RunEnd, message: Option<String>) -> Result<Outcome, LabError> {
        let folder = self.job.folder;
        self.tables.flush()?;
        let file = model::tensors(self.trainer.network(), self.loss, self.job.data);
        folder.write_with(names::NETWORK, |out| file.write_to(out))?;
        self.write_cost()?;
        let summary = self.summary(end, message);
        folder.write(names::SUMMARY, &json(&summary, folder.path())?)?;
        Ok(Outcome { summary, cost: self.cost, epochs: self.epochs })
    }

    fn summary(&self, end: RunEnd, message: Option<String>) -> RunSummary {
        let p = &self.progress;
        let epoch = self.epochs.last();
        RunSummary {
            rule: self.job.experiment.rule.clone(),
            seed: self.job.experiment.seed,
            end,
            message,
            steps: p.step,
            test_accuracy: epoch.and_then(|e| e.test_accuracy),
            test_r2: epoch.and_then(|e| e.test_r2),
            test_loss: epoch.and_then(|e| finite(e.test_loss)),
            alignment: epoch.and_then(|e| finite(e.alignment)),
            norm_ratio: epoch.and_then(|e| finite(e.norm_ratio)),
            stop_reason: p.stopped.as_ref().map(|(name, _)| name.clone()),
            inference_steps: p.stopped.as_ref().map_or(0, |(_, steps)| *steps),
            products_per_sample: p.total.sample_products as f64 / p.total.samples.max(1) as f64,
            multiply_adds: p.total.multiply_adds,
            parameters: self.trainer.network().parameters(),
            eta: p.eta,
            momentum: p.momentum,
            lambda_max: p.lambda_max,
            stability: self.bound.map(|b| b.value),
            unstable_epochs: p.unstable_epochs,
            learning_rate: self.plan.learning_rate,
        }
    }
}
