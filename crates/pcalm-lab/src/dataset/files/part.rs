//! From what a file holds to inputs and targets that can be trained on.

use super::{MOST_CLASSES, TaskChoice};
use crate::dataset::{split::Split, targets::Targets};

/// What was found in a file.
pub(super) struct Found {
    pub train: Split,
    /// Its test part, if it has one.
    pub test: Option<Split>,
    pub class_names: Option<Vec<String>>,
}

/// Targets as a file has them.
pub(super) enum Column {
    /// One whole number for each sample.
    Whole(Vec<i64>),
    /// Real vectors, row by row.
    Real(Vec<f32>),
    /// One text for each sample.
    Text(Vec<String>),
}

/// A number as training uses it, or what is wrong with it.
pub(super) fn real(value: f64) -> Result<f32, String> {
    let narrow = value as f32;
    match (narrow.is_finite(), value.is_finite()) {
        (true, _) => Ok(narrow),
        (false, true) => Err(format!("is {value:e}, too large for 32-bit floats; scale it down")),
        (false, false) if value.is_nan() => Err("is missing (NaN); fill it in or leave the row out".into()),
        (false, false) => Err("is infinite; replace it or leave the row out".into()),
    }
}

/// The targets that `column` is taken for, and the names of its classes if it has names. `name`
/// stands for the column in messages, as in "row 3, NAME is …".
pub(super) fn targets(
    column: Column,
    width: usize,
    name: &str,
    task: TaskChoice,
) -> Result<(Targets, Option<Vec<String>>), String> {
    use TaskChoice::{Auto, Classification, Regression};
    match (column, task) {
        (Column::Real(_), Classification) if width > 1 => {
            Err(format!("{name} has {width} numbers for each sample; a class is one whole number"))
        }
        (Column::Real(values), Classification) => {
            let whole = |(row, &v): (usize, &f32)| {
                let problem = || format!("row {}, {name} is {v}; a class is a whole number", row + 1);
                if v.fract() == 0.0 { Ok(v as i64) } else { Err(problem()) }
            };
            let labels: Result<Vec<i64>, String> = values.iter().enumerate().map(whole).collect();
            Ok((classes(&labels?, name)?, None))
        }
        (Column::Real(values), Auto | Regression) => Ok((Targets::Real { values, dim: width }, None)),
        (Column::Whole(labels), Auto | Classification) => Ok((classes(&labels, name)?, None)),
        (Column::Whole(values), Regression) => {
            Ok((Targets::Real { values: values.iter().map(|&v| v as f32).collect(), dim: 1 }, None))
        }
        (Column::Text(texts), Auto | Classification) => named_classes(&texts, name),
        (Column::Text(texts), Regression) => {
            let first = texts.first().map_or("", String::as_str);
            Err(format!("row 1, {name} is `{first}`; regression needs numbers"))
        }
    }
}

/// Classes 0 to the largest; one that no sample has is a class too.
fn classes(labels: &[i64], name: &str) -> Result<Targets, String> {
    let label = |(row, &v): (usize, &i64)| match usize::try_from(v) {
        Ok(class) if class < MOST_CLASSES => Ok(class as u32),
        _ => Err(format!(
            "row {}, {name} is {v}; classes are counted from 0 and there may be {MOST_CLASSES}; renumber them, or for \
             quantities say --task regression",
            row + 1
        )),
    };
    let labels: Vec<u32> = labels.iter().enumerate().map(label).collect::<Result<_, _>>()?;
    let classes = labels.iter().max().map_or(0, |&m| m as usize + 1);
    Ok(Targets::Classes { labels, classes })
}

/// Classes by name, in the order of the sorted names.
fn named_classes(texts: &[String], name: &str) -> Result<(Targets, Option<Vec<String>>), String> {
    let mut names: Vec<String> = texts.to_vec();
    names.sort_unstable();
    names.dedup();
    if names.len() > MOST_CLASSES {
        return Err(format!("{name} has {} different names; there may be {MOST_CLASSES} classes", names.len()));
    }
    let place = |text: &String| names.binary_search(text).map_or(0, |at| at as u32);
    let targets = Targets::Classes { labels: texts.iter().map(place).collect(), classes: names.len() };
    Ok((targets, Some(names)))
}

/// Gives both parts the same classes: those that either has.
pub(super) fn unite_classes(train: &mut Targets, test: &mut Targets) -> Result<(), String> {
    match (&mut *train, &mut *test) {
        (Targets::Classes { classes: a, .. }, Targets::Classes { classes: b, .. }) => {
            *a = (*a).max(*b);
            *b = *a;
            Ok(())
        }
        (Targets::Real { dim: a, .. }, Targets::Real { dim: b, .. }) if a == b => Ok(()),
        (Targets::Real { dim: a, .. }, Targets::Real { dim: b, .. }) => {
            Err(format!("{a} and {b} numbers for each sample; both need the same"))
        }
        _ => Err("one holds whole numbers, the other real ones; both need the same, or say --task".into()),
    }
}

/// There is nothing to learn where all inputs, or all targets, are alike.
pub(super) fn check_that_it_varies(train: &Split) -> Result<(), String> {
    let alike = |values: &[f32], width: usize| {
        let first = &values[..width];
        values.chunks_exact(width).all(|row| row == first)
    };
    if alike(&train.inputs, train.dim) {
        return Err("every training input is the same; there is nothing to tell apart".into());
    }
    let constant = match &train.targets {
        Targets::Classes { labels, .. } => labels.iter().all(|l| *l == labels[0]),
        Targets::Real { values, dim } => alike(values, *dim),
    };
    if constant {
        return Err("every training target is the same; there is nothing to learn".into());
    }
    Ok(())
}
