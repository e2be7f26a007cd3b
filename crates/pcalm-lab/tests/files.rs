//! A user's own files, against files that NumPy, PyArrow and safetensors wrote (`files/make.py`).

use pcalm_lab::dataset::{Dataset, FileOptions, Targets, Task, TaskChoice, TestPart, load_file};
use std::{collections::BTreeSet, path::PathBuf};

fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "files", name].iter().collect()
}

fn load(name: &str) -> Dataset {
    load_file(&path(name), &FileOptions::default()).unwrap()
}

/// What the script says of sample i.
fn input(i: usize) -> [f32; 3] {
    let i = i as f32;
    [i / 4.0, (i - 5.0) * (i - 5.0), -i]
}

fn real(i: usize) -> [f32; 2] {
    [i as f32 / 8.0, 1.0 - i as f32]
}

/// Samples 0 to 8 to train on, 9 to 11 to test with, labels i mod 3.
fn assert_is_the_set_of_classes(data: &Dataset, what: &str) {
    assert_eq!((data.train.len(), data.test.len(), data.dim()), (9, 3, 3), "{what}");
    assert_eq!(data.task(), Task::Classification { classes: 3 }, "{what}");
    for i in 0..12 {
        let (split, at) = if i < 9 { (&data.train, i) } else { (&data.test, i - 9) };
        assert_eq!(split.input(at), input(i), "{what} {i}");
        assert_eq!(split.targets.labels().unwrap()[at], (i % 3) as u32, "{what} {i}");
    }
}

#[test]
fn arrays_and_tables_of_all_kinds_hold_the_same_set_of_classes() {
    let names = ["classes.npz", "big_endian.npz", "half.npz", "keras.npz", "folder", "classes.safetensors"];
    for name in names.into_iter().chain(["classes.csv", "classes.parquet"]) {
        assert_is_the_set_of_classes(&load(name), name);
        assert_eq!(load(name).fingerprint(), load("classes.npz").fingerprint(), "{name}");
    }
}

/// The sample numbers of a set of real targets, in the order they are in; every row is checked.
fn samples_of_the_real_set(data: &Dataset) -> [Vec<usize>; 2] {
    [&data.train, &data.test].map(|split| {
        let Targets::Real { values, dim: 2 } = &split.targets else { panic!("two real targets") };
        (0..split.len())
            .map(|row| {
                // The third input is −i.
                let i = -split.input(row)[2] as usize;
                assert_eq!(split.input(row), input(i));
                assert_eq!(values[2 * row..2 * row + 2], real(i));
                i
            })
            .collect()
    })
}

#[test]
fn real_targets_stay_with_their_inputs_and_are_the_same_split_in_every_format() {
    let first = load("real.npz");
    let [train, test] = samples_of_the_real_set(&first);
    // A fifth of 12, rounded.
    assert_eq!((train.len(), test.len()), (10, 2));
    assert_eq!(train.iter().chain(&test).copied().collect::<BTreeSet<_>>(), (0..12).collect());
    for name in ["fortran.npz", "real.safetensors", "real.parquet"] {
        assert_eq!(samples_of_the_real_set(&load(name)), [train.clone(), test.clone()], "{name}");
        assert_eq!(load(name).fingerprint(), first.fingerprint(), "{name}");
    }
}

#[test]
fn a_drawn_test_set_depends_on_seed_and_fraction_alone() {
    let draw = |fraction: f64, seed: u64| {
        let options = FileOptions { test: TestPart { fraction, seed }, ..FileOptions::default() };
        samples_of_the_real_set(&load_file(&path("real.npz"), &options).unwrap())
    };
    assert_eq!(draw(0.5, 3), draw(0.5, 3));
    assert_ne!(draw(0.5, 3), draw(0.5, 4));
    for (fraction, tests) in [(0.25, 3), (0.5, 6), (0.001, 1), (0.8, 10)] {
        let [train, test] = draw(fraction, 1);
        assert_eq!((train.len(), test.len()), (12 - tests, tests), "{fraction}");
        assert_eq!(train.into_iter().chain(test).collect::<BTreeSet<_>>(), (0..12).collect());
    }
}

#[test]
fn every_number_type_is_read() {
    for kind in ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8"] {
        let data = load(&format!("whole_{kind}.npz"));
        let mut rows: Vec<Vec<f32>> = (0..data.train.len()).map(|i| data.train.input(i).to_vec()).collect();
        rows.extend((0..data.test.len()).map(|i| data.test.input(i).to_vec()));
        // The last input is 11 − i.
        rows.sort_by(|a, b| b[2].total_cmp(&a[2]));
        for (i, row) in rows.iter().enumerate() {
            assert_eq!(row[..], [i as f32, (i as f32 - 5.0).powi(2), 11.0 - i as f32], "{kind} {i}");
        }
        assert_eq!(data.task(), Task::Classification { classes: 2 });
    }
}

#[test]
fn names_of_classes_are_sorted_and_kept() {
    for name in ["names.csv", "names.parquet"] {
        let options = FileOptions { target: Some(vec!["kind".into()]), ..FileOptions::default() };
        let data = load_file(&path(name), &options).unwrap();
        let names = data.class_names.clone().unwrap();
        assert_eq!(names, ["blue", "green", "red"]);
        for (at, &label) in data.train.targets.labels().unwrap().iter().enumerate() {
            let i = -data.train.input(at)[2] as usize;
            assert_eq!(names[label as usize], ["red", "green", "blue"][i % 3]);
        }
    }
}

fn with(task: TaskChoice) -> FileOptions {
    FileOptions { task, ..FileOptions::default() }
}

#[test]
fn the_task_can_be_said_where_the_type_means_something_else() {
    let data = load_file(&path("classes.npz"), &with(TaskChoice::Regression)).unwrap();
    assert_eq!(data.task(), Task::Regression);
    assert_eq!(data.train.targets.values().unwrap(), [0.0, 1.0, 2.0, 0.0, 1.0, 2.0, 0.0, 1.0, 2.0]);
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("d.csv");
    std::fs::write(&file, "a,y\n1,0.0\n2,1.0\n3,1.0\n4,0.0\n").unwrap();
    assert_eq!(load_file(&file, &FileOptions::default()).unwrap().task(), Task::Regression);
    let data = load_file(&file, &with(TaskChoice::Classification)).unwrap();
    assert_eq!(data.task(), Task::Classification { classes: 2 });
}

/// The message about a CSV file of this content.
fn refusal(content: &str, options: &FileOptions) -> String {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("data.csv");
    std::fs::write(&file, content).unwrap();
    let error = load_file(&file, options).unwrap_err().to_string();
    assert!(error.contains("data.csv") || error.contains("invalid option"), "{error}");
    error
}

fn assert_mentions(error: &str, parts: &[&str]) {
    for part in parts {
        assert!(error.contains(part), "should mention {part}: {error}");
    }
}

#[test]
fn what_is_wrong_in_a_table_is_named_with_row_and_column_and_a_way_out() {
    for (content, parts) in [
        ("", &["header"][..]),
        ("a,y\n", &["no rows"]),
        ("1,2\n3,4\n", &["first line", "names"]),
        ("a,a,y\n1,2,0\n", &["two columns", "`a`"]),
        ("a,,y\n1,2,0\n", &["column 2"]),
        ("y\n1\n0\n", &["input", "commas"]),
        ("a;y\n1;0\n", &["`a;y`", "commas"]),
        ("a,y\n1,0\n,1\n", &["row 2", "`a`", "empty"]),
        ("a,y\n1,0\n2,\n", &["row 2", "`y`", "empty"]),
        ("a,y\nNaN,0\n2,1\n", &["row 1", "`a`", "missing"]),
        ("a,y\n1,0\ninf,1\n", &["row 2", "`a`", "finite"]),
        ("a,y\n1,0\n1e60,1\n", &["row 2", "`a`", "1e60"]),
        ("a,y\n1,0\n2,1,5\n", &["row 2", "3 fields", "2"]),
        ("a,y\n1,0\nred,1\n", &["row 2", "`a`", "`red`", "--target"]),
        ("a,y\n1,0.5\n2,high\n", &["row 2", "`y`", "`high`", "--task"]),
        ("a,y\n1,0\n2,-1\n", &["row 2", "`y`", "-1", "--task regression"]),
        ("a,y\n1,0\n2,65536\n", &["row 2", "65536", "--task regression"]),
        ("a,y\n1,1\n2,1\n3,1\n", &["target", "same"]),
        ("a,y\n1,0\n1,1\n1,0\n", &["input", "same"]),
        ("a,y\n1,0\n", &["at least 2"]),
        ("a,y,split\n1,0,train\n2,1,train\n", &["split", "0 of 2"]),
        ("a,y,split\n1,0,train\n2,1,tset\n", &["row 2", "`split`", "`tset`"]),
    ] {
        assert_mentions(&refusal(content, &FileOptions::default()), parts);
    }
    let target = FileOptions { target: Some(vec!["hight".into()]), ..FileOptions::default() };
    assert_mentions(&refusal("a,height\n1,2.5\n2,3.5\n", &target), &["`hight`", "did you mean `height`"]);
    let words = refusal("a,y\n1,red\n2,blue\n", &with(TaskChoice::Regression));
    assert_mentions(&words, &["row 1", "`red`", "number"]);
    let halves = refusal("a,y\n1,0.5\n2,1.0\n", &with(TaskChoice::Classification));
    assert_mentions(&halves, &["row 1", "`y`", "0.5", "whole"]);
}

#[test]
fn gaps_among_the_labels_are_classes_without_samples() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("data.csv");
    std::fs::write(&file, "a,y\n1,0\n2,5\n3,5\n4,0\n").unwrap();
    let description = load_file(&file, &FileOptions::default()).unwrap().describe();
    assert_eq!(description.classes.len(), 6);
    let counts: Vec<usize> = description.classes.iter().map(|c| c.train + c.test).collect();
    assert_eq!(counts, [2, 0, 0, 0, 0, 2]);
}

#[test]
fn files_that_cannot_be_trained_on_say_why() {
    for (name, parts) in [
        ("text.npz", &["`y`", "text"][..]),
        ("object.npz", &["`y`", "objects"]),
        ("complex.npz", &["`x`", "type"]),
        ("zstd.parquet", &["`a`", "ZSTD", "snappy"]),
        ("missing.parquet", &["row 2", "`a`", "missing"]),
        ("nested.parquet", &["nested"]),
        ("date.parquet", &["`a`", "dates"]),
        ("text.parquet", &["row 1", "`a`", "`u`"]),
        ("nothing.npz", &["nothing.npz"]),
        ("make.py", &["make.py", ".npz"]),
    ] {
        let error = load_file(&path(name), &FileOptions::default()).unwrap_err().to_string();
        assert_mentions(&error, &[&[name][..], parts].concat());
    }
}

#[test]
fn files_cut_short_or_with_other_bytes_are_refused_and_nothing_panics() {
    let place = tempfile::tempdir().unwrap();
    for name in ["classes.npz", "real.npz", "classes.safetensors", "classes.parquet", "folder/x.npy"] {
        let bytes = std::fs::read(path(name)).unwrap();
        let file = if name == "folder/x.npy" {
            for other in ["y", "x_test", "y_test"] {
                std::fs::copy(path(&format!("folder/{other}.npy")), place.path().join(format!("{other}.npy"))).unwrap();
            }
            place.path().join("x.npy")
        } else {
            place.path().join(name)
        };
        let read = if name == "folder/x.npy" { place.path().to_owned() } else { file.clone() };
        for length in (0..bytes.len()).step_by(7) {
            std::fs::write(&file, &bytes[..length]).unwrap();
            assert!(load_file(&read, &FileOptions::default()).is_err(), "{name} cut to {length}");
        }
        for at in (0..bytes.len()).step_by(3) {
            let mut wrong = bytes.clone();
            wrong[at] ^= 0x55;
            std::fs::write(&file, &wrong).unwrap();
            // A changed number is another set; anything else is an error, not a panic.
            let _ = load_file(&read, &FileOptions::default());
        }
    }
}

#[test]
fn arrays_that_do_not_belong_together_are_named() {
    let place = tempfile::tempdir().unwrap();
    let copy = |from: &str, to: &str| std::fs::copy(path(from), place.path().join(to)).unwrap();
    let error = || load_file(place.path(), &FileOptions::default()).unwrap_err().to_string();
    assert_mentions(&error(), &["`x`", "nothing"]);
    copy("folder/x.npy", "x.npy");
    assert_mentions(&error(), &["`y`", "x"]);
    copy("folder/y_test.npy", "y.npy");
    assert_mentions(&error(), &["`x` has 9", "`y` has 3"]);
    copy("folder/y.npy", "y.npy");
    copy("folder/x_test.npy", "x_test.npy");
    assert_mentions(&error(), &["`x_test`", "`y_test`"]);
    copy("folder/x_test.npy", "y_test.npy");
    assert_mentions(&error(), &["`y`", "`y_test`", "--task"]);
}

#[test]
fn options_without_effect_on_the_file_are_refused() {
    let own_test = FileOptions { test: TestPart { fraction: 0.3, seed: 0 }, ..FileOptions::default() };
    let error = load_file(&path("classes.npz"), &own_test).unwrap_err().to_string();
    assert_mentions(&error, &["test-fraction"]);
    let columns = FileOptions { target: Some(vec!["y".into()]), ..FileOptions::default() };
    let error = load_file(&path("classes.npz"), &columns).unwrap_err().to_string();
    assert_mentions(&error, &["target"]);
}
