//! One file from the web, with retries and resumption.

use super::{
    DataError, File, Info,
    fetch::{DownloadProgress, io},
    integrity::checksum,
};
use std::{
    fs,
    io::{Read, Write},
    path::Path,
    time::Duration,
};

/// Attempts per mirror; a broken connection is resumed where it broke.
const ATTEMPTS: u32 = 3;
/// Pause before the second attempt; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(300);
/// A connection that says nothing for this long is broken.
const PATIENCE: Duration = Duration::from_secs(20);

/// Brings one file of `info` from the first of `mirrors` that works to `target`.
pub(super) fn file<M: AsRef<str>>(
    info: &Info,
    mirrors: &[M],
    name: &str,
    file: &File,
    target: &Path,
    progress: &mut dyn FnMut(DownloadProgress),
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
                Err(DownloadFailure::Disk(error)) => return Err(error),
                Err(DownloadFailure::Network(what)) => problem = format!("{url}: {what}"),
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

enum DownloadFailure {
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
    progress: &mut dyn FnMut(DownloadProgress),
) -> Result<(), DownloadFailure> {
    let disk = |source| DownloadFailure::Disk(io(part, source));
    let network = |e: &dyn std::fmt::Display| DownloadFailure::Network(e.to_string());
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
        progress(DownloadProgress { file: name, done, total: file.size });
        let count = body.read(&mut buffer).map_err(|e| network(&e))?;
        if count == 0 {
            break;
        }
        out.write_all(&buffer[..count]).map_err(disk)?;
        done += count as u64;
    }
    out.sync_all().map_err(disk)?;
    if done < file.size {
        return Err(DownloadFailure::Network(format!("the connection ended after {done} of {} bytes", file.size)));
    }
    Ok(())
}
