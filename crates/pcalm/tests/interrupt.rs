//! A raised flag stops what iterates at once, and leaves no trace.

mod common;

use common::{Data, iterative_rules, network, settings, without_solves};
use pcalm::{
    Error,
    activation::Activation,
    backend::{Backend, Cpu, Reference},
    error::Refusal,
    infer::{Step, Stop},
    lagrangian::Lagrangian,
    loss::Loss,
    minibatch::Minibatch,
    network::{Network, Placement},
    optimizer::{Optimizer, Settings},
    rule::{self, PrimalDual, Rule, RuleSettings},
    state::State,
    theory::{Accuracy, Operator, curvature, largest_eigenvalue},
    train::Trainer,
};
use std::{
    fmt::Debug,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const LOSS: Loss = Loss::SquaredError;

fn case() -> (Network<f64>, Data) {
    let network = network(&[10, 64, 64, 64, 5], true, Activation::Tanh, Placement::Pre, 1);
    let data = Data::new(&network, 100, LOSS, 1);
    (network, data)
}

fn trainer<B: Backend>(backend: B, rule: &str, settings: &RuleSettings, flag: &Arc<AtomicBool>) -> Trainer<B> {
    let network = case().0.cast::<B::Real>();
    let mut minibatch = Minibatch::new(backend, LOSS);
    minibatch.set_interrupt(flag.clone());
    let optimizer = Optimizer::new(Settings::default(), &network).unwrap();
    Trainer::new(network, rule::build::<B>(rule, settings).unwrap(), optimizer, minibatch).unwrap()
}

/// Runs `long`, which must end as interrupted within a second of the flag being raised, and not before.
fn interrupted<T: Debug>(flag: &AtomicBool, long: impl FnOnce() -> Result<T, Error>) {
    let (outcome, late) = thread::scope(|scope| {
        let raised = scope.spawn(|| {
            thread::sleep(Duration::from_millis(100));
            flag.store(true, Ordering::Relaxed);
            Instant::now()
        });
        let outcome = long();
        let end = Instant::now();
        (outcome, end.checked_duration_since(raised.join().unwrap()))
    });
    assert!(matches!(outcome, Err(Error::Interrupted)), "{outcome:?}");
    assert_eq!(Error::Interrupted.to_string(), "interrupted");
    assert!(late.is_none_or(|late| late < Duration::from_secs(1)), "{late:?}");
    flag.store(false, Ordering::Relaxed);
}

fn check_step<B: Backend>(backend: impl Fn() -> B, name: &str, settings: &RuleSettings) {
    let (exact, data) = case();
    let data = data.cast::<B::Real>();
    let flag = Arc::new(AtomicBool::new(false));
    let mut trainer = trainer(backend(), name, settings, &flag);
    let before = (trainer.network().clone(), trainer.optimizer().clone());
    interrupted(&flag, || trainer.step(&data.batch(), 0.1));
    assert!((trainer.network(), trainer.optimizer()) == (&before.0, &before.1), "{name}");
    interrupted(&flag, || trainer.probe(&data.batch()));
    assert!((trainer.network(), trainer.optimizer()) == (&before.0, &before.1), "{name}");

    // What comes after has the bits it would have had.
    let short = RuleSettings { budget: 4, inner_limit: 30, ..settings.clone() };
    let undisturbed = {
        let mut other = self::trainer(backend(), name, &short, &Arc::default());
        let report = other.step(&data.batch(), 0.1).unwrap();
        (report, other.network().clone(), other.optimizer().clone())
    };
    trainer.set_rule(rule::build::<B>(name, &short).unwrap());
    let report = trainer.step(&data.batch(), 0.1).unwrap();
    assert!((report, trainer.network(), trainer.optimizer()) == (undisturbed.0, &undisturbed.1, &undisturbed.2));
    assert!(*trainer.network() != exact.cast::<B::Real>(), "{name}: nothing was learnt");
}

#[test]
fn a_raised_flag_ends_inference_at_once_and_the_next_step_knows_nothing_of_it() {
    let base = settings(usize::MAX, 0.1);
    // Which is over after L − 1 steps, whatever the budget.
    let long = |name: &&str| *name != "first-step";
    for name in without_solves(iterative_rules()).into_iter().filter(long) {
        check_step(Reference::<f64>::new, name, &base);
        check_step(Cpu::new, name, &base);
    }
    // One cycle with its solve is the whole inference.
    let solve = RuleSettings { budget: 1, inner_tolerance: 1e-300, inner_limit: usize::MAX, ..base };
    check_step(Reference::<f64>::new, "mm", &solve);
}

/// Raises the flag when it is begun for the second time.
struct RaisedOnRepeat<R: Rule<Reference<f64>>> {
    rule: R,
    begun: AtomicUsize,
    flag: Arc<AtomicBool>,
}

impl<R: Rule<Reference<f64>>> Rule<Reference<f64>> for RaisedOnRepeat<R> {
    fn name(&self) -> &str {
        self.rule.name()
    }
    fn memory(&self) -> usize {
        self.rule.memory()
    }
    fn init(&self, lagrangian: &Lagrangian<Reference<f64>>, state: &mut State<Reference<f64>>) -> Result<(), Refusal> {
        self.flag.store(self.begun.fetch_add(1, Ordering::Relaxed) == 1, Ordering::Relaxed);
        self.rule.init(lagrangian, state)
    }
    fn step(&self, lagrangian: &Lagrangian<Reference<f64>>, state: &mut State<Reference<f64>>, at: Step) {
        self.rule.step(lagrangian, state, at);
    }
    fn completes(&self, lagrangian: &Lagrangian<Reference<f64>>, state: &mut State<Reference<f64>>, at: Step) -> bool {
        self.rule.completes(lagrangian, state, at)
    }
    fn terminate(
        &self,
        lagrangian: &Lagrangian<Reference<f64>>,
        state: &mut State<Reference<f64>>,
        steps: usize,
    ) -> Option<Stop> {
        self.rule.terminate(lagrangian, state, steps)
    }
    fn settle(&self, lagrangian: &Lagrangian<Reference<f64>>, state: &mut State<Reference<f64>>) {
        self.rule.settle(lagrangian, state);
    }
}

#[test]
fn the_search_for_the_first_bad_step_of_a_divergence_is_interrupted_too() {
    let (network, mut data) = case();
    // One block, or another might see the flag first.
    data.x.truncate(10);
    data.y.truncate(5);
    data.samples = 1;
    let flag = Arc::new(AtomicBool::new(false));
    let mut minibatch = common::minibatch(&network, &data, LOSS);
    minibatch.set_interrupt(flag.clone());
    let rule = PrimalDual::predictive_coding(&settings(1000, 30.0)).unwrap();
    let rule = RaisedOnRepeat { rule, begun: AtomicUsize::new(0), flag };
    let stopped = minibatch.infer(&network, &rule);
    assert!(matches!(stopped, Err(Error::Interrupted)), "{stopped:?}");
    assert_eq!(rule.begun.into_inner(), 2);
}

#[test]
fn a_raised_flag_ends_a_power_iteration_at_once() {
    let (network, data) = case();
    let flag = Arc::new(AtomicBool::new(false));
    let mut minibatch = common::minibatch(&network, &data, LOSS);
    let undisturbed = curvature(&mut minibatch, &network, 1e-3, 100).unwrap();
    minibatch.set_interrupt(flag.clone());
    // No change is at most this.
    let endless = Accuracy { tolerance: -1.0, limit: usize::MAX };
    for operator in [Operator::ENERGY, Operator::CONSTRAINT] {
        interrupted(&flag, || largest_eigenvalue(&mut minibatch, &network, operator, endless));
    }
    interrupted(&flag, || curvature(&mut minibatch, &network, endless.tolerance, endless.limit));
    assert_eq!(curvature(&mut minibatch, &network, 1e-3, 100).unwrap(), undisturbed);
}

#[test]
fn evaluation_takes_no_notice() {
    let (_, data) = case();
    let flag = Arc::new(AtomicBool::new(true));
    let mut trainer = trainer(Reference::<f64>::new(), "bp", &settings(1, 0.1), &flag);
    trainer.evaluate(&data.batch()).unwrap();
}
