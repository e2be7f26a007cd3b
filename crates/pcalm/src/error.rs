//! What can go wrong, as values that name the thing and the way out.

use std::fmt;

/// Errors of the library. Each message names the offending thing and what would be right.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The network's layers do not fit together.
    #[error("invalid network: {0}")]
    Network(String),
    /// A batch does not fit the network or holds numbers that are not finite.
    #[error("invalid batch: {0}")]
    Batch(String),
    /// A setting of a rule, optimizer or step size lies outside its range.
    #[error("invalid setting `{name}`: {problem}")]
    Setting {
        /// The setting's name as users write it.
        name: &'static str,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A file of weights or a checkpoint cannot be used.
    #[error("invalid file: {0}")]
    File(String),
    /// Reading or writing a file failed.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: std::path::PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// Memory cannot be had.
    #[error(
        "no memory for {what}: {:.2} GiB are needed; choose a smaller width or depth", *bytes as f64 / GIB
    )]
    Memory {
        /// What it is for.
        what: String,
        /// Bytes; `u64::MAX` where they are more.
        bytes: u64,
    },
    /// The caller's flag was raised; see [`set_interrupt`](crate::minibatch::Minibatch::set_interrupt).
    #[error("interrupted")]
    Interrupted,
    /// An iteration for eigenvalues gave up.
    #[error("{what} did not converge in {steps} products with it")]
    NotConverged {
        /// What was asked for.
        what: &'static str,
        /// Products with the matrix that were spent.
        steps: u64,
    },
    /// Activities or the output became non-finite, or activities exploded, during inference.
    #[error("{0}")]
    Diverged(Box<Divergence>),
    /// A rule cannot run on these samples.
    #[error("{0}")]
    Refused(Box<Refusal>),
}

const GIB: f64 = (1u64 << 30) as f64;

impl Error {
    pub(crate) fn setting(name: &'static str, problem: impl Into<String>) -> Self {
        Error::Setting { name, problem: problem.into() }
    }

    pub(crate) fn io(path: &std::path::Path, source: std::io::Error) -> Self {
        Error::Io { path: path.to_owned(), source }
    }
}

/// Why a rule cannot run on the samples at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The rule.
    pub rule: String,
    /// Layer, 1-based as in the paper, if it is one's fault.
    pub layer: Option<usize>,
    /// What is wrong and what would be right.
    pub problem: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot run here: ", self.rule)?;
        match self.layer {
            Some(layer) => write!(f, "layer {layer}: {}", self.problem),
            None => f.write_str(&self.problem),
        }
    }
}

/// Where and how an inference left the finite numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Divergence {
    /// The rule that ran.
    pub rule: String,
    /// Inference step (0: already the forward pass).
    pub step: usize,
    /// Layer, 1-based as in the paper; L is the output.
    pub layer: usize,
    /// max |z_l| there, max |f_L| at the output; NaN or infinite when not finite.
    pub norm: f64,
    /// max |z| over all layers at the forward pass of the same inference.
    pub initial_norm: f64,
    /// The stability bound as measured, where the caller knows it.
    pub bound: Option<StabilityBound>,
}

/// The bound of docs/maths.md §7, η σ_max² (2ρ + α) < 4 (Jury; with α = 0, η ρ σ_max² < 2, the same
/// line), with the numbers of one run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StabilityBound {
    /// η σ_max² (2ρ + α).
    pub value: f64,
    /// Step size η.
    pub eta: f64,
    /// σ_max², the largest eigenvalue of CᵀC.
    pub sigma_squared: f64,
    /// Penalty ρ (the largest, if it differs by layer).
    pub rho: f64,
    /// Dual step α.
    pub alpha: f64,
}

impl StabilityBound {
    /// The limit the value must stay below.
    pub const LIMIT: f64 = 4.0;

    /// The bound at these numbers.
    pub fn new(eta: f64, sigma_squared: f64, rho: f64, alpha: f64) -> Self {
        let value = eta * sigma_squared * (2.0 * rho + alpha);
        StabilityBound { value, eta, sigma_squared, rho, alpha }
    }

    /// Whether the step size is inside the bound.
    pub fn holds(&self) -> bool {
        self.value < Self::LIMIT
    }

    /// The largest stable η at this α and ρ.
    pub fn largest_eta(&self) -> f64 {
        Self::LIMIT / (self.sigma_squared * (2.0 * self.rho + self.alpha))
    }
}

impl fmt::Display for StabilityBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let relation = if self.holds() { "inside" } else { "outside" };
        write!(
            f,
            "η σ_max² (2ρ + α) = {:.4}, {relation} the stability bound 4 (η = {}, σ_max² = {:.4}, ρ = {}, \
             α = {}; largest stable η here: {:.4})",
            self.value,
            self.eta,
            self.sigma_squared,
            self.rho,
            self.alpha,
            self.largest_eta()
        )
    }
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} diverged at inference step {}, layer {}: max |z| = {:.3e} (forward pass: {:.3e})",
            self.rule, self.step, self.layer, self.norm, self.initial_norm
        )?;
        match &self.bound {
            // No step size has had a part in it yet.
            _ if self.step == 0 => write!(f, "; the forward pass itself overflows: the weights have grown too large"),
            Some(bound) => write!(f, "; measured at the start, {bound}"),
            None => Ok(()),
        }
    }
}
