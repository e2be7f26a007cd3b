//! Charts of lines and marks with bands, side by side, under one legend.

use super::{
    Failed,
    axis::{Axis, Places, Spread},
    picture,
    style::{FONT, LOOKS, Look, Mark},
};
use crate::{error::LabError, stats::Mean};
use plotters::prelude::*;

/// A point with the band around it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Across.
    pub x: f64,
    /// Up.
    pub y: f64,
    /// Lower and upper end of the band.
    pub band: Option<[f64; 2]>,
}

impl Point {
    /// A mean with a band of one standard deviation.
    pub fn of_mean(x: f64, mean: Mean) -> Self {
        let band = (mean.count > 1).then_some([mean.value - mean.deviation, mean.value + mean.deviation]);
        Point { x, y: mean.value, band }
    }
}

/// What is drawn of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// A line.
    Line,
    /// Marks.
    Marks,
    /// Both.
    Both,
}

/// Points that belong together.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its name in the legend; series of one name and look are named once.
    pub name: String,
    /// Place in [`LOOKS`].
    pub look: usize,
    /// What is drawn.
    pub ink: Ink,
    /// The points, from left to right.
    pub points: Vec<Point>,
}

impl Series {
    /// Without bands.
    pub fn plain(name: &str, look: usize, ink: Ink, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let points = points.into_iter().map(|(x, y)| Point { x, y, band: None }).collect();
        Series { name: name.to_owned(), look, ink, points }
    }
}

/// One panel.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// Across.
    pub x: Axis,
    /// Up.
    pub y: Axis,
    /// What is drawn, in this order.
    pub series: Vec<Series>,
    /// Dotted lines at these x.
    pub verticals: Vec<f64>,
}

impl Chart {
    /// Of values over inference steps, as high as they need.
    pub fn over_steps(title: &str, label: &str, steps: usize, series: Vec<Series>) -> Self {
        Chart {
            title: title.to_owned(),
            x: Axis::new("inference step", Spread::Linear, (0.0, steps as f64)),
            y: Axis::around(label, Spread::Linear, series.iter().flat_map(|s| s.points.iter().map(|p| p.y))),
            series,
            verticals: Vec::new(),
        }
    }
}

/// Size of a panel among others, of one that stands alone, of a line of the legend, of its strokes and of the
/// room beside it, in pixels.
const PANEL: (u32, u32) = (340, 290);
const ALONE: (u32, u32) = (640, 400);
const LEGEND: u32 = 24;
const SAMPLE: i32 = 28;
const MARGIN: i32 = 52;

/// The charts in rows of `columns`, with one legend above all.
///
/// # Errors
/// If the picture cannot be drawn.
pub fn line_charts(charts: &[Chart], columns: usize) -> Result<String, LabError> {
    picture(|svg| draw(charts, columns.clamp(1, charts.len().max(1)), PANEL, svg))
}

/// One chart, larger than a panel.
///
/// # Errors
/// If the picture cannot be drawn.
pub fn line_chart(chart: &Chart) -> Result<String, LabError> {
    picture(|svg| draw(std::slice::from_ref(chart), 1, ALONE, svg))
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Context<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Places, Places>>;

fn draw(charts: &[Chart], columns: usize, size: (u32, u32), svg: &mut String) -> Result<(), Failed> {
    let rows = charts.len().div_ceil(columns).max(1);
    let width = size.0 * columns as u32;
    let entries = entries(charts, width as i32);
    let above = LEGEND * entries.last().map_or(1, |e| e.line + 1);
    let area = SVGBackend::with_string(svg, (width, above + size.1 * rows as u32)).into_drawing_area();
    area.fill(&WHITE)?;
    let (top, below) = area.split_vertically(above);
    for entry in &entries {
        name(entry, &top)?;
    }
    for (chart, part) in charts.iter().zip(below.split_evenly((rows, columns))) {
        panel(chart, &part)?;
    }
    area.present()?;
    Ok(())
}

/// A series in the legend.
struct LegendEntry<'a> {
    series: &'a Series,
    left: i32,
    line: u32,
}

/// Each series once, in as many lines as it takes.
fn entries(charts: &[Chart], width: i32) -> Vec<LegendEntry<'_>> {
    let mut found: Vec<LegendEntry> = Vec::new();
    let (mut left, mut line) = (MARGIN, 0);
    for series in charts.iter().flat_map(|c| &c.series).filter(|s| !s.name.is_empty()) {
        if found.iter().any(|e| (&e.series.name, e.series.look) == (&series.name, series.look)) {
            continue;
        }
        // A letter is about half as wide as it is high.
        let room = SAMPLE + 7 + 8 * series.name.chars().count() as i32;
        if left > MARGIN && left + room > width {
            (left, line) = (MARGIN, line + 1);
        }
        found.push(LegendEntry { series, left, line });
        left += room + 16;
    }
    found
}

fn name(entry: &LegendEntry, area: &Area) -> Result<(), Failed> {
    let look = LOOKS[entry.series.look % LOOKS.len()];
    let (left, middle) = (entry.left, (LEGEND * entry.line + LEGEND / 2) as i32);
    if entry.series.ink != Ink::Marks {
        for (from, to) in dashes(SAMPLE, look.dash) {
            let stroke = [(left + from, middle), (left + to, middle)];
            area.draw(&PathElement::new(stroke, look.colour.stroke_width(2)))?;
        }
    }
    if entry.series.ink != Ink::Line {
        area.draw(&(EmptyElement::at((left + SAMPLE / 2, middle)) + shape(look)))?;
    }
    area.draw(&Text::new(entry.series.name.clone(), (left + SAMPLE + 7, middle - 7), (FONT, 14)))?;
    Ok(())
}

/// The strokes of a line of this length.
fn dashes(length: i32, dash: Option<(u32, u32)>) -> Vec<(i32, i32)> {
    let Some((on, off)) = dash else { return vec![(0, length)] };
    (0..length).step_by((on + off) as usize).map(|from| (from, (from + on as i32).min(length))).collect()
}

fn panel(chart: &Chart, area: &Area) -> Result<(), Failed> {
    let mut context = ChartBuilder::on(area)
        .caption(&chart.title, (FONT, 15))
        .margin(6)
        .margin_right(14)
        .x_label_area_size(40)
        .y_label_area_size(54)
        .build_cartesian_2d(Places::from(&chart.x), Places::from(&chart.y))?;
    context
        .configure_mesh()
        .disable_x_mesh()
        .max_light_lines(0)
        .x_labels(16)
        .y_labels(16)
        .x_desc(&chart.x.label)
        .y_desc(&chart.y.label)
        .x_label_formatter(&|at| chart.x.text(*at))
        .y_label_formatter(&|at| chart.y.text(*at))
        .label_style((FONT, 13))
        .axis_desc_style((FONT, 14))
        .draw()?;
    let (low, high) = chart.y.ends();
    for x in &chart.verticals {
        let at = chart.x.at(*x);
        context.draw_series(DashedLineSeries::new([(at, low), (at, high)], 2, 4, BLACK.mix(0.6).into()))?;
    }
    for series in &chart.series {
        trace(chart, series, &mut context)?;
    }
    Ok(())
}

fn trace(chart: &Chart, series: &Series, context: &mut Context) -> Result<(), Failed> {
    let look = LOOKS[series.look % LOOKS.len()];
    let place = |x: f64, y: f64| (chart.x.at(x), chart.y.at(y));
    let shown = |p: &&Point| place(p.x, p.y).0.is_finite() && place(p.x, p.y).1.is_finite();
    let points: Vec<&Point> = series.points.iter().filter(shown).collect();
    let (low, high) = chart.y.ends();
    let edge = |p: &&Point, end: usize| {
        let (x, y) = place(p.x, p.band.map_or(p.y, |band| band[end]));
        (x, if y.is_nan() { low } else { y.clamp(low, high) })
    };
    if points.iter().any(|p| p.band.is_some()) {
        let band = points.iter().map(|p| edge(p, 1)).chain(points.iter().rev().map(|p| edge(p, 0)));
        context.draw_series([Polygon::new(band.collect::<Vec<_>>(), look.colour.mix(0.16))])?;
    }
    let line = points.iter().map(|p| place(p.x, p.y)).collect::<Vec<_>>();
    if series.ink != Ink::Marks {
        let style = look.colour.stroke_width(2);
        match look.dash {
            None => context.draw_series(LineSeries::new(line.clone(), style))?,
            Some((on, off)) => context.draw_series(DashedLineSeries::new(line.clone(), on, off, style))?,
        };
    }
    if series.ink != Ink::Line {
        context.draw_series(line.into_iter().map(|at| EmptyElement::at(at) + shape(look)))?;
    }
    Ok(())
}

/// The mark around the point (0, 0), as one path.
fn shape(look: Look) -> Polygon<(i32, i32)> {
    let corners: &[(i32, i32)] = match look.mark {
        Mark::Circle => &[(4, 0), (3, 3), (0, 4), (-3, 3), (-4, 0), (-3, -3), (0, -4), (3, -3)],
        Mark::Square => &[(-3, -3), (3, -3), (3, 3), (-3, 3)],
        Mark::Triangle => &[(0, -4), (4, 3), (-4, 3)],
        Mark::Falling => &[(0, 4), (4, -3), (-4, -3)],
        Mark::Diamond => &[(0, -5), (4, 0), (0, 5), (-4, 0)],
        Mark::Cross => {
            &[(0, -2), (3, -5), (5, -3), (2, 0), (5, 3), (3, 5), (0, 2), (-3, 5), (-5, 3), (-2, 0), (-5, -3), (-3, -5)]
        }
    };
    Polygon::new(corners.to_vec(), look.colour.filled())
}
