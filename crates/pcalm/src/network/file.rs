//! Network files: weights and architecture as safetensors, for exchange with other frameworks.
//!
//! Tensors `w.1` … `w.L`, shape `[out, in]`, `F32` or `F64`. Metadata: `activation`; `placement`
//! (`pre` or `post`; absent = `pre`); `skips`, one 0 or 1 per edge (absent = none); `scales`, one
//! number per edge (absent = all 1); `loss` (absent = `squared-error`); `depth`, L (absent = the highest
//! number of a tensor: then a file that has lost its last one cannot be told from a shallower network's).

use super::{Edge, Network, Placement};
use crate::{
    activation::{ACTIVATIONS, Activation},
    error::Error,
    loss::Loss,
    real::Real,
    tensor_file::TensorFile,
};
use std::path::Path;

/// A network with the loss it is used with.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkFile<R> {
    /// The network.
    pub network: Network<R>,
    /// Its loss.
    pub loss: Loss,
}

impl<R: Real> NetworkFile<R> {
    /// Reads a network from its tensors and metadata; other tensors are ignored.
    ///
    /// # Errors
    /// If a tensor or metadata entry is missing, malformed or does not fit the others.
    pub fn from_tensors(file: &TensorFile<'_, R>) -> Result<Self, Error> {
        file.matrix("w.1")?;
        // The highest number rather than the first gap: a missing matrix must be named, not
        // quietly leave a shallower network.
        let number = |name: &str| name.strip_prefix("w.")?.parse::<usize>().ok();
        let highest = file.names().filter_map(number).max().unwrap_or(1);
        let depth = stated_depth(file)?.unwrap_or(highest);
        if depth > highest {
            return Err(Error::File(format!("no tensor `w.{depth}`, though the metadata's `depth` is {depth}")));
        }
        if depth < highest {
            return Err(Error::File(format!("a tensor `w.{highest}`, though the metadata's `depth` is {depth}")));
        }
        let activation = file.metadata.get("activation").ok_or_else(|| {
            let names: Vec<&str> = ACTIVATIONS.iter().map(|a| a.name()).collect();
            Error::File(format!("the metadata has no `activation`; it must be one of {}", names.join(", ")))
        })?;
        let activation = named("activation", activation, Activation::from_name)?;
        let placement =
            file.metadata.get("placement").map(|v| named("placement", v, Placement::from_name)).transpose()?;
        let loss = file.metadata.get("loss").map(|v| named("loss", v, Loss::from_name)).transpose()?;
        let skips = list(file, "skips", depth, |v| match v {
            "0" => Some(false),
            "1" => Some(true),
            _ => None,
        })?;
        let scales = list(file, "scales", depth, |v| v.parse::<f64>().ok().filter(|a| a.is_finite()))?;
        let edges = (0..depth)
            .map(|l| {
                let (rows, cols, values) = file.matrix(&format!("w.{}", l + 1))?;
                let scale = scales.as_ref().map_or(1.0, |s| s[l]);
                let skip = skips.as_ref().is_some_and(|s| s[l]);
                Edge::new(values.to_vec(), rows, cols, R::of(scale), skip)
                    .map_err(|e| misfit(e, &format!("w.{}: ", l + 1)))
            })
            .collect::<Result<Vec<_>, Error>>()?;
        let network = Network::new(edges, activation, placement.unwrap_or_default()).map_err(|e| misfit(e, ""))?;
        Ok(NetworkFile { network, loss: loss.unwrap_or_default() })
    }

    /// Reads a network file.
    ///
    /// # Errors
    /// If it cannot be read or is malformed; the message names the file.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let file = TensorFile::load(path)?;
        Self::from_tensors(&file).map_err(|e| crate::tensor_file::named(path, e))
    }

    /// The bytes of a network file.
    ///
    /// # Errors
    /// Never in practice: a network's shapes always match its weights.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        tensors(&self.network, self.loss).to_bytes()
    }
}

/// A network's weights, borrowed, with the metadata of a network file.
pub fn tensors<R: Real>(network: &Network<R>, loss: Loss) -> TensorFile<'_, R> {
    let mut file = TensorFile::default();
    let edges = network.edges();
    for (l, edge) in edges.iter().enumerate() {
        file.insert(format!("w.{}", l + 1), &[edge.rows(), edge.cols()], edge.weight());
    }
    let join = |values: Vec<String>| values.join(",");
    let entries = [
        ("activation", network.activation().name().to_owned()),
        ("placement", network.placement().name().to_owned()),
        ("loss", loss.name().to_owned()),
        ("depth", network.depth().to_string()),
        ("skips", join(edges.iter().map(|e| u8::from(e.skip()).to_string()).collect())),
        // Widened first: the shortest decimal of the f64 reads back to the same number.
        ("scales", join(edges.iter().map(|e| e.scale().wide().to_string()).collect())),
    ];
    file.metadata.extend(entries.map(|(key, value)| (key.to_owned(), value)));
    file
}

/// The metadata's depth, where there is one.
fn stated_depth<R: Real>(file: &TensorFile<R>) -> Result<Option<usize>, Error> {
    let parse = |text: &String| {
        let depth = text.trim().parse().ok().filter(|depth| *depth > 0);
        depth.ok_or_else(|| Error::File(format!("metadata `depth` is `{text}`, no number of weight matrices")))
    };
    file.metadata.get("depth").map(parse).transpose()
}

/// A network that cannot be, as what it is here: a file that cannot be used.
fn misfit(error: Error, place: &str) -> Error {
    match error {
        Error::Network(what) => Error::File(format!("{place}{what}")),
        other => other,
    }
}

/// What other frameworks call some of our activations and losses.
const ALIASES: &[(&str, &str)] = &[
    ("linear", "identity"),
    ("leakyrelu", "leaky-relu"),
    ("hardtanh", "hard-tanh"),
    ("swish", "silu"),
    ("mse", "squared-error"),
    ("squared", "squared-error"),
    ("ce", "cross-entropy"),
    ("softmax-cross-entropy", "cross-entropy"),
];

/// A metadata value looked up by name; underscores, capitals and other frameworks' names are
/// forgiven.
fn named<T>(key: &str, value: &str, find: impl Fn(&str) -> Option<T>) -> Result<T, Error> {
    let name = value.to_lowercase().replace('_', "-");
    let ours = ALIASES.iter().find(|(theirs, _)| *theirs == name).map_or(name.as_str(), |(_, ours)| ours);
    find(ours).ok_or_else(|| Error::File(format!("metadata `{key}` is `{value}`, which is no {key} known here")))
}

/// A comma-separated metadata entry with one value per edge, if present.
fn list<R: Real, T>(
    file: &TensorFile<R>,
    key: &str,
    depth: usize,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<Vec<T>>, Error> {
    let Some(text) = file.metadata.get(key) else { return Ok(None) };
    let values = text
        .split(',')
        .map(|v| parse(v.trim()).ok_or_else(|| Error::File(format!("metadata `{key}` holds `{}`", v.trim()))))
        .collect::<Result<Vec<T>, Error>>()?;
    if values.len() != depth {
        return Err(Error::File(format!("metadata `{key}` has {} values for {depth} weight matrices", values.len())));
    }
    Ok(Some(values))
}
