//! Pictures, as SVG.

mod accuracy;
mod heat;
mod plane;

pub use accuracy::{Curve, accuracy_plot};
pub use heat::{Panel, heat_maps};
pub use plane::{Cloud, complex_plane};

use crate::error::LabError;
use plotters::prelude::RGBColor;

/// Colours that colour-blind readers tell apart (Okabe & Ito 2008), darkest first so that they
/// also differ in grey.
const COLOURS: [RGBColor; 4] = [RGBColor(0, 0, 0), RGBColor(213, 94, 0), RGBColor(0, 114, 178), RGBColor(0, 158, 115)];

fn picture(draw: impl FnOnce(&mut String) -> Result<(), Box<dyn std::error::Error>>) -> Result<String, LabError> {
    let mut svg = String::new();
    draw(&mut svg).map_err(|e| LabError::option("figure", e.to_string()))?;
    Ok(svg)
}
