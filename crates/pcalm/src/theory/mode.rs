//! One singular value of C on its own: the 2 × 2 map of docs/maths.md §7 \[ALM app. C, D\].
//!
//! Without the loss curvature S and with one ρ and α for all layers, the pair (z, λ) along each
//! pair of singular vectors of C evolves by itself. With x = ησ², its map has
//! trace 2 − x(ρ + α) and determinant 1 − xρ.

use faer::c64;

/// The map of one singular value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mode {
    /// x = ησ².
    pub x: f64,
    /// Penalty ρ.
    pub rho: f64,
    /// Dual step α; 0 is PC, whose duals stay where they are.
    pub alpha: f64,
}

impl Mode {
    /// Trace of the map.
    pub fn trace(self) -> f64 {
        2.0 - self.x * (self.rho + self.alpha)
    }

    /// Determinant of the map.
    pub fn determinant(self) -> f64 {
        1.0 - self.x * self.rho
    }

    /// Both eigenvalues. With α = 0 they are 1, of the duals that do not move, and 1 − xρ.
    pub fn eigenvalues(self) -> [c64; 2] {
        let (half, det) = (0.5 * self.trace(), self.determinant());
        let gap = half * half - det;
        if gap < 0.0 {
            let im = (-gap).sqrt();
            return [c64::new(half, im), c64::new(half, -im)];
        }
        // The larger root first; the other from the product, which does not cancel.
        let far = if half >= 0.0 { half + gap.sqrt() } else { half - gap.sqrt() };
        let near = if far == 0.0 { 0.0 } else { det / far };
        [c64::new(far, 0.0), c64::new(near, 0.0)]
    }

    /// Whether the pair is complex: the mode oscillates on its way to the fixed point.
    pub fn oscillates(self) -> bool {
        self.trace() * self.trace() < 4.0 * self.determinant()
    }

    /// Factor by which the mode shrinks per step: the spectral radius of its map, with α = 0 of its
    /// activities alone.
    pub fn radius(self) -> f64 {
        if self.alpha == 0.0 {
            return self.determinant().abs();
        }
        self.eigenvalues().iter().map(|e| e.norm()).fold(0.0, f64::max)
    }

    /// Whether the mode shrinks: 0 < x(2ρ + α) < 4 (Jury).
    pub fn stable(self) -> bool {
        let value = self.x * (2.0 * self.rho + self.alpha);
        self.x > 0.0 && value < crate::error::StabilityBound::LIMIT
    }
}
