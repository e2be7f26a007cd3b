//! One node: sums over the edges that enter it, or that leave it.
//!
//! A chain's node has one dense edge and perhaps one skip, which the dense edge's product takes in at no cost; whatever
//! more there is, is added one after another.

use super::dense::add;
use crate::{
    network::{Dense, Edge},
    real::Real,
    stack::Matrix,
};

/// `out` ← `first` + the sum over `edges` (place, edge, what it reads): skips add what they read, and `apply` sets a
/// buffer to what a dense edge makes of it, plus a base.
pub fn sum<'m, R: Real>(
    edges: impl Iterator<Item = (usize, &'m Edge<R>, &'m Matrix<R>)> + Clone,
    first: Option<&'m Matrix<R>>,
    partial: &mut Matrix<R>,
    out: &mut Matrix<R>,
    mut apply: impl FnMut((usize, &Dense<R>), &Matrix<R>, Option<&Matrix<R>>, &mut Matrix<R>),
) {
    let skips = edges.clone().filter(|(_, edge, _)| edge.is_skip());
    let mut addends = first.into_iter().chain(skips.map(|(_, _, read)| read));
    let base = addends.next();
    let mut dense = edges.filter_map(|(place, edge, read)| Some(((place, edge.dense()?), read)));
    match (dense.next(), base) {
        (Some((edge, read)), base) => apply(edge, read, base, out),
        (None, Some(base)) => out.copy_from(base),
        (None, None) => out.clear(),
    }
    for (edge, read) in dense {
        apply(edge, read, None, partial);
        add(partial, out);
    }
    addends.for_each(|addend| add(addend, out));
}
