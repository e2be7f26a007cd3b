//! How many inference steps does a network need? Ask its spectrum, then check by running them:
//! `cargo run --release -p pcalm --example choose_a_budget`.

use pcalm::{
    Error,
    activation::Activation,
    backend::Reference,
    loss::Loss,
    minibatch::Batch,
    parametrization::{Architecture, Parametrization},
    rule::{self, RuleSettings},
    theory::{Advice, Linearisation, Spectrum, Wave},
};

const SAMPLES: usize = 8;

fn main() -> Result<(), Error> {
    println!("depth   κ(H)      η       α     T  | alignment to BP after T/2, T, 2T steps");
    for depth in [16, 32, 64] {
        let mut widths = vec![32; depth + 1];
        (widths[0], widths[depth]) = (20, 10);
        let architecture = Architecture::residual(widths, Activation::Relu);
        let network = architecture.draw::<f64>(Parametrization::MeanField, 1.0, 0)?;
        // Any inputs and targets will do: here numbers that look random.
        let x: Vec<f64> = (0..SAMPLES * 20).map(|i| (i as f64 * 12.9898).sin()).collect();
        let y: Vec<f64> = (0..SAMPLES * 10).map(|i| (i as f64 * 78.233).sin()).collect();

        let linearisation = Linearisation::at_forward_pass(&network, &Loss::SquaredError.into(), &x[..20], &y[..10])?;
        let spectrum = Spectrum::new(&linearisation)?;
        let advice = Advice::new(&linearisation, &spectrum)?;

        let alignments = |alpha: f64| -> Result<Vec<f64>, Error> {
            let settings =
                RuleSettings { budget: 2 * advice.budget, eta: advice.eta, alpha, ..RuleSettings::default() };
            let rule = rule::build::<Reference<f64>>("pc-alm", &settings)?;
            let batch = Batch::new(&x, &y, SAMPLES)?;
            let wave = Wave::watch(&Reference::new(), &network, &batch, &Loss::SquaredError.into(), rule.as_ref())?;
            let at = |step: usize| wave.moments[step].agreement.cosine;
            Ok([advice.budget / 2, advice.budget, 2 * advice.budget].map(at).to_vec())
        };
        let (alm, pc) = (alignments(advice.alpha)?, alignments(0.0)?);
        println!(
            "{depth:5}  {:8.1}  {:.3}  {:.3}  {:4} | PC-ALM {:.2} {:.2} {:.2}   PC {:.2} {:.2} {:.2}",
            spectrum.condition(),
            advice.eta,
            advice.alpha,
            advice.budget,
            alm[0],
            alm[1],
            alm[2],
            pc[0],
            pc[1],
            pc[2]
        );
    }
    Ok(())
}
