//! Progress over a whole grid, on stderr: a bar on a terminal; in a log a line per cell, and one now and then.

use crate::{output, pace::LogPace, progress::unstable};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pcalm_lab::{
    outcome::RunEnd,
    sweep::{Key, SweepNews, SweepTally},
};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Instant,
};

/// What a sweep is doing, told from several threads.
pub struct SweepDisplay {
    quiet: bool,
    state: Mutex<DisplayState>,
}

struct DisplayState {
    bar: ProgressBar,
    /// Of the log, where there is no bar to be seen.
    pace: Option<LogPace>,
    /// Arithmetic in all.
    work: f64,
    tally: SweepTally,
    /// Arithmetic of the cells finished here.
    done: f64,
    /// Arithmetic and share done of each running cell.
    running: HashMap<Key, (f64, f64)>,
}

/// Multiply-adds to a unit of the bar.
const UNIT: f64 = 1e6;

impl SweepDisplay {
    /// Shows nothing if `quiet`.
    pub fn new(quiet: bool) -> Self {
        let state = DisplayState {
            bar: ProgressBar::hidden(),
            pace: None,
            work: 0.0,
            tally: SweepTally::default(),
            done: 0.0,
            running: HashMap::new(),
        };
        SweepDisplay { quiet, state: Mutex::new(state) }
    }

    /// Takes in news.
    pub fn tell(&self, news: SweepNews) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.take(news, self.quiet);
    }

    /// Takes the bar off the screen.
    pub fn finish(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).bar.finish_and_clear();
    }
}

impl DisplayState {
    fn take(&mut self, news: SweepNews, quiet: bool) {
        match news {
            SweepNews::Begins { work, tally } => {
                self.tally = tally;
                (self.work, self.done, self.running) = (work, 0.0, HashMap::new());
                if !quiet {
                    self.bar = ProgressBar::with_draw_target(Some((work / UNIT) as u64), ProgressDrawTarget::stderr());
                    let template = "[{bar:30}] {msg}, {elapsed} elapsed, {eta} left";
                    if let Ok(style) = ProgressStyle::with_template(template) {
                        self.bar.set_style(style.progress_chars("=> "));
                    }
                    self.pace = self.bar.is_hidden().then(|| LogPace::new(Instant::now(), 0.0));
                }
            }
            SweepNews::Starts { cell, work } => {
                self.running.insert(cell.key.clone(), (work, 0.0));
            }
            SweepNews::Advances { cell, share } => {
                if let Some(running) = self.running.get_mut(&cell.key) {
                    running.1 = share;
                }
            }
            SweepNews::Restarts { cell, reason } => {
                self.say(false, &format!("warning: {}: {reason}; it begins anew", cell.label));
            }
            SweepNews::Unstable { cell, epoch, sign } => {
                self.say(quiet, &format!("warning: {}: {}", cell.label, unstable(epoch, sign)));
            }
            SweepNews::Finished { cell, summary } => {
                self.ended(&cell.key, true);
                let outcome = match (summary.end, summary.test_accuracy, summary.test_loss) {
                    (RunEnd::Diverged, ..) => summary.message.clone().unwrap_or_else(|| "diverged".to_owned()),
                    (_, Some(accuracy), _) => format!("test accuracy {:.2} %", 100.0 * accuracy),
                    (_, None, Some(loss)) => format!("test loss {loss:.6}"),
                    (_, None, None) => "done".to_owned(),
                };
                let count = self.tally.done + self.tally.failed;
                let all = count + self.tally.left;
                self.say(self.pace.is_none(), &format!("{count} of {all}: {}: {outcome}", cell.label));
            }
            SweepNews::Failed { cell, reason } => {
                self.ended(&cell.key, false);
                self.say(false, &format!("{} failed: {reason}", cell.label));
            }
            SweepNews::Elsewhere { cell } => self.ended(&cell.key, true),
        }
        let running: f64 = self.running.values().map(|(work, share)| work * share).sum();
        self.bar.set_position(((self.done + running) / UNIT) as u64);
        let SweepTally { done, failed, left } = self.tally;
        let (all, busy) = (done + failed + left, self.running.len());
        let counts = format!("{done} of {all} done, {busy} running, {failed} failed");
        let share = if self.work > 0.0 { (self.done + running) / self.work } else { 1.0 };
        if let Some(times) = self.pace.as_mut().and_then(|p| p.due(Instant::now(), share)) {
            output::note(format_args!("{counts}, {:.0} % of the work, {times}", 100.0 * share));
        }
        self.bar.set_message(counts);
    }

    fn ended(&mut self, key: &Key, well: bool) {
        self.done += self.running.remove(key).map_or(0.0, |(work, _)| work);
        self.tally.left = self.tally.left.saturating_sub(1);
        if well {
            self.tally.done += 1;
        } else {
            self.tally.failed += 1;
        }
    }

    fn say(&self, quiet: bool, line: &str) {
        if !quiet {
            self.bar.suspend(|| output::note(line));
        }
    }
}
