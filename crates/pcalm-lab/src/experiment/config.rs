//! Configuration files: the same names as the flags, and flags win.

use super::Experiment;
use crate::{choice::hint, error::LabError};
use serde::{Serialize, de::DeserializeOwned};
use std::{path::Path, sync::LazyLock};
use toml::Table;

/// An option's name as it is written in a file (`learning-rate`) and as its field is called.
pub struct OptionName {
    /// The key in a TOML file, and the flag without its dashes.
    pub key: String,
    /// The field, which is what the command line knows the flag by.
    pub id: &'static str,
}

/// Options that are flags and keys of a file by one declaration.
pub trait Options: Serialize + DeserializeOwned {
    /// Their names in the struct.
    const FIELDS: &'static [&'static str];
}

/// Every option of an experiment, from its one declaration.
pub fn option_names() -> &'static [OptionName] {
    static NAMES: LazyLock<Vec<OptionName>> = LazyLock::new(names_of::<Experiment>);
    &NAMES
}

fn names_of<T: Options>() -> Vec<OptionName> {
    T::FIELDS.iter().map(|&id| OptionName { key: id.replace('_', "-"), id }).collect()
}

/// Takes out of a file what are options of `T`, for what is left to be read as something else.
pub fn options_of<T: Options>(file: &mut Table) -> Table {
    let names = names_of::<T>();
    names.iter().filter_map(|name| file.remove_entry(&name.key)).collect()
}

/// Options as TOML, every one written out.
///
/// # Errors
/// If a path is not valid UTF-8.
pub fn to_toml<T: Serialize>(options: &T) -> Result<String, LabError> {
    toml::to_string(options).map_err(|e| LabError::option("config", e.to_string()))
}

/// Reads an experiment from TOML text; what is absent takes its default. `path` names the file in
/// errors.
///
/// # Errors
/// If the text is not TOML, or holds an unknown key or a value of the wrong type.
pub fn from_toml(text: &str, path: &Path) -> Result<Experiment, LabError> {
    from_flags_and_file(&Experiment::default(), |_| false, text, path)
}

/// The options in `text` with those of `flags` on top for which `is_explicit(id)` holds.
///
/// # Errors
/// As [`from_toml`].
pub fn from_flags_and_file(
    flags: &Experiment,
    is_explicit: impl Fn(&str) -> bool,
    text: &str,
    path: &Path,
) -> Result<Experiment, LabError> {
    merge(flags, is_explicit, table(text, path)?, path)
}

/// TOML text as a table. `path` names the file in errors.
///
/// # Errors
/// If the text is not TOML.
pub fn table(text: &str, path: &Path) -> Result<Table, LabError> {
    text.parse().map_err(|e: toml::de::Error| bad(path, one_line(&e.to_string())))
}

/// The options in `file` with those of `flags` on top for which `is_explicit(id)` holds.
///
/// # Errors
/// If there is an unknown key or a value of the wrong type.
pub fn merge(
    flags: &Experiment,
    is_explicit: impl Fn(&str) -> bool,
    file: Table,
    path: &Path,
) -> Result<Experiment, LabError> {
    merge_by(option_names(), flags, is_explicit, file, path)
}

/// The same for a command's own options.
///
/// # Errors
/// Likewise.
pub fn merge_own<T: Options>(
    flags: &T,
    is_explicit: impl Fn(&str) -> bool,
    file: Table,
    path: &Path,
) -> Result<T, LabError> {
    merge_by(&names_of::<T>(), flags, is_explicit, file, path)
}

fn merge_by<T: Options>(
    names: &[OptionName],
    flags: &T,
    is_explicit: impl Fn(&str) -> bool,
    file: Table,
    path: &Path,
) -> Result<T, LabError> {
    let bad = |problem| bad(path, problem);
    let mut table = Table::try_from(flags).map_err(|e| bad(e.to_string()))?;
    for (key, value) in file {
        let Some(name) = names.iter().find(|n| n.key == key) else {
            let hint = hint(&key, names.iter().map(|n| n.key.as_str()));
            return Err(bad(format!("unknown key `{key}`{hint}")));
        };
        if !is_explicit(name.id) {
            table.insert(key.clone(), as_declared(&name.key, value));
            // Tried one at a time, so that the message names the key.
            let tried = table.clone().try_into::<T>();
            tried.map_err(|e| bad(format!("key `{key}`: {}", one_line(&e.to_string()))))?;
        }
    }
    table.try_into().map_err(|e: toml::de::Error| bad(one_line(&e.to_string())))
}

/// Lets `budget = 64`, `eta = 0.25`, `rho = 1`, `precision = [2, 1]` and whole numbers for fractions stand for what the
/// flags of the same spelling mean.
fn as_declared(key: &str, value: toml::Value) -> toml::Value {
    use toml::Value::{Array, Float, Integer, String};
    match (key, value) {
        ("budget" | "eta" | "nesterov", Integer(v)) => String(v.to_string()),
        ("budget" | "eta" | "nesterov", Float(v)) => String(v.to_string()),
        ("rho", Integer(v)) => Array(vec![Float(v as f64)]),
        ("rho", Float(v)) => Array(vec![Float(v)]),
        ("precision", Integer(v)) => String(v.to_string()),
        ("precision", Float(v)) => String(v.to_string()),
        ("precision", Array(list)) if list.iter().all(|v| v.is_integer() || v.is_float()) => {
            String(list.iter().map(toml::Value::to_string).collect::<Vec<_>>().join(","))
        }
        (_, value) => value,
    }
}

fn bad(path: &Path, problem: String) -> LabError {
    LabError::Config { path: path.to_owned(), problem }
}

fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|l| !l.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_written_out_reads_back_the_same() {
        let experiment = Experiment { widths: Some(vec![3, 4]), learning_rate: 0.1, ..Experiment::default() };
        let text = to_toml(&experiment).unwrap();
        assert_eq!(from_toml(&text, Path::new("x.toml")).unwrap(), experiment);
    }

    #[test]
    fn every_key_of_a_file_is_the_flag_of_the_same_name() {
        let table = Table::try_from(Experiment::default()).unwrap();
        let names = option_names();
        for key in table.keys() {
            assert!(names.iter().any(|n| n.key == *key), "{key}");
        }
    }

    #[test]
    fn an_unknown_key_is_named_with_a_suggestion() {
        let error = from_toml("widht = 3", Path::new("run.toml")).unwrap_err().to_string();
        assert!(error.contains("run.toml") && error.contains("widht") && error.contains("`width`"), "{error}");
    }

    #[test]
    fn an_explicit_flag_wins_over_the_file_and_the_file_over_a_default() {
        let flags = Experiment { width: 8, depth: 9, ..Experiment::default() };
        let merged = from_flags_and_file(&flags, |id| id == "width", "width = 1\ndepth = 2\nrho = 2", Path::new("x"));
        let merged = merged.unwrap();
        assert_eq!((merged.width, merged.depth, merged.rho), (8, 2, vec![2.0]));
    }
}
