//! `pcalm infer`: how other frameworks check us and exchange weights.

mod common;

use common::{folder, path, published_case, run};
use pcalm::tensor_file::TensorFile;
use std::{fs, path::Path};

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

/// Adds a tensor of 64-bit whole numbers, which no network and no batch has, at the end of a safetensors file.
fn add_foreign_tensor(file: &Path) {
    let bytes = fs::read(file).unwrap();
    let size = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + size]).unwrap();
    let data = &bytes[8 + size..];
    header["w.step"] = serde_json::json!({"dtype": "I64", "shape": [2], "data_offsets": [data.len(), data.len() + 16]});
    let header = header.to_string();
    let mut whole = (header.len() as u64).to_le_bytes().to_vec();
    whole.extend(header.as_bytes());
    whole.extend(data);
    whole.extend([7; 16]);
    fs::write(file, whole).unwrap();
}

#[test]
fn further_tensors_of_any_type_are_ignored() {
    let folder = folder();
    let (network, batch) = published_case(folder.path());
    let answer =
        || run(&["infer", "--network", network.to_str().unwrap(), "--batch", batch.to_str().unwrap(), "--json"]);
    let before = answer();
    add_foreign_tensor(&network);
    add_foreign_tensor(&batch);
    let after = answer();
    assert_eq!((after.code, after.out), (0, before.out), "{}", after.err);
}

#[test]
fn a_batch_from_a_data_set_is_the_same_as_from_a_file_with_the_normalisation_applied() {
    let place = folder();
    let out = path(place.path(), "run");
    let train = ["train", "--dataset=friedman-1", "--standardise", "--width=6", "--depth=4", "--quiet", "--out", &out];
    assert_eq!(run(&train).code, 0);
    let network = format!("{out}/network.safetensors");
    let (data, batch) = (path(place.path(), "data.safetensors"), path(place.path(), "batch.safetensors"));
    assert_eq!(run(&["data", "export", "friedman-1", "--out", &data]).code, 0);
    let file = TensorFile::<f32>::load(data.as_ref()).unwrap();
    let moments = TensorFile::<f32>::load(network.as_ref()).unwrap();
    let (mean, scale) = (moments.vector("input.mean").unwrap()[0], moments.vector("input.scale").unwrap()[0]);
    let mut samples = TensorFile::<f32>::default();
    let x: Vec<f32> = file.matrix("x").unwrap().2[50..].iter().take(80).map(|x| (x - mean) * scale).collect();
    samples.insert("x", &[8, 10], x);
    samples.insert("y", &[8, 1], file.matrix("y").unwrap().2[5..13].to_vec());
    samples.save(batch.as_ref()).unwrap();
    let from_set = run(&["infer", "--network", &network, "--dataset=friedman-1", "--samples=8", "--first=5", "--json"]);
    let from_file = run(&["infer", "--network", &network, "--batch", &batch, "--json"]);
    assert_eq!((from_set.code, from_set.out), (0, from_file.out), "{}", from_set.err);

    let refused = |more: &[&str], part: &str| {
        let said = run(&[&["infer", "--network", &network], more].concat());
        assert_eq!(said.code, 2, "{more:?}");
        assert!(said.err.contains(part), "{part}: {}", said.err);
    };
    refused(&["--batch", &batch, "--dataset=friedman-1", "--samples=8"], "cannot be used with");
    refused(&[], "--batch");
    refused(&["--dataset=friedman-1"], "--samples");
    refused(&["--dataset=friedman-1", "--samples=4000", "--first=1"], "4000 training samples");
    refused(&["--dataset=friedman-1", "--samples=8", "--standardise"], "contradicts the network file");
    refused(&["--batch", &batch, "--standardise"], "belong to --dataset");
    refused(&["--dataset=noisy-sine", "--samples=8"], "10 inputs to 1 outputs");
}

#[test]
fn an_output_that_is_an_input_or_cannot_be_written_is_refused_before_the_work() {
    let place = folder();
    let (network, batch) = published_case(place.path());
    let (bytes, kept) = (fs::read(&network).unwrap(), fs::read(&batch).unwrap());
    let link = path(place.path(), "link.safetensors");
    fs::hard_link(&network, &link).unwrap();
    fs::create_dir(place.path().join("sub")).unwrap();
    let to = |output: &str| {
        let files = ["--network", network.to_str().unwrap(), "--batch", batch.to_str().unwrap()];
        // A budget that would take minutes.
        run(&[&["infer", "--budget=9000000", "--output", output], &files[..]].concat())
    };
    for output in [&path(place.path(), "net.safetensors"), &path(place.path(), "sub/../batch.safetensors"), &link] {
        let said = to(output);
        assert_eq!(said.code, 2, "{output}");
        assert!(said.err.contains("`output`") && said.err.contains("reads from"), "{}", said.err);
    }
    let said = to(&path(place.path(), "none/out.safetensors"));
    assert!(said.code == 2 && said.err.contains("none/out.safetensors"), "{}", said.err);
    assert!(fs::read(&network).unwrap() == bytes && fs::read(&batch).unwrap() == kept);
}
