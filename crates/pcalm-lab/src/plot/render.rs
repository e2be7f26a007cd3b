//! Pictures as PNG and PDF, with letters that come with the program: they look the same everywhere.

use crate::error::LabError;
use resvg::{
    tiny_skia::{Pixmap, Transform},
    usvg::{self, fontdb},
};
use std::sync::{Arc, OnceLock};

/// Pixels of a PNG per pixel of the picture: enough for print.
const SCALE: f32 = 2.0;

/// The letters.
fn letters() -> Arc<fontdb::Database> {
    static LETTERS: OnceLock<Arc<fontdb::Database>> = OnceLock::new();
    let load = || {
        let mut letters = fontdb::Database::new();
        letters.load_font_data(dejavu::sans::regular().to_vec());
        letters.set_sans_serif_family("DejaVu Sans");
        Arc::new(letters)
    };
    LETTERS.get_or_init(load).clone()
}

fn tree(svg: &str) -> Result<usvg::Tree, LabError> {
    let options = usvg::Options { fontdb: letters(), font_family: "DejaVu Sans".into(), ..usvg::Options::default() };
    usvg::Tree::from_str(svg, &options).map_err(|e| LabError::option("figure", e.to_string()))
}

/// A picture as PNG.
///
/// # Errors
/// If it is no valid SVG.
pub fn png(svg: &str) -> Result<Vec<u8>, LabError> {
    let tree = tree(svg)?;
    let size = tree.size();
    let pixels = Pixmap::new((SCALE * size.width()) as u32, (SCALE * size.height()) as u32);
    let mut pixels = pixels.ok_or_else(|| LabError::option("figure", "the picture has no size"))?;
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    pixels.encode_png().map_err(|e| LabError::option("figure", e.to_string()))
}

/// A picture as PDF, its lines and letters kept as such.
///
/// # Errors
/// If it is no valid SVG.
pub fn pdf(svg: &str) -> Result<Vec<u8>, LabError> {
    let tree = tree(svg)?;
    svg2pdf::to_pdf(&tree, svg2pdf::ConversionOptions::default(), svg2pdf::PageOptions::default())
        .map_err(|e| LabError::option("figure", e.to_string()))
}
