//! Newton's step for the minimum of F in the activities of one sample, damped where F is not convex, and pinned to
//! kinks where its minimum lies on them (docs/maths.md §5; \[FRM\] thm 3.4 beyond linear networks).
//!
//! F falls in every step, from the forward pass on: what is found is the minimum of that basin; F may have others.
//!
//! With piecewise-linear φ the minimum of F lies on kinks in most samples, and no gradient is zero there. So a line
//! search that ends at a kink pins it: later steps move along it, by Newton's method with a stiff spring, until no
//! direction within leads down. Then the gradient across each pinned kink has to point at it from both sides, or the
//! worst is let go to the side that leads down.

use super::{
    dense::{Cholesky, dot},
    hessian::{Factors, Hessian},
    kinks::{Kink, Seen},
    wide::Wide,
};
use crate::{lagrangian::Lagrangian, stack::Stack, state::State};
use faer::Mat;
use std::ops::Range;

/// A spring that holds an activity on its kink, as a multiple of the largest curvature.
const SPRING: f64 = 1e8;
/// Share of the predicted fall of F that a step must bring.
const SUFFICIENT: f64 = 1e-4;
/// Halvings of a step at most.
const HALVINGS: usize = 50;
/// How far beside a kink one looks, as a share of the step.
const BESIDE: f64 = 1e-9;
/// Where a kink that is let go is left, relative to 1.
const LET_GO: f64 = 1e-10;

/// The search for one sample's minimum: the problem, and where it stands.
pub struct Search<'s, 'a> {
    lagrangian: &'s Lagrangian<'a, Wide>,
    state: &'s mut State<Wide>,
    kinks: &'s [Kink],
    /// Where each layer is in the stacked vectors.
    ranges: Vec<Range<usize>>,
    c: Stack<f64>,
    buffer: Stack<f64>,
    z: Vec<f64>,
    gradient: Vec<f64>,
    energy: f64,
}

/// What keeps a point from being a minimum.
struct Obstacle {
    /// The largest entry of the gradient along the pinned kinks.
    along: f64,
    /// The largest gradient that leads off a pinned kink, with its place among the pinned and the side.
    off: f64,
    worst: Option<(usize, f64)>,
}

impl<'s, 'a> Search<'s, 'a> {
    /// At the activities that `state` of one sample holds.
    pub fn new(lagrangian: &'s Lagrangian<'a, Wide>, state: &'s mut State<Wide>, kinks: &'s [Kink]) -> Self {
        let (c, buffer) = (state.activities.clone(), state.activities.clone());
        let z: Vec<f64> = state.activities.layers.iter().flat_map(|m| m.column(0).collect::<Vec<f64>>()).collect();
        let ranges = c.layers.iter().scan(0, |end, m| {
            *end += m.rows();
            Some(*end - m.rows()..*end)
        });
        let (ranges, gradient) = (ranges.collect(), vec![0.0; z.len()]);
        let mut search = Search { lagrangian, state, kinks, ranges, c, buffer, gradient, z: z.clone(), energy: 0.0 };
        search.go(z);
        search
    }

    /// The activities, layer by layer.
    pub fn activities(&self) -> &[f64] {
        &self.z
    }

    /// Goes to `z`, and takes energy, credit and gradient there.
    fn go(&mut self, z: Vec<f64>) {
        self.z = z;
        let mut rest = &self.z[..];
        for layer in &mut self.state.activities.layers {
            let (here, above) = rest.split_at(layer.rows());
            layer.load(here);
            rest = above;
        }
        self.state.touch();
        self.lagrangian.credit_and_residuals(self.state, &mut self.c);
        self.energy = self.lagrangian.energies_at(self.state, &self.c).lagrangian();
        self.lagrangian.activity_gradient(self.state, &mut self.buffer);
        let columns = self.buffer.layers.iter().flat_map(|m| m.column(0));
        self.gradient.iter_mut().zip(columns).for_each(|(to, g)| *to = g);
    }

    fn range(&self, layer: usize) -> Range<usize> {
        self.ranges[layer].clone()
    }

    fn seen(&self, pinned: &[usize]) -> Vec<Seen> {
        pinned.iter().filter_map(|&k| self.kinks[k].seen(self.lagrangian, self.state)).collect()
    }

    /// The largest entry of ∂F/∂z that is in the way of a minimum: along the pinned kinks, and off each of them.
    pub fn residual(&self, pinned: &[usize]) -> f64 {
        let found = self.obstacle(pinned, &self.seen(pinned));
        found.along.max(found.off)
    }

    fn obstacle(&self, pinned: &[usize], seen: &[Seen]) -> Obstacle {
        let mut rest = self.gradient.clone();
        let mut found = Obstacle { along: 0.0, off: 0.0, worst: None };
        for layer in 0..self.state.activities.layers.len() {
            let here: Vec<usize> = (0..seen.len()).filter(|&i| self.kinks[pinned[i]].layer == layer).collect();
            if here.is_empty() {
                continue;
            }
            // The gradient across the kinks, ν of the least ‖g − Σ ν_j A_j‖.
            let range = self.range(layer);
            let normal = |i: usize| &seen[here[i]].normal[..];
            let right = Mat::from_fn(here.len(), 1, |i, _| dot(normal(i), &self.gradient[range.clone()]));
            let kinks: Vec<&Seen> = here.iter().map(|&i| &seen[i]).collect();
            let Some(factors) = Cholesky::new(&gram(&kinks)) else { continue };
            let across = factors.solve(right);
            for (i, &at) in here.iter().enumerate() {
                let (nu, length) = (across[(i, 0)], dot(normal(i), normal(i)).sqrt());
                rest[range.clone()].iter_mut().zip(normal(i)).for_each(|(g, a)| *g -= nu * a);
                let [left, right] = seen[at].sides().map(|more| (nu + more) * length);
                // Downhill to the left where the left gradient is positive, to the right where the right one is negative.
                for (off, side) in [(left, -1.0), (-right, 1.0)] {
                    if off > found.off {
                        (found.off, found.worst) = (off, Some((at, side)));
                    }
                }
            }
        }
        found.along = rest.iter().fold(0.0, |m, g| f64::max(m, g.abs()));
        if rest.iter().any(|g| g.is_nan()) {
            found.along = f64::NAN;
        }
        found
    }

    /// One step; `pinned` are the kinks that hold activities. Returns whether it could move at all.
    pub fn step(&mut self, pinned: &mut Vec<usize>, tolerance: f64) -> bool {
        let seen = self.seen(pinned);
        let found = self.obstacle(pinned, &seen);
        if let Some((at, side)) = found.worst.filter(|_| found.off > tolerance && found.off > found.along) {
            self.let_go(pinned.remove(at), &seen[at], side);
            return true;
        }
        let Some(direction) = self.direction(pinned, &seen) else { return false };
        match self.kinks.is_empty() {
            true => self.descend_smoothly(&direction),
            false => self.descend_over_kinks(&direction, pinned),
        }
    }

    /// Moves off a kink, to the side.
    fn let_go(&mut self, kink: usize, seen: &Seen, side: f64) {
        let range = self.range(self.kinks[kink].layer);
        let squared = dot(&seen.normal, &seen.normal);
        let along = (side * LET_GO - seen.distance) / squared;
        let mut z = self.z.clone();
        z[range].iter_mut().zip(&seen.normal).for_each(|(z, a)| *z += along * a);
        self.go(z);
    }

    /// −(H + μ + springs)⁻¹ g, with the least μ of a few that makes it positive definite.
    fn direction(&self, pinned: &[usize], seen: &[Seen]) -> Option<Vec<f64>> {
        let mut hessian = Hessian::at(self.lagrangian, self.state, &self.c);
        let scale = hessian.scale();
        let mut right = Mat::from_fn(self.z.len(), 1, |i, _| -self.gradient[i]);
        for (&k, seen) in pinned.iter().zip(seen) {
            let layer = self.kinks[k].layer;
            let spring = SPRING * scale / dot(&seen.normal, &seen.normal);
            hessian.add_outer(layer, spring, &seen.normal);
            for (i, a) in self.range(layer).zip(&seen.normal) {
                right[(i, 0)] -= spring * seen.distance * a;
            }
        }
        let solved = factor(&hessian, scale)?.solve(right);
        let mut direction: Vec<f64> = (0..self.z.len()).map(|i| solved[(i, 0)]).collect();
        self.onto_kinks(&mut direction, pinned, seen);
        Some(direction)
    }

    /// Takes from a direction what would leave the pinned kinks: springs give way a little, and F bends there.
    fn onto_kinks(&self, direction: &mut [f64], pinned: &[usize], seen: &[Seen]) {
        for layer in 0..self.state.activities.layers.len() {
            let here: Vec<&Seen> =
                pinned.iter().zip(seen).filter(|(k, _)| self.kinks[**k].layer == layer).map(|(_, s)| s).collect();
            let range = self.range(layer);
            let Some(factors) = (!here.is_empty()).then(|| Cholesky::new(&gram(&here))).flatten() else { continue };
            // A d is to be what leads back onto the kink.
            let off = |s: &Seen| dot(&s.normal, &direction[range.clone()]) + s.distance;
            let right = Mat::from_fn(here.len(), 1, |i, _| off(here[i]));
            let correction = factors.solve(right);
            for (i, s) in here.iter().enumerate() {
                direction[range.clone()].iter_mut().zip(&s.normal).for_each(|(d, a)| *d -= correction[(i, 0)] * a);
            }
        }
    }

    fn beyond(&self, from: &[f64], t: f64, direction: &[f64]) -> Vec<f64> {
        from.iter().zip(direction).map(|(z, d)| z + t * d).collect()
    }

    fn slope(&self, direction: &[f64]) -> f64 {
        dot(&self.gradient, direction)
    }

    /// Halves the step until F falls enough; near a minimum, where it falls by less than its own rounding, the whole
    /// step is taken.
    fn descend_smoothly(&mut self, direction: &[f64]) -> bool {
        let (from, energy, slope) = (self.z.clone(), self.energy, self.slope(direction));
        let rounding = 1e-14 * (1.0 + energy.abs());
        let mut t = 1.0;
        for _ in 0..HALVINGS {
            self.go(self.beyond(&from, t, direction));
            let wanted = energy + SUFFICIENT * t * slope;
            if self.energy <= wanted || (slope.abs() <= rounding && self.energy <= energy + rounding) {
                return true;
            }
            t *= 0.5;
        }
        self.go(from);
        false
    }

    /// To the first minimum of F along the direction, at most the whole step; pins the kink that it lies on.
    fn descend_over_kinks(&mut self, direction: &[f64], pinned: &mut Vec<usize>) -> bool {
        let (from, energy, start) = (self.z.clone(), self.energy, self.slope(direction));
        let crossings = self.crossings(&from, direction, pinned);
        let mut slope = |search: &mut Self, t: f64| {
            search.go(search.beyond(&from, t, direction));
            search.slope(direction)
        };
        // Where the segments between crossings have their middles.
        let mut ends: Vec<f64> = crossings.iter().map(|c| c.0).collect();
        ends.push(1.0);
        let middle = |i: usize| 0.5 * (ends[i] + i.checked_sub(1).map_or(0.0, |before| ends[before]));
        let last = ends.len() - 1;
        let (mut falling, mut rising) = (None, None);
        // At a minimum F falls by less than its own rounding.
        let rounding = 1e-14 * (1.0 + energy.abs());
        if slope(self, 1.0) <= 0.0 && (self.energy < energy || start.abs() <= rounding) {
            return true;
        }
        // A segment whose middle rises, after one whose middle falls.
        let (mut low, mut high) = (0, last + 1);
        while low < high {
            let at = (low + high) / 2;
            match slope(self, middle(at)) < 0.0 {
                true => (falling, low) = (Some(at), at + 1),
                false => (rising, high) = (Some(at), at),
            }
        }
        let mut bracket = (falling.map_or(0.0, middle), rising.map_or(1.0, middle));
        if let Some(&(t, kink)) = falling.and_then(|falling| crossings.get(falling)) {
            let beside = BESIDE * (bracket.1 - bracket.0).max(f64::MIN_POSITIVE);
            let (before, after) = (slope(self, t - beside), slope(self, t + beside));
            if before < 0.0 && after > 0.0 && (after - before) > 1e-6 * (before.abs() + after.abs()) {
                self.go(self.beyond(&from, t, direction));
                pinned.push(kink);
                return true;
            }
            bracket = if before >= 0.0 { (bracket.0, t - beside) } else { (t + beside, bracket.1) };
        }
        let t = self.root(bracket, &mut slope);
        let _ = slope(self, t);
        if self.energy < energy || (start.abs() <= rounding && self.energy <= energy + rounding) {
            return true;
        }
        // Not convex along the line, or at the end of what the numbers resolve.
        let mut t = bracket.0.max(BESIDE);
        for _ in 0..HALVINGS {
            let _ = slope(self, t);
            if self.energy < energy {
                return true;
            }
            t *= 0.5;
        }
        self.go(from);
        false
    }

    /// Where the slope is zero in a bracket whose ends it has other signs at, by the Illinois rule.
    fn root(&mut self, (mut a, mut b): (f64, f64), slope: &mut impl FnMut(&mut Self, f64) -> f64) -> f64 {
        let (mut fa, mut fb) = (slope(self, a), slope(self, b));
        for _ in 0..40 {
            if fa >= 0.0 || fb <= 0.0 || b - a <= 1e-15 {
                break;
            }
            let t = (a * fb - b * fa) / (fb - fa);
            let f = slope(self, t);
            if f.abs() <= 1e-14 * (fa.abs() + fb.abs()) {
                return t;
            }
            if f < 0.0 {
                (a, fa, fb) = (t, f, 0.5 * fb);
            } else {
                (b, fb, fa) = (t, f, 0.5 * fa);
            }
        }
        if fa.abs() < fb.abs() { a } else { b }
    }

    /// Where in (0, 1) the step crosses kinks that are not pinned, in order.
    fn crossings(&self, from: &[f64], direction: &[f64], pinned: &[usize]) -> Vec<(f64, usize)> {
        let mut found = Vec::new();
        for (k, kink) in self.kinks.iter().enumerate().filter(|(k, _)| !pinned.contains(k)) {
            let range = self.range(kink.layer);
            let distance = kink.distance(self.lagrangian, &from[range.clone()]);
            let normal = kink.normal(self.lagrangian, range.len());
            let speed = dot(&normal, &direction[range]);
            let t = -distance / speed;
            if t > 0.0 && t < 1.0 {
                found.push((t, k));
            }
        }
        found.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        found
    }
}

/// AAᵀ of kinks of one layer; a trace more on the diagonal, for more kinks than units.
fn gram(kinks: &[&Seen]) -> Mat<f64> {
    Mat::from_fn(kinks.len(), kinks.len(), |i, j| {
        dot(&kinks[i].normal, &kinks[j].normal) * if i == j { 1.0 + 1e-14 } else { 1.0 }
    })
}

/// The factors of H + μ, μ = 0 where that is positive definite.
pub fn factor(hessian: &Hessian, scale: f64) -> Option<Factors> {
    let damped = (0..14).map(|i| scale * 1e-8 * 10f64.powi(i));
    std::iter::once(0.0).chain(damped).find_map(|shift| hessian.factor(shift))
}
