//! Beyond the paper: what more inference steps are worth, from T = L/2 to 16 L.

use super::{
    Figure, Lab, Product,
    runs::{Runs, point, seeds},
};
use crate::{
    claim::{Claim, Verdict},
    error::LabError,
    experiment::{Budget, Experiment},
    plot::{
        Axis, Chart, Ink, Series, Spread, line_charts,
        style::{of_rule, title_of_rule},
    },
    stats::{Mean, mean, paired},
};
use serde::Serialize;

pub const FIGURE: Figure = Figure {
    name: "budget",
    title: "Test accuracy and alignment over the inference budget, from L/2 to 16 L",
    source: "beyond [ALM]",
    draw,
};

const SOURCE: &str = "a public study of PC-ALM's budget";
const RULES: [&str; 3] = ["pc", "pc-nesterov", "pc-alm"];

fn draw(lab: &Lab) -> Result<Product, LabError> {
    let scale = lab.scale();
    let (width, depth) = scale.pick((16, 8), (32, 32), (32, 32));
    let budgets = scale.pick(
        r#"["0.5L", "2L", "8L"]"#,
        r#"["0.5L", "1L", "2L", "3L", "4L", "6L", "8L", "16L"]"#,
        r#"["0.5L", "1L", "1.5L", "2L", "3L", "4L", "5L", "6L", "8L", "12L", "16L"]"#,
    );
    let seeds = seeds(scale.pick(2, 3, 5));
    let axes = format!("[axes]\n{}activation = [\"identity\", \"relu\"]\n", lab.dataset_axis());
    let base = format!("width = {width}\ndepth = {depth}\n");
    let runs = lab.runs(&base, &format!("{axes}budget = {budgets}\nrule = {RULES:?}\nseed = {seeds}\n"))?;
    let bp = lab.runs(&base, &format!("{axes}rule = [\"bp\"]\nseed = {seeds}\n"))?;
    let mut product = Product { runs: [runs.keys(), bp.keys()].concat(), ..Product::default() };
    product.claims = claims(&runs, &bp);
    product.table("budget", &rows(&runs, &bp))?;
    for dataset in lab.datasets() {
        let suffix = if lab.datasets().len() == 1 { String::new() } else { format!("-{dataset}") };
        let of = |runs: &Runs| runs.only(|d| d.experiment.dataset == *dataset);
        product.picture(&format!("budget{suffix}"), picture(&of(&runs), &of(&bp))?);
    }
    Ok(product)
}

/// T/L of a run.
pub fn relative_budget(e: &Experiment) -> f64 {
    Budget::parse(&e.budget).map_or(f64::NAN, |b| b.cycles(e.depth) as f64 / e.depth as f64)
}

#[derive(Serialize)]
struct Row<'a> {
    dataset: String,
    activation: String,
    rule: &'a str,
    budget_over_depth: Option<f64>,
    seeds: usize,
    accuracy: f64,
    deviation: f64,
    alignment: Option<f64>,
    norm_ratio: Option<f64>,
}

fn rows<'a>(runs: &Runs, bp: &Runs) -> Vec<Row<'a>> {
    let mut rows = Vec::new();
    let sets = runs.values(|d| (d.experiment.dataset.clone(), d.experiment.activation.clone()));
    for (dataset, activation) in sets {
        let here =
            |runs: &Runs| runs.only(|d| (&d.experiment.dataset, &d.experiment.activation) == (&dataset, &activation));
        let mut add = |rule: &'a str, budget: Option<f64>, these: &Runs| {
            let Some(accuracy) = these.accuracy() else { return };
            rows.push(Row {
                dataset: dataset.clone(),
                activation: activation.clone(),
                rule,
                budget_over_depth: budget,
                seeds: accuracy.count,
                accuracy: accuracy.value,
                deviation: accuracy.deviation,
                alignment: of_summary(these, |s| s.alignment).map(|m| m.value),
                norm_ratio: of_summary(these, |s| s.norm_ratio).map(|m| m.value),
            });
        };
        add("bp", None, &here(bp));
        for rule in RULES {
            let these = here(runs).of_rule(rule);
            for budget in these.values(|d| relative_budget(&d.experiment)) {
                add(rule, Some(budget), &these.only(|d| relative_budget(&d.experiment) == budget));
            }
        }
    }
    rows
}

fn of_summary(runs: &Runs, part: fn(&crate::run::Summary) -> Option<f64>) -> Option<Mean> {
    mean(&runs.all.iter().filter_map(|d| part(&d.result.summary)).collect::<Vec<_>>())
}

fn picture(runs: &Runs, bp: &Runs) -> Result<String, LabError> {
    let mut charts = Vec::new();
    for activation in runs.values(|d| d.experiment.activation.clone()) {
        let here = |runs: &Runs| runs.only(|d| d.experiment.activation == activation);
        let these = here(runs);
        let budgets = these.values(|d| relative_budget(&d.experiment));
        let at = |rule: &str, budget: f64| these.of_rule(rule).only(|d| relative_budget(&d.experiment) == budget);
        let curve = |of: fn(&Runs) -> Option<Mean>| {
            let one = |rule: &str| Series {
                name: title_of_rule(rule).to_owned(),
                look: of_rule(rule),
                ink: Ink::Both,
                points: budgets.iter().filter_map(|&b| of(&at(rule, b)).map(|m| point(b, m))).collect(),
            };
            RULES.map(one).to_vec()
        };
        let mut accuracies = curve(Runs::accuracy);
        if let Some(level) = here(bp).accuracy() {
            let points = budgets.iter().map(|&b| point(b, level)).collect();
            accuracies.push(Series { name: "BP".into(), look: 0, ink: Ink::Line, points });
        }
        let chart = |label: &str, top: f64, series: Vec<Series>| Chart {
            title: activation.clone(),
            x: Axis::around("inference steps T/L", Spread::Log2, budgets.iter().copied()),
            y: Axis::new(label, Spread::Linear, (0.0, top)),
            series,
            verticals: Vec::new(),
        };
        charts.push(chart("test accuracy, %", 100.0, accuracies));
        let alignments = curve(|runs| of_summary(runs, |s| s.alignment));
        charts.push(chart("cosine to BP after training", 1.0, alignments));
    }
    line_charts(&charts, 2)
}

/// The budget with the highest mean accuracy, and how much the largest budget loses against it.
fn claims(runs: &Runs, bp: &Runs) -> Vec<Claim> {
    let mut claims = Vec::new();
    for activation in ["relu", "identity"] {
        let these = runs.of_rule("pc-alm").only(|d| d.experiment.activation == activation);
        let budgets = these.values(|d| relative_budget(&d.experiment));
        let at = |budget: f64| these.only(|d| relative_budget(&d.experiment) == budget);
        let means: Vec<(f64, f64)> = budgets.iter().filter_map(|&b| Some((b, at(b).accuracy()?.value))).collect();
        let Some(&(best, _)) = means.iter().max_by(|a, b| a.1.total_cmp(&b.1)) else { continue };
        let Some(most) = budgets.iter().copied().max_by(f64::total_cmp) else { continue };
        let Some(test) = paired(&at(most).accuracies(), &at(best).accuracies()) else { continue };
        let lost = -test.difference.value;
        let base = bp.only(|d| d.experiment.activation == activation);
        let levels = format!(
            "BP {:.1} %, PC-ALM {:.1} % at T = {best} L and {:.1} % at T = {most} L",
            base.accuracy().map_or(f64::NAN, |m| m.value),
            at(best).accuracy().map_or(f64::NAN, |m| m.value),
            at(most).accuracy().map_or(f64::NAN, |m| m.value),
        );
        let id = format!("budget.{activation}");
        let (statement, verdict, wanted) = if activation == "relu" {
            let inside = (2.0..=6.0).contains(&best);
            let verdict = Verdict::of(inside && lost > 1.0 && test.p < 0.05, lost > 0.5);
            let statement = "relu networks pass a best budget of PC-ALM near 4 L to 6 L and then decline";
            (statement, verdict, "best between 2 L and 6 L, then more than 1 point lost, p < 0.05")
        } else {
            let verdict = Verdict::of(lost <= 1.0, lost <= 3.0);
            ("linear networks do not decline with a longer budget of PC-ALM", verdict, "1 point or less lost")
        };
        let claim = Claim::of_mean(&id, statement, SOURCE, verdict, test.difference);
        claims.push(
            Claim { test: Some(test), seeds: these.seeds(), ..claim }
                .judged("points of the longest budget over the best", wanted)
                .remarked(levels)
                .from_runs(these.keys()),
        );
    }
    claims
}
