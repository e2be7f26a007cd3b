//! A folder of broken files, each answered by exit code 2 and one line that says what is wrong.

mod common;

use common::{SMALL, folder, path, run};
use std::{collections::BTreeSet, path::PathBuf};

/// File and what the message must say of it, besides the file's name.
const CASES: &[(&str, &str)] = &[
    ("images-empty", "too few"),
    ("images-header-cut", "ends within its header"),
    ("images-magic", "starts with [89, 50, 4e, 47]"),
    ("images-are-labels", "an IDX file of images starts with [00, 00, 08, 03]"),
    ("images-of-floats", "starts with [00, 00, 0d, 03]"),
    ("images-body-cut", "is cut short"),
    ("images-left-over", "has bytes left over"),
    ("images-none", "none may be 0"),
    ("images-of-no-pixels", "none may be 0"),
    ("images-absurd", "4294967295"),
    ("images-huge", "is cut short"),
    ("images-too-many", "5 images but 4 labels"),
    ("images-cut.gz", "not a whole gzip file"),
    ("images-corrupt.gz", "not a whole gzip file"),
    ("images-body-cut.gz", "is cut short"),
    ("labels-empty", "too few"),
    ("labels-are-images", "an IDX file of labels starts with"),
    ("labels-too-few", "4 images but 3 labels"),
    ("labels-left-over", "has bytes left over"),
    ("labels-cut.gz", "not a whole gzip file"),
    ("test-labels-out-of-range", "label 2 is 3; there are classes 0 to 2"),
    ("batch-nan.safetensors", "`x` of sample 0, feature 1, is NaN"),
    ("batch-infinite-target.safetensors", "`y` of sample 1, feature 0, is inf"),
    ("batch-too-wide.safetensors", "x has 3"),
    ("batch-uneven.safetensors", "`x` has 2 samples but `y` has 1"),
    ("batch-without-targets.safetensors", "no tensor `y`"),
    ("batch-flat.safetensors", "`x` has shape [4]"),
    ("batch-none.safetensors", "no samples"),
    ("batch-cut.safetensors", "not a whole safetensors file"),
    ("batch-not-safetensors.safetensors", "not a whole safetensors file"),
    ("batch-absurd-header.safetensors", "not a whole safetensors file"),
    ("network-nan.safetensors", "w.2: weight [0, 1] is NaN"),
    ("network-widths.safetensors", "w.1 has 2 outputs but w.2 takes 3 inputs"),
    ("network-skip-between-widths.safetensors", "a skip needs equal widths"),
    ("network-skip-on-readout.safetensors", "the readout edge cannot have a skip"),
    ("network-skips-short.safetensors", "skips"),
    ("network-scales.safetensors", "scales"),
    ("network-activation.safetensors", "rleu"),
    ("network-no-activation.safetensors", "no `activation`"),
    ("network-placement.safetensors", "middle"),
    ("network-loss.safetensors", "hinge"),
    ("network-one-layer.safetensors", "at least 2"),
    ("network-without-weights.safetensors", "w.1"),
    ("network-cut.safetensors", "not a whole safetensors file"),
    ("precision-zero.safetensors", "layer 1 has 0, which is not a positive number"),
    ("precision-negative.safetensors", "the output has -2, which is not a positive number"),
    ("precision-nan.safetensors", "layer 2 has NaN, which is not a positive number"),
    ("precision-infinite.safetensors", "layer 1 has inf, which is not a positive number"),
    ("precision-of-one-unit-zero.safetensors", "layer 1 has 0, which is not a positive number"),
    ("precision-matrix-nan.safetensors", "layer 2 has NaN at [0, 1]"),
    ("precision-matrix-infinite.safetensors", "layer 2 has inf at [0, 0]"),
    ("precision-asymmetric.safetensors", "layer 2 is not symmetric: 0.4 at [1, 0] and 0.5 at [0, 1]"),
    ("precision-indefinite.safetensors", "layer 1 is not positive definite"),
    ("precision-singular.safetensors", "layer 1 is not positive definite"),
    ("precision-negative-definite.safetensors", "layer 2 is not positive definite"),
    ("precision-too-many-units.safetensors", "`precision.2` has shape [3]; that of layer 2, of 2 units, is"),
    ("precision-of-no-units.safetensors", "`precision.2` has shape [0]"),
    ("precision-not-square.safetensors", "`precision.1` has shape [2, 3]; that of layer 1, of 2 units, is"),
    ("precision-matrix-too-large.safetensors", "`precision.3` has shape [2, 2]; that of the output, of 1 units, is"),
    ("precision-cube.safetensors", "`precision.1` has shape [2, 2, 2]"),
    ("precision-without-shape.safetensors", "`precision.1` has shape []"),
    ("precision-missing.safetensors", "no tensor `precision.2`"),
    ("precision-none.safetensors", "no tensor `precision.1`"),
    ("precision-beyond-the-output.safetensors", "`precision.4` is none of precision.1 … precision.3"),
    ("precision-from-zero.safetensors", "`precision.0` is none of precision.1 … precision.3"),
    ("precision-odd-name.safetensors", "`precision.two` is none of precision.1 … precision.3"),
    ("precision-of-whole-numbers.safetensors", "`precision.1` has type I32; F32 or F64 is needed"),
    ("precision-is-a-network.safetensors", "no tensor `precision.1`; the file holds w.1, w.2, w.3"),
    ("precision-cut.safetensors", "not a whole safetensors file"),
    ("precision-not-safetensors.safetensors", "not a whole safetensors file"),
    ("precision-empty.safetensors", "not a whole safetensors file"),
    ("checkpoint-of-an-earlier-version.safetensors", "does not say which run it belongs to"),
    ("checkpoint-cut.safetensors", "not a whole safetensors file"),
    ("checkpoint-is-a-network.safetensors", "a network file, not a checkpoint"),
    ("checkpoint-empty.safetensors", "not a whole safetensors file"),
    ("config-key.toml", "unknown key `widht`; did you mean `width`?"),
    ("config-value.toml", "did you mean `relu`?"),
    ("config-type.toml", "key `width`"),
    ("config-negative-width.toml", "key `width`"),
    ("config-no-width.toml", "width 0"),
    ("config-depth.toml", "at least 2"),
    ("config-budget.toml", "-3"),
    ("config-syntax.toml", "config-syntax.toml"),
    ("config-precision-words.toml", "`one,two` is neither numbers"),
    ("config-precision-zero.toml", "layer 1 has 0, which is not a positive number"),
    ("config-precision-nan.toml", "layer 1 has NaN, which is not a positive number"),
    ("config-precision-infinite.toml", "layer 1 has inf, which is not a positive number"),
    ("config-precision-count.toml", "2 numbers for 32 edges"),
    ("config-precision-type.toml", "key `precision`"),
    ("config-precision-no-file.toml", "none/such.safetensors: No such file"),
    ("config-precision-twice.toml", "`precision-profile`: says all precisions, as --precision does"),
    ("config-profile-name.toml", "did you mean `output`?"),
    ("config-profile-bare.toml", "`output` is none of output=π, hidden=p or geometric=s"),
    ("config-profile-number.toml", "`-2` of `hidden=-2` is not a positive number"),
    ("config-profile-too-steep.toml", "layer 1 has inf, which is not a positive number"),
    ("config-share-zero.toml", "0 does not lie between 0 and 1: at 0 the loss has no weight"),
    ("config-share-one.toml", "1 does not lie between 0 and 1"),
    ("config-share-and-rho.toml", "`loss-share`: is the whole energy"),
    ("config-share-and-precision.toml", "contradicts --precision; leave one of them out"),
    ("config-share-and-energy.toml", "contradicts --energy; leave one of them out"),
    ("config-energy-name.toml", "did you mean `huber`?"),
    ("config-energy-without-minimum.toml", "−∞ at c = 0, where every inference starts"),
    ("config-energy-scale-unused.toml", "has no effect on `log`, which has no scale"),
    ("config-energy-scale-negative.toml", "`energy-scale`: -1 is not a positive number"),
    ("config-not-text.toml", "config-not-text.toml"),
];

fn malformed() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/malformed")
}

fn file(name: &str) -> String {
    path(&malformed(), name)
}

/// Command-line arguments that read the file.
fn arguments(name: &str, place: &std::path::Path) -> Vec<String> {
    let (out, given) = (path(place, "out"), file(name));
    let idx = |option: &str| {
        let good = |o: &str| file(if o.ends_with("images") { "good-images" } else { "good-labels" });
        let options = ["train-images", "train-labels", "test-images", "test-labels"];
        let paths = options.map(|o| format!("--{o}={}", if o == option { given.clone() } else { good(o) }));
        [vec!["train".into(), "--dataset=idx".into(), format!("--out={out}")], paths.to_vec()].concat()
    };
    let infer = |network: String, batch: String| {
        vec!["infer".into(), format!("--network={network}"), format!("--batch={batch}")]
    };
    match name.split('-').next() {
        Some("images") => idx("train-images"),
        Some("labels") => idx("train-labels"),
        Some("test") => idx("test-labels"),
        Some("batch") => infer(file("good-network.safetensors"), given),
        Some("network") => infer(given, file("good-batch.safetensors")),
        Some("precision") => {
            let good = infer(file("good-network.safetensors"), file("good-batch.safetensors"));
            [good, vec![format!("--precision={given}")]].concat()
        }
        Some("config") => vec!["train".into(), format!("--config={given}"), format!("--out={out}")],
        Some("checkpoint") => {
            assert_eq!(run(&[&["train", "--out", &out][..], SMALL].concat()).code, 0);
            std::fs::copy(given, path(out.as_ref(), "checkpoint.safetensors")).unwrap();
            // As if it had not ended: a finished run is not gone on with.
            std::fs::remove_file(path(out.as_ref(), "summary.json")).unwrap();
            vec!["train".into(), format!("--resume={out}")]
        }
        _ => panic!("{name}: no command reads such a file"),
    }
}

#[test]
fn every_malformed_file_is_refused_in_one_line_that_says_what_is_wrong() {
    for (name, part) in CASES {
        let place = folder();
        let arguments = arguments(name, place.path());
        let said = run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(said.code, 2, "{name}: {}{}", said.out, said.err);
        assert!(said.out.is_empty(), "{name}: {}", said.out);
        assert!(said.err.starts_with("pcalm: error: ") && said.err.lines().count() == 1, "{name}: {}", said.err);
        assert!(said.err.contains(part), "{name} should say {part:?}: {}", said.err);
        // A value out of range is named by its option, whichever file it came from.
        let named = name.starts_with("config") && (said.err.contains("invalid ") || said.err.contains("No such file"));
        let place = if name.starts_with("checkpoint") { "checkpoint.safetensors" } else { name };
        assert!(said.err.contains(place) || named, "{name} should be named: {}", said.err);
    }
}

#[test]
fn the_files_they_are_variations_of_are_good() {
    let place = folder();
    let (network, batch) = (file("good-network.safetensors"), file("good-batch.safetensors"));
    let precision = file("good-precision.safetensors");
    for more in [&[][..], &["--precision", &precision]] {
        assert_eq!(run(&[&["infer", "--network", &network, "--batch", &batch], more].concat()).code, 0);
    }
    let (images, labels, out) = (file("good-images"), file("good-labels"), path(place.path(), "out"));
    let paths = ["--train-images", &images, "--train-labels", &labels, "--test-images", &images];
    let said =
        run(&[&["train", "--dataset=idx", "--depth=3", "--out", &out, "--test-labels", &labels][..], &paths].concat());
    assert_eq!(said.code, 0, "{}", said.err);
}

#[test]
fn every_file_of_the_folder_has_its_case_and_every_case_its_file() {
    let entries = std::fs::read_dir(malformed()).unwrap();
    let files = entries.map(|e| e.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<String> = files.filter(|f| !f.starts_with("good-") && !f.ends_with(".py")).collect();
    let cases: BTreeSet<String> = CASES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(files, cases);
}
