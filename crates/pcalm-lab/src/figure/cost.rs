//! Fig. 8 and table 1: what a cosine to BP costs, by widening PC or by running PC-ALM longer.

use super::{Figure, Lab, Product, measure::first_reaching};
use crate::{
    claim::Claim,
    error::LabError,
    experiment::Experiment,
    judgement::{Estimate, Judgement},
    plot::{Axis, Chart, Ink, Series, Spread, line_charts},
    stats::{Mean, mean},
    theory::Case,
};
use pcalm::{
    backend::Cpu,
    minibatch::Minibatch,
    rule::{RuleSettings, build},
    theory::Wave,
};
use rayon::prelude::*;
use serde::Serialize;
use std::time::Instant;

pub const FIGURE: Figure = Figure {
    name: "cost",
    title: "Cost of a cosine to BP: widening PC against running PC-ALM longer",
    source: "[ALM] fig. 8 and table 1",
    draw,
};

const ETA: f64 = 0.25;
const SOURCE: &str = "[ALM] fig. 8 and table 1";
const TARGETS: [f64; 5] = [0.7, 0.75, 0.8, 0.85, 0.9];
/// Looks of PC's widths: all but PC-ALM's.
const LOOKS: [usize; 5] = [1, 3, 4, 5, 0];
/// Timings of an inference, of which the shortest counts.
const REPEATS: usize = 3;
/// Times cheaper that PC-ALM is claimed to be, and that would still be something.
const RATIOS: (f64, f64) = (10.0, 2.0);

/// Alignment over steps of one rule and width, of one seed or as a mean over seeds.
#[derive(Clone)]
struct Curve {
    rule: &'static str,
    width: usize,
    cosines: Vec<f64>,
}

/// A way to reach a target.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Way {
    width: usize,
    steps: usize,
    /// Multiply-adds of the inference, per sample.
    work: f64,
}

#[derive(Serialize)]
struct CurveRow {
    rule: &'static str,
    width: usize,
    step: usize,
    multiply_adds: f64,
    alignment: f64,
}

#[derive(Serialize)]
struct CostRow {
    target: f64,
    pc_width: Option<usize>,
    pc_steps: Option<usize>,
    pc_multiply_adds: Option<f64>,
    alm_width: Option<usize>,
    alm_steps: Option<usize>,
    alm_multiply_adds: Option<f64>,
    predicted_ratio: Option<f64>,
    /// Whether PC never got there, so that the ratio is that of all it was given.
    at_least: bool,
}

#[derive(Serialize)]
struct TimeRow {
    target: f64,
    pc_seconds: f64,
    alm_seconds: f64,
    time_ratio: f64,
    pc_bytes: usize,
    alm_bytes: usize,
    memory_ratio: f64,
}

fn draw(lab: &Lab) -> Result<Product, LabError> {
    let scale = lab.scale();
    let depth = scale.pick(16, 32, 32);
    let (narrow, widths) =
        scale.pick((16, vec![16, 32]), (32, vec![32, 64, 128, 256, 512]), (32, vec![32, 64, 128, 256, 512, 1024]));
    let (seeds, samples) = scale.pick((1, 16), (3, 32), (5, 64));
    // PC is given the time that diffusion takes over these depths.
    let (pc_steps, alm_steps) = (scale.pick(8, 32, 64) * depth, 8 * depth);
    let mut wanted: Vec<(&str, usize, usize)> = widths.iter().map(|&width| ("pc", width, pc_steps)).collect();
    wanted.push(("pc-alm", narrow, alm_steps));
    let each = wanted.into_iter().map(|(rule, width, steps)| curves(lab, rule, width, depth, steps, seeds, samples));
    let each: Vec<Vec<Curve>> = each.collect::<Result<_, LabError>>()?;
    let curves: Vec<Curve> = each.iter().map(|of_seeds| mean_curve(of_seeds)).collect();
    let rows: Vec<CostRow> = TARGETS.iter().map(|&target| row(&curves, target, depth)).collect();
    let mut product = Product { claims: claim(&rows, ratio(&each, depth)).into_iter().collect(), ..Product::default() };
    product.picture("cost", picture(&curves, &rows, depth)?);
    let all = |c: &Curve| {
        let row = |(step, alignment): (usize, &f64)| CurveRow {
            rule: c.rule,
            width: c.width,
            step,
            multiply_adds: work(c.width, depth, step),
            alignment: *alignment,
        };
        c.cosines.iter().enumerate().skip(1).map(row).collect::<Vec<_>>()
    };
    product.table("cost", &curves.iter().flat_map(all).collect::<Vec<_>>())?;
    product.show("table-1", &rows)?;
    product.show("table-1-measured", &times(lab, &rows, depth, samples)?)?;
    product.notes.push(format!(
        "relu, depth {depth}, {samples} samples, η = {ETA}, α = ρ = 1, at initialisation; PC up to {pc_steps} steps"
    ));
    Ok(product)
}

fn case(lab: &Lab, width: usize, depth: usize, seed: u64, samples: usize) -> Result<Case, LabError> {
    lab.case(&Experiment { width, depth, seed, ..Experiment::default() }, samples)
}

/// One curve per seed.
fn curves(
    lab: &Lab,
    rule: &'static str,
    width: usize,
    depth: usize,
    steps: usize,
    seeds: u64,
    samples: usize,
) -> Result<Vec<Curve>, LabError> {
    let watch = |seed: u64| {
        let case = case(lab, width, depth, seed, samples)?;
        let wave: Wave = case.watch(&Cpu::new(), rule, &case.settings(ETA, 1.0, steps))?;
        Ok(Curve { rule, width, cosines: wave.moments.iter().map(|m| m.agreement.cosine).collect() })
    };
    (0..seeds).into_par_iter().map(watch).collect()
}

/// Their mean; there is at least one.
fn mean_curve(of_seeds: &[Curve]) -> Curve {
    let mut cosines = vec![0.0; of_seeds[0].cosines.len()];
    for curve in of_seeds {
        cosines.iter_mut().zip(&curve.cosines).for_each(|(sum, c)| *sum += c / of_seeds.len() as f64);
    }
    Curve { cosines, ..of_seeds[0].clone() }
}

/// ln of how many times cheaper PC-ALM is, a mean over the cosines that it reaches with every seed and then
/// over the seeds.
fn ratio(each: &[Vec<Curve>], depth: usize) -> Option<Mean> {
    let seeds = each.iter().map(Vec::len).min()?;
    let of_seed = |seed: usize| each.iter().map(|of_seeds| of_seeds[seed].clone()).collect::<Vec<Curve>>();
    let seeds: Vec<Vec<Curve>> = (0..seeds).map(of_seed).collect();
    let ratios = |target: f64| -> Option<Vec<f64>> {
        seeds.iter().map(|curves| row(curves, target, depth).predicted_ratio.map(f64::ln)).collect()
    };
    let by_target: Vec<Vec<f64>> = TARGETS.into_iter().filter_map(ratios).collect();
    let of_seed = |seed: usize| Some(mean(&by_target.iter().map(|r| r[seed]).collect::<Vec<_>>())?.value);
    mean(&(0..seeds.len()).map(of_seed).collect::<Option<Vec<f64>>>()?)
}

/// Multiply-adds per sample of an inference: two products with each hidden matrix in every step. Those with
/// the readout are as good as nothing.
fn work(width: usize, depth: usize, steps: usize) -> f64 {
    2.0 * (steps * (depth - 2) * width * width) as f64
}

fn way(curve: &Curve, target: f64, depth: usize) -> Option<Way> {
    let points: Vec<(f64, f64)> = curve.cosines.iter().enumerate().skip(1).map(|(t, c)| (t as f64, *c)).collect();
    let steps = first_reaching(&points, target)?.ceil() as usize;
    Some(Way { width: curve.width, steps, work: work(curve.width, depth, steps) })
}

/// The cheapest way of either rule.
fn row(curves: &[Curve], target: f64, depth: usize) -> CostRow {
    let cheapest = |rule: &str| {
        let ways = curves.iter().filter(|c| c.rule == rule).filter_map(|c| way(c, target, depth));
        ways.min_by(|a, b| a.work.total_cmp(&b.work))
    };
    let (pc, alm) = (cheapest("pc"), cheapest("pc-alm"));
    let most = curves.iter().filter(|c| c.rule == "pc").map(|c| work(c.width, depth, c.cosines.len() - 1));
    let spent = pc.map_or_else(|| most.fold(0.0, f64::max), |p| p.work);
    CostRow {
        target,
        pc_width: pc.map(|p| p.width),
        pc_steps: pc.map(|p| p.steps),
        pc_multiply_adds: pc.map(|p| p.work),
        alm_width: alm.map(|a| a.width),
        alm_steps: alm.map(|a| a.steps),
        alm_multiply_adds: alm.map(|a| a.work),
        predicted_ratio: alm.map(|a| spent / a.work),
        at_least: pc.is_none(),
    }
}

/// Measured times and memory of the ways that both rules have.
fn times(lab: &Lab, rows: &[CostRow], depth: usize, samples: usize) -> Result<Vec<TimeRow>, LabError> {
    let mut found = Vec::new();
    for row in rows {
        let (Some(pc_width), Some(pc_steps)) = (row.pc_width, row.pc_steps) else { continue };
        let (Some(alm_width), Some(alm_steps)) = (row.alm_width, row.alm_steps) else { continue };
        let (pc_seconds, pc_bytes) = time(&case(lab, pc_width, depth, 0, samples)?, "pc", pc_steps)?;
        let (alm_seconds, alm_bytes) = time(&case(lab, alm_width, depth, 0, samples)?, "pc-alm", alm_steps)?;
        found.push(TimeRow {
            target: row.target,
            pc_seconds,
            alm_seconds,
            time_ratio: pc_seconds / alm_seconds,
            pc_bytes,
            alm_bytes,
            memory_ratio: pc_bytes as f64 / alm_bytes as f64,
        });
    }
    Ok(found)
}

/// Seconds of one inference on all samples, and bytes of network and states.
fn time(case: &Case, rule: &str, steps: usize) -> Result<(f64, usize), LabError> {
    let network = case.network.cast::<f32>();
    let samples = case.samples().cast::<f32>();
    let settings: RuleSettings = case.settings(ETA, 1.0, steps);
    let rule = build::<Cpu>(rule, &settings)?;
    let mut minibatch = Minibatch::new(Cpu::new(), case.objective.cast()?);
    minibatch.load(&network, &samples.batch()?)?;
    let mut shortest = f64::INFINITY;
    for _ in 0..REPEATS {
        let clock = Instant::now();
        minibatch.infer(&network, rule.as_ref())?;
        shortest = shortest.min(clock.elapsed().as_secs_f64());
    }
    Ok((shortest, network.parameters() * size_of::<f32>() + minibatch.bytes()))
}

fn claim(rows: &[CostRow], ratio: Option<Mean>) -> Option<Claim> {
    let middle = ratio?;
    let ratios: Vec<f64> = rows.iter().filter_map(|r| r.predicted_ratio).collect();
    let reached = rows.iter().filter(|r| !r.at_least).count();
    // The mean is geometric; its interval is no longer symmetric about it.
    let times = Estimate { value: middle.value.exp(), interval: middle.interval.map(|ends| ends.map(f64::exp)) };
    let judgement = Judgement::above(times, RATIOS.0, RATIOS.1);
    let statement = "PC-ALM reaches a cosine to BP an order of magnitude cheaper than PC does by width";
    let claim = Claim::of_mean("cost.ratio", statement, SOURCE, judgement, middle);
    let last = rows.iter().rfind(|r| r.alm_steps.is_some());
    let remark = format!(
        "between {:.2} and {:.0}, cosine by cosine; PC reaches {reached} of the {} within the widths and steps it was \
         given; PC-ALM reaches {:.1} after {} steps",
        ratios.iter().copied().fold(f64::INFINITY, f64::min),
        ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        rows.len(),
        last.map_or(f64::NAN, |r| r.target),
        last.and_then(|r| r.alm_steps).unwrap_or(0),
    );
    Some(
        Claim { measured: times.value, interval: times.interval, ..claim }
            .judged("multiply-adds of PC over PC-ALM, geometric mean over the cosines and seeds", "10 or more")
            .remarked(remark),
    )
}

fn picture(curves: &[Curve], rows: &[CostRow], depth: usize) -> Result<String, LabError> {
    let line = |(i, c): (usize, &Curve)| {
        let points = (1..c.cosines.len()).map(|t| (work(c.width, depth, t), c.cosines[t]));
        // At equal distances by eye, which is enough and keeps the file small.
        let mut last = 0.0;
        let thin = points.filter(|p| {
            let keep = p.0 > 1.04 * last;
            last = if keep { p.0 } else { last };
            keep
        });
        let (name, look) = if c.rule == "pc" {
            (format!("PC, N = {}", c.width), LOOKS[i % LOOKS.len()])
        } else {
            (format!("PC-ALM, N = {}", c.width), 2)
        };
        Series::plain(&name, look, Ink::Line, thin.collect::<Vec<_>>())
    };
    let series: Vec<Series> = curves.iter().enumerate().map(line).collect();
    let ways = |name: &str, look, of: fn(&CostRow) -> Option<f64>| {
        Series::plain(name, look, Ink::Both, rows.iter().filter_map(|r| of(r).map(|w| (r.target, w))))
    };
    let costs =
        vec![ways("PC, cheapest", 1, |r| r.pc_multiply_adds), ways("PC-ALM, cheapest", 2, |r| r.alm_multiply_adds)];
    let all = |series: &[Series], of: fn(&crate::plot::Point) -> f64| -> Vec<f64> {
        series.iter().flat_map(|s| s.points.iter().map(of)).collect()
    };
    let label = "multiply-adds per sample";
    let charts = [
        Chart {
            title: format!("L = {depth}"),
            x: Axis::around(label, Spread::Log10, all(&series, |p| p.x)),
            y: Axis::new("cosine to BP's gradient", Spread::Linear, (0.0, 1.0)),
            series,
            verticals: Vec::new(),
        },
        Chart {
            title: "cheapest way to a cosine".into(),
            x: Axis::around("cosine to BP's gradient", Spread::Linear, TARGETS),
            y: Axis::around(label, Spread::Log10, all(&costs, |p| p.y)),
            series: costs,
            verticals: Vec::new(),
        },
    ];
    line_charts(&charts, 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claim::Verdict;

    /// PC reaches every cosine in the third of 10 steps at each of two seeds, PC-ALM after as many as said.
    fn ratio_of(alm: [usize; 2]) -> Option<Mean> {
        let rises = |rule, width, at: usize| {
            let cosines = (0..=10).map(|t| if t < at { 0.0 } else { 1.0 }).collect();
            Curve { rule, width, cosines }
        };
        ratio(&[vec![rises("pc", 40, 3), rises("pc", 40, 3)], alm.map(|at| rises("pc-alm", 10, at)).to_vec()], 8)
    }

    #[test]
    fn the_ratio_of_costs_is_a_geometric_mean_over_seeds_with_an_interval_of_its_own() {
        // Interpolated in the logarithm between steps 2 and 3 and rounded up: 3; at PC-ALM's first step: 1.
        let found = ratio_of([1, 1]).unwrap();
        assert!((found.value.exp() - 3.0 * 16.0).abs() < 1e-9 && found.count == 2, "{found:?}");
        assert_eq!(claim(&[], Some(found)).unwrap().verdict, Verdict::Confirmed);
        // 48 and 12 have the geometric mean 24, but two seeds so far apart are not sure of 10.
        let found = ratio_of([1, 4]).unwrap();
        let claim = claim(&[], Some(found)).unwrap();
        assert!((claim.measured - 24.0).abs() < 1e-9 && claim.interval.unwrap()[0] < 10.0);
        assert!(claim.verdict == Verdict::Partly && claim.remark.ends_with("past the limit"), "{}", claim.remark);
        // No cosine that PC-ALM reaches with both seeds.
        assert_eq!(ratio_of([1, 11]), None);
    }
}
