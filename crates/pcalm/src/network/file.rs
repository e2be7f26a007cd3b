//! Network files: weights and architecture as safetensors, for exchange with other frameworks.
//!
//! Tensors `w.1` … `w.L`, shape `[out, in]`, and where there are biases `b.1` … `b.L`, shape `[out]`; `F32` or `F64`.
//! Metadata: `activation`; `placement` (`pre` or `post`; absent = `pre`); `skips`, one 0 or 1 per matrix (absent =
//! none); `scales`, one number per matrix (absent = all 1); `biases`, one 0 or 1 per matrix (absent = those whose tensor
//! is there); `loss` (absent = `squared-error`); `depth`, L (absent = the highest number of a tensor: then a file that
//! has lost its last one cannot be told from a shallower network's).
//!
//! A network that is no chain has instead of `skips` a list `edges` (`0-1 dense,1-2 dense,0-2 skip`, in the order of
//! [`Network::edges`]), and `activations` and `placements` per matrix.

use super::{Dense, Edge, Link, Map, Network, Placement};
use crate::{error::Error, loss::Loss, names::Names, real::Real, tensor_file::TensorFile};
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
        Self::known_by(&Names::default(), file)
    }

    /// [`from_tensors`](Self::from_tensors), with activation and loss by these names.
    ///
    /// # Errors
    /// As there.
    pub fn known_by(names: &Names, file: &TensorFile<'_, R>) -> Result<Self, Error> {
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
        let loss = file.metadata.get("loss").map(|v| named("loss", v, |name| names.loss(name))).transpose()?;
        let dense = dense(file, depth)?;
        let network = match file.metadata.contains_key("edges") {
            true => graph(names, file, dense),
            false => chain(names, file, dense),
        };
        Ok(NetworkFile { network: network.map_err(|e| misfit(e, ""))?, loss: loss.unwrap_or_default() })
    }

    /// Reads a network file.
    ///
    /// # Errors
    /// If it cannot be read or is malformed; the message names the file.
    pub fn load(path: &Path) -> Result<Self, Error> {
        Self::load_known_by(&Names::default(), path)
    }

    /// [`load`](Self::load), with activation and loss by these names.
    ///
    /// # Errors
    /// As there.
    pub fn load_known_by(names: &Names, path: &Path) -> Result<Self, Error> {
        let file = TensorFile::load(path)?;
        Self::known_by(names, &file).map_err(|e| crate::tensor_file::named(path, e))
    }

    /// The bytes of a network file.
    ///
    /// # Errors
    /// Never in practice: a network's shapes always match its weights.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        tensors(&self.network, self.loss).to_bytes()
    }
}

/// The linear parts of the `depth` dense edges.
fn dense<R: Real>(file: &TensorFile<R>, depth: usize) -> Result<Vec<Dense<R>>, Error> {
    let scales = list(file, "scales", depth, |v| v.parse::<f64>().ok().filter(|a| a.is_finite()))?;
    let biases = list(file, "biases", depth, flag)?;
    let one = |l: usize| {
        let (weight, bias) = (format!("w.{}", l + 1), format!("b.{}", l + 1));
        let (rows, cols, values) = file.matrix(&weight)?;
        let dense = Dense::new(values.to_vec(), rows, cols, R::of(scales.as_ref().map_or(1.0, |s| s[l])))
            .map_err(|e| misfit(e, &format!("{weight}: ")))?;
        let there = file.names().any(|name| name == bias);
        match biases.as_ref().map_or(there, |b| b[l]) {
            true => dense.biased(file.vector(&bias)?).map_err(|e| misfit(e, &format!("{bias}: "))),
            false if there => Err(Error::File(format!("a tensor `{bias}`, which the metadata's `biases` has not"))),
            false => Ok(dense),
        }
    };
    (0..depth).map(one).collect()
}

fn chain<R: Real>(names: &Names, file: &TensorFile<R>, dense: Vec<Dense<R>>) -> Result<Network<R>, Error> {
    let activation = file.metadata.get("activation").ok_or_else(|| {
        let known: Vec<&str> = names.activations().iter().map(|a| a.name()).collect();
        Error::File(format!("the metadata has no `activation`; it must be one of {}", known.join(", ")))
    })?;
    let activation = named("activation", activation, |name| names.activation(name))?;
    let placement = file.metadata.get("placement").map(|v| named("placement", v, Placement::from_name)).transpose()?;
    let skips = list(file, "skips", dense.len(), flag)?.unwrap_or_else(|| vec![false; dense.len()]);
    let links = dense.into_iter().zip(skips).map(|(dense, skip)| Link { dense, skip });
    Network::chain(links.collect(), activation, placement.unwrap_or_default())
}

fn graph<R: Real>(names: &Names, file: &TensorFile<R>, dense: Vec<Dense<R>>) -> Result<Network<R>, Error> {
    let missing = |key: &str| Error::File(format!("the metadata has `edges`, but no `{key}`"));
    let activations = list(file, "activations", dense.len(), |v| known(v, |name| names.activation(name)))?;
    let placements = list(file, "placements", dense.len(), |v| known(v, Placement::from_name))?;
    let activations = activations.ok_or_else(|| missing("activations"))?;
    let placements = placements.ok_or_else(|| missing("placements"))?;
    let count = dense.len();
    let mut dense = dense.into_iter().zip(activations.into_iter().zip(placements));
    let mut edges = Vec::new();
    for text in file.metadata.get("edges").into_iter().flat_map(|list| list.split(',')) {
        let broken = || Error::File(format!("metadata `edges` holds `{}`", text.trim()));
        let (ends, kind) = text.trim().split_once(' ').ok_or_else(broken)?;
        let (from, to) = ends.split_once('-').ok_or_else(broken)?;
        let (from, to) = (from.parse().map_err(|_| broken())?, to.parse().map_err(|_| broken())?);
        let map = match kind.trim() {
            "skip" => Map::Skip,
            "dense" => {
                let few = || Error::File(format!("metadata `edges` has more dense ones than {count}"));
                let (dense, (activation, placement)) = dense.next().ok_or_else(few)?;
                Map::Dense(dense.activated(activation, placement))
            }
            _ => return Err(broken()),
        };
        edges.push(Edge { from, to, map });
    }
    let left = dense.count();
    if left > 0 {
        return Err(Error::File(format!(
            "metadata `edges` has {} dense ones for {count} weight matrices",
            count - left
        )));
    }
    Network::new(edges)
}

fn flag(text: &str) -> Option<bool> {
    match text {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    }
}

/// A network's weights, borrowed, with the metadata of a network file.
pub fn tensors<R: Real>(network: &Network<R>, loss: Loss) -> TensorFile<'_, R> {
    let mut file = TensorFile::default();
    let dense = network.dense();
    for (l, dense) in dense.iter().enumerate() {
        insert(&mut file, [format!("w.{}", l + 1), format!("b.{}", l + 1)], dense, dense.parameters());
    }
    let list = |of: &dyn Fn(&Dense<R>) -> String| dense.iter().map(|dense| of(dense)).collect::<Vec<_>>().join(",");
    let flag = |set: bool| u8::from(set).to_string();
    let mut note = |key: &str, value: String| file.metadata.insert(key.to_owned(), value);
    note("loss", loss.name().to_owned());
    note("depth", dense.len().to_string());
    // Widened first: the shortest decimal of the f64 reads back to the same number.
    note("scales", list(&|dense| dense.scale().wide().to_string()));
    if network.has_biases() {
        note("biases", list(&|dense| flag(dense.bias().is_some())));
    }
    match network.as_chain() {
        Some(chain) => {
            note("activation", chain.activation().name().to_owned());
            note("placement", chain.placement().name().to_owned());
            note("skips", (0..chain.depth()).map(|l| flag(chain.link(l).1)).collect::<Vec<_>>().join(","));
        }
        None => {
            let kind = |edge: &Edge<R>| if edge.is_skip() { "skip" } else { "dense" };
            let edges = network.edges().iter().map(|edge| format!("{}-{} {}", edge.from, edge.to, kind(edge)));
            note("edges", edges.collect::<Vec<_>>().join(","));
            note("activations", list(&|dense| dense.activation().name().to_owned()));
            note("placements", list(&|dense| dense.placement().name().to_owned()));
        }
    }
    file
}

/// Adds numbers that are laid out like a dense map's [parameters](Dense::parameters), under a name for those of the
/// weights and one for those of the bias, if it has one.
pub fn insert<'v, R: Real>(file: &mut TensorFile<'v, R>, names: [String; 2], dense: &Dense<R>, values: &'v [R]) {
    let (weight, bias) = values.split_at(dense.weight().len());
    let [of_weight, of_bias] = names;
    file.insert(of_weight, &[dense.rows(), dense.cols()], weight);
    if !bias.is_empty() {
        file.insert(of_bias, &[bias.len()], bias);
    }
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

/// A metadata value looked up by name.
fn named<T>(key: &str, value: &str, find: impl Fn(&str) -> Option<T>) -> Result<T, Error> {
    known(value, find)
        .ok_or_else(|| Error::File(format!("metadata `{key}` is `{value}`, which is no {key} known here")))
}

/// What a name stands for; underscores, capitals and other frameworks' names are forgiven.
fn known<T>(value: &str, find: impl Fn(&str) -> Option<T>) -> Option<T> {
    let name = value.to_lowercase().replace('_', "-");
    find(ALIASES.iter().find(|(theirs, _)| *theirs == name).map_or(name.as_str(), |(_, ours)| ours))
}

/// A comma-separated metadata entry with one value per weight matrix, if present.
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
