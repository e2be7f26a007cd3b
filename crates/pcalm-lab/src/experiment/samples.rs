//! The samples an experiment is about.

use super::{Contents, Experiment, normalise::normalise};
use crate::{
    choice::choose,
    dataset::{self, DATASETS, DataError, Dataset, FileOptions, Format, IdxPaths, TaskChoice, TestPart},
    error::LabError,
};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
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
pub struct DatasetCache {
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
    /// If its `--init` or `--precision` file cannot be read.
    pub fn contents(&self, e: &Experiment) -> Result<Contents, LabError> {
        Contents::new(&self.fingerprint, e)
    }
}

impl DatasetCache {
    /// The experiment's data set.
    ///
    /// # Errors
    /// As [`load_data`].
    pub fn of(&self, e: &Experiment) -> Result<Loaded, LabError> {
        let idx = (&e.train_images, &e.train_labels, &e.test_images, &e.test_labels);
        let file = (&e.target, &e.task, e.test_fraction, e.split_seed);
        let changes = (e.train_samples, e.test_samples, &e.normalise, &e.normalise_by, e.standardise);
        let choice = format!("{:?}", (&e.dataset, &e.data_dir, idx, file, changes));
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

/// The experiment's data set, cut and normalised as it says.
///
/// # Errors
/// If there is no such set, its files cannot be read, it is smaller than asked for, or an option
/// would have no effect on it.
pub fn load_data(e: &Experiment) -> Result<Dataset, LabError> {
    let known = DATASETS.iter().find(|d| d.name == e.dataset);
    let file = known.is_none() && e.dataset != IDX && is_file(&e.dataset);
    if e.dataset != IDX {
        refuse_idx_options(e)?;
    }
    let options = file_options(e)?;
    if !file && options != FileOptions::default() {
        return Err(refuse_file_options(&options));
    }
    let data = if e.dataset == IDX {
        load_idx(e)?
    } else if let Some(info) = known {
        dataset::load(info.name, e.data_dir.as_deref())?
    } else if file {
        dataset::load_file(Path::new(&e.dataset), &options)?
    } else {
        return Err(unknown(&e.dataset));
    };
    let mut data = data.subset(e.train_samples, e.test_samples)?;
    normalise(e, &mut data)?;
    Ok(data)
}

/// The name that stands for four IDX files.
const IDX: &str = "idx";

/// Whether this is no name but a path: it has an ending or a folder in it, or is a folder.
fn is_file(text: &str) -> bool {
    let path = Path::new(text);
    Format::of(path).is_some() || path.extension().is_some() || path.components().count() > 1
}

fn unknown(given: &str) -> LabError {
    let names = DATASETS.iter().map(|d| d.name).chain([IDX]);
    let error = choose("dataset", given, names, |_| None::<()>).err();
    match error {
        Some(LabError::Option { name, problem }) => {
            let files = format!("{} files and folders of .npy files are read by their path", Format::ENDINGS);
            LabError::Option { name, problem: format!("{problem} ({files})") }
        }
        _ => LabError::option("dataset", given),
    }
}

fn idx_options(e: &Experiment) -> [(&'static str, &Option<PathBuf>); 4] {
    [
        ("train-images", &e.train_images),
        ("train-labels", &e.train_labels),
        ("test-images", &e.test_images),
        ("test-labels", &e.test_labels),
    ]
}

fn load_idx(e: &Experiment) -> Result<Dataset, LabError> {
    let files = "--train-images, --train-labels, --test-images and --test-labels";
    let needed = |(option, given): (&str, &Option<PathBuf>)| {
        given.clone().ok_or_else(|| LabError::option(option, format!("`--dataset idx` needs the four files {files}")))
    };
    let [train_images, train_labels, test_images, test_labels] = idx_options(e).map(needed);
    Ok(dataset::load_idx(&IdxPaths {
        train_images: train_images?,
        train_labels: train_labels?,
        test_images: test_images?,
        test_labels: test_labels?,
    })?)
}

fn refuse_idx_options(e: &Experiment) -> Result<(), LabError> {
    match idx_options(e).iter().find(|(_, given)| given.is_some()) {
        Some((option, _)) => {
            Err(LabError::option(option, format!("belongs to `--dataset idx`; the data set is `{}`", e.dataset)))
        }
        None => Ok(()),
    }
}

/// How the experiment's file is to be read.
pub(crate) fn file_options(e: &Experiment) -> Result<FileOptions, LabError> {
    let task = choose("task", &e.task, TaskChoice::ALL.iter().map(|t| t.name()), |name| {
        TaskChoice::ALL.into_iter().find(|t| t.name() == name)
    })?;
    if !(e.test_fraction > 0.0 && e.test_fraction < 1.0) {
        return Err(LabError::option("test-fraction", format!("{} is not between 0 and 1", e.test_fraction)));
    }
    Ok(FileOptions { target: e.target.clone(), task, test: TestPart { fraction: e.test_fraction, seed: e.split_seed } })
}

/// For a set that has targets and a test part of its own.
fn refuse_file_options(options: &FileOptions) -> LabError {
    let default = FileOptions::default();
    let (name, _) = [
        ("target", options.target != default.target),
        ("task", options.task != default.task),
        ("test-fraction", options.test.fraction != default.test.fraction),
        ("split-seed", options.test.seed != default.test.seed),
    ]
    .into_iter()
    .find(|(_, differs)| *differs)
    .unwrap_or(("dataset", true));
    let problem = "is for data in a file of your own; named sets and `idx` have targets and a test set already";
    DataError::Option { name, problem: problem.into() }.into()
}
