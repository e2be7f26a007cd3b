//! One experiment: everything that decides a run, as one struct for flags and files.

mod budget;
mod choices;
mod config;
mod energy;
mod identity;
pub mod limits;
pub(crate) mod normalise;
pub mod plan;
mod samples;
mod start;
mod targets;

pub use budget::Budget;
pub use choices::Choices;
pub use config::{
    OptionName, Options, from_flags_and_file, from_toml, merge, merge_own, option_names, options_of, table, to_toml,
};
pub use energy::{EnergyChoice, EnergyOptions, precision_file};
pub use identity::{Contents, Difference, RunIdentity, changeable, is_a_file, listed, may_change};
pub use plan::Plan;
pub(crate) use samples::file_options;
pub use samples::{DatasetCache, Loaded, load_data};
pub use start::{fit_to_init, shape};
pub use targets::{TargetOptions, backward_weights};

use crate::options::options;
use std::path::PathBuf;

options! {
/// Every option of a run. Flags (`--learning-rate`) and keys of a TOML file (`learning-rate`)
/// are the same names; flags win.
pub struct Experiment {
    /// Data set: a name (`pcalm list datasets`), a file (.npz, .safetensors, .csv, .parquet), a folder
    /// of .npy files, or `idx` with the four path options.
    #[arg(long, help_heading = "Data")]
    pub dataset: String = "glyphs".into(),
    /// Folder with the data set's files (also: the environment variable PCALM_DATA_DIR).
    #[arg(long, value_name = "DIR", help_heading = "Data")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
    /// IDX file of training images, plain or gzip (with `--dataset idx`).
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_images: Option<PathBuf>,
    /// IDX file of training labels.
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_labels: Option<PathBuf>,
    /// IDX file of test images.
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_images: Option<PathBuf>,
    /// IDX file of test labels.
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_labels: Option<PathBuf>,
    /// Target columns of a .csv or .parquet file [default: `y`, or `y1`, `y2`, …, or the last column].
    #[arg(long, value_delimiter = ',', value_name = "NAME,…", help_heading = "Data")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Vec<String>>,
    /// What the targets of a file are: `classification`, `regression`, or `auto` (whole numbers and names are
    /// classes).
    #[arg(long, help_heading = "Data")]
    pub task: String = "auto".into(),
    /// Share of a file's samples to test with, if it has no test set of its own.
    #[arg(long, value_name = "F", allow_hyphen_values = true, help_heading = "Data")]
    pub test_fraction: f64 = 0.2,
    /// Seed of the draw of these samples.
    #[arg(long, value_name = "SEED", help_heading = "Data")]
    pub split_seed: u64 = 0,
    /// Use only the first N training samples.
    #[arg(long, value_name = "N", help_heading = "Data")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_samples: Option<usize>,
    /// Use only the first N test samples.
    #[arg(long, value_name = "N", help_heading = "Data")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_samples: Option<usize>,
    /// Shift and scale inputs: `none`, `standardise` (to mean 0 and standard deviation 1 over the training set), or
    /// the mean and the standard deviation to use, MEAN,STD.
    #[arg(long, allow_hyphen_values = true, help_heading = "Data")]
    pub normalise: String = "none".into(),
    /// Over what: `set` (all numbers together), or `feature` (each for itself; MEAN,STD are then all means, followed by
    /// all standard deviations).
    #[arg(long, help_heading = "Data")]
    pub normalise_by: String = "set".into(),
    /// Short for `--normalise standardise`.
    #[arg(long, help_heading = "Data")]
    pub standardise: bool,

    /// Width N of every hidden layer.
    #[arg(long, value_name = "N", help_heading = "Network")]
    pub width: usize = 32,
    /// Depth L: the number of weight matrices, so that L − 1 layers are hidden.
    #[arg(long, value_name = "L", help_heading = "Network")]
    pub depth: usize = 32,
    /// Hidden widths one by one, e.g. 64,64,32; replaces --width and --depth.
    #[arg(long, value_delimiter = ',', value_name = "N,N,…", help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub widths: Option<Vec<usize>>,
    /// `residual` (skips between hidden layers of equal width), `chain`, or, with --init, `file`: the edges of a
    /// network whose edges join more than neighbours.
    #[arg(long, help_heading = "Network")]
    pub topology: String = "residual".into(),
    /// Activation φ: `pcalm list activations`.
    #[arg(long, help_heading = "Network")]
    pub activation: String = "relu".into(),
    /// Activation before (`pre`) or after (`post`) the product.
    #[arg(long, help_heading = "Network")]
    pub placement: String = "pre".into(),
    /// Give every layer a bias, drawn as 0.
    #[arg(long, help_heading = "Network")]
    pub bias: bool,
    /// `squared-error` or `cross-entropy`.
    #[arg(long, help_heading = "Network")]
    pub loss: String = "squared-error".into(),
    /// Scales and learning-rate rule: `pcalm list parametrizations`.
    #[arg(long, help_heading = "Network")]
    pub parametrization: String = "mean-field".into(),
    /// Position s in [0, 1] of `--parametrization path`.
    #[arg(long, value_name = "S", help_heading = "Network")]
    pub path_position: f64 = 1.0,
    /// Richness γ0 of mean-field: small is lazy, large is rich.
    #[arg(long, value_name = "G", help_heading = "Network")]
    pub gamma0: f64 = 1.0,
    /// Start from this network file instead of drawing weights.
    #[arg(long, visible_alias = "network", value_name = "FILE", help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<PathBuf>,

    /// Learning rule: `pcalm list rules`.
    #[arg(long, help_heading = "Rule")]
    pub rule: String = "pc-alm".into(),
    /// Inference budget T in cycles: a number, or a multiple of the depth such as 2L.
    #[arg(long, value_name = "T", allow_hyphen_values = true, help_heading = "Rule")]
    pub budget: String = "2L".into(),
    /// Activity step size η: a number, `auto` for 1/λ_max of the activity Hessian at the start (or ¾ of the
    /// largest stable η, if α makes that smaller), or `auto-track` to follow λ_max as the weights change.
    #[arg(long, value_name = "ETA", allow_hyphen_values = true, help_heading = "Rule")]
    pub eta: String = "auto".into(),
    /// Dual step size α of PC-ALM.
    #[arg(long, allow_hyphen_values = true, help_heading = "Rule")]
    pub alpha: f64 = 1.0,
    /// Penalty ρ: one number, or one per hidden layer separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "R,…", allow_hyphen_values = true, help_heading = "Rule")]
    pub rho: Vec<f64> => [1.0],
    /// Precision Π of residuals and output error: one number, L of them separated by commas, the output's last, or a
    /// .safetensors file with precision.1 … precision.L, each a number, n of them or n × n [default: 1]
    #[arg(long, value_name = "P,…|FILE", allow_hyphen_values = true, help_heading = "Rule")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<String>,
    /// Precisions by one number: `output=π` (Π_L = π), `hidden=p` (Π_l = p below the output) or `geometric=s`
    /// (Π_l = s^(L − l)).
    #[arg(long, value_name = "NAME=X", help_heading = "Rule")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision_profile: Option<String>,
    /// λ in (0, 1) of the energy λℓ + (1 − λ)½Σ‖c‖², in the place of ρ and precisions.
    #[arg(long, value_name = "LAMBDA", allow_hyphen_values = true, help_heading = "Rule")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss_share: Option<f64>,
    /// Shape h of the residuals' energy: `pcalm list energies`.
    #[arg(long, value_name = "NAME", help_heading = "Rule")]
    pub energy: String = "half-square".into(),
    /// Scale δ of `huber` and `pseudo-huber` [default: 1]
    #[arg(long, value_name = "DELTA", allow_hyphen_values = true, help_heading = "Rule")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub energy_scale: Option<f64>,
    /// Divide activity steps by the precisions: the same equilibrium, and hidden precisions make it no stiffer.
    #[arg(long, help_heading = "Rule")]
    pub precondition: bool,
    /// Let first-step take steps other than ηρ = 1, whose credit is (ηρ)^(L − l) times BP's.
    #[arg(long, help_heading = "Rule")]
    pub any_step: bool,
    /// Clip what φ⁻¹ is asked for by target propagation to φ's range less δ, not refuse it.
    #[arg(long, value_name = "DELTA", allow_hyphen_values = true, help_heading = "Rule")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<f64>,
    /// Of all states that a layer takes to its target, let target-propagation take the nearest to the forward pass, not
    /// the smallest.
    #[arg(long, help_heading = "Rule")]
    pub nearest: bool,
    /// What difference-target-propagation starts from: the output's `target`, or the loss's `gradient`.
    #[arg(long, help_heading = "Rule")]
    pub top: String = "target".into(),
    /// How far β the first target of target propagation is from the forward pass [default: 1; from a gradient 0.1]
    #[arg(long, value_name = "BETA", allow_hyphen_values = true, help_heading = "Rule")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta: Option<f64>,
    /// How difference-target-propagation takes a target down: `linear` (Bv), `phi` (φ(Bv)) or `inverse` (the link's, with
    /// B for V⁺).
    #[arg(long, help_heading = "Rule")]
    pub decoder: String = "linear".into(),
    /// Whether it corrects for what its decoder makes of the forward pass.
    #[arg(long, action = clap::ArgAction::Set, value_name = "BOOL", help_heading = "Rule")]
    pub difference: bool = true,
    /// Activity steps K per cycle of PC-ALM.
    #[arg(long, value_name = "K", help_heading = "Rule")]
    pub inner_steps: usize = 1,
    /// Momentum β of pc-nesterov's activity steps: a number, or `auto` for (√κ − 1)/(√κ + 1), κ being the
    /// condition of the activity Hessian at the start.
    #[arg(long, value_name = "BETA", allow_hyphen_values = true, help_heading = "Rule")]
    pub nesterov: String = "auto".into(),
    /// Read PC-ALM's credit with the duals before (`pre-dual`) or after (`post-dual`) the last dual step.
    #[arg(long, help_heading = "Rule")]
    pub credit: String = "pre-dual".into(),
    /// Stop inference once no activity gradient (and, with duals, no residual) is larger than this.
    #[arg(long, value_name = "TOL", allow_hyphen_values = true, help_heading = "Rule")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<f64>,
    /// Activity gradient to which the method of multipliers solves each cycle.
    #[arg(long, value_name = "TOL", allow_hyphen_values = true, help_heading = "Rule")]
    pub inner_tolerance: f64 = 1e-6,

    /// Optimizer: `pcalm list optimizers`.
    #[arg(long, help_heading = "Training")]
    pub optimizer: String = "adam".into(),
    /// Base learning rate η0, which the parametrization scales.
    #[arg(long, value_name = "RATE", allow_hyphen_values = true, help_heading = "Training")]
    pub learning_rate: f64 = 1e-3,
    /// Momentum μ of `momentum` and `nesterov`.
    #[arg(long, help_heading = "Training")]
    pub momentum: f64 = 0.9,
    /// Adam's decay of the first moment.
    #[arg(long, help_heading = "Training")]
    pub beta1: f64 = 0.9,
    /// Adam's decay of the second moment.
    #[arg(long, help_heading = "Training")]
    pub beta2: f64 = 0.999,
    /// Adam's ε.
    #[arg(long, help_heading = "Training")]
    pub epsilon: f64 = 1e-8,
    /// Weight decay: decoupled with `adamw`, added to the gradient otherwise.
    #[arg(long, help_heading = "Training")]
    pub weight_decay: f64 = 0.0,
    /// Learning-rate schedule: `constant` or `cosine`.
    #[arg(long, help_heading = "Training")]
    pub schedule: String = "constant".into(),
    /// Steps over which the learning rate rises linearly at the start.
    #[arg(long, value_name = "STEPS", help_heading = "Training")]
    pub warmup: u64 = 0,
    /// Samples per step.
    #[arg(long, value_name = "B", help_heading = "Training")]
    pub batch: usize = 64,
    /// What to do with an epoch's last, smaller batch: `keep` or `drop`.
    #[arg(long, help_heading = "Training")]
    pub last_batch: String = "keep".into(),
    /// Passes over the training set.
    #[arg(long, help_heading = "Training")]
    pub epochs: u64 = 1,
    /// Seed of weights and batch order.
    #[arg(long, help_heading = "Training")]
    pub seed: u64 = 0,
    /// Number type: `f32` or `f64`.
    #[arg(long, help_heading = "Training")]
    pub dtype: String = "f32".into(),
    /// Write a row of metrics every N steps.
    #[arg(long, value_name = "N", help_heading = "Records")]
    pub metrics_every: u64 = 50,
    /// Write a checkpoint every N steps (and at the end of each epoch).
    #[arg(long, value_name = "N", help_heading = "Records")]
    pub checkpoint_every: u64 = 500,
    /// Measure λ_max and κ of the activity Hessian every N steps, write them to stability.csv, and warn
    /// when inference is no longer stable (0: never; 50 with `--eta auto-track`).
    #[arg(long, value_name = "N", help_heading = "Records")]
    pub watch_stability: u64 = 0,
    /// Training samples on which alignment to BP is measured each epoch.
    #[arg(long, value_name = "N", help_heading = "Records")]
    pub probe_samples: usize = 256,
}
}

impl Experiment {
    /// The options its energy follows from.
    pub fn energy_options(&self) -> EnergyOptions<'_> {
        EnergyOptions {
            rho: &self.rho,
            precision: self.precision.as_deref(),
            precision_profile: self.precision_profile.as_deref(),
            loss_share: self.loss_share,
            energy: &self.energy,
            energy_scale: self.energy_scale,
        }
    }

    /// The options of target propagation.
    pub fn target_options(&self) -> TargetOptions<'_> {
        TargetOptions {
            clip: self.clip,
            nearest: self.nearest,
            top: &self.top,
            beta: self.beta,
            decoder: &self.decoder,
            difference: self.difference,
        }
    }

    /// The file its precisions are in, if they are in one.
    pub fn precision_file(&self) -> Option<&std::path::Path> {
        self.precision.as_deref().and_then(precision_file)
    }

    /// Samples evaluated together: no more than a run needs states for anyway.
    pub fn samples_at_once(&self) -> usize {
        self.batch.max(self.probe_samples)
    }
}
