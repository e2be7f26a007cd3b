//! Fig. 6: from the standard parametrization to mean-field.

use super::{Figure, Lab, Product, runs::seeds};
use crate::error::LabError;

pub const FIGURE: Figure = Figure {
    name: "path",
    title: "Test accuracy along the path from the standard parametrization (s = 0) to mean-field (s = 1)",
    source: "[ALM] fig. 6",
    draw,
};

fn draw(lab: &Lab) -> Result<Product, LabError> {
    let scale = lab.scale();
    let places = scale.pick(
        "[0.0, 1.0]",
        "[0.0, 0.25, 0.5, 0.75, 1.0]",
        "[0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0]",
    );
    let (width, depth) = scale.pick((16, 8), (32, 32), (32, 32));
    // Away from mean-field λ_max is not 4: the step has to be measured.
    let base = format!("width = {width}\ndepth = {depth}\nparametrization = \"path\"\neta = \"auto\"\n");
    let axes = format!("path-position = {places}\n");
    super::richness::along(
        lab,
        &super::richness::Walk {
            name: "path",
            source: "[ALM] fig. 6",
            base: &base,
            axis: &axes,
            seeds: &seeds(scale.pick(2, 3, 5)),
            label: "s",
            spread: crate::plot::Spread::Linear,
            at: |e| e.path_position,
            statement: "PC-ALM matches BP from the standard parametrization to mean-field",
        },
    )
}
