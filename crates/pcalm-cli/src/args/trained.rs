//! The options of verbs that use a trained network.

use super::{Origin, Shift};
use clap::Args;
use pcalm_lab::experiment::{EnergyOptions, TargetOptions};
use std::path::PathBuf;

#[derive(Args)]
pub struct InferArgs {
    /// Network file: tensors w.1 … w.L and metadata (see docs/infer.md).
    #[arg(long, value_name = "FILE")]
    pub network: PathBuf,
    /// Batch file: tensors x [B, D] and y [B, O].
    #[arg(long, value_name = "FILE", required_unless_present = "dataset", conflicts_with_all = ["dataset", "samples", "first"])]
    pub batch: Option<PathBuf>,
    /// Take the batch from the training samples of this data set: a name, a file, a folder of .npy files, or `idx`.
    #[arg(long, requires = "samples", help_heading = "Data")]
    pub dataset: Option<String>,
    /// Samples of the data set, in file order.
    #[arg(long, value_name = "N", requires = "dataset", help_heading = "Data")]
    pub samples: Option<usize>,
    /// The first of them, counted from 0 [default: 0]
    #[arg(long, value_name = "I", requires = "dataset", help_heading = "Data")]
    pub first: Option<usize>,
    #[command(flatten)]
    pub origin: Origin,
    #[command(flatten)]
    pub shift: Shift,
    /// File to write activities, duals, credit, output and gradients to.
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Learning rule: `pcalm list rules`.
    #[arg(long, default_value = "pc-alm")]
    pub rule: String,
    /// Inference budget T in cycles: a number, or a multiple of the depth such as 2L.
    #[arg(long, default_value = "2L", value_name = "T", allow_hyphen_values = true)]
    pub budget: String,
    /// Activity step size η: a number, or `auto` for 1/λ_max of the activity Hessian on this batch (or ¾ of the
    /// largest stable η, if α makes that smaller).
    #[arg(long, default_value = "auto", allow_hyphen_values = true)]
    pub eta: String,
    /// Dual step size α of PC-ALM.
    #[arg(long, default_value_t = 1.0, allow_hyphen_values = true)]
    pub alpha: f64,
    #[command(flatten)]
    pub energy: EnergyArgs,
    /// Activity steps K per cycle of PC-ALM.
    #[arg(long, default_value_t = 1, value_name = "K")]
    pub inner_steps: usize,
    /// Momentum β of pc-nesterov's activity steps: a number, or `auto` for (√κ − 1)/(√κ + 1), κ being the
    /// condition of the activity Hessian at the first sample.
    #[arg(long, default_value = "auto", value_name = "BETA", allow_hyphen_values = true)]
    pub nesterov: String,
    /// Read PC-ALM's credit with the duals before (`pre-dual`) or after (`post-dual`) the last dual step.
    #[arg(long, default_value = "pre-dual")]
    pub credit: String,
    /// Stop once no activity gradient (and, with duals, no residual) is larger than this.
    #[arg(long, value_name = "TOL", allow_hyphen_values = true)]
    pub tolerance: Option<f64>,
    /// Activity gradient to which the method of multipliers solves each cycle.
    #[arg(long, default_value_t = 1e-6, value_name = "TOL", allow_hyphen_values = true)]
    pub inner_tolerance: f64,
    /// Divide activity steps by the precisions: the same equilibrium, and hidden precisions make it no stiffer.
    #[arg(long)]
    pub precondition: bool,
    /// Let first-step take steps other than ηρ = 1, whose credit is (ηρ)^(L − l) times BP's.
    #[arg(long)]
    pub any_step: bool,
    #[command(flatten)]
    pub targets: TargetArgs,
    /// Number type: `f32` or `f64`.
    #[arg(long, default_value = "f64")]
    pub dtype: String,
    /// Print the result as JSON on stdout.
    #[arg(long)]
    pub json: bool,
}

/// How target propagation passes targets down.
#[derive(Args)]
pub struct TargetArgs {
    /// Clip what φ⁻¹ is asked for by target propagation to φ's range less δ, not refuse it.
    #[arg(long, value_name = "DELTA", allow_hyphen_values = true)]
    pub clip: Option<f64>,
    /// Of all states that a layer takes to its target, let target-propagation take the nearest to the forward pass, not
    /// the smallest.
    #[arg(long)]
    pub nearest: bool,
    /// What difference-target-propagation starts from: the output's `target`, or the loss's `gradient`.
    #[arg(long, default_value = "target")]
    pub top: String,
    /// How far β the first target of target propagation is from the forward pass [default: 1; from a gradient 0.1]
    #[arg(long, value_name = "BETA", allow_hyphen_values = true)]
    pub beta: Option<f64>,
    /// How difference-target-propagation takes a target down: `linear` (Bv), `phi` (φ(Bv)) or `inverse` (the link's, with
    /// B for V⁺).
    #[arg(long, default_value = "linear")]
    pub decoder: String,
    /// Whether it corrects for what its decoder makes of the forward pass.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, value_name = "BOOL")]
    pub difference: bool,
    /// Its backward weights: a .safetensors file with b.2 … b.L, each [n_(l−1), n_l] [default: the transposed weights]
    #[arg(long, value_name = "FILE")]
    pub backward: Option<PathBuf>,
}

impl TargetArgs {
    /// The same for the lab.
    pub fn options(&self) -> TargetOptions<'_> {
        TargetOptions {
            clip: self.clip,
            nearest: self.nearest,
            top: &self.top,
            beta: self.beta,
            decoder: &self.decoder,
            difference: self.difference,
        }
    }
}

/// What an inference's energy is made of.
#[derive(Args)]
pub struct EnergyArgs {
    /// Penalty ρ: one number, or one per hidden layer separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "1", value_name = "R,…", allow_hyphen_values = true)]
    pub rho: Vec<f64>,
    /// Precision Π of residuals and output error: one number, L of them separated by commas, the output's last, or a
    /// .safetensors file with precision.1 … precision.L, each a number, n of them or n × n [default: 1]
    #[arg(long, value_name = "P,…|FILE", allow_hyphen_values = true)]
    pub precision: Option<String>,
    /// Precisions by one number: `output=π` (Π_L = π), `hidden=p` (Π_l = p below the output) or `geometric=s`
    /// (Π_l = s^(L − l)).
    #[arg(long, value_name = "NAME=X")]
    pub precision_profile: Option<String>,
    /// λ in (0, 1) of the energy λℓ + (1 − λ)½Σ‖c‖², in the place of ρ and precisions.
    #[arg(long, value_name = "LAMBDA", allow_hyphen_values = true)]
    pub loss_share: Option<f64>,
    /// Shape h of the residuals' energy: `pcalm list energies`.
    #[arg(long, default_value = "half-square", value_name = "NAME")]
    pub energy: String,
    /// Scale δ of `huber` and `pseudo-huber` [default: 1]
    #[arg(long, value_name = "DELTA", allow_hyphen_values = true)]
    pub energy_scale: Option<f64>,
}

impl EnergyArgs {
    /// The same for the lab.
    pub fn options(&self) -> EnergyOptions<'_> {
        EnergyOptions {
            rho: &self.rho,
            precision: self.precision.as_deref(),
            precision_profile: self.precision_profile.as_deref(),
            loss_share: self.loss_share,
            energy: &self.energy,
            energy_scale: self.energy_scale,
        }
    }
}

#[derive(Args)]
pub struct PredictArgs {
    /// Network file, as a run writes it.
    #[arg(long, value_name = "FILE")]
    pub network: PathBuf,
    /// Data set: a name, a file (.npz, .safetensors, .csv, .parquet), a folder of .npy files, or `idx`. A file needs no
    /// targets: a table with as many columns as the network has inputs has none.
    #[arg(long, help_heading = "Data")]
    pub dataset: String,
    /// File to write: .npy for an array [n, k], .csv for a table.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Samples to predict for: `all`, or those a run would learn from (`train`) or hold out (`test`); in file order.
    #[arg(long, default_value = "all", value_name = "PART")]
    pub split: String,
    /// Replace the file if it is there.
    #[arg(long)]
    pub force: bool,
    /// Number type: `f32` or `f64`.
    #[arg(long, default_value = "f32")]
    pub dtype: String,
    /// Print the result as JSON on stdout.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub origin: Origin,
    #[command(flatten)]
    pub shift: Shift,
}

#[derive(Args)]
pub struct EvaluateArgs {
    /// Network file, as a run writes it.
    #[arg(long, value_name = "FILE")]
    pub network: PathBuf,
    /// Data set: a name, a file (.npz, .safetensors, .csv, .parquet), a folder of .npy files, or `idx`.
    #[arg(long, help_heading = "Data")]
    pub dataset: String,
    /// Samples to evaluate on: `test`, `train` or `all`.
    #[arg(long, default_value = "test", value_name = "PART")]
    pub split: String,
    /// Draw the confusion table, or predicted over true values: .svg, .png or .pdf.
    #[arg(long, value_name = "FILE")]
    pub picture: Option<PathBuf>,
    /// Number type: `f32` or `f64`.
    #[arg(long, default_value = "f32")]
    pub dtype: String,
    /// Print the result as JSON on stdout.
    #[arg(long)]
    pub json: bool,
    /// Use only the first N training samples.
    #[arg(long, value_name = "N", help_heading = "Data")]
    pub train_samples: Option<usize>,
    /// Use only the first N test samples.
    #[arg(long, value_name = "N", help_heading = "Data")]
    pub test_samples: Option<usize>,
    #[command(flatten)]
    pub origin: Origin,
    #[command(flatten)]
    pub shift: Shift,
}
