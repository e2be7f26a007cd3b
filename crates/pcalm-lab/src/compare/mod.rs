//! Several rules on the same seeds, weights and batches, side by side.

#[cfg_attr(not(feature = "plot"), path = "no_picture.rs")]
mod picture;

use crate::{
    dataset::Task,
    error::LabError,
    experiment::{Experiment, Loaded},
    folder::{Folder, names},
    interrupt::Interrupt,
    outcome::{Outcome, RunEnd, RunSummary},
    record::{csv, json},
    run::{self, RunNews, TrainingJob},
    stats::{Paired, mean, paired},
    tenancy::{Holding, occupied},
};
use pcalm::Catalogue;
use serde::Serialize;

/// One row of the comparison: a rule over all seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ComparisonRow {
    /// Learning rule.
    pub rule: String,
    /// Seeds finished.
    pub seeds: usize,
    /// Mean test accuracy; absent in regression.
    pub accuracy_mean: Option<f64>,
    /// Sample standard deviation of the test accuracy; 0 with one seed.
    pub accuracy_sd: Option<f64>,
    /// Mean R² on the test samples; absent in classification.
    pub r2_mean: Option<f64>,
    /// Sample standard deviation of R²; 0 with one seed.
    pub r2_sd: Option<f64>,
    /// Mean test loss.
    pub loss_mean: Option<f64>,
    /// Sample standard deviation of the test loss; 0 with one seed.
    pub loss_sd: Option<f64>,
    /// Mean cosine to BP's weight gradient after training.
    pub alignment: Option<f64>,
    /// Mean norm ratio to BP's weight gradient after training.
    pub norm_ratio: Option<f64>,
    /// Matrix products per sample and training step.
    pub products_per_sample: f64,
    /// Multiply-adds of one run, mean over the seeds.
    pub multiply_adds: f64,
    /// Runs that diverged.
    pub diverged: usize,
    /// Why inference stopped, or `diverged`.
    pub stop_reason: String,
    /// Mean accuracy (in regression: loss) less BP's on the same seed; absent without BP or with one seed.
    pub gap: Option<f64>,
    /// Lower end of its 95 % confidence interval.
    pub gap_low: Option<f64>,
    /// Upper end.
    pub gap_high: Option<f64>,
    /// Two-sided probability of a gap as large if the rules did not differ: paired t-test over the seeds.
    pub gap_p: Option<f64>,
}

/// The rules and seeds of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Contest {
    /// Rules, in the order of the table.
    pub rules: Vec<String>,
    /// Number of seeds, counted up from the experiment's.
    pub seeds: u64,
}

/// What `run.json` calls a comparison.
pub const COMMAND: &str = "compare";
/// The options that each of its runs has its own value of.
pub const OWN: &[&str] = &["rule", "seed"];

impl Contest {
    /// Its runs with the names of their folders, seed by seed.
    pub fn runs<'a>(&'a self, base: &'a Experiment) -> impl Iterator<Item = (String, Experiment)> + 'a {
        (base.seed..base.seed.saturating_add(self.seeds)).flat_map(move |seed| {
            self.rules.iter().map(move |rule| {
                (format!("{rule}-seed{seed}"), Experiment { rule: rule.clone(), seed, ..base.clone() })
            })
        })
    }
}

/// Trains every rule on every seed, each in its own folder under `folder`; runs that are finished there are taken as
/// they are, others go on from their checkpoints. `news` is told the rule and seed of the run it is about. Stops
/// early, with what is finished, when interrupted.
///
/// # Errors
/// If a run cannot be made or its files not be written.
pub fn compare(
    contest: &Contest,
    base: &Experiment,
    loaded: &Loaded,
    folder: &Folder,
    catalogue: &Catalogue,
    interrupt: &Interrupt,
    news: &mut dyn FnMut(&str, u64, RunNews),
) -> Result<Vec<Outcome>, LabError> {
    let contents = loaded.contents(base)?;
    let mut finished = Vec::new();
    for (name, experiment) in contest.runs(base) {
        let place = Folder::create(&folder.file(&name))?;
        let known = match Holding::of(&place)? {
            Some(found) => {
                if let Some(problem) = found.unlike(&Holding::new(run::COMMAND, &experiment, &contents)?) {
                    return Err(occupied(&place, &problem));
                }
                Outcome::read(&place)?.filter(|o| o.summary.end != RunEnd::Interrupted)
            }
            None => None,
        };
        let outcome = match known {
            Some(outcome) => outcome,
            None => {
                let mut tell = |n: RunNews| news(&experiment.rule, experiment.seed, n);
                let (data, contents) = (&*loaded.data, &contents);
                let job = TrainingJob { experiment: &experiment, catalogue, data, contents, folder: &place, interrupt };
                run::run(&job, &mut tell)?
            }
        };
        if outcome.summary.end != RunEnd::Interrupted {
            finished.push(outcome);
        }
        if interrupt.is_raised() {
            break;
        }
    }
    Ok(finished)
}

/// The rule that others are held against.
const STANDARD: &str = "bp";

/// The table's rows, in the order of `rules`; rules without a finished run are left out.
pub fn rows(rules: &[String], finished: &[Outcome]) -> Vec<ComparisonRow> {
    rules.iter().filter_map(|rule| row(rule, finished)).collect()
}

fn of_rule<'a>(rule: &str, finished: &'a [Outcome]) -> Vec<&'a RunSummary> {
    finished.iter().map(|f| &f.summary).filter(|s| s.rule == rule).collect()
}

fn row(rule: &str, finished: &[Outcome]) -> Option<ComparisonRow> {
    let runs = of_rule(rule, finished);
    let first = runs.first()?;
    let of = |part: fn(&RunSummary) -> Option<f64>| mean(&runs.iter().filter_map(|s| part(s)).collect::<Vec<_>>());
    let (accuracy, r2, loss) = (of(|s| s.test_accuracy), of(|s| s.test_r2), of(|s| s.test_loss));
    let diverged = runs.iter().filter(|s| s.end == RunEnd::Diverged).count();
    let stop = if diverged > 0 { Some("diverged".to_owned()) } else { first.stop_reason.clone() };
    let gap = (rule != STANDARD).then(|| gap(&runs, &of_rule(STANDARD, finished))).flatten();
    let interval = gap.and_then(|g| g.difference.interval);
    Some(ComparisonRow {
        rule: rule.to_owned(),
        seeds: runs.len(),
        accuracy_mean: accuracy.map(|a| a.value),
        accuracy_sd: accuracy.map(|a| a.deviation),
        r2_mean: r2.map(|m| m.value),
        r2_sd: r2.map(|m| m.deviation),
        loss_mean: loss.map(|m| m.value),
        loss_sd: loss.map(|m| m.deviation),
        alignment: of(|s| s.alignment).map(|m| m.value),
        norm_ratio: of(|s| s.norm_ratio).map(|m| m.value),
        products_per_sample: of(|s| Some(s.products_per_sample)).map_or(0.0, |m| m.value),
        multiply_adds: of(|s| Some(s.multiply_adds as f64)).map_or(0.0, |m| m.value),
        diverged,
        stop_reason: stop.unwrap_or_default(),
        gap: gap.map(|g| g.difference.value),
        gap_low: interval.map(|i| i[0]),
        gap_high: interval.map(|i| i[1]),
        gap_p: gap.map(|g| g.p),
    })
}

/// A rule against the standard on the seeds that both finished.
fn gap(runs: &[&RunSummary], standard: &[&RunSummary]) -> Option<Paired> {
    let score = |s: &RunSummary| s.test_accuracy.or(s.test_loss);
    let pair = |run: &&RunSummary| {
        let partner = standard.iter().find(|s| s.seed == run.seed)?;
        score(run).zip(score(partner))
    };
    let (ours, theirs): (Vec<f64>, Vec<f64>) = runs.iter().filter_map(pair).unzip();
    paired(&ours, &theirs)
}

/// Writes `compare.csv`, `compare.json`, `runs.csv` and the picture.
///
/// # Errors
/// If a file cannot be written.
pub fn write(folder: &Folder, task: Task, rows: &[ComparisonRow], finished: &[Outcome]) -> Result<(), LabError> {
    let runs: Vec<&RunSummary> = finished.iter().map(|f| &f.summary).collect();
    folder.write(names::COMPARISON_CSV, &csv(rows, folder.path())?)?;
    folder.write(names::COMPARISON_JSON, &json(&rows, folder.path())?)?;
    folder.write(names::COMPARISON_RUNS, &csv(&runs, folder.path())?)?;
    picture::draw(folder, task, rows, finished)
}
