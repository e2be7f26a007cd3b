//! Checkpoints: everything a training run needs to go on with the same bits.
//!
//! A checkpoint is a network file (see [`network::file`](crate::network::file)) with the
//! optimizer's moments beside the weights, so any tool that reads network files reads it too.

use crate::{
    error::Error,
    network::file::NetworkFile,
    optimizer::{OPTIMIZERS, Optimizer},
    real::Real,
    tensor_file::TensorFile,
};
use std::collections::BTreeMap;

/// Weights, optimizer state and the caller's notes on where the run stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint<R> {
    /// Network and loss.
    pub network: NetworkFile<R>,
    /// The optimizer's [`name`](crate::optimizer::MethodInfo::name).
    pub optimizer: String,
    /// The optimizer's moments, as [`Optimizer::moments`].
    pub moments: Vec<Vec<Vec<R>>>,
    /// Updates done.
    pub updates: u64,
    /// The caller's notes (epoch, step …).
    pub notes: BTreeMap<String, String>,
}

const NOTE: &str = "note.";

impl<R: Real> Checkpoint<R> {
    /// A checkpoint of this network and optimizer.
    pub fn new(network: NetworkFile<R>, optimizer: &Optimizer<R>, notes: BTreeMap<String, String>) -> Self {
        Checkpoint {
            network,
            optimizer: optimizer.settings().method.info().name.to_owned(),
            moments: optimizer.moments().to_vec(),
            updates: optimizer.updates(),
            notes,
        }
    }

    /// The checkpoint's bytes; the same content always gives the same bytes.
    ///
    /// # Errors
    /// Never in practice: the moments have the weights' shapes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let mut file = TensorFile::default();
        self.network.write_into(&mut file);
        for (i, moment) in self.moments.iter().enumerate() {
            for (l, (values, edge)) in moment.iter().zip(self.network.network.edges()).enumerate() {
                file.insert(moment_name(i, l), &[edge.rows(), edge.cols()], values.clone());
            }
        }
        file.metadata.insert("optimizer".into(), self.optimizer.clone());
        file.metadata.insert("updates".into(), self.updates.to_string());
        let notes = self.notes.iter().map(|(k, v)| (format!("{NOTE}{k}"), v.clone()));
        file.metadata.extend(notes);
        file.to_bytes()
    }

    /// Reads a checkpoint's bytes.
    ///
    /// # Errors
    /// If they are not a whole checkpoint whose parts fit together.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let file = TensorFile::from_bytes(bytes)?;
        let network = NetworkFile::from_tensors(&file)?;
        let entry = |key: &str| {
            file.metadata.get(key).ok_or_else(|| {
                Error::File(format!("the metadata has no `{key}`: this is a network file, not a checkpoint"))
            })
        };
        let optimizer = entry("optimizer")?.clone();
        let info = OPTIMIZERS.iter().find(|o| o.name == optimizer);
        let count = info.ok_or_else(|| Error::File(format!("no optimizer `{optimizer}`")))?.moments;
        let updates = entry("updates")?;
        let updates = updates.parse().map_err(|_| Error::File(format!("metadata `updates` is `{updates}`")))?;
        let mut moments = Vec::new();
        for i in 0..count {
            let mut moment = Vec::new();
            for (l, edge) in network.network.edges().iter().enumerate() {
                let name = moment_name(i, l);
                let (rows, cols, values) = file.matrix(&name)?;
                if (rows, cols) != (edge.rows(), edge.cols()) {
                    return Err(Error::File(format!("`{name}` is [{rows}, {cols}], unlike its weight matrix")));
                }
                moment.push(values.to_vec());
            }
            moments.push(moment);
        }
        let note = |(key, value): (&String, &String)| Some((key.strip_prefix(NOTE)?.to_owned(), value.clone()));
        let notes = file.metadata.iter().filter_map(note).collect();
        Ok(Checkpoint { network, optimizer, moments, updates, notes })
    }
}

fn moment_name(i: usize, l: usize) -> String {
    format!("moment.{}.{}", i + 1, l + 1)
}
