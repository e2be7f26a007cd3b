//! Arithmetic counted.

/// Arithmetic done, counted where it is done. Additive over blocks, steps and runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Products with a weight matrix, its transpose, or of a weight gradient, times the samples
    /// that took part: divide by the samples to get products per sample.
    pub sample_products: u64,
    /// Multiply-adds in those products (2 FLOPs each).
    pub multiply_adds: u64,
}

impl Work {
    /// Counts one product with a `rows × cols` matrix for `samples` samples.
    pub fn count(&mut self, rows: usize, cols: usize, samples: usize) {
        self.sample_products += samples as u64;
        self.multiply_adds += (rows * cols * samples) as u64;
    }
}

impl std::ops::AddAssign for Work {
    fn add_assign(&mut self, other: Self) {
        self.sample_products += other.sample_products;
        self.multiply_adds += other.multiply_adds;
    }
}
