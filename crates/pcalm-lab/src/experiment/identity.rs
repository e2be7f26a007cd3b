//! What makes two runs the same run: options that differ from frozen defaults, and the contents of the files read.
//!
//! Where files lie is no part of it: machines that keep a data set in different folders share their runs, and a
//! moved folder is still the same run.

use super::{Experiment, energy::canonical};
use crate::{
    dataset::{DATASETS, hex},
    error::LabError,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, fmt, path::Path, sync::LazyLock};
use toml::{Table, Value};

/// See the file.
static FROZEN: LazyLock<Table> = LazyLock::new(|| include_str!("frozen.toml").parse().unwrap_or_default());

/// Options that say where files are.
const PLACES: &[&str] = &["data-dir", "train-images", "train-labels", "test-images", "test-labels", "init"];
/// Options that decide what is written down how often, and nothing about the run.
const RECORDS: &[&str] = &["metrics-every", "checkpoint-every"];
/// Options that may be changed while a run is under way, beside those above.
const CHANGEABLE: &[&str] = &["epochs", "learning-rate"];

/// The contents of the files that a run reads, as SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// Of its samples, as [`Dataset::fingerprint`](crate::dataset::Dataset::fingerprint).
    pub data: String,
    /// Of the network file it starts from, if it does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub init: Option<String>,
    /// Of the file with its precisions, if they are in one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub precision: Option<String>,
}

/// Everything that decides a run, by option; what has its frozen value is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunIdentity(BTreeMap<String, String>);

/// An option with two values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The option, or `data`, `init` or `precision-file` for the contents of files.
    pub option: String,
    /// The value of the first.
    pub before: String,
    /// The value of the second.
    pub after: String,
}

const DATA: &str = "data";
const INIT: &str = "init";
const PRECISIONS: &str = "precision-file";
/// What stands for the contents of a file that is not there.
const ABSENT: &str = "none";

impl Contents {
    /// Of samples with this fingerprint, and the experiment's `--init` and `--precision` files.
    ///
    /// # Errors
    /// If one of these files cannot be read.
    pub fn new(data: &str, experiment: &Experiment) -> Result<Self, LabError> {
        let init = experiment.init.as_deref().map(sha256).transpose()?;
        let precision = experiment.precision_file().map(sha256).transpose()?;
        Ok(Contents { data: data.to_owned(), init, precision })
    }

    /// The same, where a file that cannot be read stands for itself.
    pub fn or_missing(data: &str, experiment: &Experiment) -> Self {
        let known = |path: &Path| sha256(path).unwrap_or_else(|_| "missing".to_owned());
        let (init, precision) = (experiment.init.as_deref(), experiment.precision_file());
        Contents { data: data.to_owned(), init: init.map(known), precision: precision.map(known) }
    }
}

/// SHA-256 of a file, in hexadecimal.
fn sha256(path: &Path) -> Result<String, LabError> {
    let bytes = std::fs::read(path).map_err(|e| LabError::io(path, e))?;
    Ok(hex(&Sha256::digest(&bytes)))
}

impl RunIdentity {
    /// Of an experiment that reads these contents.
    ///
    /// # Errors
    /// If an option cannot be written as TOML.
    pub fn new(experiment: &Experiment, contents: &Contents) -> Result<Self, LabError> {
        let mut options = Table::try_from(experiment).map_err(|e| LabError::option("config", e.to_string()))?;
        // One thing by two names.
        if experiment.standardise {
            options.extend([("standardise".into(), false.into()), ("normalise".into(), "standardise".into())]);
        }
        if experiment.precision_file().is_some() {
            options.remove("precision");
        }
        for key in ["precision", "precision-profile"] {
            if let Some(Value::String(text)) = options.get_mut(key) {
                *text = canonical(text);
            }
        }
        if experiment.energy_scale == Some(1.0) {
            options.remove("energy-scale");
        }
        let mut identity = RunIdentity::of_options(&options, &FROZEN);
        identity.0.insert(DATA.to_owned(), contents.data.clone());
        identity.0.extend(contents.init.clone().map(|init| (INIT.to_owned(), init)));
        identity.0.extend(contents.precision.clone().map(|precision| (PRECISIONS.to_owned(), precision)));
        Ok(identity)
    }

    fn of_options(options: &Table, frozen: &Table) -> Self {
        let differs = |(key, value): &(&String, &Value)| {
            frozen.get(*key) != Some(value) && !PLACES.contains(&key.as_str()) && !names_a_file(key, value)
        };
        RunIdentity(options.iter().filter(differs).map(|(key, value)| (key.clone(), value.to_string())).collect())
    }

    /// Sixteen hexadecimal digits to store a run under. How often it writes things down is no part of them.
    pub fn digits(&self) -> String {
        let decides = |(key, _): &(&String, &String)| !RECORDS.contains(&key.as_str());
        let lines: String = self.0.iter().filter(decides).map(|(key, value)| format!("{key} = {value}\n")).collect();
        hex(&Sha256::digest(lines.as_bytes())[..8])
    }

    /// Where `after` differs from this one.
    pub fn differences(&self, after: &RunIdentity) -> Vec<Difference> {
        let value = |of: &RunIdentity, key: &String| match of.0.get(key) {
            Some(value) => value.clone(),
            None => FROZEN.get(key).map_or_else(|| ABSENT.to_owned(), Value::to_string),
        };
        let mut keys: Vec<&String> = self.0.keys().chain(after.0.keys()).collect();
        keys.sort();
        keys.dedup();
        let differing = keys.into_iter().filter(|key| self.0.get(*key) != after.0.get(*key));
        let both =
            |key: &String| Difference { option: key.clone(), before: value(self, key), after: value(after, key) };
        differing.map(both).collect()
    }

    /// The same but for some options, which take their frozen values.
    pub fn without(mut self, options: &[&str]) -> Self {
        options.iter().for_each(|option| {
            self.0.remove(*option);
        });
        self
    }

    /// The same and one thing more.
    pub fn and(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }
}

impl Difference {
    /// Whether a run under way may take the change.
    pub fn is_allowed(&self) -> bool {
        may_change(&self.option)
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Difference { option, before, after } = self;
        match option.as_str() {
            DATA => write!(f, "other samples (SHA-256 {before:.12}… instead of {after:.12}…)"),
            INIT => write!(f, "another --init file (SHA-256 {before:.12}… instead of {after:.12}…)"),
            PRECISIONS => write!(f, "another --precision file (SHA-256 {before:.12}… instead of {after:.12}…)"),
            _ => write!(f, "{option} = {before} instead of {after}"),
        }
    }
}

/// Differences in a line.
pub fn listed(differences: &[Difference]) -> String {
    differences.iter().map(Difference::to_string).collect::<Vec<_>>().join(", ")
}

/// Whether an option may be changed while a run is under way: how long it trains and how fast, what it writes
/// down, and where its files are, as long as they hold the same.
pub fn may_change(option: &str) -> bool {
    [CHANGEABLE, RECORDS].concat().contains(&option) || PLACES.contains(&option) && option != INIT
}

/// Those options, for a message.
pub fn changeable() -> String {
    [CHANGEABLE, RECORDS, &["data-dir"]].concat().iter().map(|o| format!("--{o}")).collect::<Vec<_>>().join(", ")
}

/// A data set given as a file is known by its contents.
fn names_a_file(key: &str, value: &Value) -> bool {
    key == "dataset" && value.as_str().is_some_and(is_a_file)
}

/// Whether `--dataset` with this value is the path of a file or folder.
pub fn is_a_file(dataset: &str) -> bool {
    dataset != "idx" && DATASETS.iter().all(|d| d.name != dataset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::option_names;

    fn contents() -> Contents {
        Contents { data: "0123456789abcdef".into(), init: None, precision: None }
    }

    fn identity(experiment: &Experiment) -> RunIdentity {
        RunIdentity::new(experiment, &contents()).unwrap()
    }

    #[test]
    fn every_option_has_a_frozen_value_or_none_and_no_frozen_value_is_without_option() {
        let known: Vec<&str> = option_names().iter().map(|name| name.key.as_str()).collect();
        assert!(FROZEN.keys().all(|key| known.contains(&key.as_str())));
        let defaults = Table::try_from(Experiment::default()).unwrap();
        let missing: Vec<&String> = defaults.keys().filter(|key| !FROZEN.contains_key(*key)).collect();
        assert!(missing.is_empty(), "{missing:?} must be added to frozen.toml");
    }

    /// Folders of runs out there have these names: if this test fails, every one of them would be run again.
    #[test]
    fn runs_are_found_where_they_were_stored() {
        // sha256 of "data = 0123456789abcdef\n", and with the lines "rule = \"pc\"\n" and "seed = 3\n" behind it.
        assert_eq!(identity(&Experiment::default()).digits(), "6e3063be347e6b25");
        let other = Experiment { rule: "pc".into(), seed: 3, ..Experiment::default() };
        assert_eq!(identity(&other).digits(), "45e0c716c9678279");
    }

    #[test]
    fn an_option_added_later_keeps_every_key() {
        let options = Table::try_from(Experiment { width: 8, ..Experiment::default() }).unwrap();
        let before = RunIdentity::of_options(&options, &FROZEN);
        let (mut later, mut frozen) = (options, FROZEN.clone());
        later.insert("later".into(), Value::Boolean(false));
        frozen.insert("later".into(), Value::Boolean(false));
        assert_eq!(RunIdentity::of_options(&later, &frozen).digits(), before.digits());
        later.insert("later".into(), Value::Boolean(true));
        assert_ne!(RunIdentity::of_options(&later, &frozen).digits(), before.digits());
    }

    #[test]
    fn a_run_is_known_by_its_options_data_and_start_and_not_by_places_and_records() {
        let base = Experiment::default();
        let key = |e: Experiment| identity(&e).digits();
        let same = [
            Experiment { data_dir: Some("/a".into()), ..base.clone() },
            Experiment { metrics_every: 7, checkpoint_every: 9, ..base.clone() },
        ];
        let (short, long) = (
            Experiment { standardise: true, ..base.clone() },
            Experiment { normalise: "standardise".into(), ..base.clone() },
        );
        assert_eq!(key(short.clone()), key(long));
        assert_ne!(key(short), key(base.clone()));
        for experiment in same {
            assert_eq!(key(experiment), key(base.clone()));
        }
        let others = [
            Experiment { eta: "0.25".into(), ..base.clone() },
            Experiment { epochs: 2, ..base.clone() },
            Experiment { train_samples: Some(100), ..base.clone() },
            Experiment { dataset: "mnist".into(), ..base.clone() },
        ];
        let mut keys: Vec<String> = others.into_iter().map(key).chain([key(base.clone())]).collect();
        let some = || Some("aa".to_owned());
        for (data, init, precision) in
            [("fedc", None, None), ("0123456789abcdef", some(), None), ("0123456789abcdef", None, some())]
        {
            keys.push(RunIdentity::new(&base, &Contents { data: data.into(), init, precision }).unwrap().digits());
        }
        let count = keys.len();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), count);
    }

    #[test]
    fn precisions_are_known_by_what_they_say_and_not_by_how_it_is_written_or_where() {
        let with = |text: &str| Experiment { precision: Some(text.into()), ..Experiment::default() };
        let key = |e: &Experiment| identity(e).digits();
        assert_eq!(key(&with("2.0, 1")), key(&with("2,1")));
        assert_ne!(key(&with("2,1")), key(&with("2,2")));
        assert_eq!(key(&with("a/p.safetensors")), key(&with("b/p.safetensors")));
        let huber = Experiment { energy: "huber".into(), ..Experiment::default() };
        assert_eq!(key(&huber), key(&Experiment { energy_scale: Some(1.0), ..huber.clone() }));
        assert_ne!(key(&huber), key(&Experiment { energy_scale: Some(2.0), ..huber.clone() }));
    }

    #[test]
    fn differences_are_named_with_both_values_and_say_what_may_change() {
        let before = identity(&Experiment::default());
        let after = identity(&Experiment { rule: "pc".into(), epochs: 8, ..Experiment::default() });
        let found = before.differences(&after);
        assert_eq!(listed(&found), "epochs = 1 instead of 8, rule = \"pc-alm\" instead of \"pc\"");
        assert_eq!(found.iter().map(Difference::is_allowed).collect::<Vec<_>>(), [true, false]);
        assert!(before.differences(&before).is_empty());
    }
}
