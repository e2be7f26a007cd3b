//! Axes with round ticks, linear or logarithmic.

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use std::ops::Range;

/// How values are spread along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// Evenly.
    Linear,
    /// By ratio, with ticks at powers of 2: for widths, depths and budgets.
    Log2,
    /// By ratio, with ticks at powers of 10.
    Log10,
}

/// One axis of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// Name and unit.
    pub label: String,
    /// How values are spread.
    pub spread: Spread,
    /// Smallest and largest value shown.
    pub range: (f64, f64),
}

/// About as many ticks as an axis has.
const TICKS: f64 = 5.0;
/// Room left beyond the outermost values, in shares of their distance.
const MARGIN: f64 = 0.04;

impl Axis {
    /// From one value to another.
    pub fn new(label: &str, spread: Spread, range: (f64, f64)) -> Self {
        Axis { label: label.to_owned(), spread, range }
    }

    /// Test accuracy, all of it.
    pub fn accuracy() -> Self {
        Axis::new("test accuracy, %", Spread::Linear, (0.0, 100.0))
    }

    /// Wide enough for all `values` that can be shown.
    pub fn around(label: &str, spread: Spread, values: impl IntoIterator<Item = f64>) -> Self {
        let mut axis = Axis::new(label, spread, (1.0, 1.0));
        let shown = values.into_iter().map(|v| axis.at(v)).filter(|v| v.is_finite());
        let (low, high) = shown.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        let (low, high) = if low > high { (0.0, 1.0) } else { (low, high) };
        let room = if high > low { MARGIN * (high - low) } else { 0.5 };
        axis.range = (axis.value(low - room), axis.value(high + room));
        axis
    }

    /// Where a value lies along the axis.
    pub fn at(&self, value: f64) -> f64 {
        match self.spread {
            Spread::Linear => value,
            Spread::Log2 => value.log2(),
            Spread::Log10 => value.log10(),
        }
    }

    fn value(&self, at: f64) -> f64 {
        match self.spread {
            Spread::Linear => at,
            Spread::Log2 => at.exp2(),
            Spread::Log10 => 10f64.powf(at),
        }
    }

    /// The ends, as places along the axis.
    pub fn ends(&self) -> (f64, f64) {
        (self.at(self.range.0), self.at(self.range.1))
    }

    /// Places of the ticks.
    pub fn ticks(&self) -> Vec<f64> {
        let (low, high) = self.ends();
        let step = match self.spread {
            Spread::Linear => round_step((high - low) / TICKS),
            Spread::Log2 | Spread::Log10 => ((high - low) / (TICKS + 1.0)).ceil().max(1.0),
        };
        let first = (low / step - 1e-9).ceil() as i64;
        let last = (high / step + 1e-9).floor() as i64;
        let ticks: Vec<f64> = (first..=last).map(|k| k as f64 * step).collect();
        // A range within one power: its ends must do.
        if ticks.is_empty() { vec![low, high] } else { ticks }
    }

    /// What is written at a place.
    pub fn text(&self, at: f64) -> String {
        let value = self.value(at);
        let short = |v: f64| if v >= 9.5 { format!("{v:.0}") } else { format!("{}", round_to(v, 2)) };
        match self.spread {
            Spread::Linear => format!("{}", round_to(at, 6)),
            Spread::Log2 => short(value),
            Spread::Log10 if (0.01..1e4).contains(&value) => format!("{}", round_to(value, 3)),
            Spread::Log10 => format!("1e{}", round_to(at, 2)),
        }
    }
}

/// An axis as `plotters` sees it: places from one end to the other, with our ticks.
pub struct Places {
    ends: (f64, f64),
    ticks: Vec<f64>,
}

impl From<&Axis> for Places {
    fn from(axis: &Axis) -> Self {
        Places { ends: axis.ends(), ticks: axis.ticks() }
    }
}

impl Ranged for Places {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, place: &f64, limit: (i32, i32)) -> i32 {
        let share = (place - self.ends.0) / (self.ends.1 - self.ends.0);
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.ends.0..self.ends.1
    }
}

/// The smallest of 1, 2, 5 times a power of 10 that is not below `step`.
fn round_step(step: f64) -> f64 {
    let unit = 10f64.powf(step.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|k| k * unit).find(|s| *s >= step * (1.0 - 1e-9)).unwrap_or(step)
}

fn round_to(value: f64, digits: i32) -> f64 {
    let unit = 10f64.powi(digits);
    (value * unit).round() / unit
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<String> {
        axis.ticks().into_iter().map(|t| axis.text(t)).collect()
    }

    #[test]
    fn ticks_are_round_numbers_inside_the_range() {
        assert_eq!(labels(&Axis::new("", Spread::Linear, (0.0, 1.0))), ["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        assert_eq!(labels(&Axis::new("", Spread::Linear, (-3.1, 44.0))), ["0", "10", "20", "30", "40"]);
        assert_eq!(labels(&Axis::new("", Spread::Log2, (7.5, 130.0))), ["8", "16", "32", "64", "128"]);
        assert_eq!(labels(&Axis::new("", Spread::Log10, (0.5, 2e5))), ["1", "10", "100", "1000", "1e4", "1e5"]);
    }

    #[test]
    fn an_axis_around_values_leaves_room_on_both_sides() {
        let axis = Axis::around("", Spread::Log2, [8.0, 128.0, f64::NAN, 0.0]);
        assert!(axis.range.0 < 8.0 && axis.range.0 > 6.0 && axis.range.1 > 128.0 && axis.range.1 < 160.0);
        let single = Axis::around("", Spread::Linear, [3.0]);
        assert!(single.range.0 < 3.0 && single.range.1 > 3.0);
        assert_eq!(Axis::around("", Spread::Linear, []).range, (-0.04, 1.04));
    }
}
