//! Downloads, from a small server on this machine.

use pcalm_lab::dataset::{FILES, File, Info, fetch_from};
use sha2::{Digest, Sha256};
use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex},
    thread,
};

/// What the server does to a request for a file.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    /// Sends it, or the part asked for.
    Good,
    /// Sends half of it the first time, and hangs up.
    HangsUpOnce,
    /// As `HangsUpOnce`, and afterwards always sends everything.
    HangsUpAndForgets,
    /// Sends other bytes of the same length.
    Lies,
    /// Has nothing.
    Empty,
}

struct Server {
    url: String,
    /// Every request: path and the first byte asked for.
    log: Arc<Mutex<Vec<(String, usize)>>>,
}

fn content(name: &str) -> Vec<u8> {
    (0..100_000u32).map(|i| (i.wrapping_mul(name.len() as u32) >> 3) as u8).collect()
}

fn serve(manner: Manner) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let log = Arc::new(Mutex::new(Vec::new()));
    let seen = log.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap(), manner, &seen);
        }
    });
    Server { url, log }
}

fn answer(mut stream: TcpStream, manner: Manner, log: &Mutex<Vec<(String, usize)>>) {
    let (mut name, mut from) = (String::new(), 0);
    for line in BufReader::new(&stream).lines().map_while(Result::ok).take_while(|l| !l.is_empty()) {
        if let Some(path) = line.strip_prefix("GET /") {
            name = path.split(' ').next().unwrap().to_owned();
        }
        if let Some(range) = line.to_lowercase().strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().unwrap();
        }
    }
    let again = log.lock().unwrap().iter().any(|(n, _)| *n == name);
    log.lock().unwrap().push((name.clone(), from));
    let mut body = content(&name);
    if manner == Manner::Lies {
        body[5] ^= 1;
    }
    let hangs_up = matches!(manner, Manner::HangsUpOnce | Manner::HangsUpAndForgets) && !again;
    let from = if manner == Manner::HangsUpAndForgets { 0 } else { from };
    let status = match (manner, from) {
        (Manner::Empty, _) => "404 Not Found",
        (_, 0) => "200 OK",
        _ => "206 Partial Content",
    };
    let part = if manner == Manner::Empty { &[][..] } else { &body[from..] };
    let sent = if hangs_up { &part[..part.len() / 2] } else { part };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", part.len());
    // A client that has had enough may hang up first.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(sent));
}

fn info() -> Info {
    let file = |name: &str| {
        let body = content(&format!("{name}.gz"));
        let sum: String = Sha256::digest(&body).iter().map(|b| format!("{b:02x}")).collect();
        File { size: body.len() as u64, sha256: sum.leak(), content: None }
    };
    Info {
        name: "mnist",
        summary: "",
        classes: Some(10),
        make: None,
        package: None,
        mirrors: &[],
        files: FILES.map(file),
    }
}

fn download(mirrors: &[&str], folder: &Path) -> Result<(), String> {
    fetch_from(&info(), mirrors, folder, &mut |_| ()).map_err(|e| e.to_string())
}

fn assert_whole(folder: &Path) {
    for name in FILES.map(|n| format!("{n}.gz")) {
        assert!(std::fs::read(folder.join(&name)).unwrap() == content(&name), "{name}");
    }
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), FILES.len(), "only whole files are left");
}

#[test]
fn files_arrive_whole_with_progress_and_are_not_fetched_twice() {
    let (place, server) = (tempfile::tempdir().unwrap(), serve(Manner::Good));
    let mut ends = Vec::new();
    fetch_from(&info(), &[&server.url], place.path(), &mut |p| {
        assert!(p.done <= p.total);
        if p.done == p.total {
            ends.push(p.file.to_owned());
        }
    })
    .unwrap();
    assert_whole(place.path());
    assert_eq!(ends, FILES.map(|n| format!("{n}.gz")));
    download(&[&server.url], place.path()).unwrap();
    assert_eq!(server.log.lock().unwrap().len(), FILES.len());
}

#[test]
fn a_broken_download_goes_on_where_it_broke() {
    let (place, server) = (tempfile::tempdir().unwrap(), serve(Manner::HangsUpOnce));
    download(&[&server.url], place.path()).unwrap();
    assert_whole(place.path());
    let log = server.log.lock().unwrap();
    let resumed: Vec<usize> = log.iter().filter(|(name, _)| *name == log[0].0).map(|(_, from)| *from).collect();
    assert_eq!(resumed.len(), 2);
    assert!(resumed[0] == 0 && resumed[1] > 0, "{resumed:?}");
}

#[test]
fn a_server_that_cannot_go_on_sends_the_file_from_its_start() {
    let (place, server) = (tempfile::tempdir().unwrap(), serve(Manner::HangsUpAndForgets));
    download(&[&server.url], place.path()).unwrap();
    assert_whole(place.path());
}

#[test]
fn other_bytes_than_the_published_ones_are_not_kept() {
    let (place, server) = (tempfile::tempdir().unwrap(), serve(Manner::Lies));
    let error = download(&[&server.url], place.path()).unwrap_err();
    assert!(error.contains("SHA-256") && error.contains(info().files[0].sha256), "{error}");
    assert!(error.contains(&format!("{}.gz", FILES[0])) && error.contains("--data-dir"), "{error}");
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn the_next_source_is_tried_when_one_has_nothing() {
    let (place, empty, good) = (tempfile::tempdir().unwrap(), serve(Manner::Empty), serve(Manner::Good));
    download(&[&empty.url, &good.url], place.path()).unwrap();
    assert_whole(place.path());
    assert!(!empty.log.lock().unwrap().is_empty());
}

#[test]
fn without_a_connection_the_way_out_is_named() {
    let place = tempfile::tempdir().unwrap();
    // A port that was free a moment ago: nobody listens there.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = download(&[&format!("http://{closed}")], place.path()).unwrap_err();
    assert!(error.contains("could not download") && error.contains("--data-dir"), "{error}");
}
