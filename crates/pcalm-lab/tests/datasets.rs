//! The embedded data, IDX files and the order of batches.

use flate2::{Compression, write::GzEncoder};
use pcalm_lab::{
    batches::{Gathered, order, steps_per_epoch},
    dataset::{By, Dataset, IdxPaths, Normalisation, Split, glyphs, load, load_idx, path},
};
use std::{collections::BTreeSet, io::Write, path::Path};

fn embedded() -> Dataset {
    load("glyphs", None).unwrap()
}

fn labels(split: &Split) -> &[u32] {
    split.targets.labels().unwrap()
}

fn counts(split: &Split) -> Vec<usize> {
    let labels = labels(split);
    (0..10).map(|class| labels.iter().filter(|&&l| l == class).count()).collect()
}

#[test]
fn glyphs_are_the_same_bits_for_a_seed_on_any_number_of_threads() {
    let on = |threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| glyphs::glyphs(seed))
    };
    let one = on(1, 7);
    assert!(one == on(2, 7) && one == on(3, 7));
    assert!(one != on(2, 8));
}

#[test]
fn glyphs_are_balanced_grey_images_of_ten_classes() {
    let data = embedded();
    assert_eq!((data.train.len(), data.test.len(), data.dim(), data.outputs()), (12_000, 2_000, 784, 10));
    assert!(counts(&data.train).iter().all(|&n| n == 1200), "{:?}", counts(&data.train));
    assert!(counts(&data.test).iter().all(|&n| n == 200), "{:?}", counts(&data.test));
    for split in [&data.train, &data.test] {
        assert!(split.inputs.iter().all(|p| (0.0..=1.0).contains(p)));
        // No image is blank: every one has dark and light pixels.
        let range =
            |i: usize| split.input(i).iter().fold((1.0f32, 0.0f32), |(low, high), &p| (low.min(p), high.max(p)));
        assert!((0..split.len()).all(|i| range(i).1 - range(i).0 > 0.2));
    }
}

#[test]
fn no_test_image_is_among_the_training_images() {
    let data = embedded();
    let bits = |image: &[f32]| -> Vec<u32> { image.iter().map(|p| p.to_bits()).collect() };
    let train: BTreeSet<Vec<u32>> = (0..data.train.len()).map(|i| bits(data.train.input(i))).collect();
    assert!((0..data.test.len()).all(|i| !train.contains(&bits(data.test.input(i)))));
}

#[test]
fn a_subset_is_the_first_samples_and_never_more_than_there_are() {
    let data = embedded();
    let part = data.clone().subset(Some(30), None).unwrap();
    assert_eq!((part.train.len(), part.test.len()), (30, 2000));
    assert_eq!(labels(&part.train), &labels(&data.train)[..30]);
    assert_eq!(part.train.input(29), data.train.input(29));
    assert!(data.clone().subset(Some(0), None).is_err());
    assert!(data.subset(None, Some(2001)).is_err());
}

#[test]
fn standardised_training_pixels_have_mean_0_and_deviation_1() {
    let mut data = embedded();
    let first = data.test.inputs[5];
    data.normalise(Normalisation::standard(&data.train, By::Set)).unwrap();
    let moments = data.normalisation.clone().unwrap();
    let n = data.train.inputs.len() as f64;
    let mean = data.train.inputs.iter().map(|&p| f64::from(p)).sum::<f64>() / n;
    let square = data.train.inputs.iter().map(|&p| f64::from(p) * f64::from(p)).sum::<f64>() / n;
    // Each pixel is rounded to f32, 6e-8 of its size.
    assert!(mean.abs() < 1e-6 && (square - 1.0).abs() < 1e-6, "{mean} {square}");
    // The test pixels are moved by the training set's numbers.
    assert!((data.test.inputs[5] / moments.scale[0] + moments.mean[0] - first).abs() < 1e-6);
}

/// Two classes, `count` images of 2 × 2 pixels, in four files; gzip'd or not.
fn write_idx(folder: &Path, packed: bool) -> IdxPaths {
    let write = |name: &str, data: Vec<u8>| {
        let path = folder.join(name);
        let data = if packed {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(&data).unwrap();
            encoder.finish().unwrap()
        } else {
            data
        };
        std::fs::write(&path, data).unwrap();
        path
    };
    let images = |count: u8| {
        let head = [0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 2, 0, 0, 0, 2];
        [&head[..], &(0..4 * count).map(|i| i * 16).collect::<Vec<u8>>()].concat()
    };
    let labels = |values: &[u8]| [&[0, 0, 8, 1, 0, 0, 0, values.len() as u8][..], values].concat();
    IdxPaths {
        train_images: write("a", images(3)),
        train_labels: write("b", labels(&[0, 1, 1])),
        test_images: write("c", images(2)),
        test_labels: write("d", labels(&[1, 0])),
    }
}

#[test]
fn idx_files_read_the_same_plain_and_gzipped() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [plain, packed] = [false, true].map(|p| load_idx(&write_idx(folders[usize::from(p)].path(), p)).unwrap());
    assert_eq!((plain.train.clone(), plain.test.clone()), (packed.train, packed.test));
    assert_eq!((plain.train.len(), plain.test.len(), plain.dim(), plain.outputs()), (3, 2, 4, 2));
    assert_eq!(labels(&plain.train), [0, 1, 1]);
    // Bytes 0, 16, 32 … of 255.
    assert_eq!(plain.train.input(1), [64.0 / 255.0, 80.0 / 255.0, 96.0 / 255.0, 112.0 / 255.0]);
}

#[test]
fn mnist_reads_from_the_folder_of_the_environment() {
    if std::env::var_os("PCALM_DATA_DIR").is_none() {
        eprintln!("skipped: PCALM_DATA_DIR does not say where MNIST is");
        return;
    }
    let data = load("mnist", None).unwrap();
    assert_eq!((data.train.len(), data.test.len(), data.dim(), data.outputs()), (60_000, 10_000, 784, 10));
    // The published counts of the digits 0 to 9.
    assert_eq!(counts(&data.train), [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    assert_eq!(counts(&data.test), [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
    // The published mean of the training pixels.
    let mean = data.train.inputs.iter().map(|&p| f64::from(p)).sum::<f64>() / data.train.inputs.len() as f64;
    assert!((mean - 0.1307).abs() < 5e-5, "{mean}");
}

#[test]
fn fashion_mnist_is_the_published_set() {
    if let Err(missing) = path("fashion-mnist", None) {
        eprintln!("skipped: {missing}");
        return;
    }
    let mut data = load("fashion-mnist", None).unwrap();
    assert_eq!((data.train.len(), data.test.len(), data.dim(), data.outputs()), (60_000, 10_000, 784, 10));
    // As many of each class, in the order in which every program shows them.
    assert_eq!((counts(&data.train), counts(&data.test)), (vec![6000; 10], vec![1000; 10]));
    assert_eq!(labels(&data.train)[..10], [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]);
    assert_eq!(labels(&data.test)[..10], [9, 2, 1, 1, 6, 1, 4, 6, 5, 7]);
    // The mean and deviation of the training pixels that are passed about, to the digits they have.
    data.normalise(Normalisation::standard(&data.train, By::Set)).unwrap();
    let moments = data.normalisation.unwrap();
    let (mean, deviation) = (moments.mean[0], 1.0 / moments.scale[0]);
    assert!((mean - 0.2860).abs() < 5e-5 && (deviation - 0.3530).abs() < 5e-5, "{mean} {deviation}");
}

#[test]
fn the_order_of_samples_is_a_permutation_of_seed_and_epoch() {
    let first = order(100, 1, 0);
    assert_eq!(first, order(100, 1, 0));
    assert!(first != order(100, 1, 1) && first != order(100, 2, 0));
    assert_eq!(first.into_iter().collect::<BTreeSet<_>>(), (0..100).collect());
}

#[test]
fn the_last_partial_batch_is_kept_or_dropped() {
    let data = embedded().subset(Some(100), None).unwrap();
    assert_eq!(steps_per_epoch(&data, 30, false), 4);
    assert_eq!(steps_per_epoch(&data, 30, true), 3);
    assert_eq!(steps_per_epoch(&data, 25, false), 4);
    assert_eq!(steps_per_epoch(&data, 25, true), 4);
}

#[test]
fn a_gathered_class_is_a_unit_vector_and_a_real_target_is_itself() {
    let mut gathered = Gathered::<f64>::default();
    let data = embedded();
    gathered.gather(&data.train, [7]);
    let wanted: Vec<f64> = (0..10).map(|c| f64::from(u8::from(c == labels(&data.train)[7]))).collect();
    assert_eq!(gathered.first().1, wanted);
    let data = load("teacher", None).unwrap();
    gathered.gather(&data.train, [3, 4]);
    let wide = |values: &[f32]| -> Vec<f64> { values.iter().map(|&v| f64::from(v)).collect() };
    let wanted = (wide(data.train.input(3)), wide(&data.train.targets.values().unwrap()[6..8]));
    assert_eq!(gathered.first(), (&wanted.0[..], &wanted.1[..]));
}
