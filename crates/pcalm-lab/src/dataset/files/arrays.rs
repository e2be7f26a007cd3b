//! Files of named arrays: `x`, `y` and perhaps `x_test`, `y_test`.

use super::{
    TaskChoice,
    array::Header,
    part::{Column, Found, real, targets, unite_classes},
};
use crate::dataset::{inputs::Inputs, split::Split};
use std::io::Read;

/// A file that holds arrays by name.
pub(super) trait Arrays {
    /// The names there are.
    fn names(&self) -> Vec<String>;

    /// The header of an array, its bytes, and how many there are at most.
    fn open(&mut self, name: &str) -> Result<(Header, Box<dyn Read + '_>, u64), String>;
}

/// The data set in a file of arrays.
pub(super) fn read(file: &mut dyn Arrays, task: TaskChoice) -> Result<Found, String> {
    let names = file.names();
    let find = |candidates: &[&str]| candidates.iter().find(|c| names.iter().any(|n| n == *c)).map(|c| (*c).to_owned());
    let needed = |candidates: &[&str]| find(candidates).ok_or_else(|| lacks(candidates[0], &names));
    let (x, y) = (needed(&["x", "x_train"])?, needed(&["y", "y_train"])?);
    let tests = match (find(&["x_test"]), find(&["y_test"])) {
        (Some(x), Some(y)) => Some((x, y)),
        (None, None) => None,
        (Some(_), None) => return Err("there is an array `x_test` but no `y_test`; give both or neither".into()),
        (None, Some(_)) => return Err("there is an array `y_test` but no `x_test`; give both or neither".into()),
    };
    let mut train = split(file, &x, &y, task)?;
    let Some((x_test, y_test)) = tests else { return Ok(Found { train, test: None, class_names: None }) };
    let mut test = split(file, &x_test, &y_test, task)?;
    if train.dim != test.dim {
        return Err(unequal(&x, train.dim, &x_test, test.dim));
    }
    unite_classes(&mut train.targets, &mut test.targets).map_err(|what| format!("`{y}` and `{y_test}`: {what}"))?;
    Ok(Found { train, test: Some(test), class_names: None })
}

/// The inputs of a file of arrays, those to test with last.
pub(super) fn inputs(file: &mut dyn Arrays) -> Result<Inputs, String> {
    let names = file.names();
    let has = |name: &&str| names.iter().any(|n| n == name);
    let x = ["x", "x_train"].into_iter().find(has).ok_or_else(|| lacks("x", &names))?;
    let (rows, dim, mut values) = matrix(file, x)?;
    let mut tests = None;
    if has(&"x_test") {
        let (more, width, test) = matrix(file, "x_test")?;
        if width != dim {
            return Err(unequal(x, dim, "x_test", width));
        }
        values.extend(test);
        tests = Some((0..rows + more).map(|row| row >= rows).collect());
    }
    Ok(Inputs { values, dim, tests })
}

/// Rows, columns and numbers of an array of inputs.
fn matrix(file: &mut dyn Arrays, x: &str) -> Result<(usize, usize, Vec<f32>), String> {
    let named = |problem: String| format!("array `{x}` {problem}");
    let (header, mut bytes, held) = file.open(x)?;
    let (rows, dim) = header.rows_and_width().map_err(named)?;
    Ok((rows, dim, reals(&header, &mut *bytes, held, x).map_err(named)?))
}

fn lacks(name: &str, names: &[String]) -> String {
    let held = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
    format!("there is no array `{name}`; it holds {held}")
}

fn unequal(x: &str, dim: usize, x_test: &str, width: usize) -> String {
    format!("`{x}` has {dim} features, `{x_test}` has {width}; both need the same")
}

fn split(file: &mut dyn Arrays, x: &str, y: &str, task: TaskChoice) -> Result<Split, String> {
    let named = |name: &str, problem: String| format!("array `{name}` {problem}");
    let (rows, dim, inputs) = matrix(file, x)?;
    let (header, mut bytes, held) = file.open(y)?;
    let (found, width) = header.rows_and_width().map_err(|e| named(y, e))?;
    if header.shape.len() > 2 {
        return Err(named(y, format!("has shape {:?}; targets are [n] or [n, k]", header.shape)));
    }
    if rows != found {
        return Err(format!("array `{x}` has {rows} samples, array `{y}` has {found}; both need the same"));
    }
    let column = if header.element.is_whole() && width == 1 {
        Column::Whole(header.read(&mut *bytes, held, |_, b| Ok(header.element.whole(b))).map_err(|e| named(y, e))?)
    } else {
        Column::Real(reals(&header, &mut *bytes, held, y).map_err(|e| named(y, e))?)
    };
    let (targets, _) = targets(column, width, &format!("array `{y}`"), task)?;
    Ok(Split { inputs, dim, targets })
}

fn reals(header: &Header, bytes: &mut dyn Read, held: u64, name: &str) -> Result<Vec<f32>, String> {
    let (_, width) = header.rows_and_width()?;
    header.read(bytes, held, |at, b| {
        real(header.element.real(b)).map_err(|what| {
            format!("cannot be used: row {}, column {} of `{name}` {what}", at / width + 1, at % width + 1)
        })
    })
}
