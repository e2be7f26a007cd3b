//! Parquet tables, read column by column.

use super::{
    FileOptions,
    columns::{Role, Roles, SPLIT, TableRows, WantedColumns, is_test},
    part::{Column, Found, real},
};
use parquet::{
    basic::{Compression, LogicalType, Type as Physical},
    column::reader::{ColumnReader, ColumnReaderImpl},
    data_type::DataType,
    file::reader::{FileReader, SerializedFileReader},
    schema::types::ColumnDescriptor,
};
use std::fs::File;

/// Values decoded at a time.
const CHUNK: usize = 8192;

/// One value of a column.
enum ColumnValue {
    Whole(i64),
    Real(f64),
    Text(String),
}

/// The data set in a Parquet file.
pub(super) fn read(file: File, options: &FileOptions) -> Result<Found, String> {
    let (rows, roles, names) = rows(file, options, WantedColumns::Samples)?;
    rows.found(&roles, &names, options.task)
}

/// What is wanted of every row, with the places of the columns and their names.
pub(super) fn rows(
    file: File,
    options: &FileOptions,
    wanted: WantedColumns,
) -> Result<(TableRows, Roles, Vec<String>), String> {
    // The parquet crate takes for granted that what a file says of its own layout is right, and panics
    // where damage has made it wrong.
    let decoded = std::panic::catch_unwind(|| decode(file, options, wanted));
    decoded.unwrap_or_else(|_| Err("is not a whole Parquet file (its description of itself is damaged)".into()))
}

fn decode(file: File, options: &FileOptions, wanted: WantedColumns) -> Result<(TableRows, Roles, Vec<String>), String> {
    let broken = |e: parquet::errors::ParquetError| format!("is not a whole Parquet file ({e})");
    let reader = SerializedFileReader::new(file).map_err(broken)?;
    let metadata = reader.metadata();
    let schema = metadata.file_metadata().schema_descr();
    let columns = schema.columns();
    let names: Vec<String> = columns.iter().map(|c| c.path().string()).collect();
    for (column, name) in columns.iter().zip(&names) {
        check(column).map_err(|what| format!("column `{name}` {what}"))?;
    }
    let text = |at: usize| columns[at].physical_type() == Physical::BYTE_ARRAY;
    let marks = (0..names.len()).any(|at| names[at] == SPLIT && text(at));
    let roles = Roles::of(&names, options.target.as_deref(), marks, wanted)?;
    let rows: usize = metadata.row_groups().iter().map(|g| g.num_rows().max(0) as usize).sum();

    let (dim, width) = (roles.inputs.len(), roles.targets.len());
    let size = rows.checked_mul(dim.max(width)).ok_or("has an impossible number of rows")?;
    let mut inputs = Vec::new();
    inputs.try_reserve_exact(size).map_err(|_| format!("has {rows} rows, too many for the memory"))?;
    inputs.resize(rows * dim, 0.0);
    let mut reals = vec![0.0; rows * width];
    let (mut wholes, mut texts) = (Vec::new(), Vec::new());
    let mut tests = roles.split.map(|_| Vec::new());
    let mut start = 0;
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group).map_err(broken)?;
        let here = group.metadata().num_rows().max(0) as usize;
        for (at, name) in names.iter().enumerate() {
            let role = roles.role(at);
            if role == Role::Ignored {
                continue;
            }
            readable(group.metadata().column(at).compression()).map_err(|what| format!("column `{name}` {what}"))?;
            let mut take = |row: usize, cell: ColumnValue| -> Result<(), String> {
                let place = |what: String| format!("row {}, column `{name}` {what}", row + 1);
                match (role, cell) {
                    (Role::Input(i), ColumnValue::Real(v)) => inputs[row * dim + i] = real(v).map_err(place)?,
                    (Role::Input(i), ColumnValue::Whole(v)) => inputs[row * dim + i] = v as f32,
                    (Role::Target(i), ColumnValue::Real(v)) => reals[row * width + i] = real(v).map_err(place)?,
                    (Role::Target(_), ColumnValue::Whole(v)) if width == 1 => wholes.push(v),
                    (Role::Target(i), ColumnValue::Whole(v)) => reals[row * width + i] = v as f32,
                    (Role::Target(_), ColumnValue::Text(v)) if width == 1 => texts.push(v),
                    (Role::Split, ColumnValue::Text(v)) => {
                        let test = is_test(&v, row)?;
                        tests.iter_mut().for_each(|t| t.push(test));
                    }
                    (_, ColumnValue::Text(v)) => {
                        return Err(place(format!(
                            "is `{v}`, which is not a number; leave the column out, or name it with --target if it is \
                             what is to be learnt"
                        )));
                    }
                    // A column of text has no numbers.
                    (Role::Split | Role::Ignored, _) => {}
                }
                Ok(())
            };
            let column = group.get_column_reader(at).map_err(broken)?;
            let unsigned = matches!(columns[at].logical_type_ref(), Some(LogicalType::Integer(t)) if !t.is_signed);
            let read =
                cells(column, unsigned, columns[at].max_def_level() > 0, &mut |row, cell| take(start + row, cell));
            let read = read.map_err(|e| e.named(name, start))?;
            if read != here {
                return Err(format!("column `{name}` has {read} of {here} values in one group of rows"));
            }
        }
        start += here;
    }
    let targets = if !wholes.is_empty() {
        Column::Whole(wholes)
    } else if !texts.is_empty() {
        Column::Text(texts)
    } else {
        Column::Real(reals)
    };
    Ok((TableRows { inputs, targets, tests }.some()?, roles, names))
}

/// Whether the column is of plain numbers or text.
fn check(column: &ColumnDescriptor) -> Result<(), String> {
    if column.max_rep_level() > 0 || column.max_def_level() > 1 {
        return Err("is nested; a column needs one plain number for each row".into());
    }
    let plain = match column.logical_type_ref() {
        None => !matches!(column.physical_type(), Physical::INT96 | Physical::FIXED_LEN_BYTE_ARRAY),
        Some(LogicalType::Integer(_) | LogicalType::String | LogicalType::Enum) => true,
        Some(_) => false,
    };
    if plain {
        Ok(())
    } else {
        Err("is no plain number or text; store dates, decimals and half floats as float".into())
    }
}

/// Whether this program unpacks what the column is packed with.
fn readable(codec: Compression) -> Result<(), String> {
    match codec {
        Compression::UNCOMPRESSED
        | Compression::SNAPPY
        | Compression::GZIP(_)
        | Compression::LZ4
        | Compression::LZ4_RAW => Ok(()),
        other => Err(format!("is packed with {other}; write the file with snappy, gzip, lz4 or no compression")),
    }
}

/// What ended the reading of a column.
enum ColumnFault {
    /// A value is missing in this row of the group.
    Missing(usize),
    /// A value cannot be used; its place is named.
    Value(String),
    /// The column cannot be decoded.
    Broken(String),
}

impl ColumnFault {
    fn named(self, column: &str, start: usize) -> String {
        match self {
            ColumnFault::Missing(row) => {
                format!("row {}, column `{column}` is missing; fill it in or leave the row out", start + row + 1)
            }
            ColumnFault::Value(what) => what,
            ColumnFault::Broken(what) => format!("column `{column}` cannot be read ({what})"),
        }
    }
}

type Take<'a> = dyn FnMut(usize, ColumnValue) -> Result<(), String> + 'a;

/// Hands over every value of a column with its row in the group; returns how many there were.
fn cells(column: ColumnReader, unsigned: bool, optional: bool, take: &mut Take) -> Result<usize, ColumnFault> {
    let whole = |v: i64| ColumnValue::Whole(v);
    match column {
        ColumnReader::BoolColumnReader(c) => each(c, optional, take, |v| Some(whole(i64::from(*v)))),
        ColumnReader::Int32ColumnReader(c) if unsigned => {
            each(c, optional, take, |v| Some(whole(i64::from(v.cast_unsigned()))))
        }
        ColumnReader::Int32ColumnReader(c) => each(c, optional, take, |v| Some(whole(i64::from(*v)))),
        ColumnReader::Int64ColumnReader(c) if unsigned => {
            each(c, optional, take, |v| Some(whole(i64::try_from(v.cast_unsigned()).unwrap_or(i64::MAX))))
        }
        ColumnReader::Int64ColumnReader(c) => each(c, optional, take, |v| Some(whole(*v))),
        ColumnReader::FloatColumnReader(c) => each(c, optional, take, |v| Some(ColumnValue::Real(f64::from(*v)))),
        ColumnReader::DoubleColumnReader(c) => each(c, optional, take, |v| Some(ColumnValue::Real(*v))),
        ColumnReader::ByteArrayColumnReader(c) => {
            each(c, optional, take, |v| v.as_utf8().ok().map(|text| ColumnValue::Text(text.to_owned())))
        }
        _ => Err(ColumnFault::Broken("of a type that is not read".into())),
    }
}

fn each<T: DataType>(
    mut column: ColumnReaderImpl<T>,
    optional: bool,
    take: &mut Take,
    cell: impl Fn(&T::T) -> Option<ColumnValue>,
) -> Result<usize, ColumnFault> {
    let (mut values, mut levels, mut row) = (Vec::new(), Vec::new(), 0);
    loop {
        values.clear();
        levels.clear();
        let read = column.read_records(CHUNK, optional.then_some(&mut levels), None, &mut values);
        let (records, _, _) = read.map_err(|e| ColumnFault::Broken(e.to_string()))?;
        if records == 0 {
            return Ok(row);
        }
        if let Some(at) = levels.iter().position(|level| *level == 0) {
            return Err(ColumnFault::Missing(row + at));
        }
        for value in &values {
            let cell = cell(value).ok_or_else(|| ColumnFault::Broken("text that is not UTF-8".into()))?;
            take(row, cell).map_err(ColumnFault::Value)?;
            row += 1;
        }
    }
}
