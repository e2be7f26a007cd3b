//! Predictive coding at its equilibrium \[FRM thm 3.4\]: the minimum of F in the activities, solved for.
//!
//! In a linear network with quadratic energies one solve of the block-tridiagonal system, factored once for all samples;
//! else damped Newton steps for each sample from its forward pass, pinned to the kinks of piecewise-linear φ where the
//! minimum lies on them. Solved in `f64`, whatever the number type.

use super::{Rule, RuleSettings};
use crate::{
    backend::Backend,
    error::{Error, Refusal},
    infer::{Step, Stop},
    lagrangian::Lagrangian,
    network::{Network, Placement},
    objective::Objective,
    real::Real,
    solve::{
        hessian::Hessian,
        kinks::{self, Kink},
        newton::{Search, factor},
        wide::{Wide, WideProblem},
    },
    stack::{Matrix, Stack},
    state::State,
};
use faer::Mat;

/// ‖∂F/∂z‖_∞ at which a sample is done, per unit of the largest precision.
const TOLERANCE: f64 = 1e-13;
/// Newton steps at most; smooth networks take 4 to 10, kinks one or two each.
const LIMIT: usize = 500;
/// Units of a layer, or of a network that is no chain, at most: their curvatures are dense matrices.
const LARGEST: usize = 8192;

/// The minimum of F from the forward pass, and no duals.
#[derive(Clone, Debug)]
pub struct Equilibrium {
    tolerance: Option<f64>,
}

impl Equilibrium {
    /// With the tolerance of `settings`, or 10⁻¹³ of the largest precision.
    ///
    /// # Errors
    /// If the tolerance is not a positive number.
    pub fn new(settings: &RuleSettings) -> Result<Self, Error> {
        Ok(Equilibrium { tolerance: settings.positive_tolerance()? })
    }

    fn tolerance<R: Real>(&self, objective: &Objective<R>) -> f64 {
        let largest = objective.largest_penalty().max(objective.readout().bounds()[1]).max(1.0);
        self.tolerance.unwrap_or(TOLERANCE * largest)
    }
}

/// What is left of ∂F/∂z at each sample, among what the rule keeps.
const RESIDUAL: usize = 0;
/// The kinks that hold activities: 1 + their place among all, at the unit they are of.
const PINNED: usize = 1;

impl<B: Backend> Rule<B> for Equilibrium {
    fn name(&self) -> &str {
        "pc-equilibrium"
    }

    fn memory(&self) -> usize {
        2
    }

    fn fits(&self, network: &Network<B::Real>, _objective: &Objective<B::Real>) -> Result<(), Error> {
        let hidden = &network.widths()[..network.hidden()];
        let (size, what) = match network.as_chain() {
            Some(_) => (hidden.iter().copied().max().unwrap_or(0), "a layer"),
            None => (hidden.iter().sum(), "the hidden nodes together"),
        };
        if size > LARGEST {
            let problem = format!("{what} of {size} units; pc-equilibrium solves for at most {LARGEST}; `pc` iterates");
            return Err(Error::Network(problem));
        }
        Ok(())
    }

    fn init(&self, lagrangian: &Lagrangian<B>, state: &mut State<B>) -> Result<(), Refusal> {
        lagrangian.forward(state);
        let refusal = |e: Error| Refusal { rule: "pc-equilibrium".into(), layer: None, problem: e.to_string() };
        WideProblem::of(lagrangian).map_err(refusal)?;
        Ok(())
    }

    fn step(&self, lagrangian: &Lagrangian<B>, state: &mut State<B>, at: Step) {
        // Refused at the start, or of samples whose numbers have left the finite ones since.
        let Ok(problem) = WideProblem::of(lagrangian) else { return };
        let tolerance = self.tolerance(lagrangian.problem().objective);
        let mut numbers = Numbers::of(lagrangian, state);
        if problem.network.is_linear() && problem.objective.is_quadratic() {
            let _ = numbers.solve_linear(&problem);
        } else {
            for sample in 0..problem.samples() {
                if lagrangian.interrupted() {
                    return;
                }
                if at.cycle == 0 || numbers.left(sample) > tolerance {
                    let _ = numbers.step(&problem, sample, tolerance);
                }
            }
        }
        numbers.put(lagrangian, state);
    }

    fn terminate(&self, lagrangian: &Lagrangian<B>, state: &mut State<B>, cycles: usize) -> Option<Stop> {
        let left = lagrangian.largest(&state.memory[RESIDUAL]).wide();
        if cycles > 0 && left <= self.tolerance(lagrangian.problem().objective) {
            let pinned = lagrangian.read(&state.memory[PINNED]);
            let units = pinned.layers.iter().flat_map(Matrix::data).filter(|p| **p != B::Real::of(0.0)).count();
            return Some(if units == 0 { Stop::Converged } else { Stop::AtKinks { units } });
        }
        (cycles >= LIMIT).then_some(Stop::Budget)
    }
}

/// The numbers of a state, in `f64`.
struct Numbers {
    activities: Stack<f64>,
    residual: Stack<f64>,
    pinned: Stack<f64>,
}

impl Numbers {
    fn of<B: Backend>(lagrangian: &Lagrangian<B>, state: &State<B>) -> Self {
        let wide = |stack: &B::Stack| lagrangian.read(stack).cast::<f64>();
        Numbers {
            activities: wide(&state.activities),
            residual: wide(&state.memory[RESIDUAL]),
            pinned: wide(&state.memory[PINNED]),
        }
    }

    fn put<B: Backend>(&self, lagrangian: &Lagrangian<B>, state: &mut State<B>) {
        let backend = lagrangian.backend();
        backend.write(&self.activities.cast(), &mut state.activities);
        backend.write(&self.residual.cast(), &mut state.memory[RESIDUAL]);
        backend.write(&self.pinned.cast(), &mut state.memory[PINNED]);
        state.touch();
    }

    /// What is left of one sample's gradient.
    fn left(&self, sample: usize) -> f64 {
        let entries = self.residual.layers.iter().flat_map(|m| m.column(sample));
        entries.fold(0.0, |m, g| if g.is_nan() || g > m { g } else { m })
    }

    /// z ← z − H⁻¹g of all samples at once.
    fn solve_linear(&mut self, problem: &WideProblem) -> Result<(), Error> {
        let samples = problem.samples();
        let (block, mut state) = problem.block(0..samples)?;
        let lagrangian = problem.lagrangian(&block)?;
        let mut gradient = state.activities.clone();
        let mut c = gradient.clone();
        let look = |state: &mut State<Wide>, z: &Stack<f64>, [c, gradient]: [&mut Stack<f64>; 2]| {
            state.activities_mut().copy_from(z);
            lagrangian.credit_and_residuals(state, c);
            lagrangian.activity_gradient(state, gradient);
        };
        look(&mut state, &self.activities, [&mut c, &mut gradient]);
        let layers = gradient.layers.iter().enumerate();
        let places: Vec<(usize, usize)> = layers.flat_map(|(l, m)| (0..m.rows()).map(move |i| (l, i))).collect();
        let right = Mat::from_fn(places.len(), samples, |k, s| gradient.layers[places[k].0].at(places[k].1, s));
        let hessian = Hessian::at(&lagrangian, &state, &c);
        if let Some(factors) = factor(&hessian, hessian.scale()) {
            let solved = factors.solve(right);
            for (k, &(l, i)) in places.iter().enumerate() {
                let cols = self.activities.layers[l].cols();
                let row = &mut self.activities.layers[l].data_mut()[i * cols..][..samples];
                row.iter_mut().enumerate().for_each(|(s, z)| *z -= solved[(k, s)]);
            }
        }
        look(&mut state, &self.activities, [&mut c, &mut gradient]);
        self.residual.copy_from(&gradient);
        self.residual.layers.iter_mut().flat_map(Matrix::data_mut).for_each(|g| *g = g.abs());
        Ok(())
    }

    /// One Newton step of one sample.
    fn step(&mut self, problem: &WideProblem, sample: usize, tolerance: f64) -> Result<(), Error> {
        let (block, mut state) = problem.block(sample..sample + 1)?;
        let lagrangian = problem.lagrangian(&block)?;
        for (one, all) in state.activities_mut().layers.iter_mut().zip(&self.activities.layers) {
            one.load(&all.column(sample).collect::<Vec<f64>>());
        }
        let kinks = kinks::all(&lagrangian);
        let mut pinned: Vec<usize> = self.pinned_of(sample);
        let mut search = Search::new(&lagrangian, &mut state, &kinks);
        let before = search.activities().to_vec();
        let moved = search.step(&mut pinned, tolerance);
        let left = search.residual(&pinned);
        let after = search.activities();
        let size = after.iter().fold(1.0, |m, z| f64::max(m, z.abs()));
        let step = after.iter().zip(&before).fold(0.0, |m, (a, b)| f64::max(m, (a - b).abs()));
        // Where steps are lost in the rounding of z there is nothing left to solve.
        let done = !moved || step <= 4.0 * f64::EPSILON * size;
        let left = if done && left <= 1e4 * tolerance { left.min(tolerance) } else { left };
        let mut rest = after;
        for (layer, residual) in self.activities.layers.iter_mut().zip(&mut self.residual.layers) {
            let (here, above) = rest.split_at(layer.rows());
            set(layer, sample, here);
            set(residual, sample, &vec![left; residual.rows()]);
            rest = above;
        }
        self.pin(&problem.network, &kinks, sample, &pinned);
        Ok(())
    }

    fn pinned_of(&self, sample: usize) -> Vec<usize> {
        let flags = self.pinned.layers.iter().flat_map(|m| m.column(sample));
        flags.filter(|p| *p > 0.0).map(|p| p as usize - 1).collect()
    }

    fn pin(&mut self, network: &Network<f64>, kinks: &[Kink], sample: usize, pinned: &[usize]) {
        for layer in &mut self.pinned.layers {
            set(layer, sample, &vec![0.0; layer.rows()]);
        }
        for &k in pinned {
            let Kink { edge, layer, unit, .. } = kinks[k];
            let placement = network.edges()[edge].dense().map(|dense| dense.placement());
            // In `post` placement the unit is one of the node that the edge enters.
            let layer = if placement == Some(Placement::Post) { network.edges()[edge].to - 1 } else { layer };
            if let Some(layer) = self.pinned.layers.get_mut(layer) {
                let cols = layer.cols();
                layer.data_mut()[unit * cols + sample] = (k + 1) as f64;
            }
        }
    }
}

fn set(matrix: &mut Matrix<f64>, sample: usize, values: &[f64]) {
    let cols = matrix.cols();
    values.iter().enumerate().for_each(|(i, v)| matrix.data_mut()[i * cols + sample] = *v);
}
