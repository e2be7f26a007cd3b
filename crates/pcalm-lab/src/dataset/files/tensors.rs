//! Safetensors files, read tensor by tensor rather than whole.

use super::{array::Header, arrays::Arrays, element::Element};
use crate::dataset::DataError;
use safetensors::tensor::Metadata;
use std::{
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom},
    path::Path,
};

/// The longest header the format allows.
const LONGEST_HEADER: u64 = 100_000_000;

/// `FILE.safetensors`.
pub(super) struct Tensors {
    file: BufReader<File>,
    header: Metadata,
    /// Where the tensors begin.
    start: u64,
}

impl Tensors {
    pub fn open(file: File, path: &Path) -> Result<Self, DataError> {
        let broken = |what: &dyn std::fmt::Display| DataError::Malformed {
            path: path.to_owned(),
            problem: format!("is not a whole safetensors file ({what})"),
        };
        let length = file.metadata().map_err(|e| broken(&e))?.len();
        let mut file = BufReader::new(file);
        let mut size = [0; 8];
        file.read_exact(&mut size).map_err(|e| broken(&e))?;
        let size = u64::from_le_bytes(size);
        if size > LONGEST_HEADER || size > length {
            return Err(broken(&format!("its header would have {size} bytes")));
        }
        let mut text = vec![0; size as usize];
        file.read_exact(&mut text).map_err(|e| broken(&e))?;
        let header: Metadata = serde_json::from_slice(&text).map_err(|e| broken(&e))?;
        let start = 8 + size;
        if length != start + header.data_len() as u64 {
            return Err(broken(&format!("its tensors need {} bytes, it has {}", header.data_len(), length - start)));
        }
        Ok(Tensors { file, header, start })
    }
}

impl Arrays for Tensors {
    fn names(&self) -> Vec<String> {
        self.header.offset_keys()
    }

    fn open(&mut self, name: &str) -> Result<(Header, Box<dyn Read + '_>, u64), String> {
        let info = self.header.info(name).ok_or_else(|| format!("there is no array `{name}`"))?;
        let element = Element::of_tensor(info.dtype).map_err(|what| format!("array `{name}` {what}"))?;
        let (from, to) = info.data_offsets;
        let header = Header { shape: info.shape.clone(), element, fortran: false };
        self.file.seek(SeekFrom::Start(self.start + from as u64)).map_err(|e| e.to_string())?;
        Ok((header, Box::new(&mut self.file), (to - from) as u64))
    }
}
