//! A data set, chosen as a run chooses it.

use clap::Args;
use pcalm_lab::experiment::Experiment;
use std::path::{Path, PathBuf};

/// A data set as the argument of a verb.
#[derive(Args)]
pub struct Source {
    /// Name (`pcalm list datasets`), file (.npz, .safetensors, .csv, .parquet), folder of .npy files, or `idx`.
    pub dataset: String,
    #[command(flatten)]
    pub origin: Origin,
}

/// Where a data set is, and how its files are read.
#[derive(Args, Default, PartialEq)]
#[command(next_help_heading = "Data")]
pub struct Origin {
    /// Folder with the data set's files (also: the environment variable PCALM_DATA_DIR).
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// IDX file of training images (with `idx`).
    #[arg(long, value_name = "FILE")]
    pub train_images: Option<PathBuf>,
    /// IDX file of training labels.
    #[arg(long, value_name = "FILE")]
    pub train_labels: Option<PathBuf>,
    /// IDX file of test images.
    #[arg(long, value_name = "FILE")]
    pub test_images: Option<PathBuf>,
    /// IDX file of test labels.
    #[arg(long, value_name = "FILE")]
    pub test_labels: Option<PathBuf>,
    /// Target columns of a .csv or .parquet file [default: `y`, or `y1`, `y2`, …, or the last column].
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    pub target: Option<Vec<String>>,
    /// What the targets of a file are: `classification`, `regression`, or `auto`.
    #[arg(long, value_name = "TASK")]
    pub task: Option<String>,
    /// Share of a file's samples to test with, if it has no test set of its own.
    #[arg(long, value_name = "F", allow_hyphen_values = true)]
    pub test_fraction: Option<f64>,
    /// Seed of the draw of these samples.
    #[arg(long, value_name = "SEED")]
    pub split_seed: Option<u64>,
}

/// How inputs are shifted and scaled where a network file does not say it.
#[derive(Args, Default, PartialEq)]
#[command(next_help_heading = "Data")]
pub struct Shift {
    /// For network files that do not say how their inputs were shifted and scaled: `standardise` or MEAN,STD, as in
    /// training.
    #[arg(long, value_name = "HOW", allow_hyphen_values = true)]
    pub normalise: Option<String>,
    /// Over what: `set` or `feature`.
    #[arg(long, value_name = "WHAT")]
    pub normalise_by: Option<String>,
    /// Short for `--normalise standardise`.
    #[arg(long)]
    pub standardise: bool,
}

impl Origin {
    /// The experiment on this data set, everything else being as it is by default.
    pub fn experiment(&self, dataset: &str) -> Experiment {
        let default = Experiment::default();
        Experiment {
            dataset: dataset.to_owned(),
            data_dir: self.data_dir.clone(),
            train_images: self.train_images.clone(),
            train_labels: self.train_labels.clone(),
            test_images: self.test_images.clone(),
            test_labels: self.test_labels.clone(),
            target: self.target.clone(),
            task: self.task.clone().unwrap_or_else(|| default.task.clone()),
            test_fraction: self.test_fraction.unwrap_or(default.test_fraction),
            split_seed: self.split_seed.unwrap_or(default.split_seed),
            ..default
        }
    }

    /// The files that a data set is read from.
    pub fn files<'a>(&'a self, dataset: &'a str) -> impl Iterator<Item = &'a Path> {
        let idx = [&self.train_images, &self.train_labels, &self.test_images, &self.test_labels];
        idx.into_iter().flatten().map(PathBuf::as_path).chain([Path::new(dataset)])
    }
}

impl Shift {
    /// The experiment with its inputs shifted and scaled so.
    pub fn on(&self, e: Experiment) -> Experiment {
        Experiment {
            normalise: self.normalise.clone().unwrap_or(e.normalise),
            normalise_by: self.normalise_by.clone().unwrap_or(e.normalise_by),
            standardise: self.standardise,
            ..e
        }
    }
}
