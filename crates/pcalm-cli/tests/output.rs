//! Where the output goes, and what happens when it goes nowhere.

#![cfg(feature = "theory")]

mod common;

use common::{folder, path, pcalm, said};
use std::{fs, path::Path};

/// `text` without what is after `//` on a line.
fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

/// Every source file below `folder`, with its text less comments.
fn sources(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else {
            found.push((path.display().to_string(), without_comments(&fs::read_to_string(&path).unwrap())));
        }
    }
    found
}

#[test]
fn nothing_prints_past_the_one_writer_and_nothing_but_a_second_interrupt_ends_the_process() {
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(sources.len() > 10);
    let uses = |word: &str| {
        let all = sources.iter().flat_map(|(file, text)| text.matches(word).map(|_| file.as_str()));
        all.collect::<Vec<_>>()
    };
    for word in ["print!", "println!", "eprint!", "eprintln!", "dbg!", ".exit()", "::abort(", ".get_matches"] {
        assert_eq!(uses(word), [""; 0], "{word}");
    }
    for word in ["stdout()", "stderr().lock()"] {
        assert!(uses(word).iter().all(|file| file.ends_with("output.rs")), "{word}: {:?}", uses(word));
    }
    assert!(
        matches!(uses("process::exit(")[..], [file] if file.ends_with("signals.rs")),
        "{:?}",
        uses("process::exit(")
    );
}

/// What can be asked in a moment and answers on stdout, with a folder to use.
#[cfg(unix)]
fn questions(out: &str) -> [Vec<&str>; 7] {
    // Four files that only have to be there.
    fs::create_dir(out).unwrap();
    for kind in ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"] {
        fs::write(format!("{out}/{kind}-ubyte"), "").unwrap();
    }
    [
        vec!["list", "datasets"],
        vec!["list", "figures", "--json"],
        vec!["theory", "stability", "--grid=4", "--out", out],
        vec!["data", "path", "mnist", "--data-dir", out],
        vec!["--help"],
        vec!["list", "--help"],
        vec!["--version"],
    ]
}

#[cfg(unix)]
#[test]
fn a_reader_that_has_seen_enough_ends_a_command_well_and_quietly() {
    let place = folder();
    for arguments in questions(&path(place.path(), "out")) {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let said = said(pcalm().args(&arguments).stdout(writer).output().unwrap());
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{arguments:?}");
    }
}

#[cfg(target_os = "linux")]
fn full() -> fs::File {
    fs::OpenOptions::new().write(true).open("/dev/full").unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_device_is_an_error_in_one_line_that_names_stdout() {
    let place = folder();
    for arguments in questions(&path(place.path(), "out")) {
        let said = said(pcalm().args(&arguments).stdout(full()).output().unwrap());
        assert_eq!(said.code, 2, "{arguments:?}: {}", said.err);
        assert!(said.err.starts_with("pcalm: error: stdout: No space left"), "{arguments:?}: {}", said.err);
        assert_eq!(said.err.lines().count(), 1, "{}", said.err);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn where_stderr_takes_nothing_results_and_exit_codes_are_the_same() {
    let place = folder();
    let out = path(place.path(), "out");
    // A remark, none, an error of ours, and two refusals of clap's.
    let remarks = ["theory", "spectrum", "--width=4", "--depth=4", "--train-samples=10", "--out", &out];
    for arguments in [&remarks[..], &["list", "datasets"], &["list", "nothing"], &["nothing"], &[]] {
        let heard = said(pcalm().args(arguments).output().unwrap());
        let (reader, gone) = std::io::pipe().unwrap();
        drop(reader);
        for stderr in [full().into(), std::process::Stdio::from(gone)] {
            let unheard = said(pcalm().args(arguments).stderr(stderr).output().unwrap());
            assert_eq!((unheard.code, &unheard.out), (heard.code, &heard.out), "{arguments:?}");
        }
        // `2>&-` of a shell.
        let closed = std::process::Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 2>&-", env!("CARGO_BIN_EXE_pcalm")])
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(said(closed).code, heard.code, "{arguments:?}");
    }
}
