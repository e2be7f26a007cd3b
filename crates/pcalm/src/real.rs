//! The two floating-point types everything is written for.

use num_traits::Float;
use safetensors::Dtype;

/// `f32` or `f64`: the number type of weights, activities and duals.
///
/// Training runs in `f32`; theory and the contract tests run the same source in `f64`.
pub trait Real:
    Float
    + Default
    + Send
    + Sync
    + std::fmt::Debug
    + std::fmt::Display
    + std::iter::Sum
    + std::ops::AddAssign
    + std::ops::SubAssign
    + std::ops::MulAssign
    + 'static
{
    /// How safetensors files name this type.
    const DTYPE: Dtype;
    /// Bytes of one number.
    const BYTES: usize;

    /// Rounds an `f64` to this type.
    fn of(value: f64) -> Self;
    /// Widens to `f64` (exact).
    fn wide(self) -> f64;
    /// The error function, erf(x).
    fn erf(self) -> Self;
    /// Appends the little-endian bytes.
    fn put_le(self, bytes: &mut Vec<u8>);
}

impl Real for f32 {
    const DTYPE: Dtype = Dtype::F32;
    const BYTES: usize = 4;

    fn of(value: f64) -> Self {
        value as f32
    }
    fn wide(self) -> f64 {
        f64::from(self)
    }
    fn erf(self) -> Self {
        libm::erff(self)
    }
    fn put_le(self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.to_le_bytes());
    }
}

impl Real for f64 {
    const DTYPE: Dtype = Dtype::F64;
    const BYTES: usize = 8;

    fn of(value: f64) -> Self {
        value
    }
    fn wide(self) -> f64 {
        self
    }
    fn erf(self) -> Self {
        libm::erf(self)
    }
    fn put_le(self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.to_le_bytes());
    }
}
