//! The number types of arrays in files.

use half::{bf16, f16};
use npyz::{DType, Endianness, TypeChar};
use safetensors::Dtype;

/// A number type that arrays are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Unsigned,
    Signed,
    Float,
    BrainFloat,
}

/// A number as it stands in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element {
    kind: Kind,
    /// Bytes, at most 8.
    pub size: usize,
    big_endian: bool,
}

/// What arrays may be of.
const KNOWN: &str = "bool, whole numbers and floats of 16, 32 or 64 bits are read";

impl Element {
    /// NumPy's type.
    pub fn of_npy(dtype: &DType) -> Result<Element, String> {
        let bad = || format!("has type {}; {KNOWN}", dtype.descr());
        let DType::Plain(plain) = dtype else { return Err(bad()) };
        let size = usize::try_from(plain.size_field()).map_err(|_| bad())?;
        let kind = match (plain.type_char(), size) {
            (TypeChar::Bool, 1) => Kind::Bool,
            (TypeChar::Uint, 1 | 2 | 4 | 8) => Kind::Unsigned,
            (TypeChar::Int, 1 | 2 | 4 | 8) => Kind::Signed,
            (TypeChar::Float, 2 | 4 | 8) => Kind::Float,
            (TypeChar::UnicodeStr | TypeChar::ByteStr, _) => {
                return Err(format!("has type {}, which is text; save numbers, classes as 0, 1, …", dtype.descr()));
            }
            (TypeChar::Object, _) => {
                return Err("holds Python objects, which are not read; save an array of numbers".into());
            }
            _ => return Err(bad()),
        };
        Ok(Element { kind, size, big_endian: plain.endianness() == Endianness::Big })
    }

    /// The type of a tensor.
    pub fn of_tensor(dtype: Dtype) -> Result<Element, String> {
        let (kind, size) = match dtype {
            Dtype::BOOL => (Kind::Bool, 1),
            Dtype::U8 => (Kind::Unsigned, 1),
            Dtype::U16 => (Kind::Unsigned, 2),
            Dtype::U32 => (Kind::Unsigned, 4),
            Dtype::U64 => (Kind::Unsigned, 8),
            Dtype::I8 => (Kind::Signed, 1),
            Dtype::I16 => (Kind::Signed, 2),
            Dtype::I32 => (Kind::Signed, 4),
            Dtype::I64 => (Kind::Signed, 8),
            Dtype::F16 => (Kind::Float, 2),
            Dtype::BF16 => (Kind::BrainFloat, 2),
            Dtype::F32 => (Kind::Float, 4),
            Dtype::F64 => (Kind::Float, 8),
            other => return Err(format!("has type {other:?}; {KNOWN}")),
        };
        Ok(Element { kind, size, big_endian: false })
    }

    /// Whether it can only be a whole number.
    pub fn is_whole(self) -> bool {
        matches!(self.kind, Kind::Bool | Kind::Unsigned | Kind::Signed)
    }

    /// The number in these bytes.
    pub fn real(self, bytes: &[u8]) -> f64 {
        let word = self.word(bytes);
        match (self.kind, self.size) {
            (Kind::BrainFloat, _) => bf16::from_bits(word as u16).to_f64(),
            (Kind::Float, 2) => f16::from_bits(word as u16).to_f64(),
            (Kind::Float, 4) => f64::from(f32::from_bits(word as u32)),
            (Kind::Float, _) => f64::from_bits(word),
            (Kind::Signed, _) => self.whole(bytes) as f64,
            (Kind::Bool | Kind::Unsigned, _) => word as f64,
        }
    }

    /// The whole number in these bytes; what is beyond `i64` becomes its largest.
    pub fn whole(self, bytes: &[u8]) -> i64 {
        let word = self.word(bytes);
        let spare = 64 - 8 * self.size as u32;
        match self.kind {
            Kind::Signed => ((word << spare) as i64) >> spare,
            _ => i64::try_from(word).unwrap_or(i64::MAX),
        }
    }

    /// The bytes as the low end of a word.
    fn word(self, bytes: &[u8]) -> u64 {
        let shift = |word: u64, byte: &u8| word << 8 | u64::from(*byte);
        if self.big_endian { bytes.iter().fold(0, shift) } else { bytes.iter().rev().fold(0, shift) }
    }
}
