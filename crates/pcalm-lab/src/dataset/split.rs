//! Samples in memory: one split, and the pair of splits that makes a data set.

use super::error::DataError;

/// Images and labels of one part of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// Pixels, row-major `[count, dim]`, each in `[0, 1]` until standardised.
    pub pixels: Vec<f32>,
    /// One class index for each image.
    pub labels: Vec<u8>,
    /// Pixels of one image.
    pub dim: usize,
}

impl Split {
    /// How many images there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Pixels of image `i`; like slice indexing, `i` must be below [`len`](Self::len).
    pub fn image(&self, i: usize) -> &[f32] {
        &self.pixels[i * self.dim..(i + 1) * self.dim]
    }

    fn keep(&mut self, n: Option<usize>, name: &str, part: &'static str) -> Result<(), DataError> {
        let Some(n) = n else { return Ok(()) };
        if n == 0 || n > self.len() {
            return Err(DataError::Subset { name: name.to_owned(), part, asked: n, have: self.len() });
        }
        self.pixels.truncate(n * self.dim);
        self.labels.truncate(n);
        self.pixels.shrink_to_fit();
        Ok(())
    }
}

/// A training and a test split over the same classes.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// The registered name, or the path of the training images.
    pub name: String,
    /// Number of classes; every label is below it.
    pub classes: usize,
    /// Samples to learn from.
    pub train: Split,
    /// Samples held out.
    pub test: Split,
}

impl Dataset {
    /// Bytes of both splits.
    pub fn bytes(&self) -> usize {
        let bytes = |s: &Split| size_of_val(s.pixels.as_slice()) + s.labels.len();
        bytes(&self.train) + bytes(&self.test)
    }

    /// Pixels of one image, the same in both splits.
    pub fn dim(&self) -> usize {
        self.train.dim
    }

    /// The same set with only the first samples of each split; `None` keeps a split whole.
    pub fn subset(mut self, train: Option<usize>, test: Option<usize>) -> Result<Dataset, DataError> {
        self.train.keep(train, &self.name, "training")?;
        self.test.keep(test, &self.name, "test")?;
        Ok(self)
    }

    /// Shift and scale all pixels by the mean and standard deviation of the training pixels.
    ///
    /// Both are single numbers over all pixels, returned as `(mean, sd)`. Training pixels that are
    /// all alike have no scale: then the pixels are only shifted, and the `sd` returned is 1.
    pub fn standardise(&mut self) -> (f32, f32) {
        let (mean, sd) = moments(&self.train.pixels);
        let (mean, scale) = (mean as f32, (1.0 / sd) as f32);
        for pixels in [&mut self.train.pixels, &mut self.test.pixels] {
            pixels.iter_mut().for_each(|p| *p = (*p - mean) * scale);
        }
        (mean, sd as f32)
    }
}

/// Mean and standard deviation in f64; a deviation too small to divide by becomes 1.
fn moments(pixels: &[f32]) -> (f64, f64) {
    let n = pixels.len().max(1) as f64;
    let mean = pixels.iter().map(|&p| f64::from(p)).sum::<f64>() / n;
    // The second pass avoids the cancellation of E[x²] − E[x]² on nearly constant data.
    let squares = pixels.iter().map(|&p| (f64::from(p) - mean).powi(2)).sum::<f64>();
    let sd = (squares / n).sqrt();
    if sd > 1e-6 { (mean, sd) } else { (mean, 1.0) }
}
