//! Precisions, energies and their options, from the command line to the files.

#![cfg(feature = "theory")]

mod common;

use common::{SMALL, Said, folder, path, published_case, run};
use pcalm::tensor_file::TensorFile;
use serde_json::Value;
use std::path::Path;

fn done(arguments: &[&str]) -> Said {
    let said = run(arguments);
    assert_eq!(said.code, 0, "{arguments:?}: {}", said.err);
    said
}

fn answer(arguments: &[&str]) -> Value {
    let said = done(&[arguments, &["--json"]].concat());
    serde_json::from_str(&said.out).unwrap()
}

fn refusal(arguments: &[&str]) -> String {
    let said = run(arguments);
    assert_eq!((said.code, said.err.lines().count()), (2, 1), "{arguments:?}: {}{}", said.out, said.err);
    said.err
}

fn train(out: &str, more: &[&str]) {
    done(&[&["train", "--out", out][..], SMALL, more].concat());
}

/// A precision of every kind for five hidden layers of 8 units and an output of 10.
fn precisions(file: &str, factor: f64) {
    let mut tensors = TensorFile::<f64>::default();
    for (l, n) in [8_usize, 8, 8, 8, 8, 10].into_iter().enumerate() {
        let name = format!("precision.{}", l + 1);
        match l % 3 {
            0 => tensors.insert(name, &[1], vec![0.5 * factor]),
            1 => tensors.insert(name, &[n], (0..n).map(|i| factor * (1.0 + 0.1 * i as f64)).collect::<Vec<_>>()),
            _ => {
                let entry = |k: usize| if k / n == k % n { factor } else { 0.05 * factor };
                tensors.insert(name, &[n, n], (0..n * n).map(entry).collect::<Vec<_>>());
            }
        }
    }
    tensors.save(file.as_ref()).unwrap();
}

fn bytes(run: &str, name: &str) -> Vec<u8> {
    std::fs::read(Path::new(run).join(name)).unwrap_or_else(|e| panic!("{run}/{name}: {e}"))
}

const RESULTS: [&str; 4] = ["network.safetensors", "epochs.csv", "layers.csv", "metrics.csv"];

#[test]
fn a_run_with_precisions_of_a_file_resumes_to_the_same_bits_and_only_with_the_same_file() {
    let place = folder();
    let (whole, cut, file) =
        (path(place.path(), "whole"), path(place.path(), "cut"), path(place.path(), "p.safetensors"));
    precisions(&file, 1.0);
    let with = ["--precision", &file, "--activation=tanh"];
    train(&whole, &[&with[..], &["--epochs=2"]].concat());
    train(&cut, &with);
    let on = ["train", "--resume", &cut, "--epochs=2", "--quiet"];
    precisions(&file, 2.0);
    assert!(refusal(&on).contains("another --precision file"), "{}", refusal(&on));
    std::fs::remove_file(&file).unwrap();
    assert!(refusal(&on).contains("p.safetensors"));
    precisions(&file, 1.0);
    done(&on);
    for name in RESULTS {
        assert!(bytes(&whole, name) == bytes(&cut, name), "{name}");
    }
    let network = format!("{whole}/network.safetensors");
    let found = answer(&["evaluate", "--network", &network, "--dataset=glyphs", "--test-samples=200"]);
    assert!(found["loss"].as_f64().unwrap().is_finite(), "{found}");
    let plain = path(place.path(), "plain");
    train(&plain, &["--activation=tanh", "--epochs=2"]);
    assert!(bytes(&whole, RESULTS[0]) != bytes(&plain, RESULTS[0]));
}

#[test]
fn numbers_below_an_output_of_one_are_penalties_bit_for_bit() {
    let place = folder();
    for (rule, dtype) in [("pc", "f32"), ("pc-alm", "f32"), ("pc-alm", "f64")] {
        let at = |name: &str| path(place.path(), &format!("{name}-{rule}-{dtype}"));
        let common = [format!("--rule={rule}"), format!("--dtype={dtype}")];
        let common: Vec<&str> = common.iter().map(String::as_str).collect();
        train(&at("rho"), &[&common[..], &["--rho=0.5"]].concat());
        train(&at("precision"), &[&common[..], &["--precision=0.5,0.5,0.5,0.5,0.5,1"]].concat());
        train(&at("profile"), &[&common[..], &["--precision-profile=hidden=0.5"]].concat());
        for name in RESULTS {
            assert!(bytes(&at("rho"), name) == bytes(&at("precision"), name), "{rule} {dtype} {name}");
            assert!(bytes(&at("rho"), name) == bytes(&at("profile"), name), "{rule} {dtype} {name}");
        }
    }
}

/// Tensors of an inference on the published case, and what was said of it.
fn infer(place: &Path, more: &[&str]) -> (TensorFile<'static, f64>, Value) {
    let (network, batch) = published_case(place);
    let output = path(place, "out.safetensors");
    let files = ["infer", "--network", network.to_str().unwrap(), "--batch", batch.to_str().unwrap()];
    let said = answer(&[&files[..], &["--output", &output], more].concat());
    (TensorFile::load(output.as_ref()).unwrap(), said)
}

#[test]
fn twice_the_precisions_at_half_the_step_are_the_same_activities_and_twice_the_gradients() {
    let place = folder();
    let (one, before) = infer(place.path(), &["--rule=pc", "--budget=9", "--eta=0.25"]);
    let (two, after) = infer(place.path(), &["--rule=pc", "--budget=9", "--eta=0.125", "--precision=2,2,2"]);
    for name in one.names() {
        let (_, _, a) = one.matrix(name).unwrap();
        let (_, _, b) = two.matrix(name).unwrap();
        let factor = if name.starts_with("grad") || name.starts_with("credit") { 2.0 } else { 1.0 };
        assert!(a.iter().zip(b).all(|(a, b)| factor * a == *b), "{name}: {a:?} {b:?}");
    }
    let number = |of: &Value, key: &str| of[key].as_f64().unwrap();
    for (key, factor) in [("energy", 2.0), ("loss", 2.0), ("plain_loss", 1.0), ("alignment", 1.0), ("norm_ratio", 1.0)]
    {
        assert_eq!(factor * number(&before, key), number(&after, key), "{key}");
    }
}

#[test]
fn the_share_of_the_loss_is_the_precision_of_the_output_over_that_of_the_layers() {
    let place = folder();
    let (share, said) = infer(place.path(), &["--rule=pc-equilibrium", "--loss-share=0.2"]);
    let (ratio, _) = infer(place.path(), &["--rule=pc-equilibrium", "--precision-profile=output=0.25"]);
    for name in ["z.1", "z.2", "grad.1", "grad.2", "grad.3"] {
        // F is 0.8 times the other.
        let factor = if name.starts_with('z') { 1.0 } else { 0.8 };
        let pairs = share.matrix(name).unwrap().2.iter().zip(ratio.matrix(name).unwrap().2);
        let worst = pairs.map(|(a, b)| (a - factor * b).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-12, "{name}: {worst:e}");
    }
    assert_eq!((said["loss_share"].as_f64(), said["stop"].as_str()), (Some(0.2), Some("converged")));
    assert!((said["loss"].as_f64().unwrap() / said["plain_loss"].as_f64().unwrap() - 0.2).abs() < 1e-12);
}

#[test]
fn an_equilibrium_of_a_relu_network_says_how_many_units_rest_on_kinks() {
    let place = folder();
    let out = path(place.path(), "run");
    train(&out, &["--rule=bp", "--width=12", "--depth=4", "--learning-rate=1e-9"]);
    let network = format!("{out}/network.safetensors");
    let data = ["infer", "--network", &network, "--dataset=glyphs", "--samples=8", "--rule=pc-equilibrium"];
    let said = answer(&data);
    assert_eq!(said["stop"], "at-kinks");
    assert!(said["units_at_kinks"].as_u64().unwrap() > 0 && said.get("loss_share").is_none(), "{said}");
    let text = done(&data).out;
    assert!(text.contains("at-kinks, ") && text.contains(" units"), "{text}");
}

#[test]
fn the_automatic_step_is_what_the_rule_needs_and_warns_of_nothing() {
    let place = folder();
    for (rule, more, eta) in [
        ("first-step", &[][..], 1.0),
        ("first-step", &["--precision-profile=output=0.5"], 1.0),
        ("fixed-prediction", &["--precision-profile=hidden=4"], 0.25),
        ("fixed-prediction", &["--precision=2,4,8,4,2,1"], 0.125),
    ] {
        let out = path(place.path(), &format!("{rule}-{}", more.concat().replace(['=', ','], "-")));
        let rule = format!("--rule={rule}");
        let said = done(&[&["train", &rule, "--json", "--epochs=2", "--out", &out][..], more, SMALL].concat());
        let summary: Value = serde_json::from_str(&said.out).unwrap();
        assert_eq!(summary["eta"].as_f64(), Some(eta), "{rule}");
        assert_eq!(said.err, "", "{rule}");
        assert_eq!(summary["unstable_epochs"], 0);
    }
    // Stable below 2/λ_max(Π) = ½.
    let out = path(place.path(), "unstable");
    let too_large = ["--rule=fixed-prediction", "--precision-profile=hidden=4", "--eta=0.6"];
    let said = run(&[&["train", "--out", &out][..], &too_large, SMALL].concat());
    assert!(said.err.contains("outside the stability bound 4") && said.err.contains("0.5000"), "{}", said.err);
    let refused =
        refusal(&[&["train", "--rule=first-step", "--eta=0.5", "--out", &path(place.path(), "x")][..], SMALL].concat());
    assert!(refused.contains("any-step"), "{refused}");
    train(&path(place.path(), "y"), &["--rule=first-step", "--eta=0.5", "--any-step"]);
}

#[test]
fn a_sweep_over_profiles_tells_its_cells_apart() {
    let place = folder();
    let (grid, out) = (path(place.path(), "grid.toml"), path(place.path(), "runs"));
    let text = r#"
        [base]
        width = 8
        depth = 4
        train-samples = 320
        test-samples = 64
        probe-samples = 32
        activation = "tanh"
        [axes]
        precision-profile = ["output=0.01", "output=1", "geometric=2"]
        rule = ["pc-equilibrium", "bp"]
    "#;
    std::fs::write(&grid, text).unwrap();
    done(&["sweep", &grid, "--out", &out, "--quiet"]);
    done(&["sweep", "export", &out, "--no-timings"]);
    let table = std::fs::read_to_string(place.path().join("runs/table.csv")).unwrap();
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split(',').collect()).collect();
    let column =
        |name: &str| rows[0].iter().position(|n| *n == name).unwrap_or_else(|| panic!("{name}: {:?}", rows[0]));
    let (profile, rule, state) = (column("precision_profile"), column("rule"), column("state"));
    let alignment = column("alignment");
    assert_eq!(rows.len(), 1 + 6);
    assert!(rows[1..].iter().all(|row| row[state] == "done"), "{table}");
    let of = |wanted: &str| {
        let row = rows.iter().find(|row| row[profile] == wanted && row[rule] == "pc-equilibrium").unwrap();
        row[alignment].parse::<f64>().unwrap()
    };
    // The less the output weighs the closer the equilibrium is to backpropagation.
    assert!(of("output=0.01") > of("output=1") && of("output=0.01") > 0.99, "{table}");
}

#[test]
fn what_a_precision_does_not_fit_is_named() {
    let place = folder();
    let (network, batch) = published_case(place.path());
    let classes = path(place.path(), "classes.safetensors");
    let mut file = TensorFile::<f64>::load(&network).unwrap();
    file.metadata.insert("loss".into(), "cross-entropy".into());
    file.save(classes.as_ref()).unwrap();
    let of_output = path(place.path(), "output.safetensors");
    let full = path(place.path(), "full.safetensors");
    for (path, output) in [(&of_output, [2, 1].as_slice()), (&full, &[2, 2])] {
        let mut precision = TensorFile::<f64>::default();
        let square = vec![1.0, 0.0, 0.0, 1.0];
        precision.insert("precision.1", &[2, 2], square.clone());
        precision.insert("precision.2", &[1], vec![1.0]);
        let shape = if output[1] == 1 { &output[..1] } else { output };
        precision.insert(
            "precision.3",
            shape,
            square[..shape.iter().product()].iter().map(|_| 1.0).collect::<Vec<_>>(),
        );
        precision.save(path.as_ref()).unwrap();
    }
    let ask = |network: &str, more: &[&str]| {
        refusal(&[&["infer", "--network", network, "--batch", batch.to_str().unwrap()], more].concat())
    };
    let said = ask(&classes, &["--precision", &of_output]);
    assert!(said.contains("output.safetensors") && said.contains("the loss is cross-entropy"), "{said}");
    let said = ask(network.to_str().unwrap(), &["--precision", &of_output, "--energy=log"]);
    assert!(said.contains("layer 1 is a full matrix") && said.contains("half-square"), "{said}");
    let said = ask(network.to_str().unwrap(), &["--precision=1,2"]);
    assert!(said.contains("2 numbers for 3 edges"), "{said}");
    let said = ask(network.to_str().unwrap(), &["--precision=1e-60", "--dtype=f32"]);
    assert!(said.contains("not a positive number"), "{said}");
    // An output that would be written over the precisions.
    let said = ask(network.to_str().unwrap(), &["--precision", &of_output, "--output", &of_output]);
    assert!(said.contains("reads from"), "{said}");
}

#[test]
fn energies_are_listed_and_every_one_of_them_is_inferred_with() {
    let place = folder();
    let list = answer(&["list", "energies"]);
    let names: Vec<&str> = list.as_array().unwrap().iter().map(|e| e["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["half-square", "square", "log", "half-log", "huber", "pseudo-huber", "log-cosh"]);
    let (network, batch) = published_case(place.path());
    let mut found = Vec::new();
    for name in names {
        let energy = format!("--energy={name}");
        let files = ["infer", "--network", network.to_str().unwrap(), "--batch", batch.to_str().unwrap()];
        let said = answer(&[&files[..], &["--rule=pc", "--budget=50", &energy]].concat());
        found.push(said["energy"].as_f64().unwrap());
    }
    // No residual of this case is as large as 1: huber is the half square.
    assert_eq!(found[0], found[4]);
    assert!(found.windows(2).all(|pair| pair[0].is_finite()) && found[0] != found[1] && found[1] != found[2]);
}

#[test]
fn preconditioned_steps_have_an_automatic_rate_of_their_own() {
    let place = folder();
    // Residuals that weigh little: the Hessian's own rate would be a hundred times too large for steps divided by Π.
    let hidden = ["--precision-profile=hidden=0.01", "--rule=pc", "--precondition"];
    train(&path(place.path(), "run"), &hidden);
    let out = path(place.path(), "tracked");
    let tracked = [&["train", "--out", &out, "--eta=auto-track"][..], &hidden].concat();
    assert!(refusal(&tracked).contains("auto-track"));
}
