//! The one cell of fig. 2 of which numbers are published to the second digit: N = L = 32, relu, on Fashion-MNIST,
//! standardised.
//!
//! What is published is one seed, and the seeds of two programs draw different networks. So the mean over seeds here is
//! held to the published number within a tolerance made of two things that were known before: how far two seeds of an
//! independent program lie apart, and how far that program lies from the published number under its seed.

use super::{
    Figure, Lab, Product, Scale,
    accuracy::RULES,
    runs::{Done, Runs, network, seeds},
};
use crate::{
    claim::Claim,
    error::LabError,
    judgement::Judgement,
    plot::{
        Axis, Chart, Ink, Series, Spread, line_charts,
        style::{of_rule, title_of_rule},
    },
    stats::{Mean, mean},
};
use serde::Serialize;

pub const FIGURE: Figure = Figure {
    name: "published-cell",
    title: "The published cell of fig. 2: N = L = 32, relu, Fashion-MNIST standardised, seed by seed",
    source: "[ALM] fig. 2",
    draw,
};

/// The set the published numbers are of.
const DATASET: &str = "fashion-mnist";
const ID: &str = "published-cell.met";
/// The published setting; the default of everything else is the paper's.
const SETTING: &str = "epochs = 1\nlearning-rate = 0.001\neta = 0.25\nnormalise = \"standardise\"\n";

/// What a number is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Measure {
    /// Test accuracy in percent.
    Accuracy,
    /// Cosine to BP's gradient after training.
    Cosine,
}

impl Measure {
    fn of(self, done: &Done) -> Option<f64> {
        match self {
            Measure::Accuracy => Some(done.accuracy()),
            Measure::Cosine => done.summary.alignment,
        }
    }

    /// With the digits that are published.
    fn text(self, value: f64) -> String {
        match self {
            Measure::Accuracy => format!("{value:.2} %"),
            Measure::Cosine => format!("{value:.3}"),
        }
    }
}

/// A published number.
struct PublishedNumber {
    rule: &'static str,
    measure: Measure,
    /// As published, under seed 0.
    value: f64,
    /// From a run of the same equations in JAX, under seeds 0 and 1 (docs/maths.md §2).
    again: [f64; 2],
}

const fn published(rule: &'static str, measure: Measure, value: f64, again: [f64; 2]) -> PublishedNumber {
    PublishedNumber { rule, measure, value, again }
}

const PUBLISHED: [PublishedNumber; 5] = [
    published("bp", Measure::Accuracy, 78.66, [78.7, 77.6]),
    published("pc", Measure::Accuracy, 68.13, [68.5, 64.6]),
    published("pc-alm", Measure::Accuracy, 77.75, [77.7, 76.7]),
    published("pc", Measure::Cosine, 0.604, [0.644, 0.581]),
    published("pc-alm", Measure::Cosine, 0.909, [0.916, 0.921]),
];

impl PublishedNumber {
    /// Two standard deviations of a single seed: the variance between seeds, (a − b)²/2 from two of them, and the square of
    /// what two programs differ by under one seed.
    fn tolerance(&self) -> f64 {
        let [same, other] = self.again;
        2.0 * ((same - other).powi(2) / 2.0 + (same - self.value).powi(2)).sqrt()
    }

    fn found(&self, runs: &Runs) -> Option<Mean> {
        mean(&runs.of_rule(self.rule).all.iter().filter_map(|d| self.measure.of(d)).collect::<Vec<_>>())
    }

    /// How far a mean and its interval are from the published number, in tolerances.
    fn distance(&self, found: Mean) -> Mean {
        let scaled = |x: f64| (x - self.value) / self.tolerance();
        Mean {
            value: scaled(found.value),
            deviation: found.deviation / self.tolerance(),
            interval: found.interval.map(|ends| ends.map(scaled)),
            ..found
        }
    }

    fn name(&self) -> String {
        match self.measure {
            Measure::Accuracy => title_of_rule(self.rule).to_owned(),
            Measure::Cosine => format!("cosine of {}", title_of_rule(self.rule)),
        }
    }
}

fn draw(lab: &Lab) -> Result<Product, LabError> {
    let dataset = lab.meant_for(DATASET);
    let unjudged = |reason: String| format!("{ID}: {reason}");
    let mut product = Product { datasets: vec![dataset.to_owned()], ..Product::default() };
    let published = dataset == DATASET;
    if published && let Some(reason) = lab.is_not_as_published(DATASET) {
        // On other data these runs would say nothing.
        product.unjudged.push(unjudged(reason));
        return Ok(product);
    }
    let judged = published && lab.scale() != Scale::Smoke;
    let runs = trained(lab, dataset)?;
    product.runs = runs.keys();
    if judged {
        product.claims.extend(claim(&runs));
    } else {
        let cure = format!("`pcalm figure {}` judges it in minutes", FIGURE.name);
        product.unjudged.push(unjudged(format!("the published numbers are of 32 × 32 on {DATASET}; {cure}")));
    }
    product.show("published-cell", &rows(&runs, judged))?;
    product.picture("published-cell", line_charts(&charts(&runs, judged), 2)?);
    Ok(product)
}

fn trained(lab: &Lab, dataset: &str) -> Result<Runs, LabError> {
    let scale = lab.scale();
    let (width, depth) = scale.pick((16, 8), (32, 32), (32, 32));
    // Ten seeds, because those of PC lie far apart.
    let seeds = seeds(scale.pick(2, 10, 10));
    let options = format!("{}budget = \"2L\"\n{SETTING}", network(dataset, "relu", width, depth));
    lab.runs(&options, &format!("[axes]\nrule = {RULES:?}\nseed = {seeds}\n"))
}

#[derive(Serialize)]
struct PublishedCellRow<'a> {
    rule: &'a str,
    seeds: usize,
    accuracy: f64,
    deviation: f64,
    published_accuracy: Option<f64>,
    accuracy_tolerance: Option<f64>,
    alignment: Option<f64>,
    published_alignment: Option<f64>,
    alignment_tolerance: Option<f64>,
}

fn rows(runs: &Runs, judged: bool) -> Vec<PublishedCellRow<'static>> {
    let row = |rule: &'static str| {
        let here = runs.of_rule(rule);
        let accuracy = here.accuracy()?;
        let number = |measure: Measure| PUBLISHED.iter().find(|n| judged && (n.rule, n.measure) == (rule, measure));
        let (of_accuracy, of_cosine) = (number(Measure::Accuracy), number(Measure::Cosine));
        Some(PublishedCellRow {
            rule,
            seeds: accuracy.count,
            accuracy: accuracy.value,
            deviation: accuracy.deviation,
            published_accuracy: of_accuracy.map(|n| n.value),
            accuracy_tolerance: of_accuracy.map(PublishedNumber::tolerance),
            alignment: here.outcome(|s| s.alignment).map(|m| m.value),
            published_alignment: of_cosine.map(|n| n.value),
            alignment_tolerance: of_cosine.map(PublishedNumber::tolerance),
        })
    };
    RULES.into_iter().filter_map(row).collect()
}

/// Every seed, and lines at what is published.
fn charts(runs: &Runs, judged: bool) -> [Chart; 2] {
    let last = runs.all.iter().map(|d| d.experiment.seed).max().unwrap_or(0) as f64;
    let chart = |measure: Measure, title: &str, label: &str| {
        let mut series = Vec::new();
        for number in PUBLISHED.iter().filter(|n| n.measure == measure) {
            let (name, look) = (title_of_rule(number.rule), of_rule(number.rule));
            let of = runs.of_rule(number.rule).all;
            let points = of.iter().filter_map(|d| Some((d.experiment.seed as f64, measure.of(d)?)));
            series.push(Series::plain(name, look, Ink::Marks, points));
            if judged {
                let line = [(0.0, number.value), (last, number.value)];
                series.push(Series::plain(&format!("{name}, published"), look, Ink::Line, line));
            }
        }
        let values = series.iter().flat_map(|s| s.points.iter().map(|p| p.y));
        Chart {
            title: title.to_owned(),
            x: Axis::around("seed", Spread::Linear, [0.0, last]),
            y: Axis::around(label, Spread::Linear, values),
            series,
            verticals: Vec::new(),
        }
    };
    [
        chart(Measure::Accuracy, "after one epoch", "test accuracy, %"),
        chart(Measure::Cosine, "after training", "cosine to BP"),
    ]
}

/// All five within their tolerances; the number is that of the one that is farthest off.
fn claim(runs: &Runs) -> Option<Claim> {
    let found: Vec<(&PublishedNumber, Mean)> = PUBLISHED.iter().filter_map(|n| Some((n, n.found(runs)?))).collect();
    if found.len() < PUBLISHED.len() {
        return None;
    }
    let judgements = found.iter().map(|(n, mean)| Judgement::within(n.distance(*mean), [-1.0, 1.0], [-1.0, 1.0]));
    let judgement = judgements.reduce(Judgement::and)?;
    let distances = found.iter().map(|(n, mean)| (*n, n.distance(*mean)));
    let (worst, distance) = distances.max_by(|a, b| a.1.value.abs().total_cmp(&b.1.value.abs()))?;
    let statement = "On Fashion-MNIST, standardised, the published accuracies and cosines of N = L = 32 are met";
    let claim = Claim::of_mean(ID, statement, FIGURE.source, judgement, distance);
    let told = found.iter().map(|(number, mean)| {
        let text = |value| number.measure.text(value);
        let half = mean.interval.map(|[low, high]| format!(" ± {}", text(0.5 * (high - low)))).unwrap_or_default();
        let (value, tolerance) = (text(number.value), text(number.tolerance()));
        format!("{} {}{half}, published {value}, tolerance {tolerance}", number.name(), text(mean.value))
    });
    Some(
        claim
            .judged(
                &format!("tolerances from the published number ({}, the farthest of five)", worst.name()),
                "−1 to 1, all five",
            )
            .remarked(told.collect::<Vec<_>>().join("; "))
            .from_runs(runs.keys()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{claim::Verdict, experiment::Experiment, figure::runs::tests::made_up};

    /// Four seeds of each rule about these accuracies, and cosines as published.
    fn runs(accuracies: [f64; 3]) -> Runs {
        let mut all = Vec::new();
        for (rule, accuracy) in RULES.into_iter().zip(accuracies) {
            for seed in 0..4 {
                let experiment = Experiment { seed, rule: rule.to_owned(), ..Experiment::default() };
                let mut done = made_up(experiment, accuracy + 0.1 * seed as f64 - 0.15);
                done.summary.alignment = Some(if rule == "pc" { 0.604 } else { 0.909 });
                all.push(done);
            }
        }
        Runs { all }
    }

    #[test]
    fn tolerances_are_two_deviations_between_seeds_and_programs() {
        // 2 √(1.1²/2 + 0.04²), 2 √(3.9²/2 + 0.37²), 2 √(1²/2 + 0.05²), by hand.
        let wanted = [1.5577, 5.5649, 1.4177];
        for (number, wanted) in PUBLISHED.iter().zip(wanted) {
            assert!((number.tolerance() - wanted).abs() < 1e-4, "{}: {}", number.name(), number.tolerance());
        }
    }

    #[test]
    fn the_cell_is_met_if_every_number_is_within_its_tolerance_with_its_whole_interval() {
        let verdict = |accuracies| claim(&runs(accuracies)).unwrap().verdict;
        assert_eq!(verdict([78.66, 68.13, 77.75]), Verdict::Confirmed);
        assert_eq!(verdict([77.4, 63.0, 78.9]), Verdict::Confirmed);
        // The deviation of four seeds is 0.1291, their interval ± 3.1824 · 0.1291/2 = 0.2054.
        assert_eq!(verdict([77.2, 68.13, 77.75]), Verdict::Partly);
        assert_eq!(verdict([78.66, 68.13, 76.2]), Verdict::NotConfirmed);
        // Three points less, as without standardising.
        assert_eq!(verdict([75.66, 65.13, 74.75]), Verdict::NotConfirmed);
    }

    #[test]
    fn the_number_is_that_of_the_farthest_with_its_sign() {
        let claim = claim(&runs([78.66, 70.13, 77.0])).unwrap();
        assert!((claim.measured + 0.75 / 1.4177).abs() < 1e-4 && claim.quantity.contains("PC-ALM"), "{claim:?}");
        assert!(claim.remark.contains("PC 70.13 % ± 0.21 %, published 68.13 %"), "{}", claim.remark);
    }
}
