//! `pcalm infer`: how other frameworks check us and exchange weights.

mod common;

use common::{folder, path, published_case, run};
use pcalm::tensor_file::TensorFile;

#[test]
fn infer_writes_the_published_duals_activities_and_gradients() {
    let folder = folder();
    let (network, batch) = published_case(folder.path());
    let output = path(folder.path(), "out.safetensors");
    let (network, batch) = (network.to_str().unwrap(), batch.to_str().unwrap());
    let said = run(&[
        "infer",
        "--network",
        network,
        "--batch",
        batch,
        "--rule",
        "pc-alm",
        "--budget",
        "3",
        "--eta",
        "0.1",
        "--alpha",
        "1",
        "--rho",
        "1",
        "--output",
        &output,
        "--json",
    ]);
    assert_eq!(said.code, 0, "{}", said.err);
    let file = TensorFile::<f64>::load(output.as_ref()).unwrap();
    let close = |name: &str, wanted: [f64; 4]| {
        let (_, _, found) = file.matrix(name).unwrap();
        // The published digits.
        assert!(found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 2e-5), "{name}: {found:?}");
    };
    close("lambda.1", [-0.00474936, 0.00843060, 0.01011738, -0.00243908]);
    close("lambda.2", [-0.05741480, 0.07686545, 0.10629874, -0.01796719]);
    close("z.2", [0.17840122, 0.12007725, 0.11716225, 0.39411852]);
    close("grad.1", [-0.01194267, -0.01157133, 0.00047837, 0.01003363]);
    close("grad.3", [-0.04150981, -0.02150429, -0.02549093, -0.08917965]);
    let names: Vec<&str> = file.tensors.keys().map(String::as_str).collect();
    let wanted = ["credit.1", "credit.2", "grad.1", "grad.2", "grad.3", "lambda.1", "lambda.2", "output", "z.1", "z.2"];
    assert_eq!(names, wanted);
    let json: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(json["steps"], 3);
    assert_eq!(json["stop"], "budget");
    assert_eq!(file.metadata["stop"], "budget");
    assert_eq!(json["layer_alignment"].as_array().unwrap().len(), 3);
}

#[test]
fn bp_through_infer_reports_the_published_loss_and_perfect_alignment() {
    let folder = folder();
    let (network, batch) = published_case(folder.path());
    let (network, batch) = (network.to_str().unwrap(), batch.to_str().unwrap());
    let said = run(&["infer", "--network", network, "--batch", batch, "--rule", "bp", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert!((json["loss"].as_f64().unwrap() - 0.52758825).abs() < 2e-5);
    assert!((json["alignment"].as_f64().unwrap() - 1.0).abs() < 1e-12);
    assert_eq!(json["residual_norm"].as_f64(), Some(0.0));
}

#[test]
fn an_unstable_step_size_diverges_with_exit_code_1_and_says_where() {
    let folder = folder();
    let (network, batch) = published_case(folder.path());
    let (network, batch) = (network.to_str().unwrap(), batch.to_str().unwrap());
    let said = run(&["infer", "--network", network, "--batch", batch, "--budget", "400", "--eta", "50"]);
    assert_eq!(said.code, 1, "{}", said.err);
    for part in ["pc-alm diverged", "step", "layer", "stability bound 4"] {
        assert!(said.err.contains(part), "{part}: {}", said.err);
    }
}
