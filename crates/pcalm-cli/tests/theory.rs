//! `pcalm theory`, from the command line to the files.

#![cfg(feature = "theory")]

mod common;

use common::{files, folder, path, run};
use pcalm::tensor_file::TensorFile;
use serde_json::Value;

fn ask(arguments: &[&str]) -> Value {
    let said = run(arguments);
    assert_eq!(said.code, 0, "{}", said.err);
    serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {}", said.out))
}

fn number(report: &Value, key: &str) -> f64 {
    report[key].as_f64().unwrap_or_else(|| panic!("no number `{key}` in {report}"))
}

#[test]
fn the_spectrum_of_a_small_network_is_consistent_and_written_down() {
    let place = folder();
    let out = path(place.path(), "spectrum");
    let report =
        ask(&["theory", "spectrum", "--width=8", "--depth=8", "--activation=identity", "--json", "--out", &out]);
    let (eta, lambda) = (number(&report, "eta"), number(&report, "lambda_max"));
    // 1/λ_max as training finds it, by a power iteration from below.
    assert!((-1e-9..1e-2).contains(&(eta * lambda - 1.0)), "{eta} {lambda}");
    assert_eq!(report["exact"], true);
    // At half of the largest α, T* is L/√(ηα), and the budget its ceiling.
    let (advised_eta, alpha) = (number(&report, "advised_eta"), number(&report, "advised_alpha"));
    assert!((advised_eta * lambda - 1.0).abs() < 1e-12);
    assert!((alpha / (number(&report, "largest_alpha") / 2.0) - 1.0).abs() < 2e-2);
    assert_eq!(number(&report, "advised_budget"), (8.0 / (advised_eta * alpha).sqrt()).ceil());
    // The exact bound is inside Jury's, which leaves the loss out, and is what the verdict is by.
    assert!(number(&report, "largest_eta") <= number(&report, "largest_eta_jury") * (1.0 + 1e-9));
    assert_eq!(report["stable"], number(&report, "stability") < 4.0);
    for file in ["spectrum.json", "modes.csv", "eigenvalues.csv", "spectrum.svg"] {
        assert!(place.path().join("spectrum").join(file).exists(), "{file}");
    }
    let table = std::fs::read_to_string(place.path().join("spectrum/eigenvalues.csv")).unwrap();
    // 2 · 56 with the loss curvature, and as many without.
    assert_eq!(table.lines().count(), 1 + 4 * 56);
    let radius = table
        .lines()
        .skip(1)
        .filter(|line| line.starts_with("true"))
        .map(|line| line.split(',').skip(1).map(|v| v.parse::<f64>().unwrap()).fold(0.0, f64::hypot))
        .fold(0.0, f64::max);
    assert!((radius - number(&report, "radius")).abs() < 1e-12);
}

#[test]
fn an_unstable_step_size_is_called_so() {
    let place = folder();
    let out = path(place.path(), "s");
    let report =
        ask(&["theory", "spectrum", "--width=6", "--depth=6", "--eta=0.5", "--alpha=2", "--json", "--out", &out]);
    assert_eq!(report["stable"], false);
    assert!(number(&report, "radius") > 1.0);
    assert_eq!(report["steps_per_decade"], Value::Null);
}

#[test]
fn the_equilibrium_has_its_energy_twice_and_inference_gets_there() {
    let place = folder();
    let out = path(place.path(), "e");
    let arguments =
        ["theory", "equilibrium", "--width=6", "--depth=4", "--samples=5", "--budget=4000", "--json", "--out", &out];
    let report = ask(&arguments);
    let (energy, rescaled) = (number(&report, "energy"), number(&report, "rescaled_energy"));
    assert!((energy / rescaled - 1.0).abs() < 1e-10 && energy < number(&report, "loss"));
    assert!(number(&report, "pc_distance") < 1e-10, "{report}");
    assert!(number(&report, "alm_distance") < 1e-10, "{report}");
    let table = std::fs::read_to_string(place.path().join("e/distances.csv")).unwrap();
    assert_eq!(table.lines().count(), 1 + 4001);
}

/// Columns of a table by name.
fn column(table: &str, name: &str) -> Vec<String> {
    let mut rows = table.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let at = rows.next().unwrap().iter().position(|n| n == name).unwrap_or_else(|| panic!("{name}: {table}"));
    rows.map(|row| row[at].clone()).collect()
}

#[test]
fn equilibria_of_curved_networks_and_other_energies_are_solved_for_and_inference_gets_there() {
    let place = folder();
    for (at, more) in [
        &["--activation=tanh", "--precision-profile=geometric=2"][..],
        &["--activation=gelu", "--placement=post", "--energy=pseudo-huber", "--energy-scale=2"],
        &["--activation=identity", "--energy=log-cosh", "--loss=cross-entropy"],
        &["--activation=identity", "--precision=2,1,0.5,0.25"],
    ]
    .into_iter()
    .enumerate()
    {
        let out = path(place.path(), &format!("e{at}"));
        let shape = ["theory", "equilibrium", "--width=6", "--depth=4", "--samples=3", "--budget=6000", "--json"];
        let report = ask(&[&shape[..], more, &["--out", &out]].concat());
        assert_eq!((report["stop"].as_str(), &report["closed_form"]), (Some("converged"), &Value::from(at == 3)));
        assert!(number(&report, "gradient_left") < 1e-10, "{report}");
        assert!(number(&report, "energy") < number(&report, "loss"), "{report}");
        assert!(number(&report, "pc_distance") < 1e-6, "{more:?}: {report}");
        assert_eq!(report["rescaling"].is_null(), at != 3);
        let table = std::fs::read_to_string(place.path().join(format!("e{at}/layers.csv"))).unwrap();
        let residuals = column(&table, "residual");
        assert!(residuals[3].is_empty() && residuals[..3].iter().all(|r| r.parse::<f64>().unwrap() > 0.0), "{table}");
        // What is printed is the same.
        let text = run(&[
            &["theory", "equilibrium", "--width=6", "--depth=4", "--samples=3"][..],
            more,
            &["--out", &path(place.path(), "text")],
            &["--force", "--quiet"],
        ]
        .concat());
        assert_eq!((text.code, text.out.contains("½ rᵀR⁻¹r")), (0, at == 3), "{}", text.err);
    }
}

#[test]
fn an_equilibrium_on_kinks_is_called_so() {
    let place = folder();
    let out = path(place.path(), "k");
    let report = ask(&[
        "theory",
        "equilibrium",
        "--width=12",
        "--depth=4",
        "--activation=relu",
        "--samples=8",
        "--budget=10",
        "--json",
        "--out",
        &out,
    ]);
    assert_eq!(report["stop"], "at-kinks", "{report}");
    assert!(number(&report, "units_at_kinks") > 0.0 && number(&report, "gradient_left") > 1e-6, "{report}");
}

#[test]
fn inference_in_a_linear_network_keeps_to_its_exact_path() {
    let place = folder();
    let out = path(place.path(), "r");
    let options = ["--width=6", "--depth=5", "--samples=3", "--budget=300", "--precision=2,1,0.5,1,3", "--layer=2"];
    let report = ask(&[&["theory", "relaxation", "--json", "--out", &out][..], &options].concat());
    assert!(number(&report, "largest_difference") < 1e-12, "{report}");
    assert_eq!(number(&report, "unknowns"), 24.0);
    assert!(number(&report, "layer_distance") < 1e-3, "{report}");
    // The printed sign runs away.
    assert!(report["layer_distance_as_printed"].as_f64().is_none_or(|d| d > 1e3), "{report}");
    let read = |name: &str| std::fs::read_to_string(place.path().join("r").join(name)).unwrap();
    for (name, rows) in [("path.csv", 301), ("layer.csv", 301)] {
        assert_eq!(read(name).lines().count(), 1 + rows, "{name}");
    }
    let inference: Vec<f64> = column(&read("path.csv"), "inference").iter().map(|v| v.parse().unwrap()).collect();
    assert!(inference.windows(2).all(|pair| pair[1] <= pair[0]) && inference[0] == 1.0);
    assert!(read("relaxation.svg").contains("as printed"));
}

/// A linear network of widths 1, 1, 2, 2 in which the loss falls and then rises again under the gradient flow: from 9.412
/// to 0.231367 at τ ≈ 0.76, and to 0.388115 in the end.
#[test]
fn the_loss_can_rise_on_the_way_to_the_equilibrium() {
    let place = folder();
    let (network, data, out) =
        (path(place.path(), "net.safetensors"), path(place.path(), "data.safetensors"), path(place.path(), "c"));
    let mut file = TensorFile::<f64>::default();
    file.insert("w.1", &[1, 1], vec![0.8]);
    file.insert("w.2", &[2, 1], vec![-3.0, -3.5]);
    file.insert("w.3", &[2, 2], vec![-0.2, -1.1, 0.9, -2.1]);
    file.metadata.insert("activation".into(), "identity".into());
    file.save(network.as_ref()).unwrap();
    let mut samples = TensorFile::<f64>::default();
    // The first ones are the sample; the last ones make it a data set.
    samples.insert("x", &[20, 1], (0..20).map(|i| if i < 14 { 1.0 } else { 0.5 }).collect::<Vec<f64>>());
    samples.insert("y", &[20, 2], [[2.2, -0.4].repeat(14), [1.0, 0.5].repeat(6)].concat());
    samples.save(data.as_ref()).unwrap();
    let files = ["--init", &network, "--dataset", &data, "--samples=1", "--eta=0.001", "--budget=20000"];
    let report = ask(&[&["theory", "energies", "--json", "--out", &out][..], &files].concat());
    // Numbers of the samples are f32, and a step of η is Euler's.
    let close = |key: &str, wanted: f64, tolerance: f64| {
        let found = number(&report, key);
        assert!((found / wanted - 1.0).abs() < tolerance, "{key}: {found} is not {wanted}");
    };
    close("first_loss", 9.412, 1e-6);
    close("lowest_loss", 0.231367, 2e-3);
    close("last_loss", 0.388115, 1e-5);
    close("lowest_at", 760.0, 0.02);
    close("largest_rise", (0.388115 - 0.231367) / 9.412, 1e-2);
    assert_eq!((number(&report, "samples_rising"), number(&report, "energy_rising")), (1.0, 0.0));
    assert!(number(&report, "nonpositive") > 1000.0 && number(&report, "rising") > 1000.0);
    let table = std::fs::read_to_string(place.path().join("c/energies.csv")).unwrap();
    let column = |name: &str| -> Vec<f64> { column(&table, name).iter().map(|v| v.parse().unwrap()).collect() };
    let (loss, margin, energy) = (column("loss"), column("margin"), column("energy"));
    // −m is how fast the loss falls, to first order in η; at the forward pass it is ‖W₃ᵀe‖².
    assert!(((loss[0] - loss[1]) / 0.001 / margin[0] - 1.0).abs() < 2e-2);
    let e: [f64; 2] = [(-0.2 * -2.4 - 1.1 * -2.8) - 2.2, (0.9 * -2.4 - 2.1 * -2.8) + 0.4];
    let g = [-0.2 * e[0] + 0.9 * e[1], -1.1 * e[0] - 2.1 * e[1]];
    assert!((margin[0] / (g[0] * g[0] + g[1] * g[1]) - 1.0).abs() < 1e-6, "{} {g:?}", margin[0]);
    assert_eq!(energy[0], loss[0]);
    assert!(place.path().join("c/energies.svg").exists() && place.path().join("c/energies.json").exists());
}

/// Facts about the loss under the flow: with one output it never rises in linear networks.
#[test]
fn with_one_output_the_loss_of_a_linear_network_never_rises() {
    let place = folder();
    let out = path(place.path(), "o");
    let report = ask(&[
        "theory",
        "energies",
        "--dataset=friedman-1",
        "--activation=identity",
        "--width=6",
        "--depth=5",
        "--samples=16",
        "--budget=400",
        "--json",
        "--out",
        &out,
    ]);
    for key in ["nonpositive", "rising", "energy_rising"] {
        assert_eq!(number(&report, key), 0.0, "{key}: {report}");
    }
    assert!(number(&report, "last_energy") < number(&report, "first_loss"));
}

#[test]
fn the_wave_is_tabulated_for_both_rules_at_every_step_and_layer() {
    let place = folder();
    let out = path(place.path(), "w");
    let arguments =
        ["theory", "wave", "--width=8", "--depth=16", "--samples=4", "--budget=60", "--json", "--out", &out];
    let report = ask(&arguments);
    assert_eq!(report["reached"][0], 15);
    assert!(number(&report, "alm_alignment") > number(&report, "pc_alignment"));
    let table = std::fs::read_to_string(place.path().join("w/credit.csv")).unwrap();
    assert_eq!(table.lines().count(), 1 + 2 * 61 * 15);
    for file in ["wave.json", "steps.csv", "dispersion.csv", "wave.svg"] {
        assert!(place.path().join("w").join(file).exists(), "{file}");
    }
}

#[test]
fn simulation_and_theory_agree_on_which_step_sizes_are_stable() {
    let place = folder();
    let out = path(place.path(), "m");
    let report = ask(&["theory", "stability", "--grid=12", "--json", "--out", &out]);
    assert_eq!(report["disagreements"], 0);
    assert!(number(&report, "stable") > 10.0 && number(&report, "oscillating") > 10.0);
}

/// Every option is in the folder with its type, and the folder's file asks the same question again.
#[test]
fn a_folder_says_how_it_was_made_and_its_configuration_makes_it_again() {
    let place = folder();
    let small = ["--width=4", "--depth=4", "--seed=7", "--alpha=0.5"];
    for (question, own, options) in [
        ("spectrum", &["--sample=3"][..], &[("sample", 3.0)][..]),
        ("equilibrium", &["--samples=5"], &[("samples", 5.0)]),
        ("relaxation", &["--layer=3"], &[("layer", 3.0), ("samples", 4.0)]),
        ("energies", &["--samples=5"], &[("samples", 5.0)]),
        ("wave", &["--samples=5"], &[("samples", 5.0)]),
        ("stability", &["--grid=5", "--x-max=2"], &[("grid", 5.0), ("x-max", 2.0), ("ratio-max", 6.0)]),
    ] {
        let of_experiment = question != "stability";
        let (first, again) = (path(place.path(), question), path(place.path(), &format!("{question}-again")));
        let given: &[&str] = if of_experiment { &small } else { &[] };
        ask(&[&["theory", question, "--json", "--out", &first], own, given].concat());
        let file = |name: &str| std::fs::read_to_string(place.path().join(question).join(name)).unwrap();
        let config: toml::Table = file("config.toml").parse().unwrap();
        let value = |key: &str| config[key].as_float().unwrap_or_else(|| config[key].as_integer().unwrap() as f64);
        options.iter().for_each(|(key, wanted)| assert_eq!(value(key), *wanted, "{question}: {key}"));
        if of_experiment {
            assert_eq!((value("seed"), value("alpha"), value("depth")), (7.0, 0.5, 4.0));
        }
        let made: Value = serde_json::from_str(&file("run.json")).unwrap();
        assert_eq!(made["command"], format!("theory {question}"));
        assert_eq!(
            (made["program"].as_str(), made["version"].as_str()),
            (Some("pcalm"), Some(env!("CARGO_PKG_VERSION")))
        );

        let config = path(place.path(), &format!("{question}/config.toml"));
        ask(&["theory", question, "--json", "--config", &config, "--out", &again]);
        assert_eq!(files(first.as_ref()), files(again.as_ref()), "{question}");
        // A flag wins over the file, and then it is another question.
        let refused =
            run(&["theory", question, "--config", &config, own[0].split_once('=').unwrap().0, "2", "--out", &first]);
        let wanted = format!("{} = {} instead of 2", options[0].0, options[0].1);
        assert!(refused.code == 2 && refused.err.contains(&wanted), "{question}: {}", refused.err);
    }
}

#[test]
fn an_inference_that_diverges_is_an_outcome_and_says_where() {
    let place = folder();
    let out = path(place.path(), "d");
    for question in ["wave", "equilibrium", "relaxation", "energies"] {
        let arguments = ["theory", question, "--width=6", "--depth=6", "--eta=40", "--budget=4000", "--samples=2"];
        let said = run(&[&arguments[..], &["--quiet", "--out", &out]].concat());
        assert_eq!((said.code, said.out.as_str()), (1, ""), "{question}: {}", said.err);
        assert!(said.err.starts_with("pcalm: pc") && said.err.contains("diverged at inference step"), "{}", said.err);
        assert_eq!(said.err.lines().count(), 1, "{}", said.err);
    }
}

#[test]
fn what_cannot_be_computed_is_refused_with_the_reason() {
    let place = folder();
    let out = path(place.path(), "x");
    for (arguments, words) in [
        (&["relaxation", "--activation=relu"][..], &["relu", "identity"][..]),
        (&["relaxation", "--energy=log"], &["energy", "half-square"]),
        (&["relaxation", "--width=600", "--depth=3"], &["1200 unknowns", "1024"]),
        (&["relaxation", "--depth=3", "--layer=3"], &["layer", "1 … 2"]),
        (&["relaxation", "--depth=3", "--precondition"], &["precondition", "plain steps"]),
        (&["spectrum", "--precondition"], &["precondition", "plain steps"]),
        (&["wave", "--alpha=0"], &["alpha", "PC"]),
        (&["wave", "--samples=0"], &["samples"]),
        (&["spectrum", "--sample=99999999"], &["sample"]),
        (&["spectrum", "--eta=-1"], &["eta"]),
        (&["stability", "--x-max=-1"], &["x-max"]),
        (&["stability", "--grid=1"], &["grid"]),
        (&["spectrum", "--network=missing.safetensors"], &["missing.safetensors"]),
    ] {
        let quiet: &[&str] = if arguments[0] == "stability" { &[] } else { &["--quiet"] };
        let said = run(&[&["theory"], arguments, &["--out", &out], quiet].concat());
        assert_eq!(said.code, 2, "{arguments:?}: {}", said.err);
        assert!(words.iter().all(|word| said.err.contains(word)), "{arguments:?}: {}", said.err);
        assert_eq!(said.err.lines().count(), 1, "{}", said.err);
    }
}
