//! Sets by formula, against the formula written down here and the standard library's functions.

use pcalm_lab::dataset::{Dataset, Split, Task, formula, load};

/// Mean and standard deviation of y − f(x) over a split, over all outputs.
fn residual(split: &Split, f: impl Fn(&[f64]) -> Vec<f64>) -> (f64, f64) {
    let values = split.targets.values().unwrap();
    let wide = |x: &[f32]| -> Vec<f64> { x.iter().map(|&v| f64::from(v)).collect() };
    let expected: Vec<f64> = (0..split.len()).flat_map(|i| f(&wide(split.input(i)))).collect();
    let errors: Vec<f64> = values.iter().zip(&expected).map(|(&y, f)| f64::from(y) - f).collect();
    let n = errors.len() as f64;
    let mean = errors.iter().sum::<f64>() / n;
    (mean, (errors.iter().map(|e| (e - mean).powi(2)).sum::<f64>() / n).sqrt())
}

fn assert_noise(data: &Dataset, noise: f64, f: impl Fn(&[f64]) -> Vec<f64> + Copy) {
    assert_eq!(data.task(), Task::Regression);
    for split in [&data.train, &data.test] {
        let (mean, sd) = residual(split, f);
        let n = split.targets.values().unwrap().len() as f64;
        // Four standard errors of a mean, and of a standard deviation, of that many normal numbers.
        assert!(mean.abs() < 4.0 * noise / n.sqrt(), "{}: {mean}", data.name);
        assert!((sd / noise - 1.0).abs() < 4.0 / (2.0 * n).sqrt(), "{}: {sd}", data.name);
    }
}

#[test]
fn each_set_is_its_formula_plus_its_noise() {
    assert_noise(&load("noisy-sine", None).unwrap(), 0.1, |x| vec![(3.0 * x[0]).sin()]);
    assert_noise(&load("friedman-1", None).unwrap(), 1.0, |x| {
        let wave = 10.0 * (std::f64::consts::PI * x[0] * x[1]).sin();
        vec![wave + 20.0 * (x[2] - 0.5).powi(2) + 10.0 * x[3] + 5.0 * x[4]]
    });
    let weights = formula::teacher_weights();
    assert_noise(&load("teacher", None).unwrap(), 0.05, |x| {
        let hidden = |h: usize| (0..16).map(|i| weights.first[16 * h + i] * x[i]).sum::<f64>().tanh();
        (0..2).map(|o| (0..32).map(|h| weights.second[32 * o + h] * hidden(h)).sum()).collect()
    });
}

#[test]
fn sets_are_the_same_every_time_and_their_parts_differ() {
    for name in ["noisy-sine", "friedman-1", "teacher"] {
        let data = load(name, None).unwrap();
        assert!(data == load(name, None).unwrap());
        assert_ne!(data.train.input(0), data.test.input(0));
    }
}

#[test]
fn variation_is_what_is_left_of_the_squared_error_at_the_mean() {
    let data = load("teacher", None).unwrap();
    let values = data.train.targets.values().unwrap();
    let n = data.train.len() as f64;
    let mut wanted = 0.0;
    for output in 0..2 {
        let column: Vec<f64> = values.iter().skip(output).step_by(2).map(|&y| f64::from(y)).collect();
        // Another formula: Σy² − n·mean².
        wanted += column.iter().map(|y| y * y).sum::<f64>() - column.iter().sum::<f64>().powi(2) / n;
    }
    let found = data.train.variation().unwrap();
    // Rounding of 16,000 sums in f64.
    assert!((found / wanted - 1.0).abs() < 1e-10, "{found} {wanted}");
    assert_eq!(load("glyphs", None).unwrap().train.variation(), None);
}
