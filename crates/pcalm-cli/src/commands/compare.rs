//! `pcalm compare`.

use super::{Failure, experiment, interrupt_flag};
use crate::{Outcome, args::CompareArgs, output, progress::Display};
use clap::ArgMatches;
use pcalm_lab::{
    LabError,
    compare::{Contest, Finished, Row, compare, rows, write},
    experiment::{Plan, limits::WHOLE, load_data},
    folder::Folder,
    run::End,
};
use std::{
    io::{self, Write},
    sync::atomic::Ordering,
};

pub fn run(args: &CompareArgs, matches: &ArgMatches) -> Result<Outcome, Failure> {
    let experiment = experiment(&args.experiment, &args.common, matches)?;
    if args.seeds == 0 {
        return Err(LabError::Option { name: "seeds".into(), problem: "0; at least 1 is needed".into() }.into());
    }
    let most = WHOLE - experiment.seed + 1;
    if args.seeds > most {
        let problem = format!("{}; from --seed {} on there are {most}", args.seeds, experiment.seed);
        return Err(LabError::Option { name: "seeds".into(), problem }.into());
    }
    let folder = Folder::create(&args.out)?;
    let interrupt = interrupt_flag()?;
    let data = load_data(&experiment)?;
    // All rules are checked before the first one trains.
    for rule in &args.rules {
        Plan::new(&pcalm_lab::experiment::Experiment { rule: rule.clone(), ..experiment.clone() }, &data)?;
    }
    let contest = Contest { rules: args.rules.clone(), seeds: args.seeds };
    let mut display = Display::new(args.common.quiet);
    let mut news = |rule: &str, seed: u64, n: pcalm_lab::run::News| display.tell(&format!("{rule} seed {seed}"), n);
    let finished = compare(&contest, &experiment, &data, &folder, &interrupt, &mut news)?;
    display.finish();
    let table = rows(&args.rules, &finished);
    write(&folder, &table, &finished)?;
    output::report(&table, args.common.json, |out| {
        show(out, &table, &finished)?;
        writeln!(out, "\nrun folder: {}", folder.path().display())
    })?;
    for run in finished.iter().filter(|f| f.summary.end == End::Diverged) {
        let message = run.summary.message.as_deref().unwrap_or("diverged");
        output::note(format_args!("seed {}: {message}", run.summary.seed));
    }
    let interrupted = interrupt.load(Ordering::Relaxed);
    if interrupted {
        output::note("interrupted; the table holds the runs that finished");
    }
    let diverged = finished.iter().any(|f| f.summary.end == End::Diverged);
    Ok(if diverged || interrupted { Outcome::Unfinished } else { Outcome::Done })
}

fn show(out: &mut dyn Write, table: &[Row], finished: &[Finished]) -> io::Result<()> {
    writeln!(
        out,
        "{:8} {:>17} {:>10} {:>11} {:>11} {:>16} {:>8}  stop",
        "rule", "test accuracy", "alignment", "norm ratio", "s/step", "products/sample", "GFLOP"
    )?;
    for row in table {
        let times = finished.iter().filter(|f| f.summary.rule == row.rule).map(|f| f.cost.seconds_per_step);
        let seconds = times.sum::<f64>() / row.seeds as f64;
        writeln!(
            out,
            "{:8} {:>8.2} ± {:4.2} % {:>10.4} {:>11.4} {:>11.6} {:>16.1} {:>8.1}  {}",
            row.rule,
            100.0 * row.accuracy_mean,
            100.0 * row.accuracy_sd,
            row.alignment,
            row.norm_ratio,
            seconds,
            row.products_per_sample,
            2e-9 * row.multiply_adds,
            row.stop_reason
        )?;
    }
    Ok(())
}
