//! Progress bars on stderr; silent when it is not a terminal.

use crate::output;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pcalm_lab::run::News;

/// Shows one run at a time.
pub struct Display {
    quiet: bool,
    bar: ProgressBar,
    accuracy: Option<f64>,
}

impl Display {
    /// Shows nothing if `quiet`.
    pub fn new(quiet: bool) -> Self {
        Display { quiet, bar: ProgressBar::hidden(), accuracy: None }
    }

    /// Takes in news of the run called `title`.
    pub fn tell(&mut self, title: &str, news: News) {
        match news {
            News::Begins { step, steps, eta, bound } => {
                if let Some(bound) = bound.filter(|b| !b.holds()) {
                    output::warn(format_args!("{title}: {bound}"));
                }
                self.bar.finish();
                self.accuracy = None;
                let target = if self.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
                self.bar = ProgressBar::with_draw_target(Some(steps), target);
                let template = "{prefix:16} [{bar:30}] {pos}/{len} steps, {elapsed} elapsed, {eta} left  {msg}";
                if let Ok(style) = ProgressStyle::with_template(template) {
                    self.bar.set_style(style.progress_chars("=> "));
                }
                self.bar.set_prefix(title.to_owned());
                self.bar.set_position(step);
                self.bar.reset_eta();
                if bound.is_some() {
                    self.bar.set_message(format!("η = {eta:.4}"));
                }
            }
            News::Step { step, loss, accuracy } => {
                self.bar.set_position(step);
                let test = self.accuracy.map(|a| format!(", test {:.2} %", 100.0 * a)).unwrap_or_default();
                self.bar.set_message(format!("loss {loss:.4}, train {:.2} %{test}", 100.0 * accuracy));
            }
            News::Stability { row } => self.bar.suspend(|| {
                let verdict = if row.is_stable() { "is stable again" } else { "is no longer stable" };
                output::warn(format_args!(
                    "{title}: step {}: inference {verdict}: η (2 + α/ρ) λ_max = {:.4}, to be below 4 \
                     (η = {:.4}, λ_max = {:.4}, κ = {:.3e}); `--eta auto-track` follows λ_max",
                    row.step, row.stability, row.eta, row.lambda_max, row.condition
                ));
            }),
            News::Epoch { accuracy } => self.accuracy = Some(accuracy),
        }
    }

    /// Leaves the last bar on the screen.
    pub fn finish(&self) {
        self.bar.finish();
    }
}
