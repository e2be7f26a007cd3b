//! The built-in data set: ten hand-drawn-looking shapes, made by code.
//!
//! Each image is drawn from its own random stream, keyed by (seed, split, index): images can be
//! made in any order on any number of threads. Only `+ − × ÷ √` on f32 are used, which IEEE 754
//! defines exactly, and the result is rounded to 8 bits, so one seed gives the same bits everywhere.

mod canvas;
mod shapes;
mod warp;

use rayon::prelude::*;

use super::{
    draw::Draw,
    split::{Dataset, Split},
    targets::Targets,
};
use canvas::{AREA, Canvas};
pub use shapes::CLASS_NAMES;

/// Name of the set in the registry.
pub const NAME: &str = "glyphs";

/// The seed of the set that [`load`](super::load) gives.
pub const DEFAULT_SEED: u64 = 2025;

/// Images in the training split.
pub const TRAIN: usize = 12_000;

/// Images in the test split.
pub const TEST: usize = 2_000;

/// The whole set for `seed`: balanced classes in random order.
pub fn glyphs(seed: u64) -> Dataset {
    let names = CLASS_NAMES.map(str::to_owned).to_vec();
    Dataset { class_names: Some(names), ..Dataset::new(NAME, split(seed, 0, TRAIN), split(seed, 1, TEST)) }
}

fn split(seed: u64, part: u64, count: usize) -> Split {
    let labels = shuffled_labels(seed, part, count);
    let mut pixels = vec![0.0; count * AREA];
    pixels.par_chunks_exact_mut(AREA).zip(labels.par_iter()).enumerate().with_min_len(64).for_each(
        |(index, (image, &label))| {
            paint(&mut Draw::new(seed, part, index as u64), label as usize, image);
        },
    );
    Split { inputs: pixels, dim: AREA, targets: Targets::Classes { labels, classes: CLASS_NAMES.len() } }
}

/// Every class equally often (to within one), in random order.
fn shuffled_labels(seed: u64, part: u64, count: usize) -> Vec<u32> {
    let mut labels: Vec<u32> = (0..count).map(|i| (i % CLASS_NAMES.len()) as u32).collect();
    // No image has this index, so the order has a stream of its own.
    let mut draw = Draw::new(seed, part, u64::MAX);
    for i in (1..count).rev() {
        labels.swap(i, draw.below(i as u32 + 1) as usize);
    }
    labels
}

/// Draw one image of class `label`.
fn paint(draw: &mut Draw, label: usize, image: &mut [f32]) {
    let warp = warp::Warp::random(draw);
    let mut glyph = Canvas::new();
    let mut clutter = Canvas::new();
    let pen = draw.range(0.65, 1.5);
    for stroke in shapes::strokes(label) {
        let mut from = warp.apply(stroke[0], draw);
        for &point in &stroke[1..] {
            let to = warp.apply(point, draw);
            glyph.segment(from, to, pen);
            from = to;
        }
    }
    for _ in 0..draw.below(3) {
        let from = [draw.range(1.0, 27.0), draw.range(1.0, 27.0)];
        let to = [from[0] + draw.range(-7.0, 7.0), from[1] + draw.range(-7.0, 7.0)];
        clutter.segment(from, to, pen);
    }
    canvas::expose(&glyph, &clutter, pen, draw, image);
}
