//! `pcalm theory`: what can be said of a network's inference before running it, beside a run.

use super::{ConfigFile, Failure, config_file, experiment_over, is_explicit, number, on_threads};
use crate::{
    ExitOutcome,
    args::{Common, Destination, Question, RelaxationArgs, SamplesArgs, SpectrumArgs, StabilityArgs},
    output,
};
use clap::ArgMatches;
use pcalm::Catalogue;
use pcalm_lab::{
    LabError,
    experiment::{Budget, Experiment, Loaded, Options, merge_own, options_of},
    tenancy::{Holding, Tenancy, occupied, sign_with, unsign},
    theory::{
        Case, energies, equilibrium,
        options::{FirstSamples, LayerPath, OneSample},
        relaxation, spectrum, stability, wave,
    },
};
use serde::Serialize;
use std::{
    io::{self, Write},
    path::Path,
};

pub fn run(question: &Question, matches: &ArgMatches) -> Result<Result<ExitOutcome, Failure>, Failure> {
    let flags = matches.subcommand().map_or(matches, |(_, inner)| inner);
    match question {
        Question::Spectrum(args) => on_threads(args.common.threads, || spectrum_of(args, flags)),
        Question::Equilibrium(args) => on_threads(args.common.threads, || equilibrium_of(args, flags)),
        Question::Relaxation(args) => on_threads(args.common.threads, || relaxation_of(args, flags)),
        Question::Energies(args) => on_threads(args.common.threads, || energies_of(args, flags)),
        Question::Wave(args) => on_threads(args.common.threads, || wave_of(args, flags)),
        Question::Stability(args) => Ok(stability_map(args, flags)),
    }
}

impl Destination {
    /// Takes the folder for the answer to a question, which is computed anew each time: one that holds something else
    /// is refused.
    fn take(&self, question: &str, wanted: &Holding) -> Result<Tenancy, LabError> {
        let out = self.out.clone().unwrap_or_else(|| wanted.default_folder(question));
        let tenancy = Tenancy::begin(&out)?;
        // Replacing another answer costs no training.
        let replaceable = |found: &Holding| self.force && found.command.starts_with("theory");
        let found = Holding::of(tenancy.folder())?.filter(|found| !replaceable(found));
        match found.and_then(|found| found.unlike(wanted)) {
            Some(problem) => Err(occupied(tenancy.folder(), &problem)),
            None => Ok(tenancy),
        }
    }
}

/// What a question is about: the network, `which` samples its own options mean, and the steps to follow; and the folder
/// for the answer, signed.
fn case<T: Options + Clone>(
    question: &str,
    given: (&Experiment, &T),
    which: fn(&T) -> (usize, usize),
    places: (&Common, &Destination),
    matches: &ArgMatches,
) -> Result<(Case, usize, Tenancy), Failure> {
    let (case, _, budget, tenancy) = case_and_own(question, given, which, places, matches)?;
    Ok((case, budget, tenancy))
}

/// The same with the command's own options as they come out of flags and file.
fn case_and_own<T: Options + Clone>(
    question: &str,
    (given, own): (&Experiment, &T),
    which: fn(&T) -> (usize, usize),
    (common, place): (&Common, &Destination),
    matches: &ArgMatches,
) -> Result<(Case, T, usize, Tenancy), Failure> {
    let mut file = config_file(common.config.as_ref())?;
    let own = own_options(own, file.as_mut(), matches)?;
    let experiment = experiment_over(given, file, matches)?;
    let loaded = Loaded::new(&experiment)?;
    let (first, count) = which(&own);
    let case = Case::new(&experiment, &Catalogue::default(), &loaded.data, first, count)?;
    let budget = Budget::parse(&experiment.budget)?.cycles(case.network.depth())?;
    let contents = loaded.contents(&experiment)?;
    let holding = Holding::new(&format!("theory {question}"), &experiment, &contents)?.with(&own)?;
    let tenancy = place.take(question, &holding)?;
    sign_with(tenancy.folder(), &holding.command, Some((&experiment, &contents)), &own)?;
    Ok((case, own, budget, tenancy))
}

/// The case of a question about the first samples.
fn case_of_samples(
    question: &str,
    args: &SamplesArgs,
    matches: &ArgMatches,
) -> Result<(Case, usize, Tenancy), Failure> {
    let given = (&args.experiment, &args.own);
    case(question, given, FirstSamples::which, (&args.common, &args.place), matches)
}

/// Options of a command's own, over those in the file, which are taken out of it.
fn own_options<T: Options + Clone>(
    flags: &T,
    file: Option<&mut ConfigFile>,
    matches: &ArgMatches,
) -> Result<T, LabError> {
    let Some((path, file)) = file else { return Ok(flags.clone()) };
    merge_own(flags, |id| is_explicit(matches, id), options_of::<T>(file), path)
}

/// Writes a report as JSON, or by `show`, and where the files are.
fn finish<T: Serialize>(
    report: &T,
    json: bool,
    out: &Path,
    show: impl FnOnce(&mut dyn Write, &T) -> io::Result<()>,
) -> Result<ExitOutcome, Failure> {
    output::report(report, json, |text| {
        show(text, report)?;
        writeln!(text, "\nfolder: {}", out.display())
    })?;
    Ok(ExitOutcome::Done)
}

fn spectrum_of(args: &SpectrumArgs, matches: &ArgMatches) -> Result<ExitOutcome, Failure> {
    let given = (&args.experiment, &args.own);
    let (case, _, tenancy) = case("spectrum", given, OneSample::which, (&args.common, &args.place), matches)?;
    let folder = tenancy.folder();
    if !args.common.quiet {
        let widths = case.network.widths();
        let unknowns: usize = widths[..case.network.hidden()].iter().sum();
        output::note(format_args!(
            "eigenvalues of {unknowns} unknowns; about a thousand take ten seconds, a hundred thousand twenty"
        ));
    }
    let report = spectrum::spectrum(&case, folder).inspect_err(|_| unsign(folder))?;
    finish(&report, args.common.json, folder.path(), |out, r| {
        let kind = if r.exact { "exact: linear network" } else { "linearised at the forward pass of one sample" };
        writeln!(out, "{} unknowns, L = {}; {kind}", r.unknowns, r.depth)?;
        writeln!(out, "σ of C                   {:.6} … {:.6}", r.sigma_max, r.sigma_min)?;
        writeln!(out, "λ of the Hessian H       {:.6} … {:.4e}", r.lambda_max, r.lambda_min)?;
        writeln!(out, "condition κ(H), κ(CᵀC)   {:.4e}, {:.4e}", r.condition, r.condition_of_constraint)?;
        writeln!(out, "η, α                     {:.6}, {:.4}", r.eta, r.alpha)?;
        let verdict = if r.stable { "stable" } else { "UNSTABLE" };
        writeln!(out, "stability, below 4       {:.4} exact, {:.4} by Jury's bound: {verdict}", r.stability, r.jury)?;
        writeln!(
            out,
            "largest η at this α      {:.6} exact, {:.6} by Jury's bound",
            r.largest_eta, r.largest_eta_jury
        )?;
        writeln!(
            out,
            "largest α at this η      {} exact, {} by Jury's bound",
            number(r.largest_alpha),
            number(r.largest_alpha_jury)
        )?;
        let without =
            r.radius_without_loss.map_or_else(String::new, |radius| format!(", {radius:.8} without the loss"));
        let radius = match r.radius {
            Some(found) if found == r.radius_at_most => format!("{found:.8}"),
            Some(found) => format!("{found:.8} … {:.8}", r.radius_at_most),
            None => format!("at most {:.8}", r.radius_at_most),
        };
        writeln!(out, "spectral radius of M     {radius}{without}")?;
        if let Some(steps) = r.steps_per_decade {
            writeln!(out, "convergence              a factor 10 in {steps:.0} steps")?;
        }
        if let Some([inner, outer]) = r.annulus {
            writeln!(out, "annulus                  {inner:.6} … {outer:.8}")?;
        }
        if let Some(count) = r.oscillating {
            writeln!(out, "oscillating modes        {count} of {}", r.unknowns)?;
        }
        writeln!(out, "T* = L/√(ηα)             {}", number(r.crossing_time))?;
        writeln!(
            out,
            "\nrecommended: --eta {:.4} --alpha {:.4} --budget {}",
            r.advised_eta, r.advised_alpha, r.advised_budget
        )?;
        writeln!(out, "{}", r.reason)?;
        Ok(())
    })
}

fn equilibrium_of(args: &SamplesArgs, matches: &ArgMatches) -> Result<ExitOutcome, Failure> {
    let (case, budget, tenancy) = case_of_samples("equilibrium", args, matches)?;
    let folder = tenancy.folder();
    let report = equilibrium::equilibrium(&case, folder, budget).inspect_err(|_| unsign(folder))?;
    finish(&report, args.common.json, folder.path(), |out, r| {
        writeln!(out, "{} samples, means", r.samples)?;
        writeln!(out, "loss ℓ of the forward pass       {:.9}", r.loss)?;
        writeln!(out, "loss at the equilibrium          {:.9}", r.loss_at_rest)?;
        writeln!(out, "energy F* there                  {:.9}", r.energy)?;
        if let (Some(rescaled), Some(rescaling)) = (r.rescaled_energy, r.rescaling) {
            writeln!(out, "  as ½ rᵀR⁻¹r                    {rescaled:.9}")?;
            writeln!(out, "rescaling R, mean of diagonal    {rescaling:.6}")?;
        } else {
            let kinks = r.units_at_kinks.map_or_else(String::new, |units| format!(", {units} units"));
            writeln!(out, "found from the forward pass      {}{kinks}", r.stop)?;
            writeln!(out, "largest gradient left            {:.1e}", r.gradient_left)?;
        }
        writeln!(out, "alignment to BP                  {:.6}", r.alignment)?;
        writeln!(out, "norm ratio to BP                 {:.6}", r.norm_ratio)?;
        writeln!(out, "\nafter T = {} steps at η = {:.6}, α = {}:", r.budget, r.eta, r.alpha)?;
        writeln!(out, "PC, share of the way left        {:.3e}   (z to its equilibrium)", r.pc_distance)?;
        writeln!(
            out,
            "PC-ALM, share of the way left    {:.3e}   (λ to the KKT point's, BP's adjoints)",
            r.alm_distance
        )?;
        writeln!(out, "\nlayer  alignment  norm ratio")?;
        for (l, (a, n)) in r.layer_alignment.iter().zip(&r.layer_norm_ratio).enumerate() {
            writeln!(out, "{:5}  {:>9}  {:>10}", l + 1, number(*a), number(*n))?;
        }
        Ok(())
    })
}

fn relaxation_of(args: &RelaxationArgs, matches: &ArgMatches) -> Result<ExitOutcome, Failure> {
    let given = (&args.experiment, &args.own);
    let (case, own, budget, tenancy) =
        case_and_own("relaxation", given, LayerPath::which, (&args.common, &args.place), matches)?;
    let folder = tenancy.folder();
    let report = relaxation::relaxation(&case, &own, folder, budget).inspect_err(|_| unsign(folder))?;
    finish(&report, args.common.json, folder.path(), |out, r| {
        writeln!(out, "{} unknowns, {} samples, T = {} at η = {:.6}", r.unknowns, r.samples, r.budget, r.eta)?;
        writeln!(out, "λ of the Hessian H                     {:.6} … {:.4e}", r.lambda_max, r.lambda_min)?;
        writeln!(out, "largest difference to inference        {:.2e}", r.largest_difference)?;
        writeln!(out, "share of the way left, steps           {:.4e}", r.distance)?;
        writeln!(out, "share of the way left, continuous      {:.4e}", r.continuous_distance)?;
        let [least, most] = r.layer_rates;
        writeln!(out, "\nlayer {} between held neighbours, λ of A {most:.6} … {least:.6}", r.layer)?;
        writeln!(out, "share of the way left, continuous      {:.4e}", r.layer_distance)?;
        let printed = r.layer_distance_as_printed.map_or_else(|| "beyond all numbers".into(), |d| format!("{d:.4e}"));
        writeln!(out, "by eq. 31 as printed, sign flipped     {printed}")
    })
}

fn energies_of(args: &SamplesArgs, matches: &ArgMatches) -> Result<ExitOutcome, Failure> {
    let (case, budget, tenancy) = case_of_samples("energies", args, matches)?;
    let folder = tenancy.folder();
    let report = energies::energies(&case, folder, budget).inspect_err(|_| unsign(folder))?;
    finish(&report, args.common.json, folder.path(), |out, r| {
        writeln!(out, "{} samples, T = {} at η = {:.6}; means", r.samples, r.budget, r.eta)?;
        writeln!(out, "loss ℓ of the forward pass       {:.9}", r.first_loss)?;
        writeln!(out, "lowest loss, after step {:<8} {:.9}", r.lowest_at, r.lowest_loss)?;
        writeln!(out, "loss after the last step         {:.9}", r.last_loss)?;
        writeln!(out, "energy F after the last step     {:.9}", r.last_energy)?;
        writeln!(out, "\nsteps with m ≤ 0                 {} in {} samples", r.nonpositive, r.samples_nonpositive)?;
        writeln!(out, "steps that raise the loss        {} in {} samples", r.rising, r.samples_rising)?;
        writeln!(out, "largest rise, share of the first {:.4e}", r.largest_rise)?;
        writeln!(out, "steps that raise F               {}", r.energy_rising)
    })
}

fn wave_of(args: &SamplesArgs, matches: &ArgMatches) -> Result<ExitOutcome, Failure> {
    let (case, budget, tenancy) = case_of_samples("wave", args, matches)?;
    let folder = tenancy.folder();
    let report = wave::wave(&case, folder, budget).inspect_err(|_| unsign(folder))?;
    finish(&report, args.common.json, folder.path(), |out, r| {
        let kind = if r.exact { "exact" } else { "of the linearisation" };
        writeln!(
            out,
            "L = {}, {} samples, T = {}, η = {:.6}, α = {}; predictions {kind}",
            r.depth, r.samples, r.budget, r.eta, r.alpha
        )?;
        writeln!(out, "                               predicted   measured")?;
        writeln!(out, "front, layers per step         {:>9.4}  {:>9}", r.predicted_speed, number(r.measured_speed))?;
        writeln!(
            out,
            "inflection of alignment, steps {:>9.1}  {:>9}",
            r.predicted_inflection,
            number(r.measured_inflection)
        )?;
        writeln!(out, "spreading of PC, exponent      {:>9.1}  {:>9}", 0.5, number(r.pc_exponent))?;
        writeln!(out, "damping, measured/predicted    {:>9}  {:>9}", 1, number(r.damping_ratio))?;
        writeln!(out, "phase, measured/predicted      {:>9}  {:>9}", 1, number(r.phase_ratio))?;
        writeln!(out, "\nat the last step                  PC-ALM         PC")?;
        writeln!(out, "alignment to BP                {:>9.4}  {:>9.4}", r.alm_alignment, r.pc_alignment)?;
        writeln!(out, "layers reached, of {:<4}        {:>9}  {:>9}", r.depth - 1, r.reached[0], r.reached[1])?;
        Ok(())
    })
}

fn stability_map(args: &StabilityArgs, matches: &ArgMatches) -> Result<ExitOutcome, Failure> {
    let sizes = match config_file(args.config.as_ref())? {
        Some((path, file)) => merge_own(&args.own, |id| is_explicit(matches, id), file, path)?,
        None => args.own.clone(),
    };
    let holding = Holding { command: "theory stability".to_owned(), identity: None }.with(&sizes)?;
    let tenancy = args.place.take("stability", &holding)?;
    let folder = tenancy.folder();
    sign_with(folder, &holding.command, None, &sizes)?;
    let report = stability::stability(folder, &sizes).inspect_err(|_| unsign(folder))?;
    finish(&report, args.json, folder.path(), |out, r| {
        writeln!(out, "{} pairs of step sizes: {} stable, {} oscillating", r.pairs, r.stable, r.oscillating)?;
        writeln!(out, "simulation disagrees on {}", r.disagreements)?;
        writeln!(out, "largest difference of the radii {:.2e}", r.largest_difference)?;
        Ok(())
    })
}
