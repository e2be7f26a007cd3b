//! `pcalm figure`.

use super::{Failure, sweep::options};
use crate::{
    ExitOutcome,
    args::{FigureArgs, LabArgs},
    output, signals,
    sweep_progress::SweepDisplay,
};
use pcalm_lab::{
    choice::choose,
    claim::{Claim, Verdict},
    figure::{FIGURES, Figure, Lab, Record, Scale, Setting, make},
};
use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

pub fn run(args: &FigureArgs) -> Result<ExitOutcome, Failure> {
    let figures: Vec<&Figure> = if args.name == "all" {
        FIGURES.iter().collect()
    } else {
        let known = FIGURES.iter().map(|f| f.name).chain(["all"]);
        vec![choose("figure", &args.name, known, |name| FIGURES.iter().find(|f| f.name == name))?]
    };
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("runs/figures-{}", args.scale.name())));
    let records = draw(&figures, &args.lab, args.scale, &out)?;
    let claims: Vec<&Claim> = records.iter().flat_map(|r| &r.claims).collect();
    output::report(&claims, args.lab.json, |text| {
        show_all(text, &records)?;
        writeln!(text, "\nfigures: {}", out.join("figures").display())
    })?;
    Ok(outcome(&claims))
}

/// A claim that is not confirmed was not met; one that holds partly is no failure.
pub fn outcome(claims: &[&Claim]) -> ExitOutcome {
    let failed = claims.iter().any(|c| c.verdict == Verdict::NotConfirmed);
    if failed { ExitOutcome::Unfinished } else { ExitOutcome::Done }
}

/// Makes figures one after the other.
pub fn draw(figures: &[&Figure], args: &LabArgs, scale: Scale, out: &Path) -> Result<Vec<Record>, Failure> {
    let interrupt = signals::interrupt()?;
    let display = SweepDisplay::new(args.quiet);
    let setting = Setting {
        scale,
        dataset: args.dataset.clone(),
        data_dir: args.data_dir.clone(),
        options: options(&args.power)?,
    };
    let news = |news: pcalm_lab::sweep::SweepNews| display.tell(news);
    let lab = Lab::new(setting, out, &interrupt, &news)?;
    let mut records = Vec::new();
    for (i, figure) in figures.iter().enumerate() {
        if !args.quiet {
            output::note(format_args!("figure {} of {}: {}", i + 1, figures.len(), figure.name));
        }
        records.push(make(figure, &lab)?);
        display.finish();
    }
    Ok(records)
}

/// Every claim, and those that could not be judged.
pub fn show_all(out: &mut dyn Write, records: &[Record]) -> io::Result<()> {
    records.iter().flat_map(|r| &r.claims).try_for_each(|claim| show(out, claim))?;
    records.iter().flat_map(|r| &r.unjudged).try_for_each(|why| writeln!(out, "{:14} {why}", "not judged"))
}

/// A claim in three lines.
fn show(out: &mut dyn Write, claim: &Claim) -> io::Result<()> {
    writeln!(out, "{:14} {}  [{}]", claim.verdict.name(), claim.statement, claim.id)?;
    let interval = claim.interval.map(|[low, high]| format!(" [{low:.4}, {high:.4}]")).unwrap_or_default();
    writeln!(out, "               {:.4}{interval} {}; wanted: {}", claim.measured, claim.quantity, claim.wanted)?;
    if !claim.remark.is_empty() {
        writeln!(out, "               {}", claim.remark)?;
    }
    Ok(())
}
