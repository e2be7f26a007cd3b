//! What the columns of a table are for.
//!
//! Target columns are those of `--target`; else the one called `y`; else those called `y1`, `y2`, …
//! or `y_1`, `y_2`, …; else the last. A text column called `split`, of `train` and `test`, says
//! which rows are for testing. All other columns are inputs, in the order they stand in. Where inputs
//! alone are wanted, a table with no more columns than there are to be inputs has no targets.

use super::{
    TaskChoice,
    part::{Column, Found, targets},
};
use crate::{
    choice::hint,
    dataset::{split::Split, test_part::take_marked},
};

/// The name of the column that tells training rows from test rows.
pub(super) const SPLIT: &str = "split";

/// Places of columns, by what they are for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Roles {
    pub inputs: Vec<usize>,
    pub targets: Vec<usize>,
    pub split: Option<usize>,
}

/// What one column is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The input of this place.
    Input(usize),
    /// The target of this place.
    Target(usize),
    /// Says whether the row is for testing.
    Split,
    /// Not looked at.
    Ignored,
}

/// What is read of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WantedColumns {
    /// Inputs and targets.
    Samples,
    /// Inputs alone, this many if the table has no targets.
    Inputs(usize),
}

impl Roles {
    /// The roles of columns with these names; `marks` says whether the column called `split` marks
    /// rows.
    pub fn of(names: &[String], given: Option<&[String]>, marks: bool, wanted: WantedColumns) -> Result<Roles, String> {
        if let Some(at) = (0..names.len()).find(|&i| names[..i].contains(&names[i])) {
            return Err(format!("has two columns called `{}`; rename one", names[at]));
        }
        let place = |name: &str| names.iter().position(|n| n == name);
        let split = if marks { place(SPLIT) } else { None };
        let columns = names.len() - usize::from(split.is_some());
        let targets = match given {
            None if wanted == WantedColumns::Inputs(columns) => Vec::new(),
            Some(given) => given
                .iter()
                .map(|name| {
                    place(name).filter(|at| Some(*at) != split).ok_or_else(|| {
                        let hint = hint(name, names.iter().map(String::as_str));
                        format!("has no target column `{name}`{hint}; there are {}", listed(names))
                    })
                })
                .collect::<Result<Vec<usize>, String>>()?,
            None => found(names, split),
        };
        let free = |i: &usize| Some(*i) != split && !targets.contains(i);
        let inputs: Vec<usize> = (0..names.len()).filter(free).collect();
        if inputs.is_empty() {
            return Err(format!(
                "has columns {} and none of them is left as an input; columns are separated by commas, and all but \
                 the targets are inputs",
                listed(names)
            ));
        }
        let targets = if wanted == WantedColumns::Samples { targets } else { Vec::new() };
        Ok(Roles { inputs, targets, split })
    }

    /// What the column at `at` is for.
    pub fn role(&self, at: usize) -> Role {
        let place = |list: &[usize]| list.iter().position(|c| *c == at);
        match (place(&self.inputs), place(&self.targets)) {
            (Some(input), _) => Role::Input(input),
            (None, Some(target)) => Role::Target(target),
            (None, None) if self.split == Some(at) => Role::Split,
            (None, None) => Role::Ignored,
        }
    }
}

/// The target columns that names give away, or the last.
fn found(names: &[String], split: Option<usize>) -> Vec<usize> {
    if let Some(at) = names.iter().position(|n| n == "y") {
        return vec![at];
    }
    let numbered = |name: &String| {
        let number = name.strip_prefix('y').map(|rest| rest.strip_prefix('_').unwrap_or(rest));
        number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    let several: Vec<usize> = (0..names.len()).filter(|&i| numbered(&names[i])).collect();
    if !several.is_empty() {
        return several;
    }
    (0..names.len()).rev().find(|i| Some(*i) != split).into_iter().collect()
}

/// The names for a message, the first ones if there are many.
pub(super) fn listed(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let more = if names.len() > SHOWN { format!(" and {} more", names.len() - SHOWN) } else { String::new() };
    let first: Vec<String> = names.iter().take(SHOWN).map(|n| format!("`{n}`")).collect();
    first.join(", ") + &more
}

/// Whether the row is for testing.
pub(super) fn is_test(text: &str, row: usize) -> Result<bool, String> {
    match text {
        "train" => Ok(false),
        "test" => Ok(true),
        _ => Err(format!("row {}, column `{SPLIT}` is `{text}`; it is `train` or `test`", row + 1)),
    }
}

/// A table read whole: row-major inputs, targets, and which rows are for testing.
pub(super) struct TableRows {
    pub inputs: Vec<f32>,
    pub targets: Column,
    pub tests: Option<Vec<bool>>,
}

impl TableRows {
    /// The rows, if there are any.
    pub fn some(self) -> Result<Self, String> {
        if self.inputs.is_empty() { Err("has a header but no rows".into()) } else { Ok(self) }
    }

    /// The data set in the rows.
    pub fn found(self, roles: &Roles, names: &[String], task: TaskChoice) -> Result<Found, String> {
        let width = roles.targets.len();
        let name = roles.targets.first().map_or("", |&at| names[at].as_str());
        let (targets, class_names) = targets(self.targets, width, &format!("column `{name}`"), task)?;
        let all = Split { inputs: self.inputs, dim: roles.inputs.len(), targets };
        let (train, test) = match self.tests {
            None => (all, None),
            Some(marks) => take_marked(all, &marks).map(|(train, test)| (train, Some(test)))?,
        };
        Ok(Found { train, test, class_names })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(names: &[&str], given: Option<&[&str]>, wanted: WantedColumns) -> Roles {
        let own = |list: &[&str]| -> Vec<String> { list.iter().map(|s| (*s).to_owned()).collect() };
        Roles::of(&own(names), given.map(own).as_deref(), true, wanted).unwrap()
    }

    fn places(names: &[&str], given: Option<&[&str]>) -> (Vec<usize>, Vec<usize>) {
        let roles = roles(names, given, WantedColumns::Samples);
        (roles.inputs, roles.targets)
    }

    #[test]
    fn where_inputs_are_wanted_a_table_of_as_many_columns_has_no_targets() {
        let inputs = |names: &[&str], count| roles(names, None, WantedColumns::Inputs(count)).inputs;
        assert_eq!(inputs(&["a", "b"], 2), [0, 1]);
        assert_eq!(inputs(&["a", "split", "b"], 2), [0, 2]);
        assert_eq!(inputs(&["a", "b"], 1), [0]);
        let named = roles(&["a", "b"], Some(&["a"]), WantedColumns::Inputs(1));
        assert_eq!((named.role(0), named.inputs), (Role::Ignored, vec![1]));
    }

    #[test]
    fn targets_are_the_named_ones_or_y_or_the_numbered_ones_or_the_last() {
        assert_eq!(places(&["a", "b", "c"], Some(&["c", "a"])), (vec![1], vec![2, 0]));
        assert_eq!(places(&["y", "a", "b"], None), (vec![1, 2], vec![0]));
        assert_eq!(places(&["y1", "a", "y2", "year"], None), (vec![1, 3], vec![0, 2]));
        assert_eq!(places(&["y_1", "a", "y_2"], None), (vec![1], vec![0, 2]));
        assert_eq!(places(&["a", "b", "split"], None), (vec![0], vec![1]));
    }
}
