//! Fig. 5: alignment to BP over inference steps, and the step at which it turns upward.

use super::{Figure, Lab, Product};
use crate::{
    claim::Claim,
    error::LabError,
    experiment::Experiment,
    judgement::{Estimate, Judgement},
    plot::{Axis, Chart, Ink, Series, Spread, line_charts},
    record::finite,
    stats::mean,
};
use pcalm::{
    backend::Cpu,
    theory::{Wave, crossing_time},
};
use rayon::prelude::*;
use serde::Serialize;

pub const FIGURE: Figure = Figure {
    name: "alignment",
    title: "Alignment to BP over inference steps, and when it turns upward",
    source: "[ALM] fig. 5",
    draw,
};

const ETA: f64 = 0.25;
const SOURCE: &str = "[ALM] fig. 5, app. D";
/// Relative error up to which a prediction holds; twice as much is in part.
const TOLERANCE: f64 = 0.1;

#[derive(Serialize)]
struct AlignmentRow {
    alpha: f64,
    step: usize,
    alignment: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct InflectionRow {
    activation: String,
    width: usize,
    depth: usize,
    alpha: f64,
    predicted: f64,
    measured: f64,
    /// Confidence interval of `measured`.
    #[serde(skip)]
    interval: Option<[f64; 2]>,
}

fn draw(lab: &Lab) -> Result<Product, LabError> {
    let scale = lab.scale();
    let depth = scale.pick(16, 64, 128);
    let samples = scale.pick(16, 32, 64);
    let alphas = [0.0, 0.25, 0.5, 1.0, 1.5];
    let curves: Vec<(f64, Wave)> = alphas
        .into_par_iter()
        .map(|alpha| Ok((alpha, watch(lab, &shape("relu", 32, depth, 0), alpha, 4 * depth, samples)?)))
        .collect::<Result<_, LabError>>()?;

    let (widths, depths) = scale.pick(
        (vec![32], vec![32, 64]),
        (vec![16, 32, 64], vec![16, 32, 64]),
        (vec![16, 32, 64, 128], vec![16, 32, 64, 128]),
    );
    let seeds = scale.pick(1, 3, 5);
    let mut points: Vec<(&str, usize, usize, f64)> = Vec::new();
    for activation in ["identity", "relu"] {
        for (&width, &depth) in widths.iter().flat_map(|w| depths.iter().map(move |d| (w, d))) {
            points.extend([0.25, 0.5, 1.0].map(|alpha| (activation, width, depth, alpha)));
        }
    }
    let rows: Vec<InflectionRow> =
        points.into_par_iter().map(|p| inflection(lab, p, seeds, samples)).collect::<Result<_, LabError>>()?;

    let mut product = Product { claims: claims(&rows, seeds as usize), ..Product::default() };
    product.picture("alignment", picture(&curves, &rows, depth)?);
    let row = |(alpha, wave): &(f64, Wave)| {
        let alpha = *alpha;
        let row =
            |m: &pcalm::theory::Moment| AlignmentRow { alpha, step: m.step, alignment: finite(m.agreement.cosine) };
        wave.moments.iter().map(row).collect::<Vec<_>>()
    };
    product.table("alignment", &curves.iter().flat_map(row).collect::<Vec<_>>())?;
    product.table("inflection", &rows)?;
    product
        .notes
        .push(format!("left: relu, width 32, depth {depth}; {samples} samples, η = {ETA}, ρ = 1, at initialisation"));
    Ok(product)
}

fn shape(activation: &str, width: usize, depth: usize, seed: u64) -> Experiment {
    Experiment { activation: activation.to_owned(), width, depth, seed, ..Experiment::default() }
}

fn watch(lab: &Lab, shape: &Experiment, alpha: f64, budget: usize, samples: usize) -> Result<Wave, LabError> {
    let case = lab.case(shape, samples)?;
    case.watch(&Cpu::new(), "pc-alm", &case.settings(ETA, alpha, budget))
}

/// The mean over seeds.
fn inflection(lab: &Lab, at: (&str, usize, usize, f64), seeds: u64, samples: usize) -> Result<InflectionRow, LabError> {
    let (activation, width, depth, alpha) = at;
    let predicted = crossing_time(depth, ETA, alpha);
    let mut found = Vec::new();
    for seed in 0..seeds {
        let wave = watch(lab, &shape(activation, width, depth, seed), alpha, (1.6 * predicted) as usize, samples)?;
        found.extend(wave.inflection());
    }
    let found = mean(&found);
    let (measured, interval) = (found.map_or(f64::NAN, |m| m.value), found.and_then(|m| m.interval));
    Ok(InflectionRow { activation: activation.to_owned(), width, depth, alpha, predicted, measured, interval })
}

/// That each network be within twice the tolerance; where the mean keeps its limit, the claim holds in part
/// however many are not.
fn cells<'a>(rows: impl Iterator<Item = &'a InflectionRow>) -> Judgement {
    let near = [1.0 - 2.0 * TOLERANCE, 1.0 + 2.0 * TOLERANCE];
    let share = |r: &InflectionRow| Estimate {
        value: r.measured / r.predicted,
        interval: r.interval.map(|ends| ends.map(|end| end / r.predicted)),
    };
    let all: Vec<Estimate> = rows.map(share).collect();
    let count = |is: fn(&Estimate, [f64; 2]) -> bool| all.iter().filter(|e| is(e, near)).count();
    Judgement::of_cells(count(Estimate::is_surely_within), count(Estimate::is_within), all.len(), 0)
}

fn claims(rows: &[InflectionRow], seeds: usize) -> Vec<Claim> {
    let errors = |is: fn(&InflectionRow) -> bool| {
        let of = |r: &&InflectionRow| (r.measured / r.predicted - 1.0).abs();
        rows.iter().filter(|r| is(r)).map(|r| of(&r)).collect::<Vec<f64>>()
    };
    let claim = |id: &str, kind: &str, is: fn(&InflectionRow) -> bool| {
        let errors = errors(is);
        let mean = mean(&errors)?;
        let worst = errors.iter().copied().fold(0.0, f64::max);
        let judgement = Judgement::below(mean, TOLERANCE, 2.0 * TOLERANCE).and(cells(rows.iter().filter(|r| is(r))));
        let statement = format!("Alignment turns upward at T* = L/√(ηα), {kind}");
        Some(
            Claim { seeds, ..Claim::of_mean(id, &statement, SOURCE, judgement, mean) }
                .judged(
                    &format!("relative error of T*, mean over {} networks and α", errors.len()),
                    "0.1 or less, none above 0.2",
                )
                .remarked(format!("the worst is {worst:.3}")),
        )
    };
    let linear = claim("alignment.linear", "linear networks", |r| r.activation == "identity");
    [linear, claim("alignment.relu", "relu networks", |r| r.activation == "relu")].into_iter().flatten().collect()
}

fn picture(curves: &[(f64, Wave)], rows: &[InflectionRow], depth: usize) -> Result<String, LabError> {
    let curve = |(i, (alpha, wave)): (usize, &(f64, Wave))| {
        let points = wave.moments.iter().map(|m| (m.step as f64, m.agreement.cosine));
        Series::plain(&format!("α = {alpha}"), i + 1, Ink::Line, points)
    };
    let marks = |(i, activation): (usize, &str)| {
        let points = rows.iter().filter(|r| r.activation == activation).map(|r| (r.predicted, r.measured));
        Series::plain(activation, 2 - i, Ink::Marks, points)
    };
    let predicted = rows.iter().map(|r| r.predicted);
    let (low, high) = predicted.fold((f64::INFINITY, 0.0), |(l, h), p| (p.min(l), p.max(h)));
    let mut inflections: Vec<Series> = ["identity", "relu"].into_iter().enumerate().map(marks).collect();
    inflections.push(Series::plain("measured = predicted", 0, Ink::Line, [(low, low), (high, high)]));
    let crossing = |(alpha, _): &(f64, Wave)| (*alpha > 0.0).then(|| crossing_time(depth, ETA, *alpha));
    let both = rows.iter().flat_map(|r| [r.predicted, r.measured]);
    let charts = [
        Chart {
            title: format!("L = {depth}; dotted: L/√(ηα)"),
            x: Axis::new("inference step", Spread::Linear, (0.0, 4.0 * depth as f64)),
            y: Axis::new("cosine to BP's gradient", Spread::Linear, (0.0, 1.0)),
            series: curves.iter().enumerate().map(curve).collect(),
            verticals: curves.iter().filter_map(crossing).filter(|t| *t <= 4.0 * depth as f64).collect(),
        },
        Chart {
            title: "where it rises fastest".into(),
            x: Axis::around("predicted step L/√(ηα)", Spread::Log2, both.clone()),
            y: Axis::around("measured step", Spread::Log2, both),
            series: inflections,
            verticals: Vec::new(),
        },
    ];
    line_charts(&charts, 2)
}
