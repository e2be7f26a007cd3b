//! NumPy's arrays: an archive of them, or a folder.

use super::{array::Header, arrays::Arrays, element::Element};
use crate::dataset::DataError;
use npyz::{NpyHeader, Order};
use std::{
    fs::File,
    io::{BufReader, Read},
    path::{Path, PathBuf},
};
use zip::ZipArchive;

const ENDING: &str = ".npy";

/// `FILE.npz`, packed or not.
pub(super) struct Npz(ZipArchive<BufReader<File>>);

impl Npz {
    pub fn open(file: File, path: &Path) -> Result<Self, DataError> {
        let archive = ZipArchive::new(BufReader::new(file));
        archive.map(Npz).map_err(|e| DataError::Malformed {
            path: path.to_owned(),
            problem: format!("is not a whole .npz archive ({e})"),
        })
    }
}

impl Arrays for Npz {
    fn names(&self) -> Vec<String> {
        let names = self.0.file_names().filter_map(|name| Some(name.ok()?.strip_suffix(ENDING)?.to_owned()));
        names.collect()
    }

    fn open(&mut self, name: &str) -> Result<(Header, Box<dyn Read + '_>, u64), String> {
        let unreadable = |e: &dyn std::fmt::Display| format!("array `{name}` cannot be unpacked ({e})");
        let entry = self.0.by_name(&format!("{name}{ENDING}")).map_err(|e| unreadable(&e))?;
        let held = entry.size();
        let mut bytes = BufReader::new(entry);
        let header = header(&mut bytes).map_err(|what| format!("array `{name}` {what}"))?;
        Ok((header, Box::new(bytes), held))
    }
}

/// A folder of `NAME.npy` files.
pub(super) struct ArrayFolder {
    path: PathBuf,
    names: Vec<String>,
}

impl ArrayFolder {
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let io = |source| DataError::Io { path: path.to_owned(), source };
        let mut names = Vec::new();
        for entry in std::fs::read_dir(path).map_err(io)? {
            let name = entry.map_err(io)?.file_name();
            names.extend(name.to_str().and_then(|n| n.strip_suffix(ENDING)).map(str::to_owned));
        }
        names.sort();
        Ok(ArrayFolder { path: path.to_owned(), names })
    }
}

impl Arrays for ArrayFolder {
    fn names(&self) -> Vec<String> {
        self.names.clone()
    }

    fn open(&mut self, name: &str) -> Result<(Header, Box<dyn Read + '_>, u64), String> {
        let file = File::open(self.path.join(format!("{name}{ENDING}"))).map_err(|e| format!("{name}{ENDING}: {e}"))?;
        let held = file.metadata().map_err(|e| format!("{name}{ENDING}: {e}"))?.len();
        let mut bytes = BufReader::new(file);
        let header = header(&mut bytes).map_err(|what| format!("array `{name}` {what}"))?;
        Ok((header, Box::new(bytes), held))
    }
}

fn header(bytes: &mut dyn Read) -> Result<Header, String> {
    let found = NpyHeader::from_reader(bytes).map_err(|e| format!("is not in NumPy's format ({e})"))?;
    let shape = found.shape().iter().map(|&n| usize::try_from(n));
    let shape: Result<Vec<usize>, _> = shape.collect();
    let shape = shape.map_err(|_| format!("has the impossible shape {:?}", found.shape()))?;
    Ok(Header { shape, element: Element::of_npy(&found.dtype())?, fortran: found.order() == Order::Fortran })
}
