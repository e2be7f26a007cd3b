//! A rule that is in no list: predictive coding whose activities keep heavy-ball momentum, z += −η ∂F/∂z + β (z − z
//! before the last step) \[Polyak 1964\]. `cargo run --release -p pcalm --example new_rule`
#![allow(missing_docs)]

use pcalm::*;

/// Step size, momentum and budget.
pub struct HeavyBall {
    pub eta: f64,
    pub beta: f64,
    pub budget: usize,
}

impl<B: Backend> Rule<B> for HeavyBall {
    fn name(&self) -> &str {
        "pc-heavy-ball"
    }

    /// z before the last step, and a copy of z while the step is made.
    fn memory(&self) -> usize {
        2
    }

    fn init(&self, lagrangian: &Lagrangian<B>, state: &mut State<B>) -> Result<(), Refusal> {
        lagrangian.forward(state);
        let (z, _, memory) = state.parts_mut();
        lagrangian.copy(z, &mut memory[0]);
        Ok(())
    }

    fn step(&self, lagrangian: &Lagrangian<B>, state: &mut State<B>, _: Step) {
        let (z, _, memory) = state.parts_mut();
        lagrangian.copy(z, &mut memory[1]);
        lagrangian.cycle(state, DualStep::Still, B::Real::of(self.eta));
        let (z, _, memory) = state.parts_mut();
        let (beta, one) = (B::Real::of(self.beta), B::Real::of(1.0));
        lagrangian.combine(beta, &memory[1], one, z);
        lagrangian.combine(-beta, &memory[0], one, z);
        memory.swap(0, 1);
    }

    fn terminate(&self, _: &Lagrangian<B>, _: &mut State<B>, cycles: usize) -> Option<Stop> {
        (cycles >= self.budget).then_some(Stop::Budget)
    }
}

fn main() -> Result<(), Error> {
    let widths = vec![2, 8, 8, 8, 1];
    let shape = Architecture::residual(widths, Activation::Tanh);
    let network = shape.draw(Parametrization::MeanField, 1.0, 0)?;
    let optimizer = Optimizer::new(Default::default(), &network)?;
    let minibatch = Minibatch::new(Cpu::new(), Loss::SquaredError);
    let rule = Box::new(HeavyBall { eta: 0.25, beta: 0.5, budget: 8 });
    let mut trainer = Trainer::new(network, rule, optimizer, minibatch)?;
    let xor = Batch::new(&[0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0], &[0.0, 1.0, 1.0, 0.0], 4)?;
    for _ in 0..500 {
        trainer.step(&xor, 0.01)?;
    }
    println!("loss {:.4}", trainer.evaluate(&xor)?.mean_loss());
    Ok(())
}
