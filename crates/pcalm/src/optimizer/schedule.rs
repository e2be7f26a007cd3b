//! Learning-rate schedules.

/// How the learning rate changes over the steps of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Schedule {
    /// Constant after the warm-up.
    #[default]
    Constant,
    /// Half a cosine from the full rate after the warm-up to 0 after the last step.
    Cosine,
}

impl Schedule {
    /// Both schedules, for lists and tests.
    pub const ALL: &'static [Schedule] = &[Schedule::Constant, Schedule::Cosine];

    /// The name used in files and flags.
    pub fn name(self) -> &'static str {
        match self {
            Schedule::Constant => "constant",
            Schedule::Cosine => "cosine",
        }
    }

    /// The factor on the learning rate at 0-based step `step` of `total`, with a linear warm-up
    /// over the first `warmup` steps.
    pub fn factor(self, step: u64, total: u64, warmup: u64) -> f64 {
        if step < warmup {
            return (step + 1) as f64 / warmup as f64;
        }
        match self {
            Schedule::Constant => 1.0,
            Schedule::Cosine => {
                let progress = (step - warmup) as f64 / (total.saturating_sub(warmup)).max(1) as f64;
                0.5 * (1.0 + (std::f64::consts::PI * progress.min(1.0)).cos())
            }
        }
    }
}
