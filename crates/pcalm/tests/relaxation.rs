//! The exact path of predictive coding in linear networks, against the golden records of one layer, an Euler integration
//! and the library's own steps.

#![cfg(feature = "theory")]

mod common;

use common::{Data, run};
use pcalm::{
    Activation, Architecture, EnergyShape, Loss, Network, Objective, Parametrization, Placement, Precision,
    RuleSettings,
    network::Link,
    theory::{LinearEquilibrium, Linearisation, Relaxation},
};
use serde_json::Value;

fn flat(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(flat).collect(),
        number => vec![number.as_f64().unwrap()],
    }
}

fn apart(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

struct OdeCase {
    network: Network<f64>,
    objective: Objective<f64>,
    record: Value,
}

fn records() -> Vec<OdeCase> {
    let file: Value = serde_json::from_str(include_str!("golden/frm-tr.json")).unwrap();
    let of = |record: &Value| {
        let link = |name: &str| {
            let rows = record[name].as_array().unwrap();
            Link::new(flat(&record[name]), rows.len(), rows[0].as_array().unwrap().len(), 1.0, false).unwrap()
        };
        let network = Network::chain(vec![link("W1"), link("W2")], Activation::Identity, Placement::Post).unwrap();
        let precisions = ["p1", "p2"].map(|name| Precision::Scalar(record[name].as_f64().unwrap()));
        let objective = Objective::weighted(Loss::SquaredError, &[1.0], &precisions, EnergyShape::HalfSquare).unwrap();
        OdeCase { network, objective, record: record.clone() }
    };
    file["ode"].as_array().unwrap().iter().map(of).collect()
}

#[test]
fn one_layer_between_held_neighbours_moves_as_the_golden_records_say() {
    let all = records();
    assert_eq!(all.len(), 2);
    for OdeCase { network, objective, record } in all {
        let [x, y, z0] = ["x", "y", "z0"].map(|name| flat(&record[name]));
        let (eta, steps) = (record["eta"].as_f64().unwrap(), record["T"].as_u64().unwrap());
        let (layer, rest) = Relaxation::between(&network, &objective, 0, &x, &y).unwrap();
        let linearisation = Linearisation::at_forward_pass(&network, &objective, &x, &y).unwrap();
        // One hidden layer is all there is: its block is the whole Hessian.
        let whole = Relaxation::of_energy(&linearisation).unwrap();
        assert!(apart(layer.rates(), whole.rates()) < 1e-13);
        for path in [&layer, &whole] {
            let wanted = |name: &str| flat(&record[name]);
            assert!(apart(&rest, &wanted("equilibrium")) < 1e-13);
            let time = eta * steps as f64;
            assert!(apart(&path.continuous(&rest, &z0, time), &wanted("continuous_at_eta_T")) < 1e-13);
            let steps = usize::try_from(steps).unwrap();
            assert!(apart(&path.discrete(&rest, &z0, eta, steps), &wanted("discrete_after_T")) < 1e-13);
        }
    }
}

#[test]
fn what_is_printed_solves_the_equation_with_the_other_sign() {
    let OdeCase { network, objective, record } = records().remove(0);
    let [x, y, z0] = ["x", "y", "z0"].map(|name| flat(&record[name]));
    let (layer, rest) = Relaxation::between(&network, &objective, 0, &x, &y).unwrap();
    // Steps of −10⁻⁴ down the energy are steps up: an Euler integration of ż = +A(z − z*), to first order.
    let (eta, steps) = (-1e-4, 5000);
    let up = layer.discrete(&rest, &z0, eta, steps);
    let printed = layer.as_printed(&rest, &z0, -eta * steps as f64);
    assert!(apart(&up, &printed) < 1e-3, "{up:?} {printed:?}");
    let size = |z: &[f64]| apart(z, &rest);
    assert!(size(&printed) > size(&z0) && size(&layer.continuous(&rest, &z0, 0.5)) < size(&z0));
}

#[test]
fn inference_in_a_linear_network_is_the_power_of_its_iteration() {
    let shape = Architecture::residual(vec![4, 5, 5, 5, 3], Activation::Identity);
    let network: Network<f64> = shape.draw(Parametrization::MeanField, 1.0, 7).unwrap();
    let precisions: Vec<Precision> = [2.0, 0.5, 1.0, 3.0].map(Precision::Scalar).into();
    let objective = Objective::weighted(Loss::SquaredError, &[1.0], &precisions, EnergyShape::HalfSquare).unwrap();
    let data = Data { x: vec![0.3, -0.8, 0.5, 0.1], y: vec![1.0, 0.0, -0.5], samples: 1 };
    let linearisation = Linearisation::at_forward_pass(&network, &objective, &data.x, &data.y).unwrap();
    let path = Relaxation::of_energy(&linearisation).unwrap();
    let stacked = |rule: &str, budget: usize| -> Vec<f64> {
        let settings = RuleSettings { budget, eta: 0.05, ..RuleSettings::default() };
        let done = run(rule, &network, &data, objective.clone(), &settings);
        (0..done.hidden).flat_map(|l| done.z(l)).collect()
    };
    let (start, rest) = (stacked("bp", 1), stacked("pc-equilibrium", 1));
    for steps in [1, 7, 200] {
        let difference = apart(&path.discrete(&rest, &start, 0.05, steps), &stacked("pc", steps));
        assert!(difference < 1e-12, "{steps}: {difference:e}");
    }
    // Of the last layer between the equilibrium's own neighbours the rest is the equilibrium.
    let (_, last) = Relaxation::between(&network, &objective, 2, &rest[5..10], &data.y).unwrap();
    assert!(apart(&last, &rest[10..]) < 1e-12);
    assert!(LinearEquilibrium::new(&network, &objective).is_ok());
}

#[test]
fn what_has_no_exact_path_is_refused_with_the_reason() {
    let draw = |widths: Vec<usize>, activation| -> Network<f64> {
        Architecture::residual(widths, activation).draw(Parametrization::MeanField, 1.0, 0).unwrap()
    };
    let objective = Objective::from(Loss::SquaredError);
    let tanh = draw(vec![2, 3, 1], Activation::Tanh);
    let said = Relaxation::between(&tanh, &objective, 0, &[0.0; 2], &[0.0]).unwrap_err().to_string();
    assert!(said.contains("linear"), "{said}");
    let linear = draw(vec![2, 3, 1], Activation::Identity);
    for (layer, below, words) in [(1, 2, "none numbered 2"), (0, 3, "neighbours of 3 and 1 units")] {
        let said = Relaxation::between(&linear, &objective, layer, &vec![0.0; below], &[0.0]).unwrap_err().to_string();
        assert!(said.contains(words), "{said}");
    }
    let wide = draw(vec![2, 600, 600, 1], Activation::Identity);
    let linearisation = Linearisation::at_forward_pass(&wide, &objective, &[0.1, 0.2], &[0.3]).unwrap();
    let said = Relaxation::of_energy(&linearisation).unwrap_err().to_string();
    assert!(said.contains("1200 unknowns") && said.contains("1024"), "{said}");
}
