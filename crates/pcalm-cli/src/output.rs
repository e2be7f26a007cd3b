//! All the program says: data on stdout, remarks on stderr.
//!
//! Data that cannot be written is an error, which `main` turns into an exit code; a remark that cannot be
//! written is lost and changes nothing.

use crate::commands::Failure;
use serde::Serialize;
use std::{
    error::Error,
    fmt::{self, Display},
    io::{self, BufWriter, Write, stderr, stdout},
};

/// Stdout did not take the data.
#[derive(Debug)]
pub struct Unwritten(io::Error);

impl Unwritten {
    /// Whether the reader has gone away, as `head` does when it has seen enough.
    pub fn is_unwanted(&self) -> bool {
        self.0.kind() == io::ErrorKind::BrokenPipe
    }
}

impl Display for Unwritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stdout: {}", self.0)
    }
}

impl Error for Unwritten {}

/// Writes data to stdout, all of it or an error.
pub fn write(data: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Unwritten> {
    let mut out = BufWriter::new(stdout().lock());
    data(&mut out).and_then(|()| out.flush()).map_err(Unwritten)
}

/// Writes a line of data.
pub fn line(data: impl Display) -> Result<(), Unwritten> {
    write(|out| writeln!(out, "{data}"))
}

/// Writes a value as JSON.
pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<(), Failure> {
    Ok(line(serde_json::to_string_pretty(value)?)?)
}

/// Writes a result: as JSON, or as the text for people.
pub fn report<T: Serialize + ?Sized>(
    value: &T,
    as_json: bool,
    text: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Failure> {
    if as_json { json(value) } else { Ok(write(text)?) }
}

/// Writes clap's help or version, in colour where stdout shows it.
pub fn help(help: &clap::Error) -> Result<(), Unwritten> {
    help.print().and_then(|()| stdout().flush()).map_err(Unwritten)
}

/// Writes clap's refusal of the arguments to stderr.
pub fn usage(refusal: &clap::Error) {
    let _ = refusal.print();
}

/// Remarks on how things stand.
pub fn note(remark: impl Display) {
    let _ = writeln!(stderr().lock(), "pcalm: {remark}");
}

/// Remarks on a line of its own, below what the terminal echoed.
pub fn note_below(remark: impl Display) {
    let _ = writeln!(stderr().lock(), "\npcalm: {remark}");
}

/// Warns.
pub fn warn(warning: impl Display) {
    note(format_args!("warning: {warning}"));
}
