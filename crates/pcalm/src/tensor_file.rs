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
///
/// Tensors of types other than `F32` and `F64` are an error only for those who ask for them; they
/// are not written again.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorFile<'a, R: Real> {
    /// Row-major tensors with their shapes.
    pub tensors: BTreeMap<String, (Vec<usize>, Cow<'a, [R]>)>,
    /// Key–value text.
    pub metadata: BTreeMap<String, String>,
    /// Types of the tensors that were in the file but could not be read.
    foreign: BTreeMap<String, Dtype>,
}

/// Numbers turned into bytes at a time when writing.
const CHUNK: usize = 4096;

impl<R: Real> Default for TensorFile<'_, R> {
    fn default() -> Self {
        TensorFile { tensors: BTreeMap::new(), metadata: BTreeMap::new(), foreign: BTreeMap::new() }
    }
}

impl<'a, R: Real> TensorFile<'a, R> {
    /// Adds a tensor of this row-major shape.
    pub fn insert(&mut self, name: impl Into<String>, shape: &[usize], values: impl Into<Cow<'a, [R]>>) {
        self.tensors.insert(name.into(), (shape.to_vec(), values.into()));
    }

    /// The names of all tensors, also of those that could not be read.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().chain(self.foreign.keys()).map(String::as_str)
    }

    /// The matrix called `name`: rows, columns and numbers.
    ///
    /// # Errors
    /// If it is missing, of a type that cannot be read, or not a matrix.
    pub fn matrix(&self, name: &str) -> Result<(usize, usize, &[R]), Error> {
        let (shape, values) = self.tensor(name)?;
        match *shape {
            [rows, cols] => Ok((rows, cols, values)),
            _ => Err(Error::File(format!("tensor `{name}` has shape {shape:?}; a matrix is needed"))),
        }
    }

    /// The numbers of the vector called `name`.
    ///
    /// # Errors
    /// If it is missing, of a type that cannot be read, or not a vector.
    pub fn vector(&self, name: &str) -> Result<&[R], Error> {
        let (shape, values) = self.tensor(name)?;
        match *shape {
            [_] => Ok(values),
            _ => Err(Error::File(format!("tensor `{name}` has shape {shape:?}; a vector is needed"))),
        }
    }

    fn tensor(&self, name: &str) -> Result<(&[usize], &[R]), Error> {
        if let Some((shape, values)) = self.tensors.get(name) {
            return Ok((shape, values));
        }
        Err(Error::File(match self.foreign.get(name) {
            Some(dtype) => format!("tensor `{name}` has type {dtype:?}; F32 or F64 is needed"),
            None => {
                let names: Vec<&str> = self.names().collect();
                format!("there is no tensor `{name}`; the file holds {}", names.join(", "))
            }
        }))
    }

    /// Reads a safetensors file's bytes; `F32` and `F64` tensors are converted to `R`, others left
    /// out.
    ///
    /// # Errors
    /// If the bytes are not a whole safetensors file.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let broken = |e: safetensors::SafeTensorError| Error::File(format!("not a whole safetensors file ({e})"));
        let file = SafeTensors::deserialize(bytes).map_err(broken)?;
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(broken)?;
        let metadata = header.metadata().clone().unwrap_or_default().into_iter().collect();
        let mut read = TensorFile { metadata, ..Self::default() };
        for (name, view) in file.tensors() {
            match values(&view) {
                Some(values) => read.insert(name, view.shape(), values),
                None => {
                    read.foreign.insert(name, view.dtype());
                }
            }
        }
        Ok(read)
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

/// The tensor's numbers, if they are of a type that is read.
fn values<R: Real>(view: &TensorView) -> Option<Vec<R>> {
    let bytes = view.data();
    match view.dtype() {
        Dtype::F32 => Some(bytes.as_chunks::<4>().0.iter().map(|b| R::of(f64::from(f32::from_le_bytes(*b)))).collect()),
        Dtype::F64 => Some(bytes.as_chunks::<8>().0.iter().map(|b| R::of(f64::from_le_bytes(*b))).collect()),
        _ => None,
    }
}
