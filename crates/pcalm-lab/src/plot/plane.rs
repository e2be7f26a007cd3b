//! Eigenvalues in the complex plane.

use super::{
    Failed, picture,
    style::{FONT, LOOKS},
};
use crate::error::LabError;
use plotters::prelude::*;

/// Points with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Cloud {
    /// The legend's name.
    pub name: String,
    /// Real and imaginary parts.
    pub points: Vec<(f64, f64)>,
}

/// Clouds of eigenvalues with the unit circle, and dashed circles of other radii around 0.
///
/// # Errors
/// If the picture cannot be drawn.
pub fn complex_plane(clouds: &[Cloud], radii: &[f64]) -> Result<String, LabError> {
    picture(|svg| draw(clouds, radii, svg))
}

fn draw(clouds: &[Cloud], radii: &[f64], svg: &mut String) -> Result<(), Failed> {
    let area = SVGBackend::with_string(svg, (620, 620)).into_drawing_area();
    area.fill(&WHITE)?;
    let points = clouds.iter().flat_map(|c| &c.points);
    let reach = points.flat_map(|(re, im)| [re.abs(), im.abs()]).fold(1.0, f64::max) * 1.08;
    let mut chart = ChartBuilder::on(&area)
        .margin(14)
        .x_label_area_size(42)
        .y_label_area_size(56)
        .build_cartesian_2d(-reach..reach, -reach..reach)?;
    chart
        .configure_mesh()
        .max_light_lines(0)
        .x_desc("Re θ")
        .y_desc("Im θ")
        .label_style((FONT, 15))
        .axis_desc_style((FONT, 17))
        .draw()?;
    let circle =
        |r: f64| (0..=180).map(move |i| f64::from(i).to_radians() * 2.0).map(move |a| (r * a.cos(), r * a.sin()));
    chart.draw_series(LineSeries::new(circle(1.0), BLACK.mix(0.6)))?;
    for &r in radii {
        chart.draw_series(DashedLineSeries::new(circle(r), 4, 4, BLACK.mix(0.5).into()))?;
    }
    // The first ones larger, so that those drawn over them leave a rim.
    for ((cloud, look), size) in clouds.iter().zip(LOOKS[1..].iter().cycle()).zip([4, 2].into_iter().cycle()) {
        let colour = look.colour;
        let dots = cloud.points.iter().map(move |&at| Circle::new(at, size, colour.filled()));
        chart
            .draw_series(dots)?
            .label(cloud.name.clone())
            .legend(move |(x, y)| Circle::new((x + 10, y), 4, colour.filled()));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.9))
        .border_style(BLACK.mix(0.3))
        .label_font((FONT, 15))
        .draw()?;
    area.present()?;
    Ok(())
}
