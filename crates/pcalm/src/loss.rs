//! Supervised losses at the output (docs/maths.md §1).

use crate::{real::Real, stack::Matrix};

/// The loss ℓ between the network's output and the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Loss {
    /// ℓ = ½‖f − y‖², e = f − y.
    #[default]
    SquaredError,
    /// ℓ = −Σ y log softmax(f), e = (Σy) softmax(f) − y; the targets may sum to anything.
    CrossEntropy,
    /// One that is in no list.
    Own(OwnLoss),
}

/// A loss of a program's own, by value: functions of one sample's output and target. Known by its name, which files
/// and reports have; a [`Catalogue`](crate::catalogue::Catalogue) finds it again.
#[derive(Clone, Copy, Debug)]
pub struct OwnLoss {
    /// Its name, in lower case and with hyphens.
    pub name: &'static str,
    /// ℓ of an output and a target.
    pub value: fn(&[f64], &[f64]) -> f64,
    /// Writes e = ∂ℓ/∂f.
    pub error: fn(&[f64], &[f64], &mut [f64]),
    /// `v` ← (∂²ℓ/∂f²) v.
    pub curvature: fn(&[f64], &[f64], &mut [f64]),
}

impl PartialEq for OwnLoss {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for OwnLoss {}

impl Loss {
    /// The losses of the crate, for lists and tests.
    pub const ALL: &'static [Loss] = &[Loss::SquaredError, Loss::CrossEntropy];

    /// The name used in files and flags.
    pub fn name(self) -> &'static str {
        match self {
            Loss::SquaredError => "squared-error",
            Loss::CrossEntropy => "cross-entropy",
            Loss::Own(own) => own.name,
        }
    }

    /// The loss of that [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|l| l.name() == name)
    }

    /// The credit of the output edge, q_L = −e, for the first `samples` columns of `output`;
    /// padding columns get 0.
    pub fn output_credit<R: Real>(
        self,
        output: &Matrix<R>,
        target: &Matrix<R>,
        samples: usize,
        credit: &mut Matrix<R>,
    ) {
        credit.copy_from(output);
        match self {
            Loss::SquaredError => {}
            Loss::CrossEntropy => weighted_softmax(credit, target, samples),
            Loss::Own(own) => {
                credit.clear();
                return per_sample(output, target, credit, samples, |output, target, credit| {
                    (own.error)(output, target, credit);
                    credit.iter_mut().for_each(|c| *c = -*c);
                });
            }
        }
        let cols = credit.cols();
        for (row, wanted) in credit.data_mut().chunks_exact_mut(cols).zip(target.data().chunks_exact(cols)) {
            for (c, &y) in row[..samples].iter_mut().zip(wanted) {
                *c = y - *c;
            }
            row[samples..].fill(R::zero());
        }
    }

    /// Σ over samples of ℓ, in `f64`.
    pub fn total<R: Real>(self, output: &Matrix<R>, target: &Matrix<R>, samples: usize) -> f64 {
        (0..samples).map(|s| self.sample(output, target, s)).sum()
    }

    fn sample<R: Real>(self, output: &Matrix<R>, target: &Matrix<R>, s: usize) -> f64 {
        let pairs = || (0..output.rows()).map(|i| (output.at(i, s).wide(), target.at(i, s).wide()));
        match self {
            Loss::SquaredError => 0.5 * pairs().map(|(f, y)| (f - y) * (f - y)).sum::<f64>(),
            Loss::CrossEntropy => {
                let top = pairs().fold(f64::NEG_INFINITY, |m, (f, _)| m.max(f));
                let log_sum = pairs().map(|(f, _)| (f - top).exp()).sum::<f64>().ln() + top;
                pairs().map(|(f, y)| y * (log_sum - f)).sum()
            }
            Loss::Own(own) => {
                let (f, y): (Vec<f64>, Vec<f64>) = pairs().unzip();
                (own.value)(&f, &y)
            }
        }
    }

    /// The product H v of each sample's loss curvature H = ∂²ℓ/∂f² at `output`:
    /// I for the squared error, (Σy)(diag(p) − p pᵀ) for the cross-entropy.
    pub fn curvature_product<R: Real>(self, output: &Matrix<R>, target: &Matrix<R>, v: &mut Matrix<R>, samples: usize) {
        match self {
            Loss::SquaredError => return,
            Loss::CrossEntropy => {}
            Loss::Own(own) => return per_sample(output, target, v, samples, own.curvature),
        }
        let mut p = output.clone();
        softmax(&mut p, samples);
        let (rows, cols) = (v.rows(), v.cols());
        for s in 0..samples {
            let weight = sum_of(target, s);
            let mean: R = (0..rows).map(|i| p.at(i, s) * v.at(i, s)).sum();
            for i in 0..rows {
                v.data_mut()[i * cols + s] = weight * (p.at(i, s) * (v.at(i, s) - mean));
            }
        }
    }
}

/// Applies `change` to each sample's column of `m`, beside its output and target.
fn per_sample<R: Real>(
    output: &Matrix<R>,
    target: &Matrix<R>,
    m: &mut Matrix<R>,
    samples: usize,
    change: impl Fn(&[f64], &[f64], &mut [f64]),
) {
    let column = |m: &Matrix<R>, s: usize, into: &mut Vec<f64>| {
        into.clear();
        into.extend(m.column(s).map(Real::wide));
    };
    let (mut f, mut y, mut values) = (Vec::new(), Vec::new(), Vec::new());
    let cols = m.cols();
    for s in 0..samples {
        column(output, s, &mut f);
        column(target, s, &mut y);
        column(m, s, &mut values);
        change(&f, &y, &mut values);
        for (i, &value) in values.iter().enumerate() {
            m.data_mut()[i * cols + s] = R::of(value);
        }
    }
}

/// Σy of sample `s`.
fn sum_of<R: Real>(target: &Matrix<R>, s: usize) -> R {
    target.column(s).sum()
}

/// (Σy) softmax down each of the first `samples` columns.
fn weighted_softmax<R: Real>(m: &mut Matrix<R>, target: &Matrix<R>, samples: usize) {
    softmax(m, samples);
    let (rows, cols) = (m.rows(), m.cols());
    for s in 0..samples {
        let sum = sum_of(target, s);
        for i in 0..rows {
            m.data_mut()[i * cols + s] *= sum;
        }
    }
}

/// Softmax down each of the first `samples` columns, shifted by the column's maximum.
fn softmax<R: Real>(m: &mut Matrix<R>, samples: usize) {
    let (rows, cols) = (m.rows(), m.cols());
    let data = m.data_mut();
    for s in 0..samples {
        let top = (0..rows).fold(R::neg_infinity(), |t, i| t.max(data[i * cols + s]));
        let mut sum = R::zero();
        for i in 0..rows {
            let e = (data[i * cols + s] - top).exp();
            data[i * cols + s] = e;
            sum += e;
        }
        for i in 0..rows {
            data[i * cols + s] = data[i * cols + s] / sum;
        }
    }
}
