//! A program with a rule, an activation and a loss of its own trains, resumes, compares, sweeps and predicts with them.

use new_rule::HeavyBall;
use pcalm::{Catalogue, Error, Names, OwnActivation, OwnLoss, RuleFacts};
use pcalm_lab::{
    LabError,
    compare::{Contest, compare},
    dataset::Part,
    evaluation::evaluate,
    experiment::{DatasetCache, Experiment, Loaded},
    folder::Folder,
    interrupt::Interrupt,
    model::Model,
    outcome::{Outcome, RunEnd},
    run::{RunNews, TrainingJob, check_options, run},
    sweep::{Store, SweepOptions, grid, sweep},
};
use std::path::Path;

/// The documented example of a rule that is in no list.
#[allow(dead_code)]
#[path = "../../pcalm/examples/new_rule.rs"]
mod new_rule;

/// A softened sign, x/√(1 + x²).
const ROOT: OwnActivation = OwnActivation {
    name: "root-sign",
    value: |x| x / (1.0 + x * x).sqrt(),
    slope: |x| (1.0 + x * x).powf(-1.5),
    curvature: |x| -3.0 * x * (1.0 + x * x).powf(-2.5),
};

/// Σ log cosh(f − y).
const LOG_COSH: OwnLoss = OwnLoss {
    name: "log-cosh",
    value: |f, y| f.iter().zip(y).map(|(f, y)| (f - y).cosh().ln()).sum(),
    error: |f, y, e| e.iter_mut().zip(f.iter().zip(y)).for_each(|(e, (f, y))| *e = (f - y).tanh()),
    curvature: |f, y, v| v.iter_mut().zip(f.iter().zip(y)).for_each(|(v, (f, y))| *v *= (f - y).cosh().powi(-2)),
};

fn catalogue() -> Catalogue {
    let facts = RuleFacts::new("pc-heavy-ball", "predictive coding with heavy-ball momentum");
    Catalogue::default()
        .with_rule(facts, |s| Ok(HeavyBall { eta: s.eta, beta: 0.5, budget: s.budget }))
        .and_then(|all| all.with_activation(ROOT))
        .and_then(|all| all.with_loss(LOG_COSH))
        .unwrap()
}

fn experiment(dtype: &str) -> Experiment {
    Experiment {
        dataset: "noisy-sine".into(),
        width: 8,
        depth: 4,
        epochs: 2,
        rule: "pc-heavy-ball".into(),
        activation: ROOT.name.into(),
        loss: LOG_COSH.name.into(),
        learning_rate: 0.01,
        dtype: dtype.into(),
        ..Experiment::default()
    }
}

fn train(experiment: &Experiment, catalogue: &Catalogue, place: &Path, stop: bool) -> Result<Outcome, LabError> {
    let loaded = Loaded::new(experiment)?;
    let (folder, contents) = (Folder::create(place)?, loaded.contents(experiment)?);
    let interrupt = Interrupt::default();
    let (data, contents, folder) = (&*loaded.data, &contents, &folder);
    let job = TrainingJob { experiment, catalogue, data, contents, folder, interrupt: &interrupt };
    run(&job, &mut |news| {
        if stop && matches!(news, RunNews::Epoch { row } if row.epoch == 1) {
            interrupt.raise();
        }
    })
}

#[test]
fn own_rule_activation_and_loss_train_in_both_number_types_and_resume_to_the_same_bits() {
    let (place, catalogue) = (tempfile::tempdir().unwrap(), catalogue());
    for dtype in ["f32", "f64"] {
        let experiment = experiment(dtype);
        let at = |name: &str| place.path().join(format!("{name}-{dtype}"));
        let whole = train(&experiment, &catalogue, &at("whole"), false).unwrap();
        assert_eq!(whole.summary.end, RunEnd::Done);
        let losses: Vec<f64> = whole.epochs.iter().map(|row| row.test_loss).collect();
        assert!(losses.last() < losses.first(), "{losses:?}");
        assert_eq!(train(&experiment, &catalogue, &at("cut"), true).unwrap().summary.end, RunEnd::Interrupted);
        assert_eq!(train(&experiment, &catalogue, &at("cut"), false).unwrap().summary.end, RunEnd::Done);
        let bytes = |name: &str| std::fs::read(at(name).join("network.safetensors")).unwrap();
        assert!(bytes("whole") == bytes("cut"), "{dtype}: other weights after a resumption");
        // The file is readable with the catalogue, and names what is missing without.
        let path = at("whole").join("network.safetensors");
        let model = Model::<f64>::load(&path, catalogue.names()).unwrap();
        assert_eq!((model.loss.name(), model.network.has_biases()), ("log-cosh", false));
        let refused = Model::<f64>::load(&path, &Names::default()).unwrap_err().to_string();
        assert!(refused.contains("`root-sign`") || refused.contains("`log-cosh`"), "{refused}");
        let found = evaluate((&path, catalogue.names()), &experiment, Part::Test, dtype).unwrap();
        assert!((found.loss - losses[losses.len() - 1]).abs() < 1e-6, "{} {losses:?}", found.loss);
    }
}

#[test]
fn own_rule_is_compared_and_swept_beside_the_listed_ones() {
    let (place, catalogue) = (tempfile::tempdir().unwrap(), catalogue());
    let base = experiment("f32");
    let (loaded, folder) =
        (Loaded::new(&base).unwrap(), Folder::create(place.path().join("compare").as_ref()).unwrap());
    let contest = Contest { rules: vec!["bp".into(), "pc-heavy-ball".into()], seeds: 1 };
    let interrupt = Interrupt::default();
    let found = compare(&contest, &base, &loaded, &folder, &catalogue, &interrupt, &mut |_, _, _| {}).unwrap();
    assert_eq!(found.len(), 2);

    let text = r#"
        [base]
        dataset = "noisy-sine"
        depth = 4
        width = 8
        [axes]
        rule = ["pc", "pc-heavy-ball"]
        activation = ["tanh", "root-sign"]
    "#;
    let samples = DatasetCache::default();
    let cells = grid(text, "grid.toml".as_ref(), &samples, &catalogue, None).unwrap();
    let store = Store::create(&place.path().join("sweep")).unwrap();
    let tally = sweep(&store, &cells, SweepOptions::default(), (&samples, &catalogue), &interrupt, &|_| {}).unwrap();
    assert_eq!((tally.done, tally.failed), (4, 0));
    // A program without them says so before anything runs.
    let refused = grid(text, "grid.toml".as_ref(), &samples, &Catalogue::default(), None).unwrap_err().to_string();
    assert!(refused.contains("pc-heavy-ball") || refused.contains("root-sign"), "{refused}");
    let refused = check_options(&base, &Catalogue::default(), &loaded.data).unwrap_err().to_string();
    assert!(refused.contains("root-sign"), "{refused}");
}

#[test]
fn names_that_are_taken_or_could_not_stand_in_a_file_are_refused() {
    let named = |name| OwnActivation { name, ..ROOT };
    for name in ["tanh", "root-sign", "Root", "root sign", ""] {
        let found = catalogue().with_activation(named(name));
        assert!(matches!(found, Err(Error::Setting { .. })), "`{name}`");
    }
    let twice = catalogue().with_loss(LOG_COSH).unwrap_err().to_string();
    assert!(twice.contains("there is a `log-cosh` already"), "{twice}");
    let facts = RuleFacts::new("bp", "another");
    assert!(catalogue().with_rule(facts, |s| Ok(HeavyBall { eta: s.eta, beta: 0.0, budget: 1 })).is_err());
}
