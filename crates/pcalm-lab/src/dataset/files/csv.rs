//! Comma-separated tables with a header, read row by row.

use super::{
    FileOptions, TaskChoice,
    columns::{Role, Roles, SPLIT, TableRows, WantedColumns, is_test},
    part::{Column, Found},
};
use csv::{ErrorKind, ReaderBuilder, StringRecord, Trim};
use std::{fs::File, io::BufReader};

/// The data set in a CSV file.
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
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(BufReader::new(file));
    let names: Vec<String> = reader.headers().map_err(|e| problem(&e))?.iter().map(str::to_owned).collect();
    if names.is_empty() {
        return Err("is empty; a header with the names of the columns and a row per sample are needed".into());
    }
    if names.iter().all(|n| n.parse::<f64>().is_ok()) {
        return Err("has numbers in its first line; that line must hold the names of the columns".into());
    }
    if let Some(at) = names.iter().position(String::is_empty) {
        return Err(format!("has no name for column {}; the first line must name all columns", at + 1));
    }
    let mut record = StringRecord::new();
    let mut more = reader.read_record(&mut record).map_err(|e| problem(&e))?;
    let marks = names.iter().zip(&record).any(|(name, field)| name == SPLIT && is_test(field, 0).is_ok());
    let roles = Roles::of(&names, options.target.as_deref(), marks, wanted)?;
    let columns: Vec<Role> = (0..names.len()).map(|at| roles.role(at)).collect();
    let several = roles.targets.len() != 1;

    let mut inputs = Vec::new();
    let (mut texts, mut reals) = (Vec::new(), Vec::new());
    let mut tests = roles.split.map(|_| Vec::new());
    let mut row = 0;
    while more {
        // Targets come in the order they were asked for, not in that of the file.
        let start = reals.len();
        reals.resize(if several { start + roles.targets.len() } else { start }, 0.0);
        for ((field, name), role) in record.iter().zip(&names).zip(&columns) {
            if field.is_empty() && *role != Role::Ignored {
                return Err(format!("row {}, column `{name}` is empty; fill it in or leave the row out", row + 1));
            }
            match role {
                Role::Input(_) => inputs.push(truth(field).map_or_else(|| number(field, row, name), Ok)?),
                Role::Target(_) if !several => texts.push(field.to_owned()),
                Role::Target(at) => reals[start + at] = number(field, row, name)?,
                Role::Ignored => {}
                Role::Split => tests.iter_mut().try_for_each(|t| is_test(field, row).map(|test| t.push(test)))?,
            }
        }
        row += 1;
        more = reader.read_record(&mut record).map_err(|e| problem(&e))?;
    }
    let targets = if several {
        Column::Real(reals)
    } else {
        let name = roles.targets.first().map_or("", |&at| names[at].as_str());
        column(texts, name, options.task)?
    };
    Ok((TableRows { inputs, targets, tests }.some()?, roles, names))
}

/// Whole numbers where all are written as such, else numbers where all are, else text.
fn column(texts: Vec<String>, name: &str, task: TaskChoice) -> Result<Column, String> {
    if let Ok(whole) = texts.iter().map(|t| t.parse()).collect::<Result<Vec<i64>, _>>() {
        return Ok(Column::Whole(whole));
    }
    let is_number = |text: &String| text.parse::<f64>().is_ok();
    let numbers = texts.iter().filter(|t| is_number(t)).count();
    if numbers == 0 || task == TaskChoice::Classification && numbers < texts.len() {
        return Ok(Column::Text(texts));
    }
    if task == TaskChoice::Auto
        && let Some(row) = texts.iter().position(|t| !is_number(t))
    {
        return Err(format!(
            "row {}, column `{name}` is `{}`, but other rows hold numbers; correct it, or say --task classification if \
             all of them are names of classes",
            row + 1,
            texts[row]
        ));
    }
    let reals = texts.iter().enumerate().map(|(row, text)| number(text, row, name));
    reals.collect::<Result<_, _>>().map(Column::Real)
}

/// A finite number; read as the 32-bit float next to it, without a stop at 64 bits.
fn number(field: &str, row: usize, name: &str) -> Result<f32, String> {
    let place = format!("row {}, column `{name}` is `{field}`", row + 1);
    match field.parse::<f32>() {
        Ok(value) if value.is_finite() => Ok(value),
        Ok(value) if value.is_nan() => Err(format!("{place}, a missing value; fill it in or leave the row out")),
        Ok(_) => Err(format!("{place}, which is no finite 32-bit float; scale the column or leave the row out")),
        Err(_) => Err(format!(
            "{place}, which is not a number; write a number, leave the column out, or name it with --target if it is \
             what is to be learnt"
        )),
    }
}

/// What true and false count as.
fn truth(field: &str) -> Option<f32> {
    let is = |word: &str| field.eq_ignore_ascii_case(word);
    if is("true") { Some(1.0) } else { is("false").then_some(0.0) }
}

/// The reader's error with the row it is in.
fn problem(error: &csv::Error) -> String {
    // The header is record 0.
    let row = error.position().map_or(0, |p| p.record());
    match error.kind() {
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("row {row} has {len} fields, the header has {expected_len}; every row needs as many as the header")
        }
        ErrorKind::Utf8 { .. } => format!("row {row} is not UTF-8 text; save the file as UTF-8"),
        _ => error.to_string(),
    }
}
