//! Beyond the paper: how the budget that a rule needs grows with depth.

use super::{
    Figure, Lab, Product,
    budget::relative_budget,
    measure::first_reaching,
    runs::{Runs, list, seeds},
};
use crate::{
    claim::Claim,
    error::LabError,
    judgement::Judgement,
    plot::{
        Axis, Chart, Ink, Point, Series, Spread, line_charts,
        style::{of_rule, title_of_rule},
    },
    stats::{Mean, line, mean, paired},
};
use serde::Serialize;

pub const FIGURE: Figure = Figure {
    name: "exponent",
    title: "First budget at which a rule reaches 90 % of BP's accuracy, over depth",
    source: "beyond [ALM]",
    draw,
};

const SOURCE: &str = "a public study of PC with momentum";
const RULES: [&str; 3] = ["pc", "pc-nesterov", "pc-alm"];
/// The share of BP's accuracy that counts as training.
const SHARE: f64 = 0.9;

fn draw(lab: &Lab) -> Result<Product, LabError> {
    let scale = lab.scale();
    let width = scale.pick(16, 16, 32);
    let depths = scale.pick(vec![8, 16], vec![8, 16, 32, 64], vec![8, 16, 32, 64, 128]);
    let budgets = scale.pick(
        r#"["0.5L", "1L", "2L", "4L"]"#,
        r#"["0.25L", "0.5L", "1L", "1.5L", "2L", "3L", "4L", "6L", "8L"]"#,
        r#"["0.25L", "0.5L", "0.75L", "1L", "1.5L", "2L", "3L", "4L", "6L", "8L", "12L", "16L"]"#,
    );
    let seeds = seeds(scale.pick(2, 3, 5));
    let axes = format!("[axes]\n{}depth = {}\n", lab.dataset_axis(), list(&depths));
    let base = format!("width = {width}\n");
    let runs = lab.runs(&base, &format!("{axes}budget = {budgets}\nrule = {RULES:?}\nseed = {seeds}\n"))?;
    let bp = lab.runs(&base, &format!("{axes}rule = [\"bp\"]\nseed = {seeds}\n"))?;
    let found = firsts(&runs, &bp);
    let mut product = Product { runs: [runs.keys(), bp.keys()].concat(), ..Product::default() };
    product.claims = claims(&found, &runs);
    product.picture("exponent", picture(&found, &depths)?);
    product.table("exponent", &found)?;
    product.notes.push(format!("relu, width {width}; budgets {budgets}, between which the first one is interpolated"));
    Ok(product)
}

/// The first budget of a rule at a depth, for one seed and data set.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct First {
    dataset: String,
    rule: &'static str,
    depth: usize,
    seed: u64,
    /// T in steps; absent if no budget reached the level.
    budget: Option<f64>,
    bp_accuracy: f64,
}

fn firsts(runs: &Runs, bp: &Runs) -> Vec<First> {
    let mut found = Vec::new();
    for base in &bp.all {
        let e = &base.experiment;
        let same = |d: &super::runs::Done| {
            (&d.experiment.dataset, d.experiment.depth, d.experiment.seed) == (&e.dataset, e.depth, e.seed)
        };
        let here = runs.only(same);
        for rule in RULES {
            let of_rule = here.of_rule(rule);
            let points: Vec<(f64, f64)> =
                of_rule.all.iter().map(|d| (relative_budget(&d.experiment) * e.depth as f64, d.accuracy())).collect();
            found.push(First {
                dataset: e.dataset.clone(),
                rule,
                depth: e.depth,
                seed: e.seed,
                budget: first_reaching(&points, SHARE * base.accuracy()),
                bp_accuracy: base.accuracy(),
            });
        }
    }
    found
}

/// log₂ L and log₂ T of one rule and seed; without depths at which it never got there.
fn points(found: &[First], rule: &str, seed: u64) -> Vec<(f64, f64)> {
    let of = found.iter().filter(|f| f.rule == rule && f.seed == seed);
    of.filter_map(|f| Some(((f.depth as f64).log2(), f.budget?.log2()))).collect()
}

/// One exponent per seed.
fn exponents(found: &[First], rule: &str) -> Vec<f64> {
    let mut seeds: Vec<u64> = found.iter().map(|f| f.seed).collect();
    seeds.sort_unstable();
    seeds.dedup();
    seeds.into_iter().filter_map(|seed| Some(line(&points(found, rule, seed))?.slope)).collect()
}

fn claims(found: &[First], runs: &Runs) -> Vec<Claim> {
    let missed = |rule: &str| found.iter().filter(|f| f.rule == rule && f.budget.is_none()).count();
    let exponent = |rule: &str| -> Option<(Mean, Vec<f64>)> {
        let all = exponents(found, rule);
        Some((mean(&all)?, all))
    };
    let describe = |rule: &str| {
        let number = exponent(rule).map_or("no exponent".to_owned(), |(m, _)| format!("{:.2}", m.value));
        let missed = missed(rule);
        let out_of = found.iter().filter(|f| f.rule == rule).count();
        format!("{}: {number}, {missed} of {out_of} not reached", title_of_rule(rule))
    };
    let all = RULES.map(describe).join("; ");
    let mut claims = Vec::new();
    // What the theory of waves and of diffusion says.
    let predicted = [
        ("exponent.alm", "pc-alm", 1.0, "The budget that PC-ALM needs grows in proportion to depth: a wave"),
        ("exponent.pc", "pc", 2.0, "The budget that PC needs grows with the square of depth: diffusion"),
    ];
    for (id, rule, wanted, statement) in predicted {
        let Some((found, _)) = exponent(rule) else { continue };
        let around = |tolerance: f64| [wanted - tolerance, wanted + tolerance];
        let judgement = Judgement::within(found, around(0.25), around(0.5));
        // Too few seeds to tell is no evidence against it.
        let open = found.interval.is_some_and(|[low, high]| low <= wanted && wanted <= high);
        let claim = Claim::of_mean(id, statement, "[ALM] app. D", judgement.or_partly(open), found);
        claims.push(
            claim
                .judged("p of T ∝ Lᵖ", &format!("{wanted} ± 0.25"))
                .remarked(all.clone())
                .from_runs(runs.of_rule(rule).keys()),
        );
    }
    if let (Some((_, alm)), Some((_, momentum))) = (exponent("pc-alm"), exponent("pc-nesterov"))
        && let Some(test) = paired(&momentum, &alm)
    {
        let judgement = Judgement::within(test, [-0.2, 0.2], [-0.5, 0.5]);
        let statement = "PC with Nesterov's momentum ties with PC-ALM's depth exponent";
        let claim = Claim::of_mean("exponent.nesterov", statement, SOURCE, judgement, test.difference);
        claims.push(
            Claim { test: Some(test), ..claim }
                .judged("p of PC with momentum less p of PC-ALM", "0 ± 0.2")
                .remarked(all)
                .from_runs(Runs { all: [runs.of_rule("pc-nesterov").all, runs.of_rule("pc-alm").all].concat() }.keys()),
        );
    }
    claims
}

fn picture(found: &[First], depths: &[usize]) -> Result<String, LabError> {
    let series = |rule: &str| {
        let at = |&depth: &usize| {
            let here = found.iter().filter(|f| f.rule == rule && f.depth == depth);
            // A mean over some of the seeds would be one over the lucky ones.
            let budgets: Option<Vec<f64>> = here.map(|f| f.budget).collect();
            Some(Point::of_mean(depth as f64, mean(&budgets?)?))
        };
        let points = depths.iter().filter_map(at).collect();
        Series { name: title_of_rule(rule).to_owned(), look: of_rule(rule), ink: Ink::Both, points }
    };
    let mut all = RULES.map(series).to_vec();
    let ends = depths.first().zip(depths.last()).map(|(a, b)| [*a as f64, *b as f64]);
    for (name, power, look) in [("T = L", 1.0, 4), ("T = L²/8", 2.0, 5)] {
        let factor = if power == 1.0 { 1.0 } else { 0.125 };
        let points = ends.into_iter().flatten().map(|l: f64| (l, factor * l.powf(power)));
        all.push(Series::plain(name, look, Ink::Line, points));
    }
    let label = "first T with 90 % of BP's accuracy";
    let chart = Chart {
        title: String::new(),
        x: Axis::around("depth L", Spread::Log2, depths.iter().map(|&l| l as f64)),
        y: Axis::around(label, Spread::Log2, all.iter().flat_map(|s| s.points.iter().map(|p| p.y))),
        series: all,
        verticals: Vec::new(),
    };
    line_charts(&[chart], 1)
}
