//! Safetensors files with reproducible bytes, read into the number type at hand.

use crate::{error::Error, real::Real};
use safetensors::{
    Dtype, SafeTensors,
    tensor::{Metadata, TensorInfo, TensorView},
};
use std::{
    borrow::Cow,
    collections::BTreeMap,
    io::{self, Write},
    path::Path,
};

/// Tensors by name, read or borrowed from whoever holds them, with the file's metadata.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorFile<'a, R: Real> {
    /// Row-major tensors with their shapes.
    pub tensors: BTreeMap<String, (Vec<usize>, Cow<'a, [R]>)>,
    /// Key–value text.
    pub metadata: BTreeMap<String, String>,
}

/// Numbers turned into bytes at a time when writing.
const CHUNK: usize = 4096;

impl<R: Real> Default for TensorFile<'_, R> {
    fn default() -> Self {
        TensorFile { tensors: BTreeMap::new(), metadata: BTreeMap::new() }
    }
}

impl<'a, R: Real> TensorFile<'a, R> {
    /// Adds a tensor of this row-major shape.
    pub fn insert(&mut self, name: impl Into<String>, shape: &[usize], values: impl Into<Cow<'a, [R]>>) {
        self.tensors.insert(name.into(), (shape.to_vec(), values.into()));
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
            tensors.insert(name, (view.shape().to_vec(), values.into()));
        }
        Ok(TensorFile { tensors, metadata })
    }

    /// The file's bytes; the same content always gives the same bytes.
    ///
    /// # Errors
    /// If a tensor's shape does not match its numbers.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        self.write_to(&mut bytes).map_err(|e| Error::File(e.to_string()))?;
        Ok(bytes)
    }

    /// Writes the file without holding a second copy of its tensors.
    ///
    /// # Errors
    /// If `out` fails, or a tensor's shape does not match its numbers.
    pub fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        let header = self.header()?;
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        let mut bytes = Vec::with_capacity(CHUNK * R::BYTES);
        for chunk in self.tensors.values().flat_map(|(_, values)| values.chunks(CHUNK)) {
            bytes.clear();
            chunk.iter().for_each(|v| v.put_le(&mut bytes));
            out.write_all(&bytes)?;
        }
        Ok(())
    }

    /// The format's JSON header, padded to whole words. `safetensors` keeps metadata in a hash map,
    /// whose order changes from run to run; sorted, equal content gives equal bytes.
    fn header(&self) -> io::Result<Vec<u8>> {
        let mut end = 0;
        let place = |(name, (shape, values)): (&String, &(Vec<usize>, Cow<[R]>))| {
            let from = end;
            end += values.len() * R::BYTES;
            (name.clone(), TensorInfo { dtype: R::DTYPE, shape: shape.clone(), data_offsets: (from, end) })
        };
        let infos = self.tensors.iter().map(place).collect();
        let notes = self.metadata.clone().into_iter().collect();
        let metadata = Metadata::new(Some(notes), infos).map_err(io::Error::other)?;
        // A JSON value keeps its keys in order.
        let mut header = serde_json::to_vec(&serde_json::to_value(&metadata)?)?;
        header.resize(header.len().next_multiple_of(8), b' ');
        Ok(header)
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

fn values<R: Real>(name: &str, view: &TensorView) -> Result<Vec<R>, Error> {
    let bytes = view.data();
    match view.dtype() {
        Dtype::F32 => Ok(bytes.as_chunks::<4>().0.iter().map(|b| R::of(f64::from(f32::from_le_bytes(*b)))).collect()),
        Dtype::F64 => Ok(bytes.as_chunks::<8>().0.iter().map(|b| R::of(f64::from_le_bytes(*b))).collect()),
        other => Err(Error::File(format!("tensor `{name}` has type {other:?}; F32 or F64 is needed"))),
    }
}
