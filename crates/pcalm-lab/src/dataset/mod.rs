//! Data sets: embedded ones, named ones from downloaded files, and a user's own files.

mod describe;
#[cfg_attr(not(feature = "download"), path = "no_download.rs")]
mod download;
mod draw;
mod error;
mod export;
mod fetch;
mod files;
mod fingerprint;
pub mod formula;
pub mod glyphs;
mod idx;
mod inputs;
mod integrity;
mod locate;
mod normalisation;
mod registry;
mod relabel;
mod split;
mod targets;
mod test_part;

pub use describe::{Class, Description, Range};
pub use error::DataError;
pub use export::export;
pub use fetch::{DownloadProgress, fetch, fetch_from};
pub use files::{FileOptions, Format, MOST_CLASSES, TaskChoice, load_file, load_inputs};
pub(crate) use fingerprint::hex;
pub use idx::{Images, parse_images, parse_labels};
pub use inputs::{Inputs, Part};
pub use integrity::verify;
pub use locate::{cache_dir, path};
pub use normalisation::{By, Normalisation};
pub use registry::{DATASETS, FILES, File, Info, info};
pub use split::{Dataset, Split};
pub use targets::{Targets, Task};
pub use test_part::TestPart;

use std::path::{Path, PathBuf};

/// The four files of a data set in IDX form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdxPaths {
    /// Training images.
    pub train_images: PathBuf,
    /// Training labels.
    pub train_labels: PathBuf,
    /// Test images.
    pub test_images: PathBuf,
    /// Test labels.
    pub test_labels: PathBuf,
}

/// The data set called `name`: made by code, or from the files in `data_dir`, in the folder of
/// `PCALM_DATA_DIR`, in the cache, or in a package of the system ([`path`]).
///
/// # Errors
/// If there is no such set, its files are missing or malformed, or a package's are not the published ones.
pub fn load(name: &str, data_dir: Option<&Path>) -> Result<Dataset, DataError> {
    let info = info(name)?;
    if let Some(make) = info.make {
        return Ok(make());
    }
    let place = locate::located(info, data_dir)?;
    integrity::check_package(info, &place)?;
    let folder = place.folder;
    let file = |at: usize| locate::file_or_plain(&folder, FILES[at]);
    let paths = IdxPaths { train_images: file(0), train_labels: file(1), test_images: file(2), test_labels: file(3) };
    load_as(name, &paths, info.classes)
}

/// The data set in four IDX files; the number of classes is the largest label plus one.
///
/// # Errors
/// If a file cannot be read, is malformed, or does not fit the others.
pub fn load_idx(paths: &IdxPaths) -> Result<Dataset, DataError> {
    load_as(&paths.train_images.display().to_string(), paths, None)
}

fn load_as(name: &str, paths: &IdxPaths, classes: Option<usize>) -> Result<Dataset, DataError> {
    let train = read_pair(&paths.train_images, &paths.train_labels)?;
    let test = read_pair(&paths.test_images, &paths.test_labels)?;
    if train.0.dim != test.0.dim {
        return Err(DataError::Mismatch {
            first: paths.train_images.clone(),
            second: paths.test_images.clone(),
            problem: format!("images of {} and of {} pixels", train.0.dim, test.0.dim),
        });
    }
    // By path, the training labels define the classes, and the test labels must be among them.
    let largest = train.1.iter().copied().max().map_or(0, usize::from);
    let classes = classes.unwrap_or((largest + 1).max(2));
    for (labels, file) in [(&train.1, &paths.train_labels), (&test.1, &paths.test_labels)] {
        if let Some(at) = labels.iter().position(|&label| usize::from(label) >= classes) {
            let problem = format!("label {at} is {}; there are classes 0 to {}", labels[at], classes - 1);
            return Err(DataError::Malformed { path: file.clone(), problem });
        }
    }
    let split = |(images, labels): (Images, Vec<u8>)| Split {
        inputs: images.pixels.iter().map(|&p| f32::from(p) / 255.0).collect(),
        dim: images.dim,
        targets: Targets::Classes { labels: labels.iter().map(|&l| u32::from(l)).collect(), classes },
    };
    Ok(Dataset::new(name, split(train), split(test)))
}

fn read_pair(images: &Path, labels: &Path) -> Result<(Images, Vec<u8>), DataError> {
    let malformed = |path: &Path, problem| DataError::Malformed { path: path.to_owned(), problem };
    let read = |path: &Path| std::fs::read(path).map_err(|source| DataError::Io { path: path.to_owned(), source });
    let pictures = parse_images(&read(images)?).map_err(|problem| malformed(images, problem))?;
    let classes = parse_labels(&read(labels)?).map_err(|problem| malformed(labels, problem))?;
    if pictures.count() != classes.len() {
        return Err(DataError::Mismatch {
            first: images.to_owned(),
            second: labels.to_owned(),
            problem: format!("{} images but {} labels", pictures.count(), classes.len()),
        });
    }
    Ok((pictures, classes))
}
