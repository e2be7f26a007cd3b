//! Progress of a run on stderr: a bar on a terminal, a line now and then in a log.

use crate::{output, pace::LogPace};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pcalm_lab::run::{RunNews, Sign};
use std::time::Instant;

/// Weights from which on measuring eigenvalues takes seconds.
const MANY: usize = 10_000_000;

/// Shows one run at a time.
pub struct Display {
    quiet: bool,
    bar: ProgressBar,
    /// Of the log, where there is no bar to be seen.
    pace: Option<LogPace>,
    /// The last result on the test samples, in words.
    test: Option<String>,
}

impl Display {
    /// Shows nothing if `quiet`.
    pub fn new(quiet: bool) -> Self {
        Display { quiet, bar: ProgressBar::hidden(), pace: None, test: None }
    }

    /// Takes in news of the run called `title`.
    pub fn tell(&mut self, title: &str, news: RunNews) {
        match news {
            RunNews::Measures { weights } if weights >= MANY && !self.quiet => {
                output::note(format_args!(
                    "{title}: measuring the largest eigenvalues of {weights} weights' inference"
                ));
            }
            RunNews::Measures { .. } => {}
            RunNews::Begins { step, steps, eta, bound } => {
                if let Some(bound) = bound.filter(|b| !b.holds()) {
                    output::warn(format_args!("{title}: {bound}"));
                }
                self.bar.finish();
                self.test = None;
                let target = if self.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
                self.bar = ProgressBar::with_draw_target(Some(steps), target);
                let template = "{prefix:16} [{bar:30}] {pos}/{len} steps, {elapsed} elapsed, {eta} left  {msg}";
                if let Ok(style) = ProgressStyle::with_template(template) {
                    self.bar.set_style(style.progress_chars("=> "));
                }
                self.bar.set_prefix(title.to_owned());
                self.bar.set_position(step);
                self.bar.reset_eta();
                let logs = !self.quiet && self.bar.is_hidden();
                self.pace = logs.then(|| LogPace::new(Instant::now(), share(step, steps)));
                if bound.is_some() {
                    self.bar.set_message(format!("η = {eta:.4}"));
                }
            }
            RunNews::Step { step, loss, accuracy } => {
                self.bar.set_position(step);
                let train = accuracy.map(|a| format!(", train {:.2} %", 100.0 * a)).unwrap_or_default();
                let state = format!("loss {loss:.4}{train}{}", self.test.as_deref().unwrap_or_default());
                let steps = self.bar.length().unwrap_or(0);
                if let Some(times) = self.pace.as_mut().and_then(|p| p.due(Instant::now(), share(step, steps))) {
                    output::note(format_args!("{title}: step {step} of {steps}, {state}, {times}"));
                }
                self.bar.set_message(state);
            }
            RunNews::Stability { row } => self.bar.suspend(|| {
                let verdict = if row.is_stable() { "is stable again" } else { "is no longer stable" };
                output::warn(format_args!(
                    "{title}: step {}: inference {verdict}: η (2 + α/ρ) λ_max = {:.4}, to be below 4 \
                     (η = {:.4}, λ_max = {:.4}, κ = {:.3e}); `--eta auto-track` follows λ_max",
                    row.step, row.stability, row.eta, row.lambda_max, row.condition
                ));
            }),
            RunNews::Unstable { epoch, sign } => {
                self.bar.suspend(|| output::warn(format_args!("{title}: {}", unstable(epoch, sign))));
            }
            RunNews::Epoch { row } => {
                self.test = Some(match (row.test_accuracy, row.test_r2) {
                    (Some(accuracy), _) => format!(", test {:.2} %", 100.0 * accuracy),
                    (None, Some(r2)) => format!(", test loss {:.4}, R² {r2:.4}", row.test_loss),
                    (None, None) => format!(", test loss {:.4}", row.test_loss),
                });
            }
        }
    }

    /// Leaves the last bar on the screen.
    pub fn finish(&self) {
        self.bar.finish();
    }
}

/// That inference has become unstable.
pub fn unstable(epoch: u64, sign: &Sign) -> String {
    format!("inference looks unstable at the end of epoch {epoch}: {sign}")
}

fn share(step: u64, steps: u64) -> f64 {
    step as f64 / steps.max(1) as f64
}
