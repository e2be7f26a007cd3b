//! `pcalm compare`.

use super::{Failure, experiment};
use crate::{ExitOutcome, args::CompareArgs, output, progress::Display, signals};
use clap::ArgMatches;
use pcalm::Catalogue;
use pcalm_lab::{
    LabError,
    compare::{COMMAND, ComparisonRow, Contest, OWN, compare, rows, write},
    dataset::Task,
    experiment::{Experiment, Loaded, limits::WHOLE},
    folder::{Folder, names},
    outcome::{self, RunEnd},
    run::check_options,
    tenancy::{Holding, Tenancy, occupied, sign, unsign},
};
use std::io::{self, Write};

pub fn run(args: &CompareArgs, matches: &ArgMatches) -> Result<ExitOutcome, Failure> {
    let experiment = experiment(&args.experiment, &args.common, matches)?;
    let contest = contest(args, &experiment)?;
    let interrupt = signals::interrupt()?;
    let (loaded, catalogue) = (Loaded::new(&experiment)?, Catalogue::default());
    // All rules are checked before the first one trains.
    for rule in &contest.rules {
        check_options(&Experiment { rule: rule.clone(), ..experiment.clone() }, &catalogue, &loaded.data)?;
    }
    let contents = loaded.contents(&experiment)?;
    let holding = Holding::new(COMMAND, &experiment, &contents)?.without(OWN);
    let out = args.out.clone().unwrap_or_else(|| holding.default_folder(COMMAND));
    let tenancy = Tenancy::begin(&out)?;
    let folder = tenancy.folder();
    make_room(folder, &holding, args.force)?;
    sign(folder, COMMAND, (&experiment, &contents))?;
    let mut display = Display::new(args.common.quiet);
    let mut news = |rule: &str, seed: u64, n: pcalm_lab::run::RunNews| display.tell(&format!("{rule} seed {seed}"), n);
    let finished = compare(&contest, &experiment, &loaded, folder, &catalogue, &interrupt, &mut news);
    // Where not even the first run could begin, the folder is not occupied.
    let runs: Vec<_> = contest.runs(&experiment).map(|(name, _)| Folder::existing(&folder.file(&name))).collect();
    let finished = finished.inspect_err(|_| {
        if runs.iter().all(|run| !run.has(names::PROVENANCE)) {
            unsign(folder);
        }
    })?;
    display.finish();
    let _careful = interrupt.careful();
    let table = rows(&contest.rules, &finished);
    let task = loaded.data.task();
    write(folder, task, &table, &finished)?;
    output::report(&table, args.common.json, |out| {
        show(out, task, &table, &finished)?;
        gaps(out, task, &table)?;
        writeln!(out, "\nrun folder: {}", folder.path().display())
    })?;
    for run in finished.iter().filter(|f| f.summary.end == RunEnd::Diverged) {
        let message = run.summary.message.as_deref().unwrap_or("diverged");
        output::note(format_args!("seed {}: {message}", run.summary.seed));
    }
    let left = contest.rules.len() as u64 * contest.seeds - finished.len() as u64;
    if left > 0 {
        output::note(format_args!("interrupted with {left} runs left; the same command goes on from here"));
    }
    let diverged = finished.iter().any(|f| f.summary.end == RunEnd::Diverged);
    Ok(if diverged || left > 0 { ExitOutcome::Unfinished } else { ExitOutcome::Done })
}

fn contest(args: &CompareArgs, experiment: &Experiment) -> Result<Contest, LabError> {
    let refuse = |name: &str, problem: String| Err(LabError::Option { name: name.to_owned(), problem });
    if args.seeds == 0 {
        return refuse("seeds", "0; at least 1 is needed".into());
    }
    if let Some((_, twice)) = args.rules.iter().enumerate().find(|(i, rule)| args.rules[..*i].contains(rule)) {
        return refuse("rules", format!("`{twice}` is there twice"));
    }
    let most = WHOLE - experiment.seed + 1;
    if args.seeds > most {
        let problem = format!("{}; from --seed {} on there are {most}", args.seeds, experiment.seed);
        return refuse("seeds", problem);
    }
    Ok(Contest { rules: args.rules.clone(), seeds: args.seeds })
}

/// Sees that the folder holds no other comparison; with `force` none at all.
fn make_room(folder: &Folder, wanted: &Holding, force: bool) -> Result<(), LabError> {
    let Some(found) = Holding::of(folder)? else { return Ok(()) };
    if !(force && found.command == COMMAND) {
        let problem = found.without(OWN).unlike(wanted);
        return problem.map_or(Ok(()), |problem| Err(occupied(folder, &problem)));
    }
    let io = |source| LabError::Io { path: folder.path().to_owned(), source };
    for entry in std::fs::read_dir(folder.path()).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let run = Folder::existing(&path);
        if run.has(names::PROVENANCE) {
            run.remove(&names::OF_A_RUN)?;
            std::fs::remove_dir(&path).map_err(|source| LabError::Io { path, source })?;
        }
    }
    folder.remove(&names::OF_A_COMPARISON)
}

fn show(out: &mut dyn Write, task: Task, table: &[ComparisonRow], finished: &[outcome::Outcome]) -> io::Result<()> {
    let regression = task == Task::Regression;
    let score =
        if regression { format!("{:>17} {:>20}", "test R²", "test loss") } else { format!("{:>17}", "test accuracy") };
    let names = ["alignment", "norm ratio", "s/step", "products/sample", "GFLOP"];
    let [alignment, ratio, seconds, products, work] = names;
    writeln!(out, "{:11} {score} {alignment:>10} {ratio:>11} {seconds:>11} {products:>16} {work:>8}  stop", "rule")?;
    let fixed = |value: Option<f64>, digits: usize| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.digits$}"));
    for row in table {
        let times = finished.iter().filter(|f| f.summary.rule == row.rule).map(|f| f.cost.seconds_per_step);
        let seconds = times.sum::<f64>() / row.seeds as f64;
        let percent = |v: Option<f64>| fixed(v.map(|v| 100.0 * v), 2);
        let score = if regression {
            let (r2, loss) = (fixed(row.r2_mean, 4), fixed(row.loss_mean, 6));
            format!("{r2:>8} ± {:6} {loss:>10} ± {:7}", fixed(row.r2_sd, 4), fixed(row.loss_sd, 6))
        } else {
            format!("{:>8} ± {:4} %", percent(row.accuracy_mean), percent(row.accuracy_sd))
        };
        writeln!(
            out,
            "{:11} {score} {:>10} {:>11} {seconds:>11.6} {:>16.1} {:>8.1}  {}",
            row.rule,
            fixed(row.alignment, 4),
            fixed(row.norm_ratio, 4),
            row.products_per_sample,
            2e-9 * row.multiply_adds,
            row.stop_reason
        )?;
    }
    Ok(())
}

/// Each rule against BP on the same seeds.
fn gaps(out: &mut dyn Write, task: Task, table: &[ComparisonRow]) -> io::Result<()> {
    let (factor, unit) = if task == Task::Regression { (1.0, "of loss") } else { (100.0, "points") };
    let mut first = true;
    for row in table {
        let (Some(gap), Some(low), Some(high), Some(p)) = (row.gap, row.gap_low, row.gap_high, row.gap_p) else {
            continue;
        };
        if first {
            writeln!(out, "\nagainst bp, paired over the seeds (95 % interval, two-sided p of Student's t)")?;
            first = false;
        }
        let [gap, low, high] = [gap, low, high].map(|v| factor * v);
        writeln!(out, "{:11} {gap:>+9.3} {unit} [{low:+.3}, {high:+.3}], p = {p:.4}", row.rule)?;
    }
    Ok(())
}
