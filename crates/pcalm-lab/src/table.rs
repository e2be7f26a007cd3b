//! Tables of named columns, as CSV and Parquet.

use crate::error::LabError;
use parquet::{
    basic::{ConvertedType, Repetition, Type as Physical},
    data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type},
    file::writer::{SerializedFileWriter, SerializedRowGroupWriter},
    schema::types::{Type, TypePtr},
};
use std::{path::Path, sync::Arc};

/// The values of a column; any of them may be missing.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Text.
    Text(Vec<Option<String>>),
    /// Numbers.
    Number(Vec<Option<f64>>),
    /// Whole numbers.
    Whole(Vec<Option<i64>>),
    /// Yes or no.
    Flag(Vec<Option<bool>>),
}

/// Columns of equal length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    columns: Vec<(String, Values)>,
}

impl Values {
    fn len(&self) -> usize {
        match self {
            Values::Text(v) => v.len(),
            Values::Number(v) => v.len(),
            Values::Whole(v) => v.len(),
            Values::Flag(v) => v.len(),
        }
    }

    fn text(&self, row: usize) -> String {
        fn show<T: ToString>(value: &Option<T>) -> String {
            value.as_ref().map(T::to_string).unwrap_or_default()
        }
        match self {
            Values::Text(v) => show(&v[row]),
            Values::Number(v) => show(&v[row]),
            Values::Whole(v) => show(&v[row]),
            Values::Flag(v) => show(&v[row]),
        }
    }

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
    /// Adds a column.
    ///
    /// # Errors
    /// If it is not as long as the others, or its name is taken.
    pub fn add(&mut self, name: &str, values: Values) -> Result<(), LabError> {
        let fits = self.columns.iter().all(|(other, v)| v.len() == values.len() && other != name);
        if !fits {
            return Err(LabError::option("column", format!("`{name}` is there already or has another length")));
        }
        self.columns.push((name.to_owned(), values));
        Ok(())
    }

    /// Rows.
    pub fn len(&self) -> usize {
        self.columns.first().map_or(0, |(_, v)| v.len())
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// With a header; a missing value is empty.
    ///
    /// # Errors
    /// If it cannot be written as text. `path` names the file in errors.
    pub fn csv(&self, path: &Path) -> Result<Vec<u8>, LabError> {
        let failed = |e: csv::Error| LabError::run(path, e.to_string());
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(self.columns.iter().map(|(name, _)| name)).map_err(failed)?;
        for row in 0..self.len() {
            writer.write_record(self.columns.iter().map(|(_, v)| v.text(row))).map_err(failed)?;
        }
        writer.into_inner().map_err(|e| LabError::run(path, e.to_string()))
    }

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
    use super::*;
    use parquet::{
        file::reader::{FileReader, SerializedFileReader},
        record::RowAccessor,
    };

    fn table() -> Table {
        let mut table = Table::default();
        table.add("rule", Values::Text(vec![Some("pc, plain".into()), None])).unwrap();
        table.add("accuracy", Values::Number(vec![Some(0.1 + 0.2), None])).unwrap();
        table.add("depth", Values::Whole(vec![Some(32), Some(-1)])).unwrap();
        table.add("standardise", Values::Flag(vec![None, Some(true)])).unwrap();
        table
    }

    #[test]
    fn a_table_is_written_as_csv_with_empty_fields_for_what_is_missing() {
        let text = String::from_utf8(table().csv(Path::new("t.csv")).unwrap()).unwrap();
        let wanted = "rule,accuracy,depth,standardise\n\"pc, plain\",0.30000000000000004,32,\n,,-1,true\n";
        assert_eq!(text, wanted);
    }

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

    #[test]
    fn columns_of_another_length_or_of_a_name_that_is_taken_are_refused() {
        let mut table = table();
        assert!(table.add("short", Values::Flag(vec![None])).is_err());
        assert!(table.add("depth", Values::Flag(vec![None, None])).is_err());
    }
}
