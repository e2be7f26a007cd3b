//! One look for all pictures: colours that colour-blind readers tell apart (Okabe & Ito 2008), and for those
//! who print in grey a mark and a dash of its own for each.

use plotters::prelude::*;

/// The shape drawn at each point of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// ●
    Circle,
    /// ■
    Square,
    /// ▲
    Triangle,
    /// ×
    Cross,
    /// ◆
    Diamond,
    /// ▼
    Falling,
}

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// Its colour.
    pub colour: RGBColor,
    /// Pixels drawn and left out; none for a solid line.
    pub dash: Option<(u32, u32)>,
    /// Its mark.
    pub mark: Mark,
}

const fn look(colour: RGBColor, dash: Option<(u32, u32)>, mark: Mark) -> Look {
    Look { colour, dash, mark }
}

/// The looks, the darkest first; series without a rule take them in turn.
pub const LOOKS: [Look; 6] = [
    look(RGBColor(0, 0, 0), None, Mark::Circle),
    look(RGBColor(213, 94, 0), Some((7, 3)), Mark::Square),
    look(RGBColor(0, 114, 178), None, Mark::Triangle),
    look(RGBColor(0, 158, 115), Some((2, 3)), Mark::Cross),
    look(RGBColor(204, 121, 167), Some((10, 3)), Mark::Diamond),
    look(RGBColor(230, 159, 0), Some((4, 4)), Mark::Falling),
];

/// Where a rule's look is, the same in every picture.
pub fn of_rule(rule: &str) -> usize {
    match rule {
        "bp" => 0,
        "pc" => 1,
        "pc-alm" => 2,
        "pc-nesterov" => 3,
        _ => 4,
    }
}

/// A rule as papers write it.
pub fn title_of_rule(rule: &str) -> &str {
    match rule {
        "bp" => "BP",
        "pc" => "PC",
        "pc-alm" => "PC-ALM",
        "pc-nesterov" => "PC, Nesterov",
        "mm" => "MM",
        other => other,
    }
}

/// The family of all letters.
pub const FONT: &str = "sans-serif";
