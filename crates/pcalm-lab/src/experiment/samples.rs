//! The samples an experiment is about.

use super::{Contents, Experiment};
use crate::{
    choice::choose,
    dataset::{self, By, Dataset, IdxPaths, Normalisation},
    error::LabError,
};
use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

/// Samples and what they are known by.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The samples.
    pub data: Arc<Dataset>,
    /// Their [`fingerprint`](Dataset::fingerprint).
    pub fingerprint: Arc<str>,
}

/// Data sets by the options that choose them, each loaded once.
#[derive(Debug, Default)]
pub struct Samples {
    loaded: Mutex<HashMap<String, Loaded>>,
}

impl Loaded {
    /// An experiment's samples.
    ///
    /// # Errors
    /// As [`load_data`].
    pub fn new(e: &Experiment) -> Result<Self, LabError> {
        let data = load_data(e)?;
        let fingerprint = data.fingerprint().into();
        Ok(Loaded { data: Arc::new(data), fingerprint })
    }

    /// What the experiment's files hold.
    ///
    /// # Errors
    /// If its `--init` file cannot be read.
    pub fn contents(&self, e: &Experiment) -> Result<Contents, LabError> {
        Contents::new(&self.fingerprint, e)
    }
}

impl Samples {
    /// The experiment's data set.
    ///
    /// # Errors
    /// As [`load_data`].
    pub fn of(&self, e: &Experiment) -> Result<Loaded, LabError> {
        let files = (&e.train_images, &e.train_labels, &e.test_images, &e.test_labels);
        let choice = format!("{:?}", (&e.dataset, &e.data_dir, files, e.train_samples, e.test_samples, e.standardise));
        // Held while loading: who asks for the same set at once would load it twice.
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(data) = loaded.get(&choice) {
            return Ok(data.clone());
        }
        let data = Loaded::new(e)?;
        loaded.insert(choice, data.clone());
        Ok(data)
    }
}

/// The experiment's data set, cut and scaled as it says.
///
/// # Errors
/// If there is no such set, its files cannot be read, or it is smaller than asked for.
pub fn load_data(e: &Experiment) -> Result<Dataset, LabError> {
    let data = if e.dataset == "idx" {
        let path = |option: &str, given: &Option<PathBuf>| {
            let files = "--train-images, --train-labels, --test-images and --test-labels";
            given
                .clone()
                .ok_or_else(|| LabError::option(option, format!("`--dataset idx` needs the four files {files}")))
        };
        dataset::load_idx(&IdxPaths {
            train_images: path("train-images", &e.train_images)?,
            train_labels: path("train-labels", &e.train_labels)?,
            test_images: path("test-images", &e.test_images)?,
            test_labels: path("test-labels", &e.test_labels)?,
        })?
    } else {
        let known = dataset::DATASETS.iter().map(|d| d.name).chain(["idx"]);
        let name = choose("dataset", &e.dataset, known, |given| {
            dataset::DATASETS.iter().find(|d| d.name == given).map(|d| d.name)
        })?;
        dataset::load(name, e.data_dir.as_deref())?
    };
    let mut data = data.subset(e.train_samples, e.test_samples)?;
    if e.standardise {
        data.normalise(Normalisation::standard(&data.train, By::Set))?;
    }
    Ok(data)
}
