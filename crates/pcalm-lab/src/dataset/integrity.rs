//! Whether files hold what was published: checksums of files and of what is in them.
//!
//! Packages pack a set's files anew, which changes the checksum of the gzip file by as little as the date in its header.
//! The bytes inside stay what they were, and where their checksum is known it is the one that counts.

use super::{
    DataError, FILES, Info,
    fetch::io,
    fingerprint::hex,
    idx::GZIP,
    locate::{self, Located},
    registry::info,
};
use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

/// Each file of `name` with whether it is the published one: by the bytes inside, or, for sets of which their checksum is
/// not known, by the gzip file itself, so that files of such a set that are not gzip count as wrong.
///
/// # Errors
/// If the name is unknown or embedded, or the files are not there or cannot be read.
pub fn verify(name: &str, data_dir: Option<&Path>) -> Result<Vec<(PathBuf, bool)>, DataError> {
    let info = info(name)?;
    let folder = locate::located(info, data_dir)?.folder;
    FILES
        .iter()
        .zip(&info.files)
        .map(|(name, file)| {
            let path = locate::file_or_plain(&folder, name);
            let good = match file.content {
                Some(wanted) => content_checksum(&path)? == wanted,
                None => checksum(&path)? == file.sha256,
            };
            Ok((path, good))
        })
        .collect()
}

/// Refuses a package's files that do not hold the published bytes. A user's own folder may hold what the user likes, and
/// what is in the cache was looked at when it came.
pub(super) fn check_package(info: &Info, place: &Located) -> Result<(), DataError> {
    let Some(package) = info.package.filter(|_| place.packaged) else { return Ok(()) };
    for (name, file) in FILES.iter().zip(&info.files) {
        let path = locate::file_or_plain(&place.folder, name);
        let Some(wanted) = file.content else { continue };
        let found = content_checksum(&path)?;
        if found != wanted {
            return Err(DataError::Altered { path, found, wanted, package });
        }
    }
    Ok(())
}

/// A file's SHA-256 in hexadecimal.
pub(super) fn checksum(path: &Path) -> Result<String, DataError> {
    digest(fs::File::open(path).map_err(|source| io(path, source))?).map_err(|source| io(path, source))
}

/// That of the bytes inside, if it is a gzip file.
fn content_checksum(path: &Path) -> Result<String, DataError> {
    let mut file = BufReader::new(fs::File::open(path).map_err(|source| io(path, source))?);
    let packed = file.fill_buf().map_err(|source| io(path, source))?.starts_with(&GZIP);
    let found = if packed { digest(MultiGzDecoder::new(file)) } else { digest(file) };
    found.map_err(|source| io(path, source))
}

fn digest(mut from: impl Read) -> std::io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(&buffer[..count]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::File;
    use flate2::{Compression, GzBuilder};
    use std::io::Write;

    /// SHA-256 of `abc` and of nothing, as FIPS 180-2 and every `sha256sum` give them.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    /// A set whose files all hold `abc`.
    fn abc() -> Info {
        let file = File { size: 0, sha256: "", content: Some(ABC) };
        Info { package: Some("a-package"), files: [file; 4], ..*info("fashion-mnist").unwrap() }
    }

    fn write(folder: &Path, content: &[u8], date: u32) {
        for name in FILES {
            let file = fs::File::create(folder.join(format!("{name}.gz"))).unwrap();
            let mut packed = GzBuilder::new().mtime(date).write(file, Compression::default());
            packed.write_all(content).unwrap();
            packed.finish().unwrap();
        }
    }

    fn check(folder: &Path, packaged: bool) -> Result<(), String> {
        check_package(&abc(), &Located { folder: folder.to_owned(), packaged }).map_err(|e| e.to_string())
    }

    #[test]
    fn files_packed_anew_are_the_published_ones() {
        let place = tempfile::tempdir().unwrap();
        for date in [1, 2] {
            write(place.path(), b"abc", date);
            assert_eq!(check(place.path(), true), Ok(()));
        }
        let plain = place.path().join(FILES[0]);
        fs::rename(place.path().join(format!("{}.gz", FILES[0])), place.path().join("away")).unwrap();
        fs::write(plain, "abc").unwrap();
        assert_eq!(check(place.path(), true), Ok(()));
    }

    #[test]
    fn a_wrong_byte_in_a_package_is_refused_with_file_digests_and_the_way_out() {
        let place = tempfile::tempdir().unwrap();
        write(place.path(), b"abc", 1);
        fs::remove_file(place.path().join(format!("{}.gz", FILES[2]))).unwrap();
        fs::write(place.path().join(FILES[2]), "").unwrap();
        let said = check(place.path(), true).unwrap_err();
        for part in [FILES[2], ABC, NOTHING, "apt install --reinstall a-package", "--data-dir"] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert_eq!(check(place.path(), false), Ok(()), "in a user's own folder it is the user's business");
    }
}
