//! A trained network with what its predictions need beside the weights.
//!
//! A run's network file has, beside what [`pcalm::network::file`] describes, the tensors `input.mean` and
//! `input.scale`, one number or one for each input, where the inputs were shifted and scaled, and the metadata
//! `task` (`classification` or `regression`) and, where classes have names, `classes`, a JSON list. All of them may
//! be missing.

use crate::{
    dataset::{Dataset, Normalisation, Task},
    error::LabError,
    experiment::{Experiment, is_a_file, load_data, normalise},
};
use pcalm::Names;
use pcalm::{
    loss::Loss,
    network::{
        Network,
        file::{self, NetworkFile},
    },
    real::Real,
    tensor_file::TensorFile,
};
use std::path::{Path, PathBuf};

const MEAN: &str = "input.mean";
const SCALE: &str = "input.scale";
const TASK: &str = "task";
const CLASSES: &str = "classes";

/// A network with what is known of its inputs and outputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Model<R> {
    /// The network.
    pub network: Network<R>,
    /// Its loss.
    pub loss: Loss,
    /// How its inputs are shifted and scaled, if that is known.
    pub normalisation: Option<Normalisation>,
    /// What its classes are called, if they have names.
    pub classes: Option<Vec<String>>,
    /// What it has learnt, if that is known.
    pub task: Option<Task>,
    /// The file it is from.
    pub path: PathBuf,
}

/// A network's tensors, borrowed, with what predictions need of the data set it was trained on.
pub fn tensors<'a, R: Real>(network: &'a Network<R>, loss: Loss, data: &Dataset) -> TensorFile<'a, R> {
    let mut file = file::tensors(network, loss);
    if let Some(Normalisation { mean, scale }) = &data.normalisation {
        for (name, values) in [(MEAN, mean), (SCALE, scale)] {
            let values: Vec<R> = values.iter().map(|&v| R::of(f64::from(v))).collect();
            file.insert(name, &[values.len()], values);
        }
    }
    file.metadata.insert(TASK.into(), data.task().name().into());
    if let Some(names) = &data.class_names {
        file.metadata.insert(CLASSES.into(), serde_json::json!(names).to_string());
    }
    file
}

impl<R: Real> Model<R> {
    /// Reads a network file.
    ///
    /// # Errors
    /// If it cannot be read or an entry is malformed; the message names the file.
    pub fn load(path: &Path, names: &Names) -> Result<Self, LabError> {
        let file = TensorFile::<R>::load(path)?;
        let NetworkFile { network, loss } =
            NetworkFile::known_by(names, &file).map_err(|e| LabError::run(path, e.to_string()))?;
        let wrong = |problem: String| LabError::run(path, problem);
        let normalisation = normalisation(&file, network.inputs()).map_err(wrong)?;
        let task = match file.metadata.get(TASK).map(String::as_str) {
            None => None,
            Some("regression") => Some(Task::Regression),
            Some("classification") => Some(Task::Classification { classes: network.outputs() }),
            Some(other) => {
                return Err(wrong(format!("metadata `{TASK}` is `{other}`; it is `classification` or `regression`")));
            }
        };
        let classes = match file.metadata.get(CLASSES) {
            None => None,
            Some(text) => {
                let names: Vec<String> = serde_json::from_str(text)
                    .map_err(|e| wrong(format!("metadata `{CLASSES}` is no JSON list of names ({e})")))?;
                if names.len() != network.outputs() {
                    let problem = format!("{} names for {} outputs", names.len(), network.outputs());
                    return Err(wrong(format!("metadata `{CLASSES}` has {problem}")));
                }
                Some(names)
            }
        };
        Ok(Model { network, loss, normalisation, classes, task, path: path.to_owned() })
    }

    /// How raw inputs are to be shifted and scaled: as in training, which `e` may say only where the file does not;
    /// `standard` measures moments that `e` wants measured.
    ///
    /// # Errors
    /// If both say it.
    pub fn normalisation(
        &self,
        e: &Experiment,
        standard: impl FnOnce() -> Result<Option<Normalisation>, LabError>,
    ) -> Result<Option<Normalisation>, LabError> {
        let known = self.normalisation.clone();
        if known.is_some() && normalise::is_asked_for(e) {
            let problem =
                "contradicts the network file, which says how its inputs are shifted and scaled; leave it out";
            return Err(LabError::option(if e.standardise { "standardise" } else { "normalise" }, problem));
        }
        let asked = normalise::wanted(e, self.network.inputs(), |_| standard())?;
        Ok(known.or(asked))
    }

    /// The data set `e` names, as this network takes it: read as the task it has learnt, with its inputs shifted and
    /// scaled as they were in training and its classes counted as they were there.
    ///
    /// # Errors
    /// If the set cannot be read or does not fit the network; the message has both shapes.
    pub fn data(&self, e: &Experiment) -> Result<Dataset, LabError> {
        let mut e = e.clone();
        if let Some(task) = self.task.filter(|_| e.task == "auto" && is_a_file(&e.dataset)) {
            e.task = task.name().to_owned();
        }
        // Refuses what contradicts the file; what it does not say is done in loading.
        self.normalisation(&e, || Ok(None))?;
        let mut data = load_data(&e)?;
        if let Some(normalisation) = &self.normalisation {
            data.normalise(normalisation.clone())
                .map_err(|_| LabError::run(&self.path, misfit(&self.network, &data)))?;
        }
        let data = data.with_classes(self.network.outputs(), self.classes.as_deref())?;
        match self.task {
            Some(task) if task.name() != data.task().name() => {
                let problem =
                    format!("the network has learnt {}, but `{}` is {}", task.name(), data.name, data.task().name());
                Err(LabError::run(&self.path, problem))
            }
            _ => check_fit(&self.network, &data, &self.path).map(|()| data),
        }
    }
}

/// The means and scales in a network file, if there are any.
fn normalisation<R: Real>(file: &TensorFile<R>, inputs: usize) -> Result<Option<Normalisation>, String> {
    if !file.names().any(|name| [MEAN, SCALE].contains(&name)) {
        return Ok(None);
    }
    let read = |name: &str| -> Result<Vec<f32>, String> {
        let values: Vec<f32> = file.vector(name).map_err(|e| e.to_string())?.iter().map(|v| v.wide() as f32).collect();
        match values.iter().find(|v| !v.is_finite()) {
            Some(bad) => Err(format!("tensor `{name}` holds {bad}; its numbers must be finite")),
            None if ![1, inputs].contains(&values.len()) => {
                Err(format!("tensor `{name}` has {} numbers; 1 or {inputs} are needed", values.len()))
            }
            None => Ok(values),
        }
    };
    let (mean, scale) = (read(MEAN)?, read(SCALE)?);
    if mean.len() != scale.len() {
        return Err(format!("tensor `{MEAN}` has {} numbers, `{SCALE}` {}", mean.len(), scale.len()));
    }
    Ok(Some(Normalisation { mean, scale }))
}

/// That a network maps the inputs of a data set to outputs like its targets.
///
/// # Errors
/// If it does not; the message has both shapes.
pub fn check_fit<R: Real>(network: &Network<R>, data: &Dataset, path: &Path) -> Result<(), LabError> {
    if (network.inputs(), network.outputs()) == (data.dim(), data.outputs()) {
        return Ok(());
    }
    Err(LabError::run(path, misfit(network, data)))
}

fn misfit<R: Real>(network: &Network<R>, data: &Dataset) -> String {
    format!(
        "the network maps {} inputs to {} outputs, but the data set has {} inputs and {} outputs",
        network.inputs(),
        network.outputs(),
        data.dim(),
        data.outputs()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{self, By};
    use pcalm::{
        activation::Activation,
        parametrization::{Architecture, Parametrization},
    };

    fn saved(data: &Dataset, change: impl FnOnce(&mut TensorFile<f32>)) -> Result<Model<f32>, LabError> {
        let widths = vec![data.dim(), 3, data.outputs()];
        let architecture = Architecture::residual(widths, Activation::Tanh);
        let network = architecture.draw::<f32>(Parametrization::MeanField, 1.0, 0).unwrap();
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("net.safetensors");
        let mut file = tensors(&network, Loss::SquaredError, data);
        change(&mut file);
        file.save(&path).unwrap();
        Model::load(&path, &Names::default())
    }

    #[test]
    fn a_network_file_keeps_moments_task_and_names() {
        let mut data = dataset::load("glyphs", None).unwrap();
        data.normalise(Normalisation::standard(&data.train, By::Feature)).unwrap();
        let model = saved(&data, |_| ()).unwrap();
        assert_eq!(model.normalisation, data.normalisation);
        assert_eq!(model.classes, data.class_names);
        assert_eq!(model.task, Some(Task::Classification { classes: 10 }));
    }

    #[test]
    fn a_file_without_these_entries_is_a_model_too_and_a_broken_one_is_refused() {
        let data = dataset::load("noisy-sine", None).unwrap();
        let bare = saved(&data, |file| file.metadata.retain(|key, _| key != TASK)).unwrap();
        assert_eq!((bare.normalisation, bare.classes, bare.task), (None, None, None));
        let error = |change: fn(&mut TensorFile<f32>)| saved(&data, change).unwrap_err().to_string();
        assert!(error(|f| f.insert(MEAN, &[1], vec![0.0])).contains("no tensor `input.scale`"));
        assert!(error(|f| f.insert(MEAN, &[2], vec![0.0; 2])).contains("2 numbers; 1 or 1"));
        assert!(error(|f| drop(f.metadata.insert(TASK.into(), "play".into()))).contains("`play`"));
        assert!(error(|f| drop(f.metadata.insert(CLASSES.into(), "[]".into()))).contains("0 names for 1"));
    }
}
