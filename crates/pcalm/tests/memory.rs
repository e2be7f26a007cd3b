//! Memory that is needed, before it is taken.

mod common;

use common::{Data, network, settings};
use pcalm::{
    Error,
    activation::Activation,
    backend::{Cpu, Host, Reference},
    loss::Loss,
    memory::{parameters, state_bytes, weight_bytes},
    minibatch::Minibatch,
    network::Placement,
    optimizer::{OPTIMIZERS, Optimizer, Settings},
    parametrization::{Architecture, PARAMETRIZATIONS},
    real::Real,
    rule::{self, RuleSettings},
    train::Trainer,
};

/// What a trainer reports after a step, beside what was said before.
fn check<B: Host>(backend: impl Fn() -> B, widths: &[usize], activation: Activation, placement: Placement) {
    let exact = network(widths, true, activation, placement, 1);
    let rules = [("bp", None, 0), ("pc-alm", None, 0), ("pc-nesterov", None, 1), ("pc-nesterov", Some(1e-9), 2)];
    for (name, tolerance, extra) in rules {
        for samples in [1, 16, 17, 31, 32, 33, 48, 64, 100] {
            for info in OPTIMIZERS {
                let network = exact.cast::<B::Real>();
                let settings = RuleSettings { tolerance, ..settings(9, 0.1) };
                let optimizer = Settings { method: info.method, ..Settings::default() };
                let optimizer = Optimizer::new(optimizer, &network).unwrap();
                let minibatch = Minibatch::new(backend(), Loss::SquaredError);
                let rule = rule::build::<B>(name, &settings).unwrap();
                let mut trainer = Trainer::new(network, rule, optimizer, minibatch).unwrap();
                let data = Data::new(&exact, samples, Loss::SquaredError, 1).cast::<B::Real>();
                trainer.step(&data.batch(), 1e-3).unwrap();
                let held = trainer.memory();
                let shape = Architecture { placement, ..Architecture::residual(widths.to_vec(), activation) };
                let count = parameters(&shape).unwrap();
                assert_eq!(weight_bytes(count, B::Real::BYTES, info.moments), Some(held.weights as u64));
                let states = state_bytes(&backend(), &shape, samples, extra);
                assert_eq!(states, Some(held.states as u64), "{name} {samples} {widths:?} {}", placement.name());
            }
        }
    }
}

#[test]
fn what_is_said_from_the_widths_is_what_a_trainer_then_holds() {
    for widths in [&[3, 4, 2][..], &[20, 8, 8, 8, 3], &[2, 5, 7, 30]] {
        for &placement in Placement::ALL {
            for activation in [Activation::Tanh, Activation::Identity] {
                check(Cpu::new, widths, activation, placement);
                check(Reference::<f64>::new, widths, activation, placement);
            }
        }
    }
}

#[test]
fn what_cannot_be_counted_has_no_number_and_needs_no_memory_to_say_so() {
    let shape = |widths: &[usize]| Architecture::plain(widths.to_vec(), Activation::Tanh);
    let bytes = |widths: &[usize], samples| state_bytes(&Cpu::new(), &shape(widths), samples, 0);
    assert_eq!(parameters(&shape(&[1 << 40, 1 << 40, 10])), None);
    assert_eq!(parameters(&shape(&[1 << 32, 1 << 31, 4])), Some((1 << 63) + (1 << 33)));
    assert_eq!(weight_bytes(1 << 62, 4, 2), None);
    assert_eq!(bytes(&[1 << 60, 1 << 60, 1 << 60], 64), None);
    assert_eq!(bytes(&[2, 3, 1], usize::MAX), None);
    // 2^42 units and one sample, padded to 16: some petabytes, counted all the same.
    let many = bytes(&[1, 1 << 42, 1], 1);
    assert!(many.is_some_and(|bytes| bytes > 1 << 48), "{many:?}");
    assert_eq!(bytes(&[3], 1), None);
}

fn check_draw<R: Real>(widths: &[usize], edge: &str, gibibytes: &str) {
    let shape = Architecture {
        widths: widths.to_vec(),
        residual: true,
        activation: Activation::Relu,
        placement: Placement::Pre,
        bias: false,
    };
    for info in PARAMETRIZATIONS {
        let error = shape.draw::<R>((info.at)(0.5), 1.0, 1).unwrap_err();
        assert!(matches!(error, Error::Memory { .. }), "{error}");
        let message = error.to_string();
        assert!(message.contains(edge) && message.contains(gibibytes), "{message}");
        assert!(message.contains("smaller width or depth"), "{message}");
    }
}

#[test]
fn weights_that_do_not_fit_into_memory_are_an_error_that_names_them() {
    // 2^50 numbers: more bytes than the processors at hand can address.
    check_draw::<f32>(&[3, 1 << 25, 1 << 25, 2], "w.2", "4194304.00 GiB");
    check_draw::<f64>(&[1 << 40, 1 << 10, 2], "w.1", "8388608.00 GiB");
    // More than a `usize` counts, then more than a vector may hold.
    check_draw::<f32>(&[usize::MAX, 3, 2], "w.1", "GiB");
    check_draw::<f32>(&[3, 2, usize::MAX, 1], "w.2", "GiB");
    check_draw::<f64>(&[1 << 60, 4, 1], "w.1", "GiB");
    check_draw::<f64>(&[1 << 32, 1 << 32, 1], "w.1", "17179869184.00 GiB");
}
