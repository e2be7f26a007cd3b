//! `pcalm train`.

use super::{Failure, experiment, interrupt_flag, is_explicit, number};
use crate::{Outcome, args::TrainArgs, progress::Display};
use clap::ArgMatches;
use pcalm_lab::{
    LabError,
    experiment::{Experiment, from_toml, load_data, option_names},
    folder::{Folder, names},
    memory::Memory,
    run::{Cost, End, Summary, run as train},
};
use std::path::PathBuf;

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
    if args.common.json {
        println!("{}", serde_json::to_string_pretty(&summary)?);
    } else {
        print(&summary, &cost, &folder);
    }
    Ok(match summary.end {
        End::Done => Outcome::Done,
        End::Diverged => {
            eprintln!("pcalm: {}", summary.message.as_deref().unwrap_or("diverged"));
            Outcome::Unfinished
        }
        End::Interrupted => {
            eprintln!("pcalm: interrupted; go on with: pcalm train --resume {}", folder.path().display());
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

fn print(summary: &Summary, cost: &Cost, folder: &Folder) {
    println!("rule                 {}", summary.rule);
    println!("training steps       {}", summary.steps);
    println!("test accuracy        {}", number(summary.test_accuracy));
    println!("test loss            {}", number(summary.test_loss));
    println!("alignment to BP      {}", number(summary.alignment));
    println!("norm ratio to BP     {}", number(summary.norm_ratio));
    println!("products per sample  {:.1} per step", summary.products_per_sample);
    println!("seconds per step     {:.5}", cost.seconds_per_step);
    println!("peak memory          {}", memory(&cost.memory));
    println!("stop reason          {}", summary.stop_reason.as_deref().unwrap_or("-"));
    println!("run folder           {}", folder.path().display());
}
