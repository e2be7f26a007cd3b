//! Runs the cells of a grid, several at once.

use super::{
    grid::GridCell,
    store::{CellProgress, Store},
};
use crate::{
    dataset::Dataset,
    error::LabError,
    experiment::{Budget, DatasetCache},
    folder::{Folder, names},
    interrupt::Interrupt,
    lease::{WorkClaim, Worker},
    outcome::{RunEnd, RunSummary},
    run::{RunNews, Sign, TrainingJob, run},
};
use pcalm::Catalogue;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    str::FromStr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// How often a worker that has nothing to do looks whether others are done.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// Processes that may die on a cell without getting further before it is set aside.
const DEATHS: u32 = 2;

/// Why such a cell is set aside.
const DIED: &str = "the process that ran it died twice without getting further (out of memory?)";

/// A part of a grid, `i/n` for the i-th of n.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    count: usize,
}

impl Shard {
    /// Whether the cell at this place of the grid belongs to it.
    pub fn has(self, place: usize) -> bool {
        place % self.count == self.index
    }
}

impl Default for Shard {
    fn default() -> Self {
        Shard { index: 0, count: 1 }
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match parts {
            Some((index @ 1.., count)) if index <= count => Ok(Shard { index: index - 1, count }),
            _ => Err(format!("`{text}` is not i/n with 1 ≤ i ≤ n, such as 2/8")),
        }
    }
}

/// How to run a grid.
#[derive(Clone, Copy, Debug, Default)]
pub struct SweepOptions {
    /// Cells at once; 0 for one per thread.
    pub jobs: usize,
    /// Threads in all; 0 for one per core.
    pub threads: usize,
    /// The part of the grid to run.
    pub shard: Shard,
}

/// News of a sweep.
#[derive(Debug)]
pub enum SweepNews<'a> {
    /// Some cells need not be run.
    Begins {
        /// Arithmetic of the cells to be run, in multiply-adds.
        work: f64,
        /// How the cells stand.
        tally: SweepTally,
    },
    /// A cell is run.
    Starts {
        /// The cell.
        cell: &'a GridCell,
        /// Its arithmetic.
        work: f64,
    },
    /// A running cell has trained a share of its steps.
    Advances {
        /// The cell.
        cell: &'a GridCell,
        /// Between 0 and 1.
        share: f64,
    },
    /// A checkpoint could not be used and the cell begins anew.
    Restarts {
        /// The cell.
        cell: &'a GridCell,
        /// What was wrong.
        reason: &'a str,
    },
    /// A cell's inference shows a sign of being unstable.
    Unstable {
        /// The cell.
        cell: &'a GridCell,
        /// The epoch at whose end it showed.
        epoch: u64,
        /// The sign.
        sign: &'a Sign,
    },
    /// A cell is finished.
    Finished {
        /// The cell.
        cell: &'a GridCell,
        /// Its outcome.
        summary: &'a RunSummary,
    },
    /// A cell could not be run.
    Failed {
        /// The cell.
        cell: &'a GridCell,
        /// The error.
        reason: &'a str,
    },
    /// A cell was finished by another process, or given up to it.
    Elsewhere {
        /// The cell.
        cell: &'a GridCell,
    },
}

/// How many cells are how far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepTally {
    /// Finished, by whomever.
    pub done: usize,
    /// Could not be run.
    pub failed: usize,
    /// Neither.
    pub left: usize,
}

impl SweepTally {
    /// Counts `cells`.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn count<'a>(store: &Store, cells: impl IntoIterator<Item = &'a GridCell>) -> Result<Self, LabError> {
        let mut tally = SweepTally::default();
        for cell in cells {
            tally.add(&store.progress(&cell.key)?);
        }
        Ok(tally)
    }

    fn add(&mut self, progress: &CellProgress) {
        match progress {
            CellProgress::Finished => self.done += 1,
            CellProgress::Failed(_) => self.failed += 1,
            CellProgress::Open => self.left += 1,
        }
    }
}

/// Multiply-adds of a cell's training, roughly: enough to tell long cells from short ones.
fn work(cell: &GridCell, data: &Dataset) -> f64 {
    let e = &cell.experiment;
    let (inputs, outputs) = (data.dim() as f64, data.outputs() as f64);
    // As numbers that cannot overflow: the cell may be one that no machine can hold.
    let (first, between, last, depth) = match e.widths.as_deref() {
        Some(widths @ [first, .., last]) => {
            let between = widths.windows(2).map(|w| w[0] as f64 * w[1] as f64).sum();
            (*first as f64, between, *last as f64, widths.len() + 1)
        }
        Some(widths) => {
            let only = widths.first().map_or(0.0, |n| *n as f64);
            (only, 0.0, only, 2)
        }
        None => {
            let n = e.width as f64;
            (n, n * n * (e.depth as f64 - 2.0).max(0.0), n, e.depth)
        }
    };
    let inner = between + last * outputs;
    let weights = inputs * first + inner;
    let cycles = Budget::parse(&e.budget).and_then(|b| b.cycles(depth)).map_or(1.0, |c| c as f64);
    let iterations = if e.rule == "bp" { 0.0 } else { cycles * e.inner_steps as f64 };
    (3.0 * weights + 2.0 * inner * iterations) * (data.train.len() as f64 * e.epochs as f64)
}

/// Runs the cells of `cells` that are neither finished nor failed, the longest first, until all in the shard
/// are; waits for those that other processes run. `news` is told of everything, from any thread.
///
/// # Errors
/// If the store cannot be read or written: everything finished stays, and the sweep can go on later. An
/// error of one cell is recorded with it instead.
pub fn sweep(
    store: &Store,
    cells: &[GridCell],
    options: SweepOptions,
    (samples, catalogue): (&DatasetCache, &Catalogue),
    interrupt: &Interrupt,
    news: &(dyn Fn(SweepNews) + Sync),
) -> Result<SweepTally, LabError> {
    let mine: Vec<&GridCell> =
        cells.iter().enumerate().filter(|(at, _)| options.shard.has(*at)).map(|(_, c)| c).collect();
    let worker = Worker::start(&store.workers())?;
    let mut tally = SweepTally::default();
    let mut open: Vec<(&GridCell, f64)> = Vec::new();
    for cell in &mine {
        let progress = store.progress(&cell.key)?;
        tally.add(&progress);
        if progress == CellProgress::Open {
            // A data set that cannot be loaded is the cell's failure, when its turn comes.
            open.push((cell, samples.of(&cell.experiment).map_or(0.0, |loaded| work(cell, &loaded.data))));
        } else {
            // Still claimed if its process was killed before it could say that it is done.
            worker.forgive(cell.key.as_str())?;
        }
    }
    open.sort_by(|a, b| b.1.total_cmp(&a.1));
    news(SweepNews::Begins { work: open.iter().map(|o| o.1).sum(), tally });
    if open.is_empty() {
        return Ok(tally);
    }
    let threads = if options.threads == 0 { rayon::current_num_threads() } else { options.threads };
    let jobs = if options.jobs == 0 { threads } else { options.jobs }.min(open.len());
    let pool = Pool { store, worker, samples, catalogue, open: Mutex::new(open), interrupt, news };
    let outcome = std::thread::scope(|scope| {
        let job = |_| scope.spawn(|| pool.job(threads.div_ceil(jobs)));
        let jobs: Vec<_> = (0..jobs).map(job).collect();
        let ended = jobs.into_iter().map(|j| j.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        // Every job has come to its end before the first error is passed on.
        ended.collect::<Vec<_>>().into_iter().collect::<Result<(), LabError>>()
    });
    outcome?;
    SweepTally::count(store, mine)
}

struct Pool<'a> {
    store: &'a Store,
    worker: Worker,
    samples: &'a DatasetCache,
    catalogue: &'a Catalogue,
    /// Cells that are not known to be done with their arithmetic, the longest first.
    open: Mutex<Vec<(&'a GridCell, f64)>>,
    interrupt: &'a Interrupt,
    news: &'a (dyn Fn(SweepNews) + Sync),
}

impl<'a> Pool<'a> {
    /// Runs cell after cell until none is left.
    fn job(&self, threads: usize) -> Result<(), LabError> {
        let ended = self.cells(threads);
        if ended.is_err() {
            // The others would meet the same error.
            self.interrupt.raise();
        }
        ended
    }

    fn cells(&self, threads: usize) -> Result<(), LabError> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.map_err(|e| LabError::option("threads", e.to_string()))?;
        while !self.interrupt.is_raised() {
            let Some((cell, work, claim)) = self.next()? else {
                if lock(&self.open).is_empty() {
                    break;
                }
                std::thread::sleep(LOOK_AGAIN);
                continue;
            };
            (self.news)(SweepNews::Starts { cell, work });
            pool.install(|| self.run(cell, work, &claim))?;
        }
        Ok(())
    }

    /// The first open cell that this process may run; cells that turn out to be done are struck off.
    fn next(&self) -> Result<Option<(&'a GridCell, f64, WorkClaim)>, LabError> {
        let mut open = lock(&self.open);
        let mut at = 0;
        while at < open.len() {
            let (cell, work) = open[at];
            if self.store.progress(&cell.key)? != CellProgress::Open {
                open.remove(at);
                (self.news)(SweepNews::Elsewhere { cell });
            } else if let Some(claim) = self.claim(cell)? {
                open.remove(at);
                if claim.deaths() < DEATHS {
                    return Ok(Some((cell, work, claim)));
                }
                self.fail(cell, DIED)?;
                self.worker.release(&claim)?;
            } else {
                at += 1;
            }
        }
        Ok(None)
    }

    /// The right to run a cell; `None` if another worker has it, or has just finished it.
    fn claim(&self, cell: &GridCell) -> Result<Option<WorkClaim>, LabError> {
        let Some(claim) = self.worker.claim(cell.key.as_str(), &self.store.reached(&cell.key))? else {
            return Ok(None);
        };
        // It may have been finished between two looks.
        if self.store.progress(&cell.key)? != CellProgress::Open {
            self.worker.release(&claim)?;
            return Ok(None);
        }
        Ok(Some(claim))
    }

    fn run(&self, cell: &'a GridCell, work: f64, claim: &WorkClaim) -> Result<(), LabError> {
        let attempt = catch_unwind(AssertUnwindSafe(|| self.train(cell)));
        // Taken over while this process was silent for too long: the other's run counts.
        if !self.worker.holds(claim)? || self.store.is_finished(&cell.key) {
            lock(&self.open).push((cell, work));
            return self.worker.release(claim);
        }
        match attempt {
            Ok(Ok(summary)) if summary.end == RunEnd::Interrupted => {}
            // Before its first step.
            Ok(Err(LabError::Interrupted)) => {}
            Ok(Ok(summary)) => {
                if self.store.publish(&cell.key)? {
                    (self.news)(SweepNews::Finished { cell, summary: &summary });
                } else {
                    (self.news)(SweepNews::Elsewhere { cell });
                }
            }
            // The store itself cannot be written to: no cell can be run, and none is to blame.
            Ok(Err(LabError::Io { path, source })) if path.starts_with(self.store.path()) => {
                self.worker.release(claim).ok();
                return Err(LabError::Io { path, source });
            }
            Ok(Err(error)) => self.fail(cell, &error.to_string())?,
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
                self.fail(cell, &format!("a defect of the program, please report it: panicked: {text}"))?;
            }
        }
        self.worker.release(claim)
    }

    fn fail(&self, cell: &GridCell, reason: &str) -> Result<(), LabError> {
        self.store.fail(&cell.key, reason)?;
        (self.news)(SweepNews::Failed { cell, reason });
        Ok(())
    }

    /// Trains from the last checkpoint, or from the start if there is none that can be used.
    fn train(&self, cell: &GridCell) -> Result<RunSummary, LabError> {
        let experiment = &cell.experiment;
        let loaded = self.samples.of(experiment)?;
        let contents = loaded.contents(experiment)?;
        let folder = Folder::create(&self.store.work(&cell.key))?;
        let job = TrainingJob {
            experiment,
            catalogue: self.catalogue,
            data: &loaded.data,
            contents: &contents,
            folder: &folder,
            interrupt: self.interrupt,
        };
        let mut steps = 1;
        let mut tell = |news: RunNews| match news {
            RunNews::Begins { steps: total, .. } => steps = total.max(1),
            RunNews::Step { step, .. } => {
                (self.news)(SweepNews::Advances { cell, share: step as f64 / steps as f64 });
            }
            RunNews::Unstable { epoch, sign } => (self.news)(SweepNews::Unstable { cell, epoch, sign }),
            RunNews::Measures { .. } | RunNews::Stability { .. } | RunNews::Epoch { .. } => {}
        };
        match run(&job, &mut tell) {
            Err(LabError::Run { path, problem }) if names::OF_A_RUN.iter().any(|name| path == folder.file(name)) => {
                (self.news)(SweepNews::Restarts { cell, reason: &problem });
                folder.remove(&names::OF_A_RUN)?;
                Ok(run(&job, &mut tell)?.summary)
            }
            other => Ok(other?.summary),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // A job that panicked has changed nothing half-way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
