//! A block's problem once more in `f64` and in this machine's memory, wherever the block itself is: what is solved is
//! solved there.

use crate::{
    backend::{Backend, Reference, host::Block},
    batch::Batch,
    error::Error,
    lagrangian::Lagrangian,
    network::Network,
    objective::Objective,
    real::Real,
    stack::Matrix,
    state::State,
};

/// The backend that solves run on.
pub type Wide = Reference<f64>;

/// Network, objective and samples of a block.
#[derive(Debug)]
pub struct WideProblem {
    pub network: Network<f64>,
    pub objective: Objective<f64>,
    backend: Wide,
    inputs: Vec<Vec<f64>>,
    targets: Vec<Vec<f64>>,
}

impl WideProblem {
    /// That of a Lagrangian.
    ///
    /// # Errors
    /// If a precision, rounded to the block's numbers, is none any more.
    pub fn of<B: Backend>(lagrangian: &Lagrangian<B>) -> Result<Self, Error> {
        let (problem, backend, samples) = (lagrangian.problem(), lagrangian.backend(), lagrangian.samples());
        let columns = |m: &Matrix<B::Real>| (0..samples).map(|s| m.column(s).map(Real::wide).collect()).collect();
        Ok(WideProblem {
            network: problem.network.cast(),
            objective: problem.objective.cast()?,
            backend: Wide::new(),
            inputs: columns(&backend.input(problem.block)),
            targets: columns(&backend.target(problem.block)),
        })
    }

    /// Samples.
    pub fn samples(&self) -> usize {
        self.inputs.len()
    }

    /// The samples of a range as a block with its state.
    ///
    /// # Errors
    /// If one holds numbers that are not finite.
    pub fn block(&self, samples: std::ops::Range<usize>) -> Result<(Block<f64>, State<Wide>), Error> {
        let (x, y) = (self.inputs[samples.clone()].concat(), self.targets[samples.clone()].concat());
        Batch::new(&x, &y, samples.len())?.block(&self.backend, &self.network)
    }

    /// The Lagrangian of such a block.
    ///
    /// # Errors
    /// If the objective does not fit the network.
    pub fn lagrangian<'a>(&'a self, block: &'a Block<f64>) -> Result<Lagrangian<'a, Wide>, Error> {
        Lagrangian::new(&self.backend, &self.network, block, &self.objective)
    }
}
