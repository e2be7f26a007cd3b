//! Tables as Parquet.

use super::{Table, Values};
use crate::error::LabError;
use parquet::{
    basic::{ConvertedType, Repetition, Type as Physical},
    data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type},
    file::writer::{SerializedFileWriter, SerializedRowGroupWriter},
    schema::types::{Type, TypePtr},
};
use std::{path::Path, sync::Arc};

impl Values {
    fn declared(&self, name: &str) -> Result<Type, parquet::errors::ParquetError> {
        let (physical, converted) = match self {
            Values::Text(_) => (Physical::BYTE_ARRAY, ConvertedType::UTF8),
            Values::Number(_) => (Physical::DOUBLE, ConvertedType::NONE),
            Values::Whole(_) => (Physical::INT64, ConvertedType::NONE),
            Values::Flag(_) => (Physical::BOOLEAN, ConvertedType::NONE),
        };
        let column = Type::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL);
        column.with_converted_type(converted).build()
    }
}

impl Table {
    /// As one row group, without compression.
    ///
    /// # Errors
    /// If it cannot be encoded. `path` names the file in errors.
    pub fn parquet(&self, path: &Path) -> Result<Vec<u8>, LabError> {
        self.encode().map_err(|e| LabError::run(path, e.to_string()))
    }

    fn encode(&self) -> Result<Vec<u8>, parquet::errors::ParquetError> {
        let fields = self.columns.iter().map(|(name, v)| Ok(Arc::new(v.declared(name)?)));
        let fields: Vec<TypePtr> = fields.collect::<Result<_, parquet::errors::ParquetError>>()?;
        let schema = Arc::new(Type::group_type_builder("table").with_fields(fields).build()?);
        let mut bytes = Vec::new();
        let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::default())?;
        let mut group = writer.next_row_group()?;
        for (_, values) in &self.columns {
            match values {
                Values::Text(v) => {
                    let text = |t: &Option<String>| t.as_deref().map(ByteArray::from);
                    column::<ByteArrayType>(&mut group, v.iter().map(text))?;
                }
                Values::Number(v) => column::<DoubleType>(&mut group, v.iter().copied())?,
                Values::Whole(v) => column::<Int64Type>(&mut group, v.iter().copied())?,
                Values::Flag(v) => column::<BoolType>(&mut group, v.iter().copied())?,
            }
        }
        group.close()?;
        writer.close()?;
        Ok(bytes)
    }
}

/// Writes a column: the values that are there, and for each row whether it has one.
fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<&mut Vec<u8>>,
    values: impl Iterator<Item = Option<T::T>>,
) -> Result<(), parquet::errors::ParquetError> {
    let (mut there, mut levels) = (Vec::new(), Vec::new());
    for value in values {
        levels.push(i16::from(value.is_some()));
        there.extend(value);
    }
    let Some(mut writer) = group.next_column()? else { return Ok(()) };
    writer.typed::<T>().write_batch(&there, Some(&levels), None)?;
    writer.close()
}

#[cfg(test)]
mod tests {
    use crate::table::tests::table;
    use parquet::{
        file::reader::{FileReader, SerializedFileReader},
        record::RowAccessor,
    };
    use std::path::Path;

    #[test]
    fn what_a_parquet_file_holds_is_what_was_in_the_table() {
        let bytes = table().parquet(Path::new("t.parquet")).unwrap();
        let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].get_string(0).unwrap(), "pc, plain");
        assert_eq!(rows[0].get_double(1).unwrap().to_bits(), (0.1f64 + 0.2).to_bits());
        assert_eq!(rows[1].get_long(2).unwrap(), -1);
        assert!(rows[1].get_bool(3).unwrap());
        assert!(rows[0].get_bool(3).is_err(), "a missing value has no type");
    }
}
