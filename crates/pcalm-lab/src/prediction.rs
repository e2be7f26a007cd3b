//! What a network says of inputs.

use crate::{
    dataset::{Inputs, Normalisation, Part, Task, load_inputs},
    error::LabError,
    experiment::{Experiment, file_options, is_a_file, load_data},
    folder::write_whole_file,
    model::Model,
};
use npyz::{AutoSerialize, WriterBuilder};
use pcalm::Names;
use pcalm::{
    backend::{Backend, Cpu, Reference},
    minibatch::{Batch, Minibatch},
    real::Real,
};
use serde::Serialize;
use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

/// Which outputs are wanted, and where.
#[derive(Clone, Copy, Debug)]
pub struct WantedOutputs<'a> {
    /// The network file.
    pub network: &'a Path,
    /// The options that choose the data set; all others are left alone.
    pub experiment: &'a Experiment,
    /// The part of it.
    pub part: Part,
    /// The file to write.
    pub out: &'a Path,
    /// `f32` or `f64`.
    pub dtype: &'a str,
    /// What its activation and loss are called.
    pub names: &'a Names,
}

/// What was written.
#[derive(Clone, Debug, Serialize)]
pub struct Predicted {
    /// The file.
    pub path: PathBuf,
    /// Its rows.
    pub samples: usize,
    /// Outputs of the network.
    pub outputs: usize,
}

/// Whether a file of this name can be written.
///
/// # Errors
/// If its ending is none of those known.
pub fn check_ending(path: &Path) -> Result<(), LabError> {
    Ending::of(path).map(|_| ())
}

#[derive(Clone, Copy)]
enum Ending {
    Npy,
    Csv,
}

impl Ending {
    fn of(path: &Path) -> Result<Self, LabError> {
        match path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("npy") => Ok(Ending::Npy),
            Some("csv") => Ok(Ending::Csv),
            _ => Err(LabError::option("out", format!("`{}` ends in neither .npy nor .csv", path.display()))),
        }
    }
}

/// Writes the outputs of the forward pass for every sample, in file order.
///
/// # Errors
/// If a file cannot be read or written, or the inputs do not fit the network.
pub fn predict(wanted: &WantedOutputs) -> Result<Predicted, LabError> {
    match wanted.dtype {
        "f32" => predict_on(Cpu::new(), wanted),
        "f64" => predict_on(Reference::<f64>::new(), wanted),
        other => Err(LabError::option("dtype", format!("`{other}` is none of f32, f64"))),
    }
}

fn predict_on<B: Backend>(backend: B, wanted: &WantedOutputs) -> Result<Predicted, LabError>
where
    B::Real: AutoSerialize,
{
    let ending = Ending::of(wanted.out)?;
    let model = Model::<B::Real>::load(wanted.network, wanted.names)?;
    let inputs = inputs(&model, wanted)?;
    let outputs = outputs(backend, &model, &inputs)?;
    let (samples, width) = (inputs.len(), model.network.outputs());
    write_whole_file(wanted.out, |file| {
        let mut out = BufWriter::new(file);
        match ending {
            Ending::Npy => npy(&mut out, [samples, width], &outputs)?,
            Ending::Csv => csv(&mut out, &model, &outputs)?,
        }
        out.flush()
    })?;
    Ok(Predicted { path: wanted.out.to_owned(), samples, outputs: width })
}

/// The inputs as the network takes them. A file is read without its targets, which it need not have.
fn inputs<R: Real>(model: &Model<R>, wanted: &WantedOutputs) -> Result<Inputs, LabError> {
    let e = wanted.experiment;
    let standard = || -> Result<Option<Normalisation>, LabError> { Ok(load_data(e)?.normalisation) };
    let normalisation = model.normalisation(e, standard)?;
    let raw = Experiment { normalise: "none".into(), normalise_by: "set".into(), standardise: false, ..e.clone() };
    let path = Path::new(&raw.dataset);
    let mut inputs = if is_a_file(&raw.dataset) && path.exists() {
        load_inputs(path, &file_options(&raw)?, model.network.inputs())?
    } else {
        Inputs::of(load_data(&raw)?)
    };
    if inputs.dim != model.network.inputs() {
        let problem = format!(
            "the network maps {} inputs to {} outputs, but the data set has {} inputs",
            model.network.inputs(),
            model.network.outputs(),
            inputs.dim
        );
        return Err(LabError::run(&model.path, problem));
    }
    if let Some(normalisation) = normalisation {
        normalisation.apply(&mut inputs.values, inputs.dim)?;
    }
    Ok(inputs.keep(wanted.part, file_options(&raw)?.test)?)
}

/// The outputs, row-major.
fn outputs<B: Backend>(backend: B, model: &Model<B::Real>, inputs: &Inputs) -> Result<Vec<B::Real>, LabError> {
    let network = &model.network;
    let mut minibatch = Minibatch::new(backend, model.loss);
    let at_once = Experiment::default().samples_at_once();
    let mut all = Vec::with_capacity(inputs.len() * network.outputs());
    for rows in inputs.values.chunks(at_once * inputs.dim) {
        let x: Vec<B::Real> = rows.iter().map(|&v| B::Real::of(f64::from(v))).collect();
        let samples = rows.len() / inputs.dim;
        // Nothing is compared with these; the score says whether the outputs are finite.
        let y = vec![B::Real::of(0.0); samples * network.outputs()];
        minibatch.load(network, &Batch::new(&x, &y, samples)?)?;
        minibatch.evaluate(network)?;
        all.extend(minibatch.output());
    }
    Ok(all)
}

fn npy<T: AutoSerialize>(out: &mut dyn Write, shape: [usize; 2], values: &[T]) -> io::Result<()> {
    let shape = shape.map(|n| n as u64);
    let mut writer = npyz::WriteOptions::new().default_dtype().shape(&shape).writer(out).begin_nd()?;
    writer.extend(values)?;
    writer.finish()
}

/// With the fewest decimals that read back the same; a classifier's rows begin with the class.
fn csv<R: Real>(out: &mut BufWriter<&mut File>, model: &Model<R>, outputs: &[R]) -> io::Result<()> {
    let width = model.network.outputs();
    let classifies = matches!(model.task, Some(Task::Classification { .. }));
    let mut writer = csv::Writer::from_writer(out);
    let first = classifies.then(|| "class".to_owned());
    writer.write_record(first.into_iter().chain((1..=width).map(|i| format!("y{i}")))).map_err(io::Error::other)?;
    for row in outputs.chunks_exact(width) {
        let class = classifies.then(|| class_name(model, largest(row)));
        let fields = class.into_iter().chain(row.iter().map(|v| format!("{v:?}")));
        writer.write_record(fields).map_err(io::Error::other)?;
    }
    writer.flush()
}

/// The place of the largest number, of the first if there are several.
pub(crate) fn largest<R: Real>(row: &[R]) -> usize {
    (0..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best })
}

fn class_name<R>(model: &Model<R>, class: usize) -> String {
    model.classes.as_ref().map_or_else(|| class.to_string(), |names| names[class].clone())
}
