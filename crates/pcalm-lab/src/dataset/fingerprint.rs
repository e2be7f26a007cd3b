//! Recognising data by content.

use super::split::{Dataset, Split};
use super::targets::Targets;
use sha2::{Digest, Sha256};

/// Numbers turned into bytes at a time.
const CHUNK: usize = 4096;

impl Dataset {
    /// SHA-256, in hexadecimal, of inputs, targets, shapes and task: the same for the same content
    /// whatever the set is called and wherever it came from.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(b"pcalm data set 1\n");
        for split in [&self.train, &self.test] {
            add(&mut hash, split);
        }
        hex(&hash.finalize())
    }
}

fn add(hash: &mut Sha256, split: &Split) {
    let task = split.targets.task().name();
    hash.update(format!("{task} {} {} {}\n", split.targets.outputs(), split.len(), split.dim));
    add_all(hash, &split.inputs, |x| x.to_le_bytes());
    match &split.targets {
        Targets::Classes { labels, .. } => add_all(hash, labels, |label| label.to_le_bytes()),
        Targets::Real { values, .. } => add_all(hash, values, |y| y.to_le_bytes()),
    }
}

fn add_all<T: Copy>(hash: &mut Sha256, values: &[T], bytes: impl Fn(T) -> [u8; 4]) {
    let mut buffer = Vec::with_capacity(4 * CHUNK);
    for chunk in values.chunks(CHUNK) {
        buffer.clear();
        chunk.iter().for_each(|&v| buffer.extend(bytes(v)));
        hash.update(&buffer);
    }
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
