//! Downloads with checksums, retries and resumption.

use super::{
    DataError, FILES, File, Info,
    fingerprint::hex,
    locate::{self, cache_dir},
    registry::info,
};
use sha2::{Digest, Sha256};
use std::{
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    time::Duration,
};

/// Attempts per mirror; a broken connection is resumed where it broke.
const ATTEMPTS: u32 = 3;
/// Pause before the second attempt; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(300);
/// A connection that says nothing for this long is broken.
const PATIENCE: Duration = Duration::from_secs(20);

/// How far a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The file.
    pub file: &'a str,
    /// Bytes on disk.
    pub done: u64,
    /// Bytes in all.
    pub total: u64,
}

/// Downloads the set called `name` into the cache, unless it is there already; returns its folder.
///
/// # Errors
/// If the name is unknown or embedded, or every source failed.
pub fn fetch(name: &str, progress: &mut dyn FnMut(Progress)) -> Result<PathBuf, DataError> {
    let info = info(name)?;
    if info.embedded() {
        return Err(DataError::Embedded(info.name));
    }
    let cache = cache_dir().ok_or_else(|| DataError::Io {
        path: PathBuf::from("~/.cache/pcalm"),
        source: std::io::Error::other("neither XDG_CACHE_HOME nor HOME says where the cache is"),
    })?;
    let folder = cache.join(name);
    fetch_from(info, info.mirrors, &folder, progress)?;
    Ok(folder)
}

/// Downloads the files of `info` from the first of `mirrors` that works into `folder`.
///
/// # Errors
/// If the folder cannot be written to, or every mirror failed.
pub fn fetch_from<M: AsRef<str>>(
    info: &Info,
    mirrors: &[M],
    folder: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), DataError> {
    fs::create_dir_all(folder).map_err(|source| io(folder, source))?;
    for (name, file) in FILES.iter().zip(&info.files) {
        let name = format!("{name}.gz");
        let target = folder.join(&name);
        if target.is_file() && checksum(&target)? == file.sha256 {
            progress(Progress { file: &name, done: file.size, total: file.size });
            continue;
        }
        fetch_file(info, mirrors, &name, file, &target, progress)?;
    }
    Ok(())
}

fn fetch_file<M: AsRef<str>>(
    info: &Info,
    mirrors: &[M],
    name: &str,
    file: &File,
    target: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), DataError> {
    let part = target.with_extension("gz.part");
    let mut problem = "no source is known".to_owned();
    for mirror in mirrors {
        let url = format!("{}/{name}", mirror.as_ref());
        let mut pause = FIRST_PAUSE;
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                std::thread::sleep(pause);
                pause *= 2;
            }
            match download(&url, name, file, &part, progress) {
                Err(Failure::Disk(error)) => return Err(error),
                Err(Failure::Network(what)) => problem = format!("{url}: {what}"),
                Ok(()) => {
                    let found = checksum(&part)?;
                    if found == file.sha256 {
                        return fs::rename(&part, target).map_err(|source| io(target, source));
                    }
                    problem = format!("{url}: its SHA-256 is {found}, not {}", file.sha256);
                    fs::remove_file(&part).map_err(|source| io(&part, source))?;
                    // The same source would send the same bytes again.
                    break;
                }
            }
        }
    }
    Err(DataError::Download { name: info.name.to_owned(), file: name.to_owned(), problem })
}

enum Failure {
    /// Worth another attempt.
    Network(String),
    /// Not worth another attempt.
    Disk(DataError),
}

/// Brings `part` to its full size, going on from what is there if the server allows it.
fn download(
    url: &str,
    name: &str,
    file: &File,
    part: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), Failure> {
    let disk = |source| Failure::Disk(io(part, source));
    let network = |e: &dyn std::fmt::Display| Failure::Network(e.to_string());
    let mut done = fs::metadata(part).map_or(0, |m| m.len());
    if done >= file.size {
        // Whole already, or too long to be right: the checksum decides.
        return Ok(());
    }
    let config = ureq::Agent::config_builder()
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .timeout_global(Some(PATIENCE * 60))
        .build();
    let agent = ureq::Agent::new_with_config(config);
    let mut request = agent.get(url);
    if done > 0 {
        request = request.header("Range", format!("bytes={done}-"));
    }
    let response = request.call().map_err(|e| network(&e))?;
    let resumed = response.status().as_u16() == 206;
    if !resumed {
        done = 0;
    }
    let mut out =
        fs::OpenOptions::new().create(true).write(true).append(resumed).truncate(!resumed).open(part).map_err(disk)?;
    // One byte too many is enough to know that the file is wrong.
    let mut body = response.into_body().into_reader().take(file.size - done + 1);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        progress(Progress { file: name, done, total: file.size });
        let count = body.read(&mut buffer).map_err(|e| network(&e))?;
        if count == 0 {
            break;
        }
        out.write_all(&buffer[..count]).map_err(disk)?;
        done += count as u64;
    }
    out.sync_all().map_err(disk)?;
    if done < file.size {
        return Err(Failure::Network(format!("the connection ended after {done} of {} bytes", file.size)));
    }
    Ok(())
}

/// Each file of `name` with whether its checksum is the published one.
///
/// Files that are not gzip cannot be checked against the published checksums and count as wrong.
///
/// # Errors
/// If the name is unknown or embedded, or the files are not there, belong to a package of the
/// system, or cannot be read.
pub fn verify(name: &str, data_dir: Option<&Path>) -> Result<Vec<(PathBuf, bool)>, DataError> {
    let folder = locate::path(name, data_dir)?;
    let info = info(name)?;
    if let Some(package) = info.package.filter(|_| folder.starts_with(locate::SYSTEM)) {
        return Err(DataError::Packaged { folder, package });
    }
    let files = FILES.iter().zip(&info.files);
    files
        .map(|(name, file)| {
            let path = locate::file(&folder, name).unwrap_or_else(|| folder.join(name));
            let good = checksum(&path)? == file.sha256;
            Ok((path, good))
        })
        .collect()
}

/// A file's SHA-256 in hexadecimal.
fn checksum(path: &Path) -> Result<String, DataError> {
    let mut file = fs::File::open(path).map_err(|source| io(path, source))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = file.read(&mut buffer).map_err(|source| io(path, source))?;
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
    }
    Ok(hex(&hasher.finalize()))
}

fn io(path: &Path, source: std::io::Error) -> DataError {
    DataError::Io { path: path.to_owned(), source }
}
