//! How good a trained network is on a data set.

#[cfg_attr(not(feature = "plot"), path = "no_picture.rs")]
mod picture;

pub use picture::{check_ending, picture};

use crate::{
    batches::chunks,
    dataset::{Part, Split, Targets},
    error::LabError,
    experiment::Experiment,
    model::Model,
    prediction::largest,
    record::{accuracy, r2},
};
use pcalm::Names;
use pcalm::{
    backend::{Backend, Cpu, Reference},
    loss::Loss,
    minibatch::{Minibatch, Score},
    real::Real,
};
use serde::Serialize;
use std::path::Path;

/// The most classes that a table of all pairs is made for.
pub const MOST_IN_TABLE: usize = 1000;

/// What a network did on the samples of a data set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// `train`, `test` or `all`.
    pub split: &'static str,
    /// Samples.
    pub samples: usize,
    /// Mean loss.
    pub loss: f64,
    /// Share of samples classified correctly; absent in regression.
    pub accuracy: Option<f64>,
    /// R² over all outputs; absent in classification.
    pub r2: Option<f64>,
    /// R² of each output by itself, absent where its targets are all alike; empty in classification.
    pub r2_of_outputs: Vec<Option<f64>>,
    /// What the classes are called: names, or numbers from 0; empty in regression.
    pub classes: Vec<String>,
    /// Samples of each true class (rows) taken for each class (columns); absent in regression, and of more than
    /// [`MOST_IN_TABLE`] classes.
    pub confusion: Option<Vec<Vec<u64>>>,
    /// True and predicted values, output by output, for the picture.
    #[serde(skip)]
    pub pairs: Vec<Vec<(f64, f64)>>,
}

/// Evaluates the network in a file on a part of the data set that the experiment's options name.
///
/// # Errors
/// If a file cannot be read, the data set does not fit the network, or its outputs are not finite.
pub fn evaluate(
    (network, names): (&Path, &Names),
    e: &Experiment,
    part: Part,
    dtype: &str,
) -> Result<Evaluation, LabError> {
    match dtype {
        "f32" => evaluate_on(Cpu::new(), (network, names), e, part),
        "f64" => evaluate_on(Reference::<f64>::new(), (network, names), e, part),
        other => Err(LabError::option("dtype", format!("`{other}` is none of f32, f64"))),
    }
}

fn evaluate_on<B: Backend>(
    backend: B,
    (network, names): (&Path, &Names),
    e: &Experiment,
    part: Part,
) -> Result<Evaluation, LabError> {
    let model = Model::<B::Real>::load(network, names)?;
    let data = model.data(e)?;
    let called = data.class_names;
    let samples = match part {
        Part::Train => data.train,
        Part::Test => data.test,
        Part::All => data.train.followed_by(data.test),
    };
    let (score, outputs) = forward(backend, &model, &samples)?;
    let mut evaluation = Evaluation {
        split: part.name(),
        samples: samples.len(),
        loss: score.mean_loss(),
        accuracy: accuracy(&samples, &score),
        r2: r2(&samples, model.loss, &score),
        r2_of_outputs: Vec::new(),
        classes: Vec::new(),
        confusion: None,
        pairs: Vec::new(),
    };
    match &samples.targets {
        Targets::Classes { labels, classes } => {
            evaluation.classes = called.unwrap_or_else(|| (0..*classes).map(|c| c.to_string()).collect());
            evaluation.confusion = (*classes <= MOST_IN_TABLE).then(|| confusion(labels, *classes, &outputs));
        }
        Targets::Real { values, dim } => {
            evaluation.pairs = pairs(values, *dim, &outputs);
            if model.loss == Loss::SquaredError {
                evaluation.r2_of_outputs = of_each(&evaluation.pairs, &samples.targets.variations());
            }
        }
    }
    Ok(evaluation)
}

/// Score and outputs of the forward pass, summed as a run sums them.
fn forward<B: Backend>(backend: B, model: &Model<B::Real>, samples: &Split) -> Result<(Score, Vec<B::Real>), LabError> {
    let network = &model.network;
    let mut minibatch = Minibatch::new(backend, model.loss);
    let (mut score, mut outputs) = (Score::default(), Vec::with_capacity(samples.len() * network.outputs()));
    for batch in chunks(samples, Experiment::default().samples_at_once()) {
        minibatch.load(network, &batch.batch()?)?;
        score += minibatch.evaluate(network)?;
        outputs.extend(minibatch.output());
    }
    Ok((score, outputs))
}

fn confusion<R: Real>(labels: &[u32], classes: usize, outputs: &[R]) -> Vec<Vec<u64>> {
    let mut table = vec![vec![0; classes]; classes];
    for (&label, row) in labels.iter().zip(outputs.chunks_exact(classes)) {
        table[label as usize][largest(row)] += 1;
    }
    table
}

/// True and predicted values of each output.
fn pairs<R: Real>(values: &[f32], dim: usize, outputs: &[R]) -> Vec<Vec<(f64, f64)>> {
    let column = |k: usize| values.iter().zip(outputs).skip(k).step_by(dim).map(|(&y, f)| (f64::from(y), f.wide()));
    (0..dim).map(|k| column(k).collect()).collect()
}

fn of_each(pairs: &[Vec<(f64, f64)>], variations: &[f64]) -> Vec<Option<f64>> {
    let r2 = |(pairs, variation): (&Vec<(f64, f64)>, &f64)| {
        let error: f64 = pairs.iter().map(|(y, f)| (f - y).powi(2)).sum();
        (*variation > 0.0).then(|| 1.0 - error / variation)
    };
    pairs.iter().zip(variations).map(r2).collect()
}
