//! Files of named arrays: `x`, `y` and perhaps `x_test`, `y_test`.

use super::{
    TaskChoice,
    array::Header,
    part::{Column, Found, real, targets, unite_classes},
};
use crate::dataset::split::Split;
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
    let needed = |candidates: &[&str]| {
        find(candidates).ok_or_else(|| {
            let held = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
            format!("there is no array `{}`; it holds {held}", candidates[0])
        })
    };
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
        return Err(format!("`{x}` has {} features, `{x_test}` has {}; both need the same", train.dim, test.dim));
    }
    unite_classes(&mut train.targets, &mut test.targets).map_err(|what| format!("`{y}` and `{y_test}`: {what}"))?;
    Ok(Found { train, test: Some(test), class_names: None })
}

fn split(file: &mut dyn Arrays, x: &str, y: &str, task: TaskChoice) -> Result<Split, String> {
    let named = |name: &str, problem: String| format!("array `{name}` {problem}");
    let (header, mut bytes, held) = file.open(x)?;
    let (rows, dim) = header.rows_and_width().map_err(|e| named(x, e))?;
    let inputs = reals(&header, &mut *bytes, held, x).map_err(|e| named(x, e))?;
    drop(bytes);
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
