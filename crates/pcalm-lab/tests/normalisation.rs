//! Shifting and scaling inputs, against moments worked out by hand.

use pcalm_lab::{
    dataset::{By, Dataset, Normalisation, Split, Targets},
    experiment::{Experiment, load_data},
};

/// Inputs (1, 5, −2), (3, 5, 2), (5, 5, 6) to train on; (3, 7, 0) to test with.
fn small() -> Dataset {
    let split = |inputs: &[f32]| Split {
        inputs: inputs.to_vec(),
        dim: 3,
        targets: Targets::Real { values: vec![0.0; inputs.len() / 3], dim: 1 },
    };
    let train = split(&[1.0, 5.0, -2.0, 3.0, 5.0, 2.0, 5.0, 5.0, 6.0]);
    Dataset::new("small", train, split(&[3.0, 7.0, 0.0]))
}

#[test]
fn each_feature_has_its_own_moments_and_a_constant_one_is_only_shifted() {
    let mut data = small();
    data.normalise(Normalisation::standard(&data.train, By::Feature)).unwrap();
    let moments = data.normalisation.clone().unwrap();
    // Variances 8/3, 0 and 32/3.
    let scale = [(3.0f64 / 8.0).sqrt() as f32, 1.0, (3.0f64 / 32.0).sqrt() as f32];
    assert_eq!((moments.mean, moments.scale), (vec![3.0, 5.0, 2.0], scale.to_vec()));
    assert_eq!(data.train.input(0), [-2.0 * scale[0], 0.0, -4.0 * scale[2]]);
    assert_eq!(data.test.input(0), [0.0, 2.0, -2.0 * scale[2]]);
}

#[test]
fn the_set_has_one_pair_of_moments() {
    let data = small();
    let moments = Normalisation::standard(&data.train, By::Set);
    // Sum 30 and sum of squares 154 of 9 numbers.
    let (mean, variance) = (30.0f64 / 9.0, 154.0 / 9.0 - (30.0f64 / 9.0).powi(2));
    assert_eq!(moments.mean, [mean as f32]);
    // Rounded once to f32.
    assert!((f64::from(moments.scale[0]) * variance.sqrt() - 1.0).abs() < 1e-7);
}

#[test]
fn a_stored_normalisation_does_to_new_inputs_what_it_did_to_the_old() {
    let (mut data, raw) = (small(), small());
    data.normalise(Normalisation::standard(&data.train, By::Feature)).unwrap();
    let stored = serde_json::to_string(&data.normalisation.unwrap()).unwrap();
    let again: Normalisation = serde_json::from_str(&stored).unwrap();
    let mut inputs = raw.train.inputs;
    again.apply(&mut inputs, 3).unwrap();
    assert_eq!(inputs, data.train.inputs);
    assert!(again.apply(&mut inputs, 9).is_err());
}

fn loaded(options: Experiment) -> Result<Dataset, String> {
    load_data(&Experiment { dataset: "noisy-sine".into(), ..options }).map_err(|e| e.to_string())
}

fn chosen(normalise: &str, by: &str) -> Result<Dataset, String> {
    loaded(Experiment { normalise: normalise.into(), normalise_by: by.into(), ..Experiment::default() })
}

#[test]
fn standardise_is_short_for_normalise_standardise_and_gives_the_bits_it_always_gave() {
    let short = loaded(Experiment { standardise: true, ..Experiment::default() }).unwrap();
    assert!(short == chosen("standardise", "set").unwrap());
    // The arithmetic of the program before there was anything else.
    let raw = chosen("none", "set").unwrap();
    let n = raw.train.inputs.len() as f64;
    let mean = raw.train.inputs.iter().map(|&p| f64::from(p)).sum::<f64>() / n;
    let squares = raw.train.inputs.iter().map(|&p| (f64::from(p) - mean).powi(2)).sum::<f64>();
    let (mean, scale) = (mean as f32, (1.0 / (squares / n).sqrt()) as f32);
    let wanted: Vec<f32> = raw.test.inputs.iter().map(|p| (p - mean) * scale).collect();
    assert_eq!(short.test.inputs, wanted);
}

#[test]
fn given_numbers_are_used_and_wrong_ones_named() {
    let (raw, data) = (chosen("none", "set").unwrap(), chosen("-0.5,2", "feature").unwrap());
    let wanted: Vec<f32> = raw.train.inputs.iter().map(|x| (x + 0.5) * 0.5).collect();
    assert_eq!(data.train.inputs, wanted);
    for (normalise, by, part) in [
        ("1,0", "set", "0"),
        ("1,-2", "set", "-2"),
        ("1,nan", "set", "NaN"),
        ("1,2,3", "set", "3 numbers"),
        ("standardize", "set", "standardise"),
        ("none", "feature", "normalise-by"),
        ("standardise", "pixel", "feature"),
    ] {
        let error = chosen(normalise, by).unwrap_err();
        assert!(error.contains("normalise") && error.contains(part), "{normalise} {by}: {error}");
    }
    let both = Experiment { standardise: true, normalise: "0,1".into(), ..Experiment::default() };
    assert!(loaded(both).unwrap_err().contains("contradicts"));
}
