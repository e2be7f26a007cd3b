//! Tables of named columns, as CSV and Parquet.

use crate::error::LabError;
use std::path::Path;

#[cfg(feature = "parquet")]
mod parquet;

/// What a program without the feature says.
pub const NO_PARQUET: &str = "this program was built without Parquet; build it with the feature `parquet`";

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
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn table() -> Table {
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
    fn columns_of_another_length_or_of_a_name_that_is_taken_are_refused() {
        let mut table = table();
        assert!(table.add("short", Values::Flag(vec![None])).is_err());
        assert!(table.add("depth", Values::Flag(vec![None, None])).is_err());
    }
}
