//! The IDX format of MNIST and its relatives, plain or gzip.
//!
//! Two zero bytes, the type (8: unsigned bytes), the number of dimensions, the dimensions as
//! big-endian 32-bit numbers, then the data.

use flate2::read::MultiGzDecoder;
use std::{borrow::Cow, io::Read};

/// Images as bytes, one row per image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// Grey levels, row-major `[count, dim]`.
    pub pixels: Vec<u8>,
    /// Pixels of one image.
    pub dim: usize,
}

impl Images {
    /// Number of images.
    pub fn count(&self) -> usize {
        self.pixels.len() / self.dim
    }
}

/// First bytes of a gzip file.
pub(super) const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Images from the bytes of a file.
///
/// # Errors
/// What is wrong with the bytes, without the file's name.
pub fn parse_images(bytes: &[u8]) -> Result<Images, String> {
    let (sizes, pixels) = parse(bytes, 3, "images")?;
    let dim = sizes[1] * sizes[2];
    Ok(Images { pixels, dim })
}

/// Labels from the bytes of a file.
///
/// # Errors
/// What is wrong with the bytes, without the file's name.
pub fn parse_labels(bytes: &[u8]) -> Result<Vec<u8>, String> {
    parse(bytes, 1, "labels").map(|(_, labels)| labels)
}

/// The dimensions and the data behind them.
fn parse(bytes: &[u8], dimensions: usize, what: &str) -> Result<(Vec<usize>, Vec<u8>), String> {
    let header_length = 4 + 4 * dimensions;
    let header = unpacked(bytes, header_length)?;
    let magic = header.get(..4).ok_or_else(|| format!("{} bytes are too few for an IDX file", bytes.len()))?;
    let wanted = [0, 0, 8, dimensions as u8];
    if magic != wanted {
        return Err(format!("starts with {magic:02x?}, but an IDX file of {what} starts with {wanted:02x?}"));
    }
    let numbers = header.get(4..header_length).ok_or("ends within its header")?.as_chunks::<4>().0;
    let sizes: Vec<usize> = numbers.iter().map(|n| u32::from_be_bytes(*n) as usize).collect();
    if sizes.contains(&0) {
        return Err(format!("has dimensions {sizes:?}; none may be 0"));
    }
    let length = sizes.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
    let total = length.and_then(|n| n.checked_add(header_length));
    let total = total.ok_or_else(|| format!("has impossible dimensions {sizes:?}"))?;
    // One byte more than needed shows what is too long, and bounds what a gzip bomb can expand to.
    let mut file = unpacked(bytes, total.saturating_add(1))?.into_owned();
    if file.len() != total {
        let problem = if file.len() < total { "is cut short" } else { "has bytes left over" };
        return Err(format!("{problem}: dimensions {sizes:?} need {total} bytes in all"));
    }
    file.drain(..header_length);
    Ok((sizes, file))
}

/// At most the first `limit` bytes of the content, expanded if it is gzip.
fn unpacked(bytes: &[u8], limit: usize) -> Result<Cow<'_, [u8]>, String> {
    if !bytes.starts_with(&GZIP) {
        return Ok(Cow::Borrowed(&bytes[..limit.min(bytes.len())]));
    }
    let mut content = Vec::new();
    let read = MultiGzDecoder::new(bytes).take(limit as u64).read_to_end(&mut content);
    read.map_err(|e| format!("is not a whole gzip file ({e}); fetch it again"))?;
    Ok(Cow::Owned(content))
}
