//! Safetensors files with reproducible bytes, read into the number type at hand.

use crate::{error::Error, real::Real};
use safetensors::{Dtype, SafeTensors, View, tensor::TensorView};
use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    path::Path,
};

/// Tensors by name, with the file's metadata.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TensorFile<R> {
    /// Row-major tensors with their shapes.
    pub tensors: BTreeMap<String, (Vec<usize>, Vec<R>)>,
    /// Key–value text.
    pub metadata: BTreeMap<String, String>,
}

impl<R: Real> TensorFile<R> {
    /// Adds a tensor of this row-major shape.
    pub fn insert(&mut self, name: impl Into<String>, shape: &[usize], values: Vec<R>) {
        self.tensors.insert(name.into(), (shape.to_vec(), values));
    }

    /// The matrix called `name`: rows, columns and numbers.
    ///
    /// # Errors
    /// If it is missing or not a matrix.
    pub fn matrix(&self, name: &str) -> Result<(usize, usize, &[R]), Error> {
        match self.tensors.get(name) {
            None => Err(Error::File(format!(
                "there is no tensor `{name}`; the file holds {}",
                self.tensors.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
            ))),
            Some((shape, values)) => match shape[..] {
                [rows, cols] => Ok((rows, cols, values)),
                _ => Err(Error::File(format!("tensor `{name}` has shape {shape:?}; a matrix is needed"))),
            },
        }
    }

    /// Reads a safetensors file's bytes; `F32` and `F64` tensors are converted to `R`.
    ///
    /// # Errors
    /// If the bytes are not a whole safetensors file, or a tensor has another type.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let broken = |e: safetensors::SafeTensorError| Error::File(format!("not a whole safetensors file ({e})"));
        let file = SafeTensors::deserialize(bytes).map_err(broken)?;
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(broken)?;
        let metadata = header.metadata().clone().unwrap_or_default().into_iter().collect();
        let mut tensors = BTreeMap::new();
        for (name, view) in file.tensors() {
            let values = values(&name, &view)?;
            tensors.insert(name, (view.shape().to_vec(), values));
        }
        Ok(TensorFile { tensors, metadata })
    }

    /// The file's bytes; the same content always gives the same bytes.
    ///
    /// # Errors
    /// If a tensor's shape does not match its numbers.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let views = self.tensors.iter().map(|(name, (shape, values))| {
            let mut bytes = Vec::with_capacity(values.len() * R::BYTES);
            values.iter().for_each(|v| v.put_le(&mut bytes));
            (name, Encoded { dtype: R::DTYPE, shape, bytes })
        });
        let metadata: HashMap<String, String> = self.metadata.clone().into_iter().collect();
        let bytes = safetensors::serialize(views, Some(metadata)).map_err(|e| Error::File(e.to_string()))?;
        Ok(with_sorted_header(bytes))
    }

    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read or is malformed; the message names it.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
        Self::from_bytes(&bytes).map_err(|e| named(path, e))
    }

    /// Writes a file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        std::fs::write(path, self.to_bytes()?).map_err(|e| Error::io(path, e))
    }
}

/// The error with the file's path in front of what is wrong in it.
pub(crate) fn named(path: &Path, error: Error) -> Error {
    match error {
        Error::File(what) => Error::File(format!("{}: {what}", path.display())),
        other => other,
    }
}

/// One tensor as the safetensors writer wants it.
struct Encoded<'a> {
    dtype: Dtype,
    shape: &'a [usize],
    bytes: Vec<u8>,
}

impl View for Encoded<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }
    fn shape(&self) -> &[usize] {
        self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }
    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

fn values<R: Real>(name: &str, view: &TensorView) -> Result<Vec<R>, Error> {
    let bytes = view.data();
    match view.dtype() {
        Dtype::F32 => Ok(bytes.as_chunks::<4>().0.iter().map(|b| R::of(f64::from(f32::from_le_bytes(*b)))).collect()),
        Dtype::F64 => Ok(bytes.as_chunks::<8>().0.iter().map(|b| R::of(f64::from_le_bytes(*b))).collect()),
        other => Err(Error::File(format!("tensor `{name}` has type {other:?}; F32 or F64 is needed"))),
    }
}

/// Safetensors writes its header from a hash map, in an order that changes from run to run;
/// sorted, equal content gives equal bytes.
fn with_sorted_header(mut bytes: Vec<u8>) -> Vec<u8> {
    type Header = BTreeMap<String, BTreeMap<String, serde_json::Value>>;
    let Some((length, rest)) = bytes.split_first_chunk_mut::<8>() else { return bytes };
    let Ok(length) = usize::try_from(u64::from_le_bytes(*length)) else { return bytes };
    let Some(text) = rest.get_mut(..length) else { return bytes };
    let sorted = serde_json::from_slice::<Header>(text).and_then(|header| serde_json::to_vec(&header));
    if let Ok(sorted) = sorted
        && sorted.len() <= length
    {
        text.fill(b' ');
        text[..sorted.len()].copy_from_slice(&sorted);
    }
    bytes
}
