//! Where strokes become pixels: squared distances to the nearest stroke, then grey levels.

use super::shapes::StrokePoint;
use crate::dataset::draw::Draw;

/// Width and height of an image.
pub(super) const SIDE: usize = 28;

/// Pixels of an image.
pub(super) const AREA: usize = SIDE * SIDE;

/// Farther than any pen reaches, squared.
const FAR: f32 = 1e3;

/// Ink of the clutter relative to the glyph's.
const CLUTTER_INK: f32 = 0.3;

/// Largest amplitude of the noise.
const GRAIN: f32 = 0.08;

/// Share of images shown as negatives. What tells linear classifiers and deep networks apart:
/// no single template fits a shape both ways round.
const NEGATIVES: f32 = 0.3;

/// How far ink can reach beyond a stroke's middle line.
const REACH: f32 = 3.5;

/// For each pixel, the squared distance to the nearest segment that reaches it.
pub(super) struct Canvas([f32; AREA]);

impl Canvas {
    pub fn new() -> Self {
        Canvas([FAR; AREA])
    }

    /// Lower the distances around the segment from `a` to `b`.
    pub fn segment(&mut self, a: StrokePoint, b: StrokePoint, pen: f32) {
        let reach = REACH.min(pen + 2.0);
        let (columns, rows) = (span(a[0], b[0], reach), span(a[1], b[1], reach));
        let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
        // The smallest positive number guards a segment without length; its t is then 0.
        let inverse = 1.0 / (dx * dx + dy * dy).max(f32::MIN_POSITIVE);
        let (ux, uy) = (dx * inverse, dy * inverse);
        for row in rows {
            let y = row as f32 + 0.5 - a[1];
            let line = &mut self.0[row * SIDE..(row + 1) * SIDE];
            for (nearest, column) in line[columns.clone()].iter_mut().zip(columns.clone()) {
                let x = column as f32 + 0.5 - a[0];
                let t = (x * ux + y * uy).clamp(0.0, 1.0);
                let (ex, ey) = (x - t * dx, y - t * dy);
                let d = ex * ex + ey * ey;
                *nearest = if d < *nearest { d } else { *nearest };
            }
        }
    }
}

/// Pixel indices within `reach` of the interval between `a` and `b`, cut to the image.
fn span(a: f32, b: f32, reach: f32) -> std::ops::Range<usize> {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    // A float that is negative or too large saturates in the cast.
    let start = ((low - reach) as usize).min(SIDE);
    let end = ((high + reach + 1.0) as usize).min(SIDE);
    start..end.max(start)
}

/// Turn distances into grey levels with ink, blur and noise, rounded to 8 bits.
pub(super) fn expose(glyph: &Canvas, clutter: &Canvas, pen: f32, draw: &mut Draw, image: &mut [f32]) {
    let ink = draw.range(0.7, 1.0);
    let faint = ink * CLUTTER_INK;
    let paper = draw.range(0.0, 0.2);
    let sharpness = 1.0 / draw.range(0.8, 2.0);
    let grain = draw.range(0.3, 1.0) * GRAIN / 127.5;
    let negative = draw.range(0.0, 1.0) < NEGATIVES;
    let mut noise = [0; AREA];
    draw.bytes(&mut noise);
    for (i, pixel) in image.iter_mut().enumerate() {
        let strong = ink * coverage(glyph.0[i], pen, sharpness);
        let weak = faint * coverage(clutter.0[i], pen, sharpness);
        let cover = if strong > weak { strong } else { weak };
        let level = paper + (1.0 - paper) * cover + (f32::from(noise[i]) - 127.5) * grain;
        let level = if negative { 1.0 - level } else { level };
        *pixel = f32::from((level * 255.0 + 0.5) as u8) / 255.0;
    }
}

/// Share of a pixel that is inked at squared distance `d2` from the middle of a stroke.
fn coverage(d2: f32, pen: f32, sharpness: f32) -> f32 {
    ((pen - d2.sqrt()) * sharpness + 0.5).clamp(0.0, 1.0)
}
