//! Test accuracy over training.

use super::{legend, picture, style::LOOKS};
use crate::error::LabError;
use plotters::prelude::*;

/// A named curve with a band.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// The legend's name.
    pub name: String,
    /// x, mean and half-width of the band.
    pub points: Vec<(f64, f64, f64)>,
}

/// Test accuracy over epochs, one curve per rule with a band of one standard deviation.
///
/// # Errors
/// If the picture cannot be drawn.
pub fn accuracy_plot(curves: &[Curve]) -> Result<String, LabError> {
    picture(|svg| draw(curves, svg))
}

fn draw(curves: &[Curve], svg: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let last = curves.iter().flat_map(|c| &c.points).map(|p| p.0).fold(1.0, f64::max);
    let area = SVGBackend::with_string(svg, (640, 400)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(14)
        .x_label_area_size(42)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..last, 0.0..1.0)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .max_light_lines(0)
        .x_labels((last as usize).clamp(2, 10) + 1)
        .y_label_formatter(&|v| format!("{:.0} %", 100.0 * v))
        .x_desc("epoch")
        .y_desc("test accuracy")
        .label_style(("sans-serif", 15))
        .axis_desc_style(("sans-serif", 17))
        .draw()?;
    for (curve, look) in curves.iter().zip(LOOKS.iter().cycle()) {
        let colour = look.colour;
        let upper = curve.points.iter().map(|&(x, mean, sd)| (x, (mean + sd).min(1.0)));
        let lower = curve.points.iter().rev().map(|&(x, mean, sd)| (x, (mean - sd).max(0.0)));
        let band: Vec<(f64, f64)> = upper.chain(lower).collect();
        chart.draw_series([Polygon::new(band, colour.mix(0.18))])?;
        let line = curve.points.iter().map(|&(x, mean, _)| (x, mean));
        let style = colour.stroke_width(2);
        let series = chart.draw_series(LineSeries::new(line, style))?;
        series.label(curve.name.clone()).legend(move |(x, y)| PathElement::new([(x, y), (x + 22, y)], style));
    }
    legend(&mut chart, SeriesLabelPosition::LowerRight)?;
    area.present()?;
    Ok(())
}
