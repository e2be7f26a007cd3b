//! A grid of experiments: a base, axes, variants and filters, from one TOML file.

use super::key::Key;
use crate::{
    choice::hint,
    error::LabError,
    experiment::{Choices, Contents, DatasetCache, Experiment, RunIdentity, fit_to_init, merge, option_names, table},
};
use pcalm::{Catalogue, Names};
use serde::{Deserialize, Serialize};
use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
};
use toml::{Table, Value};

/// One run of a grid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GridCell {
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
/// slower than all axes. Cells that resolve to the same run appear once. `path` names the file in errors, `data_dir`
/// is where all data sets are looked for, if given; they are read, since a run is known by what they hold.
///
/// ```
/// # use pcalm::Catalogue;
/// # use pcalm_lab::experiment::DatasetCache;
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
/// let (samples, catalogue) = (DatasetCache::default(), Catalogue::default());
/// let cells = pcalm_lab::sweep::grid(text, "grid.toml".as_ref(), &samples, &catalogue, None)?;
/// let labels: Vec<&str> = cells.iter().map(|c| c.label.as_str()).collect();
/// assert_eq!(labels, ["width=8 rule=pc", "width=8 rule=pc-alm", "width=16 rule=pc-alm"]);
/// # Ok::<(), pcalm_lab::LabError>(())
/// ```
///
/// # Errors
/// If the text is not TOML, names an option or a value that does not exist, has an empty axis or one without effect, sets an
/// option twice, or has no cell.
pub fn grid(
    text: &str,
    path: &Path,
    samples: &DatasetCache,
    catalogue: &Catalogue,
    data_dir: Option<&Path>,
) -> Result<Vec<GridCell>, LabError> {
    let grid = Grid::parse(text, path)?;
    let points = grid.points(catalogue.names())?;
    let mut found: Vec<(Vec<usize>, GridCell)> = Vec::new();
    for GridPoint { at, mut experiment, variant, label } in points {
        Choices::of(&experiment, catalogue).map_err(|error| grid.bad(format!("{label}: {error}")))?;
        experiment.data_dir = data_dir.map(PathBuf::from).or(experiment.data_dir);
        let key = Key::from(&identity(&experiment, samples)?);
        found.push((at, GridCell { key, experiment, variant, label }));
    }
    grid.check_axes(&found)?;
    let mut cells: Vec<GridCell> = Vec::new();
    let mut known = HashSet::new();
    for (_, cell) in found {
        if known.insert(cell.key.clone()) {
            cells.push(cell);
        }
    }
    Ok(cells)
}

/// What decides a cell. Files that cannot be read decide nothing: that is the cell's failure when its turn comes, and
/// once they are there it is another cell.
fn identity(experiment: &Experiment, samples: &DatasetCache) -> Result<RunIdentity, LabError> {
    let fingerprint = samples.of(experiment).map_or_else(|_| "missing".into(), |loaded| loaded.fingerprint);
    RunIdentity::new(experiment, &Contents::or_missing(&fingerprint, experiment))
}

/// A place in a grid before it is known which run it is.
struct GridPoint {
    /// Of the variants, and on each axis.
    at: Vec<usize>,
    experiment: Experiment,
    variant: String,
    label: String,
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
        if grid.base.is_empty() && grid.axes.is_empty() && grid.variants.is_empty() {
            return Err(grid.bad("sets no option; a grid has a [base], [axes] or [[variants]]".into()));
        }
        grid.check_names()?;
        Ok(grid)
    }

    /// That no option is set by an axis and a variant, and that variants can be told apart.
    fn check_names(&self) -> Result<(), LabError> {
        for (i, variant) in self.variants.iter().enumerate() {
            let name = variant.get(NAME);
            if self.variants[..i].iter().any(|other| other.get(NAME) == name) {
                let name = name.map(plain).unwrap_or_default();
                return Err(self.bad(format!("two variants are called `{name}`")));
            }
            if let Some((axis, _)) = self.axes.iter().find(|(axis, _)| variant.contains_key(axis)) {
                let name = name.map(plain).unwrap_or_default();
                let problem = format!("variant `{name}` sets `{axis}`, which is an axis too; only one of them can");
                return Err(self.bad(problem));
            }
        }
        Ok(())
    }

    /// That no two values of an axis, and no two variants, give the same runs everywhere.
    fn check_axes(&self, found: &[(Vec<usize>, GridCell)]) -> Result<(), LabError> {
        let names = self.axes.iter().map(|(name, values)| (format!("axis `{name}`"), values.len()));
        let axes: Vec<(String, usize)> =
            std::iter::once(("[[variants]]".to_owned(), self.variants.len())).chain(names).collect();
        for (d, (name, count)) in axes.iter().enumerate() {
            for (a, b) in (0..*count).flat_map(|b| (0..b).map(move |a| (a, b))) {
                if self.alike(found, d, a, b) {
                    let value = |i: usize| match d.checked_sub(1) {
                        Some(axis) => plain(&self.axes[axis].1[i]),
                        None => self.variants[i].get(NAME).map(plain).unwrap_or_default(),
                    };
                    let problem = format!("`{}` and `{}` give the same runs: they have no effect", value(a), value(b));
                    return Err(self.bad(format!("{name}: {problem}")));
                }
            }
        }
        Ok(())
    }

    /// Whether places `a` and `b` of dimension `d` lead to the same runs, and to some.
    fn alike(&self, found: &[(Vec<usize>, GridCell)], d: usize, a: usize, b: usize) -> bool {
        let of = |place: usize| found.iter().filter(move |(at, _)| at[d] == place);
        let rest = |at: &[usize]| [&at[..d], &at[d + 1..]].concat();
        let others: HashMap<Vec<usize>, &Key> = of(b).map(|(at, cell)| (rest(at), &cell.key)).collect();
        let same = |(at, cell): &(Vec<usize>, GridCell)| others.get(&rest(at)) == Some(&&cell.key);
        !others.is_empty() && of(a).count() == others.len() && of(a).all(same)
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

    fn points(&self, names: &Names) -> Result<Vec<GridPoint>, LabError> {
        let none = [Table::new()];
        let variants = if self.variants.is_empty() { &none[..] } else { &self.variants };
        let mut points: Vec<GridPoint> = Vec::new();
        for (v, variant) in variants.iter().enumerate() {
            let mut at = vec![0; self.axes.len()];
            loop {
                points.extend(self.point(names, v, variant, &at)?);
                // The next point, the last axis first, as an odometer counts.
                let Some(turn) = (0..at.len()).rev().find(|&d| at[d] + 1 < self.axes[d].1.len()) else { break };
                at[turn] += 1;
                at[turn + 1..].fill(0);
            }
        }
        if points.is_empty() {
            return Err(self.bad("every cell is skipped; there is nothing to run".into()));
        }
        Ok(points)
    }

    /// The point of a variant at a place on the axes, unless it is filtered out.
    fn point(&self, names: &Names, v: usize, variant: &Table, at: &[usize]) -> Result<Option<GridPoint>, LabError> {
        let point: Vec<(&str, &Value)> =
            self.axes.iter().zip(at).map(|((name, values), &i)| (name.as_str(), &values[i])).collect();
        let mut options = self.base.clone();
        options.extend(point.iter().map(|(name, value)| ((*name).to_owned(), (*value).clone())));
        options.extend(variant.clone());
        let name = options.remove(NAME).and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
        let merged = merge(&Experiment::default(), |_| false, options.clone(), self.path)?;
        let resolved = Table::try_from(&merged).map_err(|e| self.bad(e.to_string()))?;
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
        // A file that cannot be read is the cell's failure when its turn comes.
        let experiment = match fit_to_init(&merged, names, |key| options.contains_key(key)) {
            Err(error @ LabError::Option { .. }) => return Err(self.bad(error.to_string())),
            other => other.unwrap_or(merged),
        };
        let coordinates = point.iter().map(|(name, value)| format!("{name}={}", plain(value)));
        let label: Vec<String> = (!name.is_empty()).then(|| name.clone()).into_iter().chain(coordinates).collect();
        let at = std::iter::once(v).chain(at.iter().copied()).collect();
        Ok(Some(GridPoint { at, experiment, variant: name, label: label.join(" ") }))
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
