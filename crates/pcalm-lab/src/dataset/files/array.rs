//! One array of a file, read as a stream into the buffer it is to stay in.

use super::element::Element;
use std::io::{ErrorKind, Read};

/// Shape and type of an array.
#[derive(Clone, Debug)]
pub(super) struct Header {
    pub shape: Vec<usize>,
    pub element: Element,
    /// Whether the first index runs fastest in the file.
    pub fortran: bool,
}

/// Elements decoded at a time.
const CHUNK: usize = 8192;

impl Header {
    /// Samples, and numbers in each.
    pub fn rows_and_width(&self) -> Result<(usize, usize), String> {
        let Some((&rows, rest)) = self.shape.split_first() else {
            return Err("is a single number; its first dimension must count the samples".into());
        };
        let width = rest.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
        let width = width.filter(|w| w.checked_mul(rows).is_some_and(|n| n.checked_mul(8).is_some()));
        let width = width.ok_or_else(|| format!("has the impossible shape {:?}", self.shape))?;
        if rows == 0 || width == 0 {
            return Err(format!("has shape {:?}: there is nothing in it", self.shape));
        }
        Ok((rows, width))
    }

    /// All elements, row by row, each turned into a `T`; `held` is how many bytes the file can hold at
    /// most, so that a header that lies is found out before memory is asked for.
    pub fn read<T: Copy + Default>(
        &self,
        from: &mut dyn Read,
        held: u64,
        convert: impl Fn(usize, &[u8]) -> Result<T, String>,
    ) -> Result<Vec<T>, String> {
        let (rows, width) = self.rows_and_width()?;
        let (count, size) = (rows * width, self.element.size);
        let short = || format!("is cut short: shape {:?} needs {} bytes", self.shape, count * size);
        if (count * size) as u64 > held {
            return Err(short());
        }
        let mut values = Vec::new();
        values.try_reserve_exact(count).map_err(|_| format!("has {count} numbers, too many for the memory"))?;
        values.resize(count, T::default());
        let mut place = RowMajorOrder::new(&self.shape, self.fortran);
        let mut buffer = vec![0; CHUNK * size];
        let mut left = count;
        while left > 0 {
            let bytes = &mut buffer[..left.min(CHUNK) * size];
            from.read_exact(bytes)
                .map_err(|e| if e.kind() == ErrorKind::UnexpectedEof { short() } else { e.to_string() })?;
            for bytes in bytes.chunks_exact(size) {
                let at = place.next();
                values[at] = convert(at, bytes)?;
            }
            left -= bytes.len() / size;
        }
        Ok(values)
    }
}

/// Where the elements of a file go in a row-major array, one after the other.
struct RowMajorOrder<'a> {
    shape: &'a [usize],
    /// The index of the next element, and what one step along each dimension is worth; empty where
    /// the file is in order already.
    index: Vec<usize>,
    strides: Vec<usize>,
    next: usize,
}

impl<'a> RowMajorOrder<'a> {
    fn new(shape: &'a [usize], fortran: bool) -> Self {
        let dimensions = if fortran { shape.len() } else { 0 };
        let strides = (0..dimensions).map(|d| shape[d + 1..].iter().product()).collect();
        RowMajorOrder { shape, index: vec![0; dimensions], strides, next: 0 }
    }

    fn next(&mut self) -> usize {
        let at = self.next;
        if self.index.is_empty() {
            self.next += 1;
            return at;
        }
        for (dimension, index) in self.index.iter_mut().enumerate() {
            *index += 1;
            self.next += self.strides[dimension];
            if *index < self.shape[dimension] {
                break;
            }
            self.next -= *index * self.strides[dimension];
            *index = 0;
        }
        at
    }
}
