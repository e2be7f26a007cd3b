//! The page: HTML with everything in it, so that it works from a file without a network.

use super::{ReportPage, ReportedRun, Shown, TextTable, interval, number, seeds, test};
use crate::{
    claim::{Claim, Verdict},
    figure::Record,
    sweep::Key,
};
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The whole page.
pub fn page(report: &ReportPage) -> String {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                // Or browsers ask for an icon that is not there.
                link rel="icon" href="data:,";
                title { "pcalm: claims and figures" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { "Predictive coding and PC-ALM: claims and figures" }
                    (summary(report))
                    h2 #claims { "Claims" }
                    (claims(report))
                    h2 #figures { "Figures" }
                    @for shown in &report.figures { (figure(shown)) }
                    h2 #runs { "Runs" }
                    (runs(&report.runs))
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    markup.into_string()
}

/// What was run, on what, for how long.
fn summary(report: &ReportPage) -> Markup {
    let mut programs: Vec<String> =
        report.records().map(|r| format!("{} ({})", r.provenance.version, r.provenance.git_revision)).collect();
    programs.dedup();
    let mut machines: Vec<String> = report
        .records()
        .map(|r| format!("{}, {} cores, {}", r.machine.processor, r.machine.cores, r.machine.system))
        .collect();
    machines.dedup();
    let mut scales: Vec<&str> = report.records().map(|r| r.scale.name()).collect();
    scales.dedup();
    let mut datasets: Vec<&String> = report.records().flat_map(|r| &r.datasets).collect();
    datasets.dedup();
    html! {
        dl {
            dt { "Claims" }
            dd { (Verdict::counts(report.claims())) }
            dt { "Scale" } dd { (scales.join(", ")) }
            dt { "Data" } dd { @for (i, name) in datasets.iter().enumerate() { @if i > 0 { ", " } (name) } }
            dt { "Runs" }
            dd { (report.runs.len()) " trainings, " (duration(report.seconds())) " of training and evaluation in all" }
            dt { "Program" } dd { "pcalm " (programs.join(", ")) }
            dt { "Machine" } dd { (machines.join("; ")) }
            dt { "Make it again" }
            dd { code { "pcalm figure all --scale " (scales.join("|")) } }
        }
        p {
            "Sources: [ALM] is Seely & Gould 2026, "
            a href="https://arxiv.org/abs/2605.31022" { "Augmented Lagrangian Predictive Coding" }
            ". Intervals are 95 % confidence intervals by Student's t; tests are paired over seeds. Click a column's "
            "head to sort by it."
        }
    }
}

fn duration(seconds: f64) -> String {
    match seconds {
        s if s >= 5400.0 => format!("{:.1} h", s / 3600.0),
        s if s >= 90.0 => format!("{:.1} min", s / 60.0),
        s => format!("{s:.1} s"),
    }
}

fn claims(report: &ReportPage) -> Markup {
    html! {
        div.scroll { table.sortable id="table-claims" {
            thead { tr {
                @for head in ["claim", "verdict", "measured", "95 % interval", "wanted", "seeds", "paired test", "runs"] {
                    th { button type="button" { (head) } }
                }
            } }
            tbody { @for record in report.records() { @for claim in &record.claims { (claim_row(record, claim)) } } }
        } }
    }
}

fn claim_row(record: &Record, claim: &Claim) -> Markup {
    let class = claim.verdict.name().replace(' ', "-");
    html! {
        tr id={ "claim-" (claim.id) } {
            td {
                (claim.statement)
                div.small { a href={ "#figure-" (record.name) } { (claim.id) } ", " (claim.source) }
                @if !claim.remark.is_empty() { div.small { (claim.remark) } }
            }
            td.verdict.(class) data-value=(claim.verdict as u8) { (claim.verdict.name()) }
            td data-value=(claim.measured) { b { (number(claim.measured)) } div.small { (claim.quantity) } }
            td { (interval(claim)) }
            td { (claim.wanted) }
            td data-value=(claim.seeds) { (seeds(claim)) }
            td data-value=(claim.test.map_or(2.0, |t| t.p)) { (test(claim)) }
            td data-value=(claim.runs.len()) {
                @if claim.runs.is_empty() {
                    "computed: " code { "pcalm figure " (record.name) }
                } @else {
                    details {
                        summary { (claim.runs.len()) }
                        (keys(&claim.runs))
                    }
                }
            }
        }
    }
}

/// Links to runs.
fn keys(runs: &[Key]) -> Markup {
    html! { @for key in runs { a.key href={ "#run-" (key) } { (key) } " " } }
}

fn figure(Shown { record, pictures, tables }: &Shown) -> Markup {
    html! {
        figure id={ "figure-" (record.name) } {
            @for picture in pictures { (PreEscaped(picture)) }
            @for (name, table) in tables { (plain_table(&record.name, name, table)) }
            figcaption {
                b { (record.title) "." } " " (record.source) ". "
                @for note in &record.notes { (note) ". " }
                @for why in &record.unjudged { b { "Not judged" } " " (why) ". " }
                @if record.runs.is_empty() {
                    "Computed in " (duration(record.seconds)) ". "
                } @else {
                    "Mean and band of one standard deviation over seeds; "
                    details.inline { summary { (record.runs.len()) " runs" } (keys(&record.runs)) }
                    " "
                }
                "Data: "
                @for (i, table) in record.tables.iter().enumerate() {
                    @if i > 0 { ", " }
                    code { "figures/" (record.name) "/" (table) ".csv" }
                }
                "."
            }
        }
    }
}

/// A table as it stands in its file, numbers shortened.
fn plain_table(figure: &str, name: &str, table: &TextTable) -> Markup {
    let short = |field: &String| field.parse::<f64>().map_or_else(|_| field.clone(), number);
    html! {
        div.scroll { table.sortable id={ "table-" (figure) "-" (name) } {
            thead { tr { @for head in &table.head { th { button type="button" { (head.replace('_', " ")) } } } } }
            tbody { @for row in &table.rows {
                tr { @for field in row { td data-value=(field) { (short(field)) } } }
            } }
        } }
    }
}

fn runs(runs: &[ReportedRun]) -> Markup {
    let heads = [
        "run",
        "data",
        "rule",
        "activation",
        "width",
        "depth",
        "T",
        "s",
        "γ0",
        "η",
        "seed",
        "accuracy, %",
        "alignment",
        "seconds",
        "end",
    ];
    html! {
        div.scroll { table.sortable id="table-runs" {
            thead { tr { @for head in heads { th { button type="button" { (head) } } } } }
            tbody { @for run in runs { (run_row(run)) } }
        } }
    }
}

fn run_row(run: &ReportedRun) -> Markup {
    let (e, s) = (&run.result.experiment, &run.result.summary);
    let on_path = e.parametrization == "path";
    let seconds = run.result.cost.training + run.result.cost.evaluation;
    html! {
        tr id={ "run-" (run.key) } {
            td { code { "cells/" (run.key) } }
            td { (e.dataset) }
            td { (e.rule) }
            td { (e.activation) }
            td { (e.width) }
            td { (e.depth) }
            td { (e.budget) }
            td { @if on_path { (e.path_position) } @else { (e.parametrization) } }
            td { (e.gamma0) }
            td { (number(s.eta)) }
            td { (e.seed) }
            td { (number(100.0 * s.test_accuracy.unwrap_or(f64::NAN))) }
            td { (number(s.alignment.unwrap_or(f64::NAN))) }
            td { (number(seconds)) }
            td { (s.message.as_deref().unwrap_or("done")) }
        }
    }
}
