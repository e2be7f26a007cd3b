//! What a figure works with: data, runs, and the say of how much.

use super::{Scale, runs::Runs};
use crate::{
    LabError,
    dataset::{self, DATASETS},
    experiment::{DatasetCache, Experiment, table},
    interrupt::Interrupt,
    sweep::{CellProgress, GridCell, Store, SweepNews, SweepOptions, grid, look, sweep},
    theory::Case,
};
use pcalm::Catalogue;
use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// Choices of a user that hold for all figures.
#[derive(Clone, Debug, Default)]
pub struct Setting {
    /// How much to run.
    pub scale: Scale,
    /// Data set; none for MNIST where it is found, and the embedded one otherwise.
    pub dataset: Option<String>,
    /// Folder with the data set's files.
    pub data_dir: Option<PathBuf>,
    /// How to run sweeps.
    pub options: SweepOptions,
}

/// A figure's surroundings.
pub struct Lab<'a> {
    setting: Setting,
    datasets: Vec<String>,
    store: Store,
    samples: DatasetCache,
    catalogue: Catalogue,
    interrupt: &'a Interrupt,
    news: &'a (dyn Fn(SweepNews) + Sync),
    /// Grids asked for, to be written beside the figure.
    grids: Mutex<Vec<String>>,
}

impl<'a> Lab<'a> {
    /// A lab that keeps its runs in `folder`. `news` is told of every run.
    ///
    /// # Errors
    /// If the folder cannot be written to, or the data set does not exist.
    pub fn new(
        setting: Setting,
        folder: &Path,
        interrupt: &'a Interrupt,
        news: &'a (dyn Fn(SweepNews) + Sync),
    ) -> Result<Self, LabError> {
        if let Some(dir) = setting.data_dir.as_ref().filter(|dir| !dir.is_dir()) {
            return Err(LabError::option("data-dir", format!("{} is no folder", dir.display())));
        }
        let found = |name: &str| dataset::path(name, setting.data_dir.as_deref()).is_ok();
        let datasets = match (&setting.dataset, setting.scale) {
            (Some(name), _) => {
                let known = DATASETS.iter().map(|d| d.name);
                crate::choice::choose("dataset", name, known, |n| dataset::info(n).ok())?;
                vec![name.clone()]
            }
            (None, Scale::Smoke) => vec!["glyphs".to_owned()],
            (None, Scale::Default) => vec![if found("mnist") { "mnist" } else { "glyphs" }.to_owned()],
            (None, Scale::Paper) => vec!["mnist".to_owned(), "fashion-mnist".to_owned()],
        };
        // A folder that was named is not passed over in silence.
        if let (Some(dir), Some(name)) = (&setting.data_dir, datasets.iter().find(|name| !found(name))) {
            let problem = format!("{} would not be used: figures are made on `{name}`", dir.display());
            return Err(LabError::option("data-dir", format!("{problem}; --dataset chooses another set")));
        }
        let store = Store::create(folder)?;
        Ok(Lab {
            setting,
            datasets,
            store,
            samples: DatasetCache::default(),
            catalogue: Catalogue::default(),
            interrupt,
            news,
            grids: Mutex::default(),
        })
    }

    /// How much to run.
    pub fn scale(&self) -> Scale {
        self.setting.scale
    }

    /// The data sets, the main one first.
    pub fn datasets(&self) -> &[String] {
        &self.datasets
    }

    /// What a figure about published numbers of one set is made on: that set, unless the user chose another, or it is
    /// to take seconds.
    pub fn meant_for<'b>(&'b self, name: &'b str) -> &'b str {
        match (&self.setting.dataset, self.setting.scale) {
            (Some(chosen), _) => chosen,
            (None, Scale::Smoke) => &self.datasets[0],
            (None, _) => name,
        }
    }

    /// Why a named set cannot stand for the published one, if it cannot: its files are not here, or hold something else.
    pub fn is_not_as_published(&self, name: &str) -> Option<String> {
        match dataset::verify(name, self.setting.data_dir.as_deref()) {
            Err(error) => Some(error.to_string()),
            Ok(files) => files.into_iter().find(|(_, good)| !good).map(|(path, _)| {
                format!("{} is not the published file of {name}; --data-dir DIR says where that is", path.display())
            }),
        }
    }

    /// Where results are kept.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Runs a grid, as `pcalm sweep` would. In front of the text comes a `[base]`: what all training at this
    /// scale has in common, overruled by `options`.
    ///
    /// # Errors
    /// If a run fails or the sweep is interrupted.
    pub fn runs(&self, options: &str, rest: &str) -> Result<Runs, LabError> {
        let path = "figure".as_ref();
        let mut base = table(&self.base(), path)?;
        base.extend(table(options, path)?);
        let text = format!("[base]\n{base}\n{rest}");
        let cells = grid(&text, path, &self.samples, &self.catalogue, self.setting.data_dir.as_deref())?;
        let mut grids = self.grids.lock().unwrap_or_else(PoisonError::into_inner);
        if !grids.contains(&text) {
            grids.push(text);
        }
        drop(grids);
        let tally = sweep(
            &self.store,
            &cells,
            self.setting.options,
            (&self.samples, &self.catalogue),
            self.interrupt,
            self.news,
        )?;
        if tally.failed > 0 {
            self.report_failure(&cells)?;
        }
        if tally.left > 0 {
            return Err(LabError::Interrupted);
        }
        Ok(Runs::new(look(&self.store, &cells)?))
    }

    fn report_failure(&self, cells: &[GridCell]) -> Result<(), LabError> {
        for cell in cells {
            if let CellProgress::Failed(failure) = self.store.progress(&cell.key)? {
                let place = self.store.path().join("failed").join(cell.key.as_str());
                let cure = "remove that folder to try again";
                return Err(LabError::run(&place, format!("{}: {}; {cure}", cell.label, failure.reason)));
            }
        }
        Ok(())
    }

    /// What all trainings of a scale have in common: the paper's setting, or one that fits the embedded data.
    fn base(&self) -> String {
        let paper = "epochs = 1\nlearning-rate = 0.001\neta = 0.25\n";
        // A quarter of MNIST in steps: more epochs, at the rate at which BP has settled by then.
        let embedded = "epochs = 5\nlearning-rate = 0.002\neta = 0.25\n";
        let alone = self.datasets.len() == 1;
        let training = if alone && self.datasets[0] == "glyphs" { embedded } else { paper };
        let dataset = if alone { format!("dataset = \"{}\"\n", self.datasets[0]) } else { String::new() };
        // Runs of the smaller scales are over in a minute or two; those of the paper's take up to ten.
        let checkpoints = self.scale().pick(5000, 5000, 200);
        format!("{dataset}{training}metrics-every = 1000\ncheckpoint-every = {checkpoints}\n")
    }

    /// The `dataset` axis, if there is more than one set.
    pub fn dataset_axis(&self) -> String {
        if self.datasets.len() == 1 { String::new() } else { format!("dataset = {:?}\n", self.datasets) }
    }

    /// The first `samples` training samples of the main data set under the network of `experiment`.
    ///
    /// # Errors
    /// If the experiment or the data cannot be used.
    pub fn case(&self, experiment: &Experiment, samples: usize) -> Result<Case, LabError> {
        let (dataset, data_dir) = (self.datasets[0].clone(), self.setting.data_dir.clone());
        let experiment = Experiment { dataset, data_dir, ..experiment.clone() };
        Case::new(&experiment, &self.catalogue, &self.samples.of(&experiment)?.data, 0, samples)
    }

    /// The grids asked for since the last call.
    pub(super) fn take_grids(&self) -> Vec<String> {
        std::mem::take(&mut *self.grids.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
