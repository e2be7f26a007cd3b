//! `pcalm evaluate`: how good a trained network is.

use super::{Failure, part};
use crate::{ExitOutcome, args::EvaluateArgs, output};
use pcalm::Names;
use pcalm_lab::{
    destination,
    evaluation::{Evaluation, check_ending, evaluate, picture},
    experiment::Experiment,
};
use std::io::{self, Write};

pub fn run(args: &EvaluateArgs) -> Result<ExitOutcome, Failure> {
    let part = part(&args.split)?;
    if let Some(path) = &args.picture {
        check_ending(path)?;
        let inputs = args.origin.files(&args.dataset).chain([args.network.as_path()]);
        destination::check("picture", path, inputs, true)?;
    }
    let experiment = Experiment {
        train_samples: args.train_samples,
        test_samples: args.test_samples,
        ..args.shift.on(args.origin.experiment(&args.dataset))
    };
    let found = evaluate((&args.network, &Names::default()), &experiment, part, &args.dtype)?;
    if let Some(path) = &args.picture {
        picture(&found, path)?;
    }
    output::report(&found, args.json, |out| show(out, &found))?;
    Ok(ExitOutcome::Done)
}

/// Classes, and outputs, shown one by one.
const SHOWN: usize = 20;

fn show(out: &mut dyn Write, e: &Evaluation) -> io::Result<()> {
    writeln!(out, "samples   {} ({})", e.samples, e.split)?;
    writeln!(out, "loss      {:.6}", e.loss)?;
    if let Some(accuracy) = e.accuracy {
        writeln!(out, "accuracy  {accuracy:.4}")?;
    }
    if let Some(r2) = e.r2 {
        writeln!(out, "R²        {r2:.4}")?;
    }
    if e.r2_of_outputs.len() > 1 {
        for (k, r2) in e.r2_of_outputs.iter().enumerate().take(SHOWN) {
            writeln!(out, "  y{:<6} {}", k + 1, super::number(*r2))?;
        }
    }
    match &e.confusion {
        Some(table) if e.classes.len() <= SHOWN => confusion(out, &e.classes, table),
        Some(_) => writeln!(out, "the confusion of {} classes is in --json", e.classes.len()),
        None => Ok(()),
    }
}

fn confusion(out: &mut dyn Write, classes: &[String], table: &[Vec<u64>]) -> io::Result<()> {
    let name = classes.iter().map(|c| c.chars().count()).max().unwrap_or(0);
    let most = table.iter().flatten().max().map_or(1, |n| n.to_string().len());
    let wide = name.max(most);
    writeln!(out, "\ntrue class below, predicted class across")?;
    let cells = |cells: &mut dyn Iterator<Item = String>| cells.map(|c| format!("  {c:>wide$}")).collect::<String>();
    writeln!(out, "{:name$}{}", "", cells(&mut classes.iter().cloned()))?;
    for (class, row) in classes.iter().zip(table) {
        writeln!(out, "{class:name$}{}", cells(&mut row.iter().map(u64::to_string)))?;
    }
    Ok(())
}
