//! A grid of experiments: a base, axes, variants and filters, from one TOML file.

use super::key::{Key, key};
use crate::{
    choice::hint,
    error::LabError,
    experiment::{Experiment, merge, option_names, table},
};
use std::path::Path;
use toml::{Table, Value};

/// One run of a grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// What the run is stored under.
    pub key: Key,
    /// Its configuration, every option resolved.
    pub experiment: Experiment,
    /// The name of its variant; empty in a grid without variants.
    pub variant: String,
    /// What sets it apart in its grid: `width=8 rule=pc`.
    pub label: String,
}

/// Every cell of the grid in `text`, in the order of its axes, the last one running fastest; variants run
/// slower than all axes. Cells that resolve to the same run appear once. `path` names the file in errors.
///
/// ```
/// let text = r#"
///     [base]
///     epochs = 2
///     [axes]
///     width = [8, 16]
///     rule = ["pc", "pc-alm"]
///     [[skip]]             # a cell that matches all of a table's lines is left out
///     width = { above = 8 }
///     rule = "pc"
/// "#;
/// let cells = pcalm_lab::sweep::grid(text, "grid.toml".as_ref())?;
/// let labels: Vec<&str> = cells.iter().map(|c| c.label.as_str()).collect();
/// assert_eq!(labels, ["width=8 rule=pc", "width=8 rule=pc-alm", "width=16 rule=pc-alm"]);
/// # Ok::<(), pcalm_lab::LabError>(())
/// ```
///
/// # Errors
/// If the text is not TOML, names an option that does not exist, or has an empty axis or no cell.
pub fn grid(text: &str, path: &Path) -> Result<Vec<Cell>, LabError> {
    Grid::parse(text, path)?.cells()
}

struct Grid<'a> {
    path: &'a Path,
    base: Table,
    axes: Vec<(String, Vec<Value>)>,
    variants: Vec<Table>,
    skip: Vec<Vec<(String, Condition)>>,
}

impl<'a> Grid<'a> {
    fn parse(text: &str, path: &'a Path) -> Result<Self, LabError> {
        let mut grid = Grid { path, base: Table::new(), axes: Vec::new(), variants: Vec::new(), skip: Vec::new() };
        for (section, value) in table(text, path)? {
            match (section.as_str(), value) {
                ("base", Value::Table(options)) => grid.base = options,
                ("axes", Value::Table(axes)) => {
                    grid.axes =
                        axes.into_iter().map(|(name, values)| grid.axis(name, values)).collect::<Result<_, _>>()?;
                }
                ("variants", Value::Array(tables)) => {
                    grid.variants = tables.into_iter().map(|t| grid.variant(t)).collect::<Result<_, _>>()?;
                }
                ("skip", Value::Array(tables)) => {
                    grid.skip = tables.into_iter().map(|t| grid.filter(t)).collect::<Result<_, _>>()?;
                }
                (name, _) => {
                    let known = "[base], [axes], [[variants]] and [[skip]]";
                    return Err(grid.bad(format!("`{name}` does not belong here; a grid has {known}")));
                }
            }
        }
        Ok(grid)
    }

    fn bad(&self, problem: String) -> LabError {
        LabError::Config { path: self.path.to_owned(), problem }
    }

    fn check_option(&self, name: &str) -> Result<(), LabError> {
        let known = option_names();
        if known.iter().any(|n| n.key == name) {
            return Ok(());
        }
        let hint = hint(name, known.iter().map(|n| n.key.as_str()));
        Err(self.bad(format!("no option is called `{name}`{hint}")))
    }

    fn axis(&self, name: String, values: Value) -> Result<(String, Vec<Value>), LabError> {
        self.check_option(&name)?;
        match values {
            Value::Array(values) if !values.is_empty() => Ok((name, values)),
            _ => Err(self.bad(format!("axis `{name}` needs a list of values, such as [1, 2]"))),
        }
    }

    fn variant(&self, value: Value) -> Result<Table, LabError> {
        let named = |t: &Table| t.get("name").is_some_and(Value::is_str);
        match value {
            Value::Table(options) if named(&options) => Ok(options),
            _ => Err(self.bad("a variant is a table with a `name` and the options it sets".into())),
        }
    }

    fn filter(&self, value: Value) -> Result<Vec<(String, Condition)>, LabError> {
        let Value::Table(lines) = value else {
            return Err(self.bad("`skip` is a list of tables: write [[skip]]".into()));
        };
        let condition = |(name, value): (String, Value)| {
            if name != VARIANT {
                self.check_option(&name)?;
            }
            Condition::parse(value).map(|c| (name.clone(), c)).ok_or_else(|| {
                self.bad(format!("skip `{name}`: give a value, a list of values, {{ above = x }} or {{ below = x }}"))
            })
        };
        lines.into_iter().map(condition).collect()
    }

    fn cells(&self) -> Result<Vec<Cell>, LabError> {
        let none = [Table::new()];
        let variants = if self.variants.is_empty() { &none[..] } else { &self.variants };
        let mut cells: Vec<Cell> = Vec::new();
        for variant in variants {
            let mut at = vec![0; self.axes.len()];
            loop {
                let point: Vec<(&str, &Value)> =
                    self.axes.iter().zip(&at).map(|((name, values), &i)| (name.as_str(), &values[i])).collect();
                if let Some(cell) = self.cell(variant, &point)?
                    && cells.iter().all(|c| c.key != cell.key)
                {
                    cells.push(cell);
                }
                // The next point, the last axis first, as an odometer counts.
                let Some(turn) = (0..at.len()).rev().find(|&d| at[d] + 1 < self.axes[d].1.len()) else { break };
                at[turn] += 1;
                at[turn + 1..].fill(0);
            }
        }
        if cells.is_empty() {
            return Err(self.bad("every cell is skipped; there is nothing to run".into()));
        }
        Ok(cells)
    }

    /// The cell at a point, unless it is filtered out.
    fn cell(&self, variant: &Table, point: &[(&str, &Value)]) -> Result<Option<Cell>, LabError> {
        let mut options = self.base.clone();
        options.extend(point.iter().map(|(name, value)| ((*name).to_owned(), (*value).clone())));
        options.extend(variant.clone());
        let name = options.remove(NAME).and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
        let experiment = merge(&Experiment::default(), |_| false, options.clone(), self.path)?;
        let resolved = Table::try_from(&experiment).map_err(|e| self.bad(e.to_string()))?;
        let variant_name = Value::String(name.clone());
        let matches = |lines: &Vec<(String, Condition)>| {
            lines.iter().all(|(option, condition)| {
                let value = if option == VARIANT { Some(&variant_name) } else { resolved.get(option) };
                // As written first: `budget = 64` is resolved to text.
                options.get(option).is_some_and(|v| condition.holds(v)) || value.is_some_and(|v| condition.holds(v))
            })
        };
        if self.skip.iter().any(matches) {
            return Ok(None);
        }
        let coordinates = point.iter().map(|(name, value)| format!("{name}={}", plain(value)));
        let label: Vec<String> = (!name.is_empty()).then(|| name.clone()).into_iter().chain(coordinates).collect();
        Ok(Some(Cell { key: key(&experiment)?, experiment, variant: name, label: label.join(" ") }))
    }
}

/// The key of a variant's name, and what filters call it.
const NAME: &str = "name";
const VARIANT: &str = "variant";

/// What one line of a filter asks of an option.
enum Condition {
    OneOf(Vec<Value>),
    Above(f64),
    Below(f64),
}

impl Condition {
    fn parse(value: Value) -> Option<Self> {
        match value {
            Value::Table(range) => {
                let (name, limit) = range.iter().next().filter(|_| range.len() == 1)?;
                match name.as_str() {
                    "above" => Some(Condition::Above(number(limit)?)),
                    "below" => Some(Condition::Below(number(limit)?)),
                    _ => None,
                }
            }
            Value::Array(values) => Some(Condition::OneOf(values)),
            value => Some(Condition::OneOf(vec![value])),
        }
    }

    fn holds(&self, value: &Value) -> bool {
        let same = |wanted: &Value| {
            wanted == value || number(wanted).zip(number(value)).is_some_and(|(wanted, value)| wanted == value)
        };
        match self {
            Condition::OneOf(values) => values.iter().any(same),
            Condition::Above(limit) => number(value).is_some_and(|v| v > *limit),
            Condition::Below(limit) => number(value).is_some_and(|v| v < *limit),
        }
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(v) => Some(*v as f64),
        Value::Float(v) => Some(*v),
        _ => None,
    }
}

/// A value without quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
