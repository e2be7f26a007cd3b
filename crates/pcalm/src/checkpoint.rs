//! Checkpoints: everything a training run needs to go on with the same bits.
//!
//! A checkpoint is a network file (see [`network::file`](crate::network::file)) with the
//! optimizer's moments and the caller's vectors beside the weights, so any tool that reads network
//! files reads it too.

use crate::{
    error::Error,
    loss::Loss,
    names::Names,
    network::{
        Network,
        file::{NetworkFile, insert, tensors},
    },
    optimizer::{OPTIMIZERS, Optimizer},
    real::Real,
    tensor_file::TensorFile,
};
use std::{borrow::Cow, collections::BTreeMap};

/// Weights, optimizer state and the caller's notes on where the run stands: read from a file, or
/// borrowed from a trainer to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint<'a, R: Real> {
    /// The network.
    pub network: Cow<'a, Network<R>>,
    /// Its loss.
    pub loss: Loss,
    /// The optimizer's [`name`](crate::optimizer::MethodInfo::name).
    pub optimizer: String,
    /// The optimizer's moments, as [`Optimizer::moments`].
    pub moments: Cow<'a, [Vec<Vec<R>>]>,
    /// Updates done.
    pub updates: u64,
    /// The caller's notes (epoch, step …).
    pub notes: BTreeMap<String, String>,
    /// The caller's vectors, for what is too long for a note.
    pub vectors: BTreeMap<String, Cow<'a, [R]>>,
}

const NOTE: &str = "note.";
const VECTOR: &str = "own.";

impl<'a, R: Real> Checkpoint<'a, R> {
    /// A checkpoint of this network and optimizer.
    pub fn new(
        network: &'a Network<R>,
        loss: Loss,
        optimizer: &'a Optimizer<R>,
        notes: BTreeMap<String, String>,
    ) -> Self {
        Checkpoint {
            network: Cow::Borrowed(network),
            loss,
            optimizer: optimizer.settings().method.info().name.to_owned(),
            moments: Cow::Borrowed(optimizer.moments()),
            updates: optimizer.updates(),
            notes,
            vectors: BTreeMap::new(),
        }
    }

    /// The same with one more vector of the caller's.
    pub fn with_vector(mut self, name: impl Into<String>, values: impl Into<Cow<'a, [R]>>) -> Self {
        self.vectors.insert(name.into(), values.into());
        self
    }

    /// The checkpoint as the file it is written to; the same content always gives the same bytes.
    pub fn file(&self) -> TensorFile<'_, R> {
        let mut file = tensors(&self.network, self.loss);
        for (i, moment) in self.moments.iter().enumerate() {
            for (l, (values, dense)) in moment.iter().zip(self.network.dense()).enumerate() {
                insert(&mut file, [moment_name(i, l), bias_moment_name(i, l)], dense, values);
            }
        }
        for (name, values) in &self.vectors {
            file.insert(format!("{VECTOR}{name}"), &[values.len()], &values[..]);
        }
        file.metadata.insert("optimizer".into(), self.optimizer.clone());
        file.metadata.insert("updates".into(), self.updates.to_string());
        let notes = self.notes.iter().map(|(k, v)| (format!("{NOTE}{k}"), v.clone()));
        file.metadata.extend(notes);
        file
    }

    /// Reads a checkpoint's bytes, with activation and loss by these names.
    ///
    /// # Errors
    /// If they are not a whole checkpoint whose parts fit together.
    pub fn from_bytes(names: &Names, bytes: &[u8]) -> Result<Self, Error> {
        let file = TensorFile::from_bytes(bytes)?;
        let NetworkFile { network, loss } = NetworkFile::known_by(names, &file)?;
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
            for (l, dense) in network.dense().into_iter().enumerate() {
                let name = moment_name(i, l);
                let (rows, cols, values) = file.matrix(&name)?;
                if (rows, cols) != (dense.rows(), dense.cols()) {
                    return Err(Error::File(format!("`{name}` is [{rows}, {cols}], unlike its weight matrix")));
                }
                let mut values = values.to_vec();
                if let Some(bias) = dense.bias() {
                    let name = bias_moment_name(i, l);
                    let found = file.vector(&name)?;
                    if found.len() != bias.len() {
                        return Err(Error::File(format!("`{name}` is [{}], unlike its bias", found.len())));
                    }
                    values.extend_from_slice(found);
                }
                moment.push(values);
            }
            moments.push(moment);
        }
        let note = |(key, value): (&String, &String)| Some((key.strip_prefix(NOTE)?.to_owned(), value.clone()));
        let notes = file.metadata.iter().filter_map(note).collect();
        let own = file.names().filter_map(|name| Some((name, name.strip_prefix(VECTOR)?)));
        let vectors = own
            .map(|(name, own)| Ok((own.to_owned(), Cow::Owned(file.vector(name)?.to_vec()))))
            .collect::<Result<_, Error>>()?;
        let (network, moments) = (Cow::Owned(network), Cow::Owned(moments));
        Ok(Checkpoint { network, loss, optimizer, moments, updates, notes, vectors })
    }
}

fn moment_name(i: usize, l: usize) -> String {
    format!("moment.{}.{}", i + 1, l + 1)
}

fn bias_moment_name(i: usize, l: usize) -> String {
    format!("moment.{}.b.{}", i + 1, l + 1)
}
