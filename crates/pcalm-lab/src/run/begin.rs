//! How a run begins, or goes on from its checkpoint.

use super::{
    COMMAND, RunNews, RunProgress, TrainingJob, TrainingRun, changes,
    saved::Saved,
    tables::{Lengths, Tables},
};
use crate::{
    batches::{Gathered, order, steps_per_epoch},
    error::LabError,
    experiment::{Difference, Plan, RunIdentity, plan, shape},
    folder::names,
    memory,
    outcome::{Cost, read_json},
    provenance::{Provenance, provenance_of},
    record::{EpochRow, TrainingTally, read_csv},
    step_size::{bounded_curvature, own_step},
    tenancy::sign,
    watch::{Watch, condition},
};
use pcalm::{
    backend::Host,
    catalogue::Engine,
    error::StabilityBound,
    minibatch::Minibatch,
    network::Network,
    optimizer::Optimizer,
    theory::{nesterov_momentum, stability_bound},
    train::Trainer,
};

/// Samples that a warning about the stability bound looks at.
const FEW: usize = 16;

impl<'a, B: Engine + Copy> TrainingRun<'a, B> {
    pub(super) fn start(backend: B, job: &'a TrainingJob<'a>, news: &mut dyn FnMut(RunNews)) -> Result<Self, LabError> {
        let TrainingJob { experiment, data, folder, .. } = *job;
        let mut plan = Plan::new(experiment, data, job.catalogue)?;
        memory::afford(&plan, experiment, &backend)?;
        let identity = RunIdentity::new(experiment, job.contents)?;
        let saved = Saved::<B::Real>::read(folder, job.catalogue.names())?;
        let changed = saved.as_ref().map(|s| s.compare(&identity, folder)).transpose()?.unwrap_or_default();

        // What is drawn or read from --init is needed only to begin with.
        let path = folder.file(names::CHECKPOINT);
        let (network, saved) = match saved {
            Some(Saved { checkpoint, progress, .. }) => {
                if shape(&checkpoint.network) != plan.architecture || checkpoint.loss != plan.objective.loss() {
                    let problem = format!("the checkpoint is of another architecture than {}", names::CONFIG);
                    return Err(LabError::run(&path, problem));
                }
                let moments = (checkpoint.moments.into_owned(), checkpoint.updates);
                (checkpoint.network.into_owned(), Some((moments, progress)))
            }
            None => (plan.network::<B::Real>(experiment, data)?.network, None),
        };
        let objective = plan.objective.cast::<B::Real>()?;
        let stoppable = || {
            let mut minibatch = Minibatch::new(backend, objective.clone());
            minibatch.set_interrupt(job.interrupt.flag());
            minibatch
        };
        let (mut minibatch, mut meter) = (stoppable(), stoppable());
        let mut optimizer = Optimizer::new(plan.optimizer, &network)?;
        let watched = plan.watch_every > 0;
        let (progress, tables, epochs, cost) = match saved {
            Some(((moments, updates), progress)) => {
                let total = steps_per_epoch(data, experiment.batch, plan.drop_last).saturating_mul(experiment.epochs);
                if progress.step > total {
                    let problem = format!("{}; the run has already done {} steps", experiment.epochs, progress.step);
                    return Err(LabError::option("epochs", problem));
                }
                optimizer.restore(moments, updates).map_err(|e| LabError::run(&path, e.to_string()))?;
                let tables = Tables::resume(folder, &progress.lengths, watched)?;
                note_changes(job, progress.step, changed)?;
                let epochs: Vec<EpochRow> = read_csv(&folder.file(names::EPOCHS))?;
                // What it cost is no part of the result: where that is lost, the run goes on.
                let cost: Cost = read_json(folder, names::COST).unwrap_or_default();
                (progress, tables, epochs, cost)
            }
            None => {
                sign(folder, COMMAND, (experiment, job.contents))?;
                let tables = Tables::create(folder, watched)?;
                if plan.iterative {
                    news(RunNews::Measures { weights: network.parameters() });
                }
                let progress = fresh(&plan, &mut minibatch, &mut meter, &network, job)?;
                (progress, tables, Vec::new(), Cost::default())
            }
        };
        if let Some(momentum) = progress.momentum {
            plan.rule.nesterov = momentum;
        }
        let at_start = first_eta(&plan, progress.automatic_eta());
        let bound = progress.sigma_squared.map(|sigma_squared| bound(&plan, at_start, sigma_squared));
        let loss = plan.objective.loss();
        let rule = plan::rule::<B>(&experiment.rule, &plan, progress.eta)?;
        let watch = Watch::new(data, plan.objective.clone(), plan.dual_step());
        let trainer = Trainer::new(network, rule, optimizer, minibatch)?;
        Ok(TrainingRun {
            job,
            plan,
            loss,
            identity,
            bound,
            watch,
            trainer,
            meter,
            progress,
            tables,
            epochs,
            cost,
            saved: None,
        })
    }
}

/// The state before the first step, with what step sizes follow from.
fn fresh<B: Host>(
    plan: &Plan,
    minibatch: &mut Minibatch<B>,
    meter: &mut Minibatch<B>,
    network: &Network<B::Real>,
    job: &TrainingJob,
) -> Result<RunProgress, LabError> {
    let mut automatic = None;
    if plan.auto_eta && plan.iterative {
        minibatch.load(network, &first_samples(job, job.experiment.batch).batch()?)?;
        automatic = Some(own_step(plan.pace, plan.rule.precondition, minibatch, network, plan.dual_step())?);
    }
    let sigma_squared = sigma_squared(plan, meter, network, job)?;
    let momentum =
        if plan.auto_nesterov { Some(nesterov_momentum(condition(job.data, network, &plan.objective)?)) } else { None };
    Ok(RunProgress {
        step: 0,
        evaluated: 0,
        eta: first_eta(plan, automatic.map(|a| a.eta)),
        first_eta: automatic.map(|a| a.eta),
        lambda_max: automatic.and_then(|a| a.lambda_max),
        sigma_squared,
        momentum,
        first_watched: None,
        stable: true,
        unstable_epochs: 0,
        stopped: None,
        recent: TrainingTally::default(),
        total: TrainingTally::default(),
        lengths: Lengths::default(),
        watch: Default::default(),
    })
}

/// η at the start, where `automatic` is what was measured; the one in use differs where it follows λ_max.
pub fn first_eta(plan: &Plan, automatic: Option<f64>) -> f64 {
    match automatic {
        Some(eta) if plan.auto_eta => eta,
        _ if plan.iterative => plan.rule.eta,
        // Closed forms have no step size; any valid number keeps the settings valid.
        _ => 1.0,
    }
}

/// σ_max² on a few samples of the first batch, roughly; none where the plan's rule has no bound.
pub fn sigma_squared<B: Host>(
    plan: &Plan,
    meter: &mut Minibatch<B>,
    network: &Network<B::Real>,
    job: &TrainingJob,
) -> Result<Option<f64>, LabError> {
    if !plan.is_bounded() {
        return Ok(None);
    }
    meter.load(network, &first_samples(job, job.experiment.batch.min(FEW)).batch()?)?;
    Ok(bounded_curvature(plan.pace, meter, network)?)
}

/// The stability bound of the plan's rule.
pub fn bound(plan: &Plan, eta: f64, sigma_squared: f64) -> StabilityBound {
    stability_bound(&plan.objective, eta, sigma_squared, plan.dual_step())
}

fn first_samples<R: pcalm::real::Real>(job: &TrainingJob, count: usize) -> Gathered<R> {
    let mut first = Gathered::default();
    let order = order(job.data.train.len(), job.experiment.seed, 0);
    first.gather(&job.data.train, order.into_iter().take(count));
    first
}

/// Records what is done differently from here on, and by which program.
fn note_changes(job: &TrainingJob, step: u64, mut changed: Vec<Difference>) -> Result<(), LabError> {
    let folder = job.folder;
    if folder.has(names::PROVENANCE) {
        let before: Provenance = read_json(folder, names::PROVENANCE)?;
        changed.extend(changes::of_program(&before, &provenance_of(COMMAND, job.contents)));
    }
    changes::note(folder, step, &changed)?;
    sign(folder, COMMAND, (job.experiment, job.contents))
}
