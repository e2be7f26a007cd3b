//! Runs the cells of a grid, several at once.

use super::{
    grid::Cell,
    store::{Progress, Store},
    worker::{Claim, Worker},
};
use crate::{
    dataset::Dataset,
    error::LabError,
    experiment::{Budget, Samples},
    folder::{Folder, names},
    run::{End, News as RunNews, Summary, run},
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    str::FromStr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// How often a worker that has nothing to do looks whether others are done.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

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
pub struct Options {
    /// Cells at once; 0 for one per thread.
    pub jobs: usize,
    /// Threads in all; 0 for one per core.
    pub threads: usize,
    /// The part of the grid to run.
    pub shard: Shard,
}

/// News of a sweep.
#[derive(Debug)]
pub enum News<'a> {
    /// Some cells need not be run.
    Begins {
        /// Arithmetic of the cells to be run, in multiply-adds.
        work: f64,
        /// How the cells stand.
        tally: Tally,
    },
    /// A cell is run.
    Starts {
        /// The cell.
        cell: &'a Cell,
        /// Its arithmetic.
        work: f64,
    },
    /// A running cell has trained a share of its steps.
    Advances {
        /// The cell.
        cell: &'a Cell,
        /// Between 0 and 1.
        share: f64,
    },
    /// A checkpoint could not be used and the cell begins anew.
    Restarts {
        /// The cell.
        cell: &'a Cell,
        /// What was wrong.
        reason: &'a str,
    },
    /// A cell is finished.
    Finished {
        /// The cell.
        cell: &'a Cell,
        /// Its outcome.
        summary: &'a Summary,
    },
    /// A cell could not be run.
    Failed {
        /// The cell.
        cell: &'a Cell,
        /// The error.
        reason: &'a str,
    },
    /// A cell was finished by another process, or given up to it.
    Elsewhere {
        /// The cell.
        cell: &'a Cell,
    },
}

/// How many cells are how far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Finished, by whomever.
    pub done: usize,
    /// Could not be run.
    pub failed: usize,
    /// Neither.
    pub left: usize,
}

impl Tally {
    /// Counts `cells`.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn count<'a>(store: &Store, cells: impl IntoIterator<Item = &'a Cell>) -> Result<Self, LabError> {
        let mut tally = Tally::default();
        for cell in cells {
            tally.add(&store.progress(&cell.key)?);
        }
        Ok(tally)
    }

    fn add(&mut self, progress: &Progress) {
        match progress {
            Progress::Finished => self.done += 1,
            Progress::Failed(_) => self.failed += 1,
            Progress::Open => self.left += 1,
        }
    }
}

/// Multiply-adds of a cell's training, roughly: enough to tell long cells from short ones.
fn work(cell: &Cell, data: &Dataset) -> f64 {
    let e = &cell.experiment;
    let hidden = e.widths.clone().unwrap_or_else(|| vec![e.width; e.depth.saturating_sub(1)]);
    let widths = [&[data.dim()], &hidden[..], &[data.classes]].concat();
    let weights: f64 = widths.windows(2).map(|w| (w[0] * w[1]) as f64).sum();
    let inner = weights - (widths[0] * widths[1]) as f64;
    let cycles = Budget::parse(&e.budget).and_then(|b| b.cycles(hidden.len() + 1)).map_or(1.0, |c| c as f64);
    let iterations = if e.rule == "bp" { 0.0 } else { cycles * e.inner_steps as f64 };
    (3.0 * weights + 2.0 * inner * iterations) * (data.train.len() as u64 * e.epochs) as f64
}

/// Runs the cells of `cells` that are neither finished nor failed, the longest first, until all in the shard
/// are; waits for those that other processes run. `news` is told of everything, from any thread.
///
/// # Errors
/// If the store cannot be read or written: everything finished stays, and the sweep can go on later. An
/// error of one cell is recorded with it instead.
pub fn sweep(
    store: &Store,
    cells: &[Cell],
    options: Options,
    interrupt: &AtomicBool,
    news: &(dyn Fn(News) + Sync),
) -> Result<Tally, LabError> {
    let mine: Vec<&Cell> = cells.iter().enumerate().filter(|(at, _)| options.shard.has(*at)).map(|(_, c)| c).collect();
    let mut tally = Tally::default();
    let samples = Samples::default();
    let mut open: Vec<(&Cell, f64)> = Vec::new();
    for cell in &mine {
        let progress = store.progress(&cell.key)?;
        tally.add(&progress);
        if progress == Progress::Open {
            // A data set that cannot be loaded is the cell's failure, when its turn comes.
            open.push((cell, samples.of(&cell.experiment).map_or(0.0, |data| work(cell, &data))));
        }
    }
    open.sort_by(|a, b| b.1.total_cmp(&a.1));
    news(News::Begins { work: open.iter().map(|o| o.1).sum(), tally });
    if open.is_empty() {
        return Ok(tally);
    }
    let threads = if options.threads == 0 { rayon::current_num_threads() } else { options.threads };
    let jobs = if options.jobs == 0 { threads } else { options.jobs }.min(open.len());
    let pool = Pool { store, worker: Worker::start(store)?, samples, open: Mutex::new(open), interrupt, news };
    let outcome = std::thread::scope(|scope| {
        let job = |_| scope.spawn(|| pool.job(threads.div_ceil(jobs)));
        let jobs: Vec<_> = (0..jobs).map(job).collect();
        let ended = jobs.into_iter().map(|j| j.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        // Every job has come to its end before the first error is passed on.
        ended.collect::<Vec<_>>().into_iter().collect::<Result<(), LabError>>()
    });
    outcome?;
    Tally::count(store, mine)
}

struct Pool<'a> {
    store: &'a Store,
    worker: Worker,
    samples: Samples,
    /// Cells that are not known to be done with their arithmetic, the longest first.
    open: Mutex<Vec<(&'a Cell, f64)>>,
    interrupt: &'a AtomicBool,
    news: &'a (dyn Fn(News) + Sync),
}

impl<'a> Pool<'a> {
    /// Runs cell after cell until none is left.
    fn job(&self, threads: usize) -> Result<(), LabError> {
        let ended = self.cells(threads);
        if ended.is_err() {
            // The others would meet the same error.
            self.interrupt.store(true, Ordering::Relaxed);
        }
        ended
    }

    fn cells(&self, threads: usize) -> Result<(), LabError> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.map_err(|e| LabError::option("threads", e.to_string()))?;
        while !self.interrupt.load(Ordering::Relaxed) {
            let Some((cell, work, claim)) = self.next()? else {
                if lock(&self.open).is_empty() {
                    break;
                }
                std::thread::sleep(LOOK_AGAIN);
                continue;
            };
            (self.news)(News::Starts { cell, work });
            pool.install(|| self.run(cell, work, &claim))?;
        }
        Ok(())
    }

    /// The first open cell that this process may run; cells that turn out to be done are struck off.
    fn next(&self) -> Result<Option<(&'a Cell, f64, Claim)>, LabError> {
        let mut open = lock(&self.open);
        let mut at = 0;
        while at < open.len() {
            let (cell, work) = open[at];
            if self.store.progress(&cell.key)? != Progress::Open {
                open.remove(at);
                (self.news)(News::Elsewhere { cell });
            } else if let Some(claim) = self.worker.claim(&cell.key)? {
                open.remove(at);
                return Ok(Some((cell, work, claim)));
            } else {
                at += 1;
            }
        }
        Ok(None)
    }

    fn run(&self, cell: &'a Cell, work: f64, claim: &Claim) -> Result<(), LabError> {
        let attempt = catch_unwind(AssertUnwindSafe(|| self.train(cell)));
        // Taken over while this process was silent for too long: the other's run counts.
        if !self.worker.holds(claim)? || self.store.is_finished(&cell.key) {
            lock(&self.open).push((cell, work));
            return self.worker.release(claim);
        }
        match attempt {
            Ok(Ok(summary)) if summary.end == End::Interrupted => {}
            Ok(Ok(summary)) => {
                if self.store.publish(&cell.key)? {
                    (self.news)(News::Finished { cell, summary: &summary });
                } else {
                    (self.news)(News::Elsewhere { cell });
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

    fn fail(&self, cell: &Cell, reason: &str) -> Result<(), LabError> {
        self.store.fail(&cell.key, reason)?;
        (self.news)(News::Failed { cell, reason });
        Ok(())
    }

    /// Trains from the last checkpoint, or from the start if there is none that can be used.
    fn train(&self, cell: &Cell) -> Result<Summary, LabError> {
        let data = self.samples.of(&cell.experiment)?;
        let folder = Folder::create(&self.store.work(&cell.key))?;
        let mut steps = 1;
        let mut tell = |news: RunNews| match news {
            RunNews::Begins { steps: total, .. } => steps = total.max(1),
            RunNews::Step { step, .. } => {
                (self.news)(News::Advances { cell, share: step as f64 / steps as f64 });
            }
            RunNews::Stability { .. } | RunNews::Epoch { .. } => {}
        };
        let checkpoint = folder.file(names::CHECKPOINT);
        if checkpoint.exists() {
            match run(&cell.experiment, &data, &folder, true, self.interrupt, &mut tell) {
                Err(LabError::Run { path, problem }) if path == checkpoint => {
                    (self.news)(News::Restarts { cell, reason: &problem });
                    std::fs::remove_file(&path).map_err(|e| LabError::io(&path, e))?;
                }
                other => return Ok(other?.0),
            }
        }
        Ok(run(&cell.experiment, &data, &folder, false, self.interrupt, &mut tell)?.0)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // A job that panicked has changed nothing half-way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
