//! Beyond the paper: what more inference steps are worth, from T = L/2 to 16 L, and why they can do harm.
//!
//! Harm comes where training makes λ_max grow past the stability bound of a step size that was fixed at the
//! start: unstable modes grow with every step of inference, so long budgets suffer first. A step size that
//! follows λ_max (`--eta auto-track`) is the test of that.

use super::{
    Figure, Lab, Product,
    accuracy::SIGNIFICANT,
    runs::{Runs, network, seeds},
};
use crate::{
    claim::Claim,
    error::LabError,
    experiment::{Budget, Experiment},
    judgement::Judgement,
    plot::{
        Axis, Chart, Ink, Point, Series, Spread, line_charts,
        style::{of_rule, title_of_rule},
    },
    stats::{Mean, Paired, paired},
};
use serde::Serialize;

pub const FIGURE: Figure = Figure {
    name: "budget",
    title: "Test accuracy and alignment over the inference budget, and what following λ_max changes",
    source: "beyond [ALM]",
    draw,
};

const SOURCE: &str = "a public study of PC-ALM's budget";
/// Points between budgets that are no luck.
const LOSS: f64 = 1.0;
/// Names of the series of PC-ALM: η fixed at the start, and not.
const FIXED: &str = "PC-ALM";
const TRACKED: &str = "PC-ALM, η follows λ_max";

/// A network over all its budgets.
struct BudgetStudy {
    title: String,
    runs: Runs,
    bp: Runs,
}

fn draw(lab: &Lab) -> Result<Product, LabError> {
    let scale = lab.scale();
    let budgets = scale.pick(
        r#"["1L", "2L", "8L"]"#,
        r#"["0.5L", "1L", "2L", "3L", "4L", "6L", "8L", "16L"]"#,
        r#"["0.5L", "1L", "1.5L", "2L", "3L", "4L", "5L", "6L", "8L", "12L", "16L"]"#,
    );
    let shorter = scale.pick(r#"["1L", "8L"]"#, r#"["0.5L", "1L", "2L", "3L", "4L", "6L", "8L"]"#, budgets);
    let (deep, wide) = scale.pick(((16, 16), (64, 8)), ((32, 32), (128, 8)), ((32, 32), (128, 8)));
    let plain = ["pc", "pc-nesterov", "pc-alm"].map(|rule| variant(title_of_rule(rule), rule, ""));
    let both = [variant(FIXED, "pc-alm", ""), variant(TRACKED, "pc-alm", "eta = \"auto-track\"\n")];
    let studies = [
        study(lab, "identity", deep, budgets, &plain)?,
        study(lab, "relu", deep, budgets, &plain)?,
        study(lab, "relu", wide, shorter, &both)?,
    ];
    let keys = studies.iter().flat_map(|s| [s.runs.keys(), s.bp.keys()].concat());
    let mut product = Product { runs: keys.collect(), claims: claims(&studies), ..Product::default() };
    product.table("budget", &studies.iter().flat_map(rows).collect::<Vec<_>>())?;
    let charts: Vec<Chart> = studies.iter().flat_map(charts).collect();
    product.picture("budget", line_charts(&charts, 2)?);
    Ok(product)
}

fn variant(name: &str, rule: &str, options: &str) -> String {
    format!("[[variants]]\nname = {name:?}\nrule = {rule:?}\n{options}")
}

fn study(
    lab: &Lab,
    activation: &str,
    (width, depth): (usize, usize),
    budgets: &str,
    variants: &[String],
) -> Result<BudgetStudy, LabError> {
    let dataset = &lab.datasets()[0];
    let seeds = seeds(lab.scale().pick(2, 3, 5));
    let options = network(dataset, activation, width, depth);
    let axes = format!("[axes]\nbudget = {budgets}\nseed = {seeds}\n");
    let title = format!("{activation}, N = {width}, L = {depth}");
    let runs = lab.runs(&options, &format!("{axes}{}", variants.concat()))?;
    let bp = lab.runs(&options, &format!("[axes]\nrule = [\"bp\"]\nseed = {seeds}\n"))?;
    Ok(BudgetStudy { title, runs, bp })
}

/// T/L of a run.
pub fn relative_budget(e: &Experiment) -> f64 {
    Budget::parse(&e.budget).and_then(|b| b.cycles(e.depth)).map_or(f64::NAN, |c| c as f64 / e.depth as f64)
}

impl BudgetStudy {
    fn of(&self, variant: &str) -> Runs {
        self.runs.only(|d| d.variant == variant)
    }

    fn at(&self, variant: &str, budget: f64) -> Runs {
        self.of(variant).only(|d| relative_budget(&d.experiment) == budget)
    }

    fn budgets(&self) -> Vec<f64> {
        self.runs.values(|d| relative_budget(&d.experiment))
    }

    /// The budget with the highest mean accuracy, the longest, and the longest against the best.
    fn decline(&self, variant: &str) -> Option<(f64, f64, Paired)> {
        let level = |b: f64| self.at(variant, b).accuracy().map(|m| (b, m.value));
        let levels: Vec<(f64, f64)> = self.budgets().into_iter().filter_map(level).collect();
        let best = levels.iter().max_by(|a, b| a.1.total_cmp(&b.1))?.0;
        let most = levels.iter().map(|l| l.0).fold(0.0, f64::max);
        let test = paired(&self.at(variant, most).accuracies(), &self.at(variant, best).accuracies())?;
        Some((best, most, test))
    }

    fn levels(&self, variant: &str, best: f64, most: f64) -> String {
        let percent = |runs: &Runs| runs.accuracy().map_or(f64::NAN, |m| m.value);
        format!(
            "{}: BP {:.1} %, {variant} {:.1} % at T = {best} L and {:.1} % at T = {most} L",
            self.title,
            percent(&self.bp),
            percent(&self.at(variant, best)),
            percent(&self.at(variant, most))
        )
    }
}

#[derive(Serialize)]
struct BudgetRow {
    network: String,
    series: String,
    budget_over_depth: Option<f64>,
    seeds: usize,
    accuracy: f64,
    deviation: f64,
    alignment: Option<f64>,
    norm_ratio: Option<f64>,
}

fn rows(study: &BudgetStudy) -> Vec<BudgetRow> {
    let row = |series: &str, budget: Option<f64>, runs: &Runs| {
        let accuracy = runs.accuracy()?;
        Some(BudgetRow {
            network: study.title.clone(),
            series: series.to_owned(),
            budget_over_depth: budget,
            seeds: accuracy.count,
            accuracy: accuracy.value,
            deviation: accuracy.deviation,
            alignment: runs.outcome(|s| s.alignment).map(|m| m.value),
            norm_ratio: runs.outcome(|s| s.norm_ratio).map(|m| m.value),
        })
    };
    let mut rows: Vec<BudgetRow> = row(title_of_rule("bp"), None, &study.bp).into_iter().collect();
    for variant in study.runs.values(|d| d.variant.clone()) {
        rows.extend(study.budgets().into_iter().filter_map(|b| row(&variant, Some(b), &study.at(&variant, b))));
    }
    rows
}

/// Accuracy and alignment of one network.
fn charts(study: &BudgetStudy) -> [Chart; 2] {
    let budgets = study.budgets();
    let curve = |of: fn(&Runs) -> Option<Mean>| -> Vec<Series> {
        let one = |variant: String| {
            let look = study.of(&variant).all.first().map_or(0, |d| of_rule(&d.experiment.rule));
            Series {
                // Where η follows λ_max it is another series of the same rule.
                look: if variant == TRACKED { 4 } else { look },
                points: budgets
                    .iter()
                    .filter_map(|&b| of(&study.at(&variant, b)).map(|m| Point::of_mean(b, m)))
                    .collect(),
                name: variant,
                ink: Ink::Both,
            }
        };
        study.runs.values(|d| d.variant.clone()).into_iter().map(one).collect()
    };
    let mut accuracies = curve(Runs::accuracy);
    if let Some(level) = study.bp.accuracy() {
        let points = budgets.iter().map(|&b| Point::of_mean(b, level)).collect();
        accuracies.push(Series { name: title_of_rule("bp").to_owned(), look: 0, ink: Ink::Line, points });
    }
    let chart = |y: Axis, series: Vec<Series>| Chart {
        title: study.title.clone(),
        x: Axis::around("inference steps T/L", Spread::Log2, budgets.iter().copied()),
        y,
        series,
        verticals: Vec::new(),
    };
    let alignments = curve(|runs| runs.outcome(|s| s.alignment));
    let cosine = Axis::new("cosine to BP after training", Spread::Linear, (-0.2, 1.0));
    [chart(Axis::accuracy(), accuracies), chart(cosine, alignments)]
}

fn claims([linear, deep, wide]: &[BudgetStudy; 3]) -> Vec<Claim> {
    [steady(linear), decline(deep, wide), cause(wide)].into_iter().flatten().collect()
}

fn steady(linear: &BudgetStudy) -> Option<Claim> {
    let (best, most, test) = linear.decline(FIXED)?;
    let statement = "Linear networks do not decline with a longer budget of PC-ALM";
    let judgement = Judgement::above(test, -LOSS, -3.0 * LOSS);
    let claim = Claim::of_mean("budget.linear", statement, SOURCE, judgement, test.difference);
    Some(
        Claim { test: Some(test), ..claim }
            .judged("points of the longest budget over the best", "−1 or more")
            .remarked(linear.levels(FIXED, best, most))
            .from_runs(linear.of(FIXED).keys()),
    )
}

fn decline(deep: &BudgetStudy, wide: &BudgetStudy) -> Option<Claim> {
    let declines = |study: &BudgetStudy| {
        let (best, most, test) = study.decline(FIXED)?;
        Some((Judgement::below(test, -LOSS, -LOSS), test, study.levels(FIXED, best, most)))
    };
    let (a, b) = (declines(deep)?, declines(wide)?);
    // One of the two is part of it, if that one is no luck.
    let real = |(judgement, test): (&Judgement, &Paired)| judgement.holds_by_value() && test.p < SIGNIFICANT;
    let part = [(&a.0, &a.1), (&b.0, &b.1)].into_iter().any(real);
    let judgement = a.0.and(b.0).or_partly(part);
    let statement = "relu networks pass a best budget of PC-ALM and then decline";
    let claim = Claim::of_mean("budget.decline", statement, SOURCE, judgement, b.1.difference);
    let runs = Runs { all: [deep.of(FIXED).all, wide.of(FIXED).all].concat() };
    Some(
        Claim { test: Some(b.1), ..claim }
            .judged(
                &format!("points of the longest budget over the best ({})", wide.title),
                "−1 or less, in both relu networks",
            )
            .remarked(format!("{}; {}", a.2, b.2))
            .from_runs(runs.keys()),
    )
}

fn cause(wide: &BudgetStudy) -> Option<Claim> {
    let (best, most, own) = wide.decline(TRACKED)?;
    let (tracked, fixed) = (wide.at(TRACKED, most), wide.at(FIXED, most));
    let test = paired(&tracked.accuracies(), &fixed.accuracies())?;
    let gained = Judgement::above(test, LOSS, LOSS);
    let part = gained.holds_by_value();
    let judgement = gained.and(Judgement::above(own, -LOSS, -LOSS)).or_partly(part);
    let statement = "The decline is instability: it is gone where the step size follows λ_max";
    let claim = Claim::of_mean("budget.cause", statement, "beyond [ALM]", judgement, test.difference);
    Some(
        Claim { test: Some(test), ..claim }
            .judged(
                &format!("points gained at T = {most} L by following λ_max ({})", wide.title),
                "1 or more, and no decline left",
            )
            .remarked(wide.levels(TRACKED, best, most))
            .from_runs(Runs { all: [tracked.all, fixed.all].concat() }.keys()),
    )
}
