//! `pcalm train`.

use super::{Failure, experiment, interrupt_flag, is_explicit, number};
use crate::{Outcome, args::TrainArgs, output, progress::Display};
use clap::ArgMatches;
use pcalm_lab::{
    LabError,
    experiment::{Experiment, from_toml, load_data, option_names},
    folder::{Folder, names},
    memory::Memory,
    run::{Cost, End, Summary, run as train},
};
use std::{
    io::{self, Write},
    path::PathBuf,
};

pub fn run(args: &TrainArgs, matches: &ArgMatches) -> Result<Outcome, Failure> {
    let (experiment, folder) = match &args.resume {
        Some(dir) => {
            if let Some(name) = option_names().iter().find(|n| is_explicit(matches, &n.id)) {
                let problem = "cannot be changed when resuming; the run's own configuration applies".to_owned();
                return Err(LabError::Option { name: name.key.clone(), problem }.into());
            }
            let folder = Folder::existing(dir);
            let text = folder.read_text(names::CONFIG)?;
            (from_toml(&text, &folder.file(names::CONFIG))?, folder)
        }
        None => {
            let experiment = experiment(&args.experiment, &args.common, matches)?;
            let out = args.out.clone().unwrap_or_else(|| default_folder(&experiment));
            (experiment, Folder::create(&out)?)
        }
    };
    let interrupt = interrupt_flag()?;
    let data = load_data(&experiment)?;
    let mut display = Display::new(args.common.quiet);
    let title = format!("{} seed {}", experiment.rule, experiment.seed);
    let mut news = |n: pcalm_lab::run::News| display.tell(&title, n);
    let (summary, cost, _) = train(&experiment, &data, &folder, args.resume.is_some(), &interrupt, &mut news)?;
    display.finish();
    output::report(&summary, args.common.json, |out| show(out, &summary, &cost, &folder))?;
    Ok(match summary.end {
        End::Done => Outcome::Done,
        End::Diverged => {
            output::note(summary.message.as_deref().unwrap_or("diverged"));
            Outcome::Unfinished
        }
        End::Interrupted => {
            output::note(format_args!("interrupted; go on with: pcalm train --resume {}", folder.path().display()));
            Outcome::Unfinished
        }
    })
}

fn default_folder(e: &Experiment) -> PathBuf {
    PathBuf::from(format!("runs/train-{}-seed{}", e.rule, e.seed))
}

fn memory(memory: &Memory) -> String {
    let mib = |bytes: u64| format!("{:.1}", bytes as f64 / (1 << 20) as f64);
    let peak = memory.peak.map_or_else(|| "-".to_owned(), |peak| format!("{} MiB", mib(peak)));
    let [weights, states, data] = [memory.weights, memory.states, memory.data].map(mib);
    format!("{peak} (weights and optimizer {weights}, states {states}, data {data})")
}

fn show(out: &mut dyn Write, summary: &Summary, cost: &Cost, folder: &Folder) -> io::Result<()> {
    writeln!(out, "rule                 {}", summary.rule)?;
    writeln!(out, "training steps       {}", summary.steps)?;
    writeln!(out, "test accuracy        {}", number(summary.test_accuracy))?;
    writeln!(out, "test loss            {}", number(summary.test_loss))?;
    writeln!(out, "alignment to BP      {}", number(summary.alignment))?;
    writeln!(out, "norm ratio to BP     {}", number(summary.norm_ratio))?;
    writeln!(out, "products per sample  {:.1} per step", summary.products_per_sample)?;
    writeln!(out, "seconds per step     {:.5}", cost.seconds_per_step)?;
    writeln!(out, "peak memory          {}", memory(&cost.memory))?;
    writeln!(out, "stop reason          {}", summary.stop_reason.as_deref().unwrap_or("-"))?;
    writeln!(out, "run folder           {}", folder.path().display())
}
