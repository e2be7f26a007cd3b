//! `pcalm list`.

use super::Failure;
use crate::{ExitOutcome, args::ListArgs, output};
use pcalm::{
    activation::ACTIVATIONS, backend::Reference, energy_shape::ENERGY_SHAPES, optimizer::OPTIMIZERS,
    parametrization::PARAMETRIZATIONS, rule::rules,
};
use pcalm_lab::{choice::choose, dataset::DATASETS};
use serde::Serialize;

#[derive(Serialize)]
struct ListEntry {
    name: &'static str,
    summary: String,
}

/// A list's name and what makes its entries.
type List = (&'static str, fn() -> Vec<ListEntry>);

pub fn run(args: &ListArgs) -> Result<ExitOutcome, Failure> {
    let lists: &[List] = &[
        ("rules", || {
            let all = rules::<Reference<f32>>();
            all.iter()
                .map(|r| ListEntry { name: r.facts.name, summary: format!("{} ({})", r.facts.summary, r.facts.source) })
                .collect()
        }),
        ("datasets", || DATASETS.iter().map(|d| ListEntry { name: d.name, summary: d.summary.into() }).collect()),
        ("activations", || {
            ACTIVATIONS.iter().map(|a| ListEntry { name: a.name(), summary: a.summary().into() }).collect()
        }),
        ("energies", || ENERGY_SHAPES.iter().map(|h| ListEntry { name: h.name, summary: h.summary.into() }).collect()),
        ("parametrizations", || {
            PARAMETRIZATIONS.iter().map(|p| ListEntry { name: p.name, summary: p.summary.into() }).collect()
        }),
        ("optimizers", || OPTIMIZERS.iter().map(|o| ListEntry { name: o.name, summary: o.summary.into() }).collect()),
        #[cfg(feature = "theory")]
        ("figures", || {
            let all = pcalm_lab::figure::FIGURES;
            all.iter().map(|f| ListEntry { name: f.name, summary: format!("{} ({})", f.title, f.source) }).collect()
        }),
    ];
    let find = |given: &str| lists.iter().find(|l| l.0 == given).map(|l| l.1);
    let entries = choose("list", &args.what, lists.iter().map(|l| l.0), find)?();
    output::report(&entries, args.json, |out| {
        let width = entries.iter().map(|e| e.name.len()).max().unwrap_or(0);
        entries.iter().try_for_each(|entry| writeln!(out, "{:width$}  {}", entry.name, entry.summary))
    })?;
    Ok(ExitOutcome::Done)
}
