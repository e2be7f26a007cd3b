//! The random hand: an affine map with a little wobble at each point.

use super::canvas::SIDE;
use super::shapes::StrokePoint;
use crate::dataset::draw::Draw;

/// Largest rotation, in radians.
const ROTATION: f32 = 0.2;
/// Largest shear.
const SHEAR: f32 = 0.15;
/// Half the size of a shape, in pixels.
const SCALE: [f32; 2] = [7.5, 10.0];
/// Largest change of one axis against the other.
const STRETCH: f32 = 0.1;
/// Largest shift along each axis, in pixels.
const SHIFT: f32 = 1.2;
/// Largest displacement of a single point, in pixels.
const WOBBLE: f32 = 0.3;

/// An affine map from shape coordinates to pixels.
pub(super) struct Warp {
    matrix: [[f32; 2]; 2],
    offset: StrokePoint,
}

impl Warp {
    /// Random rotation, shear, scale of each axis, and shift.
    pub fn random(draw: &mut Draw) -> Self {
        let (sin, cos) = sin_cos(draw.range(-ROTATION, ROTATION));
        let shear = draw.range(-SHEAR, SHEAR);
        let scale = draw.range(SCALE[0], SCALE[1]);
        let stretch = draw.range(-STRETCH, STRETCH);
        let (wide, tall) = (scale * (1.0 + stretch), scale * (1.0 - stretch));
        let centre = SIDE as f32 / 2.0;
        Warp {
            matrix: [[cos * wide, (cos * shear - sin) * tall], [sin * wide, (sin * shear + cos) * tall]],
            offset: [centre + draw.range(-SHIFT, SHIFT), centre + draw.range(-SHIFT, SHIFT)],
        }
    }

    /// Where `point` lands, in pixels.
    pub fn apply(&self, point: StrokePoint, draw: &mut Draw) -> StrokePoint {
        let [x, y] = point;
        let [mx, my] = self.matrix;
        [
            mx[0] * x + mx[1] * y + self.offset[0] + draw.range(-WOBBLE, WOBBLE),
            my[0] * x + my[1] * y + self.offset[1] + draw.range(-WOBBLE, WOBBLE),
        ]
    }
}

/// Sine and cosine for angles within ±1, from their series: the platform's own differ in last bits.
fn sin_cos(angle: f32) -> (f32, f32) {
    let q = angle * angle;
    let sin = angle * (1.0 - q / 6.0 * (1.0 - q / 20.0 * (1.0 - q / 42.0)));
    let cos = 1.0 - q / 2.0 * (1.0 - q / 12.0 * (1.0 - q / 30.0 * (1.0 - q / 56.0)));
    (sin, cos)
}
