//! Fig. 2: test accuracy over width × depth × activation at T = 2L.

use super::{
    Figure, Lab, Product,
    measure::worst,
    runs::{Runs, list, network, seeds},
};
use crate::{
    claim::Claim,
    error::LabError,
    judgement::Judgement,
    plot::{Sides, TitledMatrix, matrices, style::title_of_rule},
    stats::{Mean, mean, paired},
};
use serde::Serialize;

pub const FIGURE: Figure = Figure {
    name: "accuracy",
    title: "Test accuracy after one epoch over width, depth and activation, T = 2L",
    source: "[ALM] fig. 2",
    draw,
};

/// Points by which a rule may stay behind BP and count as training as well.
pub const TOLERANCE: f64 = 2.0;
/// Points that PC must lose from the shallowest to the deepest network.
const FALL: f64 = 10.0;
/// The p below which a difference is no luck.
pub const SIGNIFICANT: f64 = 0.05;
const SOURCE: &str = "[ALM] fig. 2";
/// What is compared.
pub const RULES: [&str; 3] = ["bp", "pc", "pc-alm"];

fn draw(lab: &Lab) -> Result<Product, LabError> {
    let scale = lab.scale();
    let activations = scale.pick(&["relu"][..], &["identity", "tanh", "relu"], &["identity", "tanh", "relu"]);
    let runs = grid(lab, activations, "2L")?;
    let mut product = Product { runs: runs.keys(), claims: claims(&runs), ..Product::default() };
    let behind = behind(&runs);
    let tracked = tracked(lab, &behind, &runs)?;
    product.claims.extend(tracked_claim(&behind, &runs, &tracked));
    product.runs.extend(tracked.keys());
    finish(lab, &runs, "accuracy", &mut product)?;
    Ok(product)
}

/// The shapes where PC-ALM stays behind BP, and by how much.
fn behind(runs: &Runs) -> Vec<(TrainedShape, Mean)> {
    gaps(runs).into_iter().filter(|(_, gap)| gap.value < -TOLERANCE).collect()
}

/// PC-ALM once more in the shapes where it stayed behind, with a step size that follows λ_max: at a fixed one
/// the stability bound is crossed when training makes λ_max grow.
fn tracked(lab: &Lab, behind: &[(TrainedShape, Mean)], runs: &Runs) -> Result<Runs, LabError> {
    let seeds = list(&runs.values(|d| d.experiment.seed));
    let mut all = Vec::new();
    for (TrainedShape { dataset, activation, width, depth }, _) in behind {
        let network = network(dataset, activation, *width, *depth);
        let options = format!("{network}rule = \"pc-alm\"\nbudget = \"2L\"\neta = \"auto-track\"\n");
        all.extend(lab.runs(&options, &format!("[axes]\nseed = {seeds}\n"))?.all);
    }
    Ok(Runs { all })
}

fn tracked_claim(behind: &[(TrainedShape, Mean)], runs: &Runs, tracked: &Runs) -> Option<Claim> {
    let mut after = Vec::new();
    let mut better = 0;
    for (shape, before) in behind {
        let Some(gap) = mean(&shape.of(tracked).gaps(&shape.of(runs).of_rule("bp"))) else { continue };
        better += usize::from(gap.value > before.value);
        after.push((shape, gap));
    }
    let found = worst(&after, TOLERANCE)?;
    let statement = "Where PC-ALM stays behind, its step size no longer fits: following λ_max closes the gap";
    let claim = Claim::of_mean("accuracy.tracked", statement, "beyond [ALM]", found.judged(1), found.gap);
    Some(
        claim
            .judged("points of PC-ALM with `--eta auto-track` over BP in the worst of those cells", "−2 or more")
            .remarked(format!(
                "{} of {} cells come within 2 points, {better} gain; the worst is {}",
                found.within,
                found.all,
                found.at.name()
            ))
            .from_runs(tracked.keys()),
    )
}

/// Mean points of PC-ALM over BP, shape by shape.
fn gaps(runs: &Runs) -> Vec<(TrainedShape, Mean)> {
    let gap = |shape: &TrainedShape| {
        let here = shape.of(runs);
        mean(&here.of_rule("pc-alm").gaps(&here.of_rule("bp")))
    };
    shapes(runs).into_iter().filter_map(|s| gap(&s).map(|g| (s, g))).collect()
}

/// The grid at a budget of PC and PC-ALM; BP, which has none, is run once for all budgets.
pub fn grid(lab: &Lab, activations: &[&str], budget: &str) -> Result<Runs, LabError> {
    let scale = lab.scale();
    let sizes = scale.pick(vec![8, 32], vec![8, 16, 32, 64, 128], vec![8, 16, 32, 64, 128]);
    // What does not fit into an hour: wide and deep at once.
    let skip = scale.pick(
        "",
        "[[skip]]\nwidth = 128\ndepth = { above = 16 }\n[[skip]]\nwidth = 64\ndepth = { above = 32 }\n",
        "",
    );
    let variant =
        |rule: &str, budget: &str| format!("[[variants]]\nname = {rule:?}\nrule = {rule:?}\nbudget = {budget:?}\n");
    let variants = [variant("bp", "2L"), variant("pc", budget), variant("pc-alm", budget)].concat();
    let activations: Vec<String> = activations.iter().map(|a| format!("{a:?}")).collect();
    let axes = format!(
        "[axes]\n{}activation = {}\ndepth = {sizes}\nwidth = {sizes}\nseed = {}\n",
        lab.dataset_axis(),
        list(&activations),
        seeds(scale.pick(2, 3, 3)),
        sizes = list(&sizes),
    );
    lab.runs("", &[&axes, &variants[..], skip].concat())
}

#[derive(Serialize)]
struct AccuracyRow<'a> {
    dataset: &'a str,
    activation: &'a str,
    width: usize,
    depth: usize,
    rule: &'a str,
    budget: &'a str,
    seeds: usize,
    accuracy: f64,
    deviation: f64,
    alignment: Option<f64>,
}

/// One shape of network on one data set: its runs by all rules and seeds.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainedShape {
    pub dataset: String,
    pub activation: String,
    pub width: usize,
    pub depth: usize,
}

pub fn shapes(runs: &Runs) -> Vec<TrainedShape> {
    runs.values(|d| TrainedShape {
        dataset: d.experiment.dataset.clone(),
        activation: d.experiment.activation.clone(),
        width: d.experiment.width,
        depth: d.experiment.depth,
    })
}

impl TrainedShape {
    pub fn of(&self, runs: &Runs) -> Runs {
        runs.only(|d| {
            let e = &d.experiment;
            (&e.dataset, &e.activation, e.width, e.depth) == (&self.dataset, &self.activation, self.width, self.depth)
        })
    }

    pub fn name(&self) -> String {
        format!("{} {} × {} (N × L) on {}", self.activation, self.width, self.depth, self.dataset)
    }
}

/// The table, and a picture per data set.
pub fn finish(lab: &Lab, runs: &Runs, name: &str, product: &mut Product) -> Result<(), LabError> {
    let mut rows = Vec::new();
    let shapes = shapes(runs);
    let cells: Vec<(TrainedShape, &str, Runs)> =
        shapes.iter().flat_map(|shape| RULES.map(|rule| (shape.clone(), rule, shape.of(runs).of_rule(rule)))).collect();
    for (shape, rule, here) in &cells {
        let Some(accuracy) = here.accuracy() else { continue };
        rows.push(AccuracyRow {
            dataset: &shape.dataset,
            activation: &shape.activation,
            width: shape.width,
            depth: shape.depth,
            rule,
            budget: &here.all[0].experiment.budget,
            seeds: accuracy.count,
            accuracy: accuracy.value,
            deviation: accuracy.deviation,
            alignment: here.outcome(|s| s.alignment).map(|m| m.value),
        });
    }
    product.table(name, &rows)?;
    for dataset in lab.datasets() {
        let suffix = if lab.datasets().len() == 1 { String::new() } else { format!("-{dataset}") };
        let here = runs.only(|d| d.experiment.dataset == *dataset);
        product.picture(&format!("{name}{suffix}"), picture(&here, dataset)?);
    }
    Ok(())
}

fn picture(runs: &Runs, dataset: &str) -> Result<String, LabError> {
    let mut widths = runs.values(|d| d.experiment.width);
    let mut depths = runs.values(|d| d.experiment.depth);
    widths.sort_unstable();
    depths.sort_unstable();
    let matrix = |activation: &str, rule: &str| {
        let of = |depth: usize, width: usize| {
            let shape = TrainedShape { dataset: dataset.to_owned(), activation: activation.to_owned(), width, depth };
            Some(shape.of(runs).of_rule(rule).accuracy()?.value)
        };
        TitledMatrix {
            title: format!("{}, {activation}", title_of_rule(rule)),
            rows: depths.iter().map(|&l| widths.iter().map(|&n| of(l, n)).collect()).collect(),
        }
    };
    let activations = runs.values(|d| d.experiment.activation.clone());
    let all: Vec<TitledMatrix> = activations.iter().flat_map(|a| RULES.map(|rule| matrix(a, rule))).collect();
    let text = |values: &[usize]| values.iter().map(usize::to_string).collect();
    let sides = Sides { x: ("width N", text(&widths)), y: ("depth L", text(&depths)) };
    matrices(&all, &sides, RULES.len(), 1, (0.0, 100.0))
}

fn claims(runs: &Runs) -> Vec<Claim> {
    [gap(runs), fall(runs), advantage(runs)].into_iter().flatten().collect()
}

/// PC-ALM against BP, shape by shape.
fn gap(runs: &Runs) -> Option<Claim> {
    let all = gaps(runs);
    let found = worst(&all, TOLERANCE)?;
    let (alm, bp) = (runs.of_rule("pc-alm"), runs.of_rule("bp"));
    let pairs: (Vec<f64>, Vec<f64>) = shapes(runs)
        .iter()
        .flat_map(|s| s.of(&alm).accuracies().into_iter().zip(s.of(&bp).accuracies()).collect::<Vec<_>>())
        .unzip();
    let (judgement, statement) = (found.judged(all.len().div_ceil(2)), "PC-ALM within 2 points of BP in every cell");
    let claim = Claim::of_mean("accuracy.gap", statement, SOURCE, judgement, found.gap);
    let name = found.at.name();
    let remark = format!("{} of {} cells are within 2 points; the worst is {name}", found.within, found.all);
    Some(
        Claim { test: paired(&pairs.0, &pairs.1), seeds: runs.seeds(), ..claim }
            .judged("points of PC-ALM over BP in the worst cell (test: over all cells)", "−2 or more in every cell")
            .remarked(remark)
            .from_runs(Runs { all: [alm.all, bp.all].concat() }.keys()),
    )
}

/// What a rule loses against BP from the shallowest to the deepest networks, seed by seed.
fn losses(runs: &Runs, rule: &str) -> (Vec<f64>, Vec<f64>, usize, usize) {
    let (mut shallow, mut deep) = (Vec::new(), Vec::new());
    let depths = runs.values(|d| d.experiment.depth);
    let (low, high) = (depths.iter().copied().min().unwrap_or(0), depths.iter().copied().max().unwrap_or(0));
    for shape in shapes(runs).iter().filter(|s| s.depth == high) {
        let partner = TrainedShape { depth: low, ..shape.clone() };
        let gaps = |s: &TrainedShape| s.of(runs).of_rule(rule).gaps(&s.of(runs).of_rule("bp"));
        let (near, far) = (gaps(&partner), gaps(shape));
        if near.len() == far.len() {
            shallow.extend(near);
            deep.extend(far);
        }
    }
    (deep, shallow, high, low)
}

fn fall(runs: &Runs) -> Option<Claim> {
    let (deep, shallow, high, low) = losses(runs, "pc");
    let test = paired(&deep, &shallow)?;
    // A smaller fall counts only where it is significant.
    let judgement = Judgement::below(test, -FALL, if test.p < SIGNIFICANT { 0.0 } else { -FALL });
    let alm = losses(runs, "pc-alm");
    let alm = paired(&alm.0, &alm.1)?;
    let claim = Claim::of_mean("accuracy.fall", "PC falls along depth", SOURCE, judgement, test.difference);
    let remark = format!("PC-ALM changes by {:.1} points over the same depths", alm.difference.value);
    Some(
        Claim { test: Some(test), seeds: runs.seeds(), ..claim }
            .judged(&format!("points PC loses against BP from L = {low} to L = {high}"), "−10 or less")
            .remarked(remark)
            .from_runs(runs.keys()),
    )
}

fn advantage(runs: &Runs) -> Option<Claim> {
    let depth = runs.values(|d| d.experiment.depth).into_iter().max()?;
    let deepest = runs.only(|d| d.experiment.depth == depth);
    let (mut alm, mut pc) = (Vec::new(), Vec::new());
    for shape in shapes(&deepest) {
        alm.extend(shape.of(&deepest).of_rule("pc-alm").accuracies());
        pc.extend(shape.of(&deepest).of_rule("pc").accuracies());
    }
    let test = paired(&alm, &pc)?;
    let judgement = Judgement::above(test, FALL, if test.p < SIGNIFICANT { 0.0 } else { FALL });
    let statement = "In the deepest networks PC-ALM trains where PC fails";
    let claim = Claim::of_mean("accuracy.advantage", statement, SOURCE, judgement, test.difference);
    Some(
        Claim { test: Some(test), seeds: runs.seeds(), ..claim }
            .judged(&format!("points of PC-ALM over PC at L = {depth}"), "10 or more")
            .from_runs(deepest.keys()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claim::Verdict;
    use crate::{experiment::Experiment, figure::runs::tests::made_up};

    /// Two depths, two seeds: BP at 90 %, the others as many points below it as said for either depth.
    fn runs(pc: [f64; 2], alm: [f64; 2]) -> Runs {
        let mut all = Vec::new();
        for (i, depth) in [8, 64].into_iter().enumerate() {
            for (rule, below) in [("bp", 0.0), ("pc", pc[i]), ("pc-alm", alm[i])] {
                for seed in 0..2 {
                    // A little luck, or no test has anything to go by.
                    let luck = if rule == "bp" { 0.0 } else { 0.1 * seed as f64 };
                    let experiment = Experiment { depth, seed, rule: rule.to_owned(), ..Experiment::default() };
                    all.push(made_up(experiment, 90.0 - below + luck));
                }
            }
        }
        Runs { all }
    }

    fn verdicts(runs: &Runs) -> Vec<(String, Verdict)> {
        claims(runs).into_iter().map(|c| (c.id, c.verdict)).collect()
    }

    fn of(gap: Verdict, fall: Verdict, advantage: Verdict) -> Vec<(String, Verdict)> {
        let named = [("accuracy.gap", gap), ("accuracy.fall", fall), ("accuracy.advantage", advantage)];
        named.map(|(id, verdict)| (id.to_owned(), verdict)).to_vec()
    }

    #[test]
    fn each_claim_is_judged_by_its_own_rule() {
        use Verdict::{Confirmed, NotConfirmed, Partly};
        assert_eq!(verdicts(&runs([1.0, 40.0], [0.0, 1.0])), of(Confirmed, Confirmed, Confirmed));
        assert_eq!(verdicts(&runs([1.0, 40.0], [0.0, 5.0])), of(Partly, Confirmed, Confirmed));
        assert_eq!(verdicts(&runs([1.0, 6.0], [3.0, 4.0])), of(NotConfirmed, Partly, Partly));
        assert_eq!(verdicts(&runs([6.0, 1.0], [0.0, 2.1])), of(Partly, NotConfirmed, NotConfirmed));
    }

    #[test]
    fn a_gap_that_only_the_mean_keeps_is_in_part_and_says_so_after_the_other_remark() {
        // The luck of the two seeds is 0.1 apart: ± 12.7062 · 0.05 = 0.635 about −1.45 reaches past −2.
        let claim = gap(&runs([1.0, 40.0], [0.0, 1.5])).unwrap();
        assert_eq!(claim.verdict, Verdict::Partly);
        let (before, after) = claim.remark.rsplit_once("; ").unwrap();
        assert!(before.starts_with("2 of 2 cells") && after.starts_with("1 cell keeps"), "{}", claim.remark);
    }

    #[test]
    fn the_gap_is_that_of_the_worst_shape_with_its_sign() {
        let claim = gap(&runs([0.0, 0.0], [0.5, 7.0])).unwrap();
        assert!((claim.measured + 6.95).abs() < 1e-9, "{}", claim.measured);
        assert!(claim.remark.contains("1 of 2") && claim.remark.contains("32 × 64"), "{}", claim.remark);
        assert!(claim.test.unwrap().t < 0.0);
    }
}
