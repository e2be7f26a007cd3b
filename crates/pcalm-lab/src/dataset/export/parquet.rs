//! Data sets as Parquet tables.

use super::{
    input_names,
    tables::{SPLIT, parts},
    target_names,
};
use crate::dataset::{Dataset, split::Split};
use parquet::{
    basic::{ConvertedType, Repetition, Type as Physical},
    data_type::{ByteArray, ByteArrayType, DataType, FloatType, Int32Type},
    errors::ParquetError,
    file::writer::{SerializedFileWriter, SerializedRowGroupWriter},
    schema::types::Type,
};
use std::{
    fs::File,
    io::{self, BufWriter},
    sync::Arc,
};

/// As one row group, without compression.
pub(super) fn write(data: &Dataset, out: &mut BufWriter<&mut File>) -> io::Result<()> {
    encode(data, out).map_err(io::Error::other)
}

fn encode(data: &Dataset, out: &mut BufWriter<&mut File>) -> Result<(), ParquetError> {
    let field = |name: &str, physical, converted| {
        let built = Type::primitive_type_builder(name, physical).with_repetition(Repetition::REQUIRED);
        built.with_converted_type(converted).build().map(Arc::new)
    };
    let whole = data.train.targets.labels().is_some();
    let target = if whole { Physical::INT32 } else { Physical::FLOAT };
    let inputs = input_names(data.dim()).map(|name| field(&name, Physical::FLOAT, ConvertedType::NONE));
    let targets = target_names(&data.train.targets);
    let targets = targets.iter().map(|name| field(name, target, ConvertedType::NONE));
    let last = field(SPLIT, Physical::BYTE_ARRAY, ConvertedType::UTF8);
    let fields = inputs.chain(targets).chain([last]).collect::<Result<_, _>>()?;
    let schema = Arc::new(Type::group_type_builder("data").with_fields(fields).build()?);
    let mut writer = SerializedFileWriter::new(out, schema, Arc::default())?;
    let mut group = writer.next_row_group()?;
    let both = |of: &dyn Fn(&Split) -> Vec<f32>| [of(&data.train), of(&data.test)].concat();
    let strided =
        |values: &[f32], from: usize, width: usize| values.iter().skip(from).step_by(width).copied().collect();
    for i in 0..data.dim() {
        column::<FloatType>(&mut group, &both(&|s| strided(&s.inputs, i, s.dim)))?;
    }
    if whole {
        let labels = parts(data).into_iter().flat_map(|(s, _)| s.targets.labels().unwrap_or_default());
        column::<Int32Type>(&mut group, &labels.map(|&l| l.cast_signed()).collect::<Vec<i32>>())?;
    } else {
        let width = data.outputs();
        for i in 0..width {
            column::<FloatType>(&mut group, &both(&|s| strided(s.targets.values().unwrap_or_default(), i, width)))?;
        }
    }
    let marks = parts(data).into_iter().flat_map(|(s, part)| std::iter::repeat_n(ByteArray::from(part), s.len()));
    column::<ByteArrayType>(&mut group, &marks.collect::<Vec<_>>())?;
    group.close()?;
    writer.close()?;
    Ok(())
}

fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<&mut BufWriter<&mut File>>,
    values: &[T::T],
) -> Result<(), ParquetError> {
    let Some(mut writer) = group.next_column()? else { return Ok(()) };
    writer.typed::<T>().write_batch(values, None, None)?;
    writer.close()
}
