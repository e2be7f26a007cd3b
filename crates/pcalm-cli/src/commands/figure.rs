//! `pcalm figure`.

use super::{Failure, interrupt_flag, sweep::options};
use crate::{
    Outcome,
    args::{FigureArgs, LabArgs},
    sweep_progress::SweepDisplay,
};
use pcalm_lab::{
    LabError,
    choice::choose,
    claim::Claim,
    figure::{FIGURES, Figure, Lab, Record, Scale, Setting, make},
};
use std::path::{Path, PathBuf};

pub fn run(args: &FigureArgs) -> Result<Outcome, Failure> {
    let figures: Vec<&Figure> = if args.name == "all" {
        FIGURES.iter().collect()
    } else {
        let known = FIGURES.iter().map(|f| f.name).chain(["all"]);
        vec![choose("figure", &args.name, known, |name| FIGURES.iter().find(|f| f.name == name))?]
    };
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("runs/figures-{}", args.scale.name())));
    let records = draw(&figures, &args.lab, args.scale, &out)?;
    if args.lab.json {
        let claims: Vec<&Claim> = records.iter().flat_map(|r| &r.claims).collect();
        println!("{}", serde_json::to_string_pretty(&claims)?);
    } else {
        records.iter().flat_map(|r| &r.claims).for_each(print);
        println!("\nfigures: {}", out.join("figures").display());
    }
    Ok(Outcome::Done)
}

/// Makes figures one after the other.
pub fn draw(figures: &[&Figure], args: &LabArgs, scale: Scale, out: &Path) -> Result<Vec<Record>, LabError> {
    let interrupt =
        interrupt_flag().map_err(|e| LabError::Option { name: "signals".into(), problem: e.to_string() })?;
    let display = SweepDisplay::new(args.quiet);
    let setting = Setting {
        scale,
        dataset: args.dataset.clone(),
        data_dir: args.data_dir.clone(),
        options: options(&args.power),
    };
    let news = |news: pcalm_lab::sweep::News| display.tell(news);
    let lab = Lab::new(setting, out, &interrupt, &news)?;
    let mut records = Vec::new();
    for (i, figure) in figures.iter().enumerate() {
        if !args.quiet {
            eprintln!("pcalm: figure {} of {}: {}", i + 1, figures.len(), figure.name);
        }
        records.push(make(figure, &lab)?);
        display.finish();
    }
    Ok(records)
}

/// A claim in three lines.
pub fn print(claim: &Claim) {
    println!("{:14} {}  [{}]", claim.verdict.name(), claim.statement, claim.id);
    let interval = claim.interval.map(|[low, high]| format!(" [{low:.4}, {high:.4}]")).unwrap_or_default();
    println!("               {:.4}{interval} {}; wanted: {}", claim.measured, claim.quantity, claim.wanted);
    if !claim.remark.is_empty() {
        println!("               {}", claim.remark);
    }
}
