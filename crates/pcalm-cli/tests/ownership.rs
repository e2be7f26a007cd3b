//! A run folder belongs to one run: what may be gone on with, extended or replaced, and what is refused.

#![cfg(feature = "theory")]

mod common;

use common::{REPRODUCIBLE, SMALL, Said, assert_same_files, files, folder, path, pcalm, run, said, wait_until};
use std::path::Path;

fn train(out: &Path, more: &[&str]) -> Said {
    run(&[&["train", "--out", out.to_str().unwrap()][..], SMALL, more].concat())
}

fn trained(out: &Path, more: &[&str]) {
    let said = train(out, more);
    assert_eq!(said.code, 0, "{}", said.err);
}

fn resume(out: &Path, more: &[&str]) -> Said {
    run(&[&["train", "--quiet", "--resume", out.to_str().unwrap()][..], more].concat())
}

fn assert_refused(said: &Said, parts: &[&str]) {
    assert_eq!(said.code, 2, "{}{}", said.out, said.err);
    assert_eq!(said.err.lines().count(), 1, "{}", said.err);
    for part in parts {
        assert!(said.err.contains(part), "{part}: {}", said.err);
    }
}

/// As after a kill before the end: the files that are written last are missing.
fn make_unfinished(out: &Path) {
    for name in ["summary.json", "network.safetensors"] {
        std::fs::remove_file(out.join(name)).unwrap();
    }
}

/// `text` in `config.toml` replaced by other text.
fn edit(out: &Path, text: &str, by: &str) {
    let file = out.join("config.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    assert!(config.contains(text), "{text} is not in\n{config}");
    std::fs::write(&file, config.replace(text, by)).unwrap();
}

/// A folder with two tiny sets that pass for MNIST, in subfolders `a` and `b`.
fn two_sets(place: &Path) -> [String; 2] {
    let malformed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/malformed");
    ["a", "b"].map(|name| {
        let folder = place.join(name);
        std::fs::create_dir(&folder).unwrap();
        for part in ["train", "t10k"] {
            std::fs::copy(malformed.join("good-labels"), folder.join(format!("{part}-labels-idx1-ubyte"))).unwrap();
            let mut images = std::fs::read(malformed.join("good-images")).unwrap();
            // One pixel sets them apart.
            let last = images.len() - 1;
            images[last] = if name == "a" { 1 } else { 2 };
            std::fs::write(folder.join(format!("{part}-images-idx3-ubyte")), images).unwrap();
        }
        folder.to_str().unwrap().to_owned()
    })
}

#[test]
fn a_fresh_run_into_a_folder_that_holds_a_run_is_refused_with_the_way_out() {
    let place = folder();
    let out = place.path().join("x");
    trained(&out, &["--rule=pc"]);
    let before = files(&out);
    assert_refused(&train(&out, &["--rule=pc-alm"]), &["rule = \"pc\" instead of \"pc-alm\"", "--force", "--out"]);
    assert_refused(&train(&out, &["--rule=pc"]), &["finished", "--resume", "--force"]);
    assert_eq!(files(&out), before);
    trained(&out, &["--rule=bp", "--force"]);
    let other = place.path().join("y");
    trained(&other, &["--rule=bp"]);
    assert_same_files(&out, &other);
}

#[test]
fn a_run_killed_before_its_first_checkpoint_leaves_nothing_of_the_run_it_replaced() {
    let place = folder();
    let out = place.path().join("x");
    trained(&out, &["--rule=pc"]);
    // Long enough in λ_max that the kill comes first.
    let arguments = ["train", "--force", "--width=256", "--depth=64", "--quiet", "--out", out.to_str().unwrap()];
    let mut child = pcalm().args(arguments).spawn().unwrap();
    let config = || std::fs::read_to_string(out.join("config.toml")).unwrap_or_default();
    wait_until(&mut child, "a configuration", || config().contains("width = 256"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!out.join("checkpoint.safetensors").exists() && !out.join("summary.json").exists());
    assert!(config().contains("rule = \"pc-alm\""));
}

#[test]
fn a_checkpoint_of_other_options_than_the_configuration_is_refused_by_name() {
    let place = folder();
    let out = place.path().join("x");
    for finished in [true, false] {
        trained(&out, &["--force"]);
        if !finished {
            make_unfinished(&out);
        }
        for (option, before, after) in [
            ("rule", "rule = \"pc-alm\"", "rule = \"pc\""),
            ("seed", "seed = 0\nd", "seed = 7\nd"),
            ("dtype", "dtype = \"f32\"", "dtype = \"f64\""),
            ("optimizer", "optimizer = \"adam\"", "optimizer = \"sgd\""),
            ("train-samples", "train-samples = 640", "train-samples = 320"),
        ] {
            edit(&out, before, after);
            let kept = files(&out);
            let said = resume(&out, &[]);
            assert_refused(&said, &["checkpoint.safetensors", option]);
            assert_eq!(files(&out), kept, "{option}");
            edit(&out, after, before);
        }
        assert_eq!(resume(&out, &[]).code, 0);
    }
}

#[test]
fn other_samples_than_the_run_began_with_are_refused() {
    let place = folder();
    let [a, b] = two_sets(place.path());
    let out = place.path().join("x");
    let with =
        |dir: &str, arguments: &[&str]| said(pcalm().args(arguments).env("PCALM_DATA_DIR", dir).output().unwrap());
    let to = out.to_str().unwrap();
    let begun = with(&a, &["train", "--dataset=mnist", "--width=4", "--depth=3", "--quiet", "--out", to]);
    assert_eq!(begun.code, 0, "{}", begun.err);
    make_unfinished(&out);
    assert_refused(&with(&b, &["train", "--quiet", "--resume", to]), &["other samples"]);
    std::fs::remove_file(out.join("checkpoint.safetensors")).unwrap();
    assert_refused(&with(&b, &["train", "--quiet", "--resume", to]), &["other samples"]);
    // The same samples elsewhere are the same.
    std::fs::rename(&a, place.path().join("moved")).unwrap();
    let moved = with(&path(place.path(), "moved"), &["train", "--quiet", "--resume", to]);
    assert_eq!(moved.code, 0, "{}", moved.err);
}

#[test]
fn two_processes_do_not_write_to_one_folder() {
    let place = folder();
    let out = place.path().join("x");
    let arguments = ["train", "--epochs=200", "--quiet", "--checkpoint-every=5", "--out", out.to_str().unwrap()];
    let mut first = pcalm().args([&arguments[..], &SMALL[..5]].concat()).spawn().unwrap();
    wait_until(&mut first, "a checkpoint", || out.join("checkpoint.safetensors").exists());
    for said in [resume(&out, &[]), train(&out, &["--force"]), train(&out, &[])] {
        assert_refused(&said, &["another process is writing here"]);
    }
    // Its lock dies with it.
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(resume(&out, &["--epochs=2"]).code, 2, "more than two epochs are done");
    assert!(out.join("config.toml").exists());
}

#[test]
fn a_finished_run_is_left_alone() {
    let place = folder();
    let out = place.path().join("x");
    trained(&out, &[]);
    let before = files(&out);
    let times = |name: &str| std::fs::metadata(out.join(name)).unwrap().modified().unwrap();
    let written = times("cost.json");
    let said = resume(&out, &[]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.err.contains("finished; nothing was run"), "{}", said.err);
    assert!(said.out.contains("pc-alm") && said.out.contains("stop reason          budget"), "{}", said.out);
    assert_eq!(files(&out), before);
    assert_eq!(times("cost.json"), written);
    // As a sweep leaves it: without a checkpoint nothing can go on, and nothing begins in its place.
    std::fs::remove_file(out.join("checkpoint.safetensors")).unwrap();
    let before = files(&out);
    assert_refused(&resume(&out, &["--epochs=3"]), &["no checkpoint to go on from"]);
    assert_eq!(files(&out), before);
    // Also one that diverged, which says so again.
    let lost = place.path().join("lost");
    assert_eq!(train(&lost, &["--eta=9", "--budget=200"]).code, 1);
    let before = files(&lost);
    let said = resume(&lost, &[]);
    assert!(said.code == 1 && said.err.contains("diverged"), "{}", said.err);
    assert_eq!(files(&lost), before);
}

#[test]
fn a_kill_between_the_last_checkpoint_and_the_summary_changes_nothing() {
    let place = folder();
    let (whole, cut) = (place.path().join("whole"), place.path().join("cut"));
    for out in [&whole, &cut] {
        trained(out, &["--checkpoint-every=3"]);
    }
    make_unfinished(&cut);
    assert_eq!(resume(&cut, &[]).code, 0);
    assert_same_files(&whole, &cut);
}

#[test]
fn more_epochs_go_on_to_the_bits_of_a_run_that_had_them_from_the_start() {
    let place = folder();
    let (long, extended) = (place.path().join("long"), place.path().join("extended"));
    trained(&long, &["--epochs=5", "--watch-stability=7"]);
    trained(&extended, &["--epochs=2", "--watch-stability=7"]);
    let said = resume(&extended, &["--epochs=5"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_same_files(&long, &extended);
    let changes = std::fs::read_to_string(extended.join("changes.csv")).unwrap();
    assert_eq!(changes, "step,option,before,after\n20,epochs,2,5\n");
    assert!(!long.join("changes.csv").exists());
}

#[test]
fn what_may_change_on_the_way_is_written_down_with_its_step_and_the_rest_is_refused_by_name() {
    let place = folder();
    let out = place.path().join("x");
    trained(&out, &["--epochs=2"]);
    for (flag, name) in [("--width=9", "width"), ("--rule=bp", "rule"), ("--seed=3", "seed"), ("--eta=0.1", "eta")] {
        assert_refused(&resume(&out, &[flag]), &[name, "cannot be changed", "--epochs"]);
    }
    assert_refused(&resume(&out, &["--learning-rate=0.1"]), &["finished", "more epochs"]);
    let flags = ["--epochs=3", "--learning-rate=0.0005", "--checkpoint-every=4", "--metrics-every=3"];
    assert_eq!(resume(&out, &flags).code, 0);
    let changes = std::fs::read_to_string(out.join("changes.csv")).unwrap();
    for row in ["20,epochs,2,3", "20,learning-rate,0.001,0.0005", "20,checkpoint-every,500,4", "20,metrics-every,50,3"]
    {
        assert!(changes.contains(row), "{row}: {changes}");
    }
    let rates: Vec<String> = std::fs::read_to_string(out.join("metrics.csv"))
        .unwrap()
        .lines()
        .skip(1)
        .map(|line| line.split(',').nth(2).unwrap().to_owned())
        .collect();
    let (first, last) = (rates.first().unwrap().parse::<f64>(), rates.last().unwrap().parse::<f64>());
    assert_eq!(first.unwrap(), 2.0 * last.unwrap());
}

#[test]
fn costs_add_up_over_resumptions() {
    let place = folder();
    let out = place.path().join("x");
    trained(&out, &["--epochs=2"]);
    let steps = || {
        let cost: serde_json::Value = serde_json::from_slice(&std::fs::read(out.join("cost.json")).unwrap()).unwrap();
        (cost["steps"].as_u64().unwrap(), cost["training"].as_f64().unwrap())
    };
    let before = steps();
    assert_eq!(resume(&out, &["--epochs=3"]).code, 0);
    assert_eq!((before.0, steps().0), (20, 30));
    assert!(steps().1 > before.1);
}

#[test]
fn history_is_in_the_tables_and_the_checkpoints_header_stays_small() {
    let place = folder();
    let out = place.path().join("x");
    trained(&out, &["--epochs=60", "--metrics-every=1", "--probe-samples=16", "--test-samples=20", "--rule=bp"]);
    let rows = std::fs::read_to_string(out.join("metrics.csv")).unwrap().lines().count();
    assert_eq!(rows, 601);
    let bytes = std::fs::read(out.join("checkpoint.safetensors")).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap());
    // Three tensors an edge and a page of notes; 600 rows would be some 60 kB.
    assert!(header < 8000, "{header}");
}

#[test]
fn a_moved_folder_and_another_working_folder_go_on() {
    let place = folder();
    let [a, _] = two_sets(place.path());
    let name = Path::new(&a).file_name().unwrap().to_str().unwrap();
    let arguments = ["train", "--dataset=mnist", "--data-dir", name, "--width=4", "--depth=3", "--quiet", "--out", "x"];
    let begun = said(pcalm().args(arguments).current_dir(place.path()).output().unwrap());
    assert_eq!(begun.code, 0, "{}", begun.err);
    let moved = place.path().join("elsewhere");
    std::fs::rename(place.path().join("x"), &moved).unwrap();
    let said = resume(&moved, &["--epochs=3"]);
    assert_eq!(said.code, 0, "{}", said.err);
}

#[test]
fn a_network_to_start_from_decides_its_options_and_contradictions_are_refused() {
    let place = folder();
    let (first, second) = (place.path().join("a"), place.path().join("b"));
    trained(&first, &["--activation=tanh", "--topology=chain", "--rule=bp"]);
    let init = format!("--init={}", path(&first, "network.safetensors"));
    let begin = |more: &[&str]| {
        let out = second.to_str().unwrap();
        run(&[&["train", "--out", out, &init, "--quiet", "--force", "--train-samples=640"][..], more].concat())
    };
    for (flag, parts) in [
        ("--activation=relu", ["`relu` contradicts", "`tanh`"]),
        ("--topology=residual", ["`residual` contradicts", "`chain`"]),
        ("--depth=7", ["7 contradicts", "6 weight matrices"]),
        ("--width=9", ["9 contradicts", "8, 8, 8"]),
        ("--widths=8,8", ["[8, 8] contradicts", "8, 8, 8"]),
        ("--loss=cross-entropy", ["`cross-entropy` contradicts", "`squared-error`"]),
    ] {
        assert_refused(&begin(&[flag]), &[parts[0], parts[1], "network.safetensors"]);
    }
    assert_eq!(begin(&["--activation=tanh", "--depth=6"]).code, 0);
    assert_eq!(begin(&[]).code, 0);
    let config = std::fs::read_to_string(second.join("config.toml")).unwrap();
    for line in ["activation = \"tanh\"", "topology = \"chain\"", "width = 8", "depth = 6"] {
        assert!(config.contains(line), "{line} in\n{config}");
    }
    // The run has all it needs, also when that file is gone; another one in its place is noticed.
    std::fs::write(first.join("network.safetensors"), std::fs::read(second.join("network.safetensors")).unwrap())
        .unwrap();
    assert_refused(&resume(&second, &["--epochs=2"]), &["another --init file"]);
    std::fs::remove_file(first.join("network.safetensors")).unwrap();
    let said = resume(&second, &["--epochs=2"]);
    assert_eq!(said.code, 0, "{}", said.err);
}

#[test]
fn files_that_a_killed_process_left_unfinished_are_cleared_by_the_next() {
    let place = folder();
    let out = place.path().join("x");
    trained(&out, &[]);
    make_unfinished(&out);
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let left = out.join(format!(".partial-{}-999999999-abc", host.trim()));
    std::fs::write(&left, "half a checkpoint").unwrap();
    assert_eq!(resume(&out, &[]).code, 0);
    assert!(host.is_empty() || !left.exists());
    let names: Vec<String> = files(&out).keys().map(|p| p.to_str().unwrap().to_owned()).collect();
    let known = |name: &String| REPRODUCIBLE.contains(&name.as_str()) || name == "cost.json";
    assert!(names.iter().all(known), "{names:?}");
}

#[test]
fn a_comparison_goes_on_where_it_was_and_refuses_the_folder_of_another() {
    let place = folder();
    let out = place.path().join("x");
    let compare = |rules: &str, more: &[&str]| {
        let rules = format!("--rules={rules}");
        run(&[&["compare", "--seeds=2", &rules, "--out", out.to_str().unwrap()][..], SMALL, more].concat())
    };
    let first = compare("bp,pc", &[]);
    assert_eq!(first.code, 0, "{}", first.err);
    let before = files(&out);
    let again = compare("bp,pc", &[]);
    assert_eq!((again.code, &again.out), (0, &first.out));
    assert_eq!(files(&out), before);
    // A third seed and rule join what is there.
    make_unfinished(&out.join("pc-seed1"));
    let more = compare("bp,pc,pc-alm", &["--seeds=3"]);
    assert_eq!(more.code, 0, "{}", more.err);
    assert_refused(&compare("bp,pc", &["--epochs=2"]), &["epochs = 5 instead of 2", "--force"]);
    assert_refused(&train(&out, &[]), &["results of `compare`"]);
    let theory = run(&["theory", "stability", "--grid=4", "--out", out.to_str().unwrap()]);
    assert_refused(&theory, &["results of `compare`"]);
    let fresh = place.path().join("y");
    let arguments = ["compare", "--seeds=3", "--rules=bp,pc,pc-alm", "--out", fresh.to_str().unwrap()];
    assert_eq!(run(&[&arguments[..], SMALL].concat()).code, 0);
    for name in ["compare.csv", "compare.json", "runs.csv", "accuracy.svg", "pc-seed1/summary.json"] {
        let read = |folder: &Path| std::fs::read(folder.join(name)).unwrap();
        assert!(read(&out) == read(&fresh), "{name}");
    }
    assert_eq!(compare("bp,pc", &["--epochs=2", "--force"]).code, 0);
    assert!(!out.join("pc-alm-seed0").exists());
}

#[test]
fn commands_without_a_folder_never_meet_in_one() {
    let place = folder();
    let at = |arguments: &[&str]| said(pcalm().args(arguments).current_dir(place.path()).output().unwrap());
    let small = &["--width=4", "--depth=3", "--quiet"][..];
    for question in ["spectrum", "equilibrium", "relaxation", "energies", "wave"] {
        for alpha in ["--alpha=1", "--alpha=0.5", "--alpha=1"] {
            let done = at(&[&["theory", question, alpha][..], small].concat());
            assert_eq!(done.code, 0, "{question}: {}", done.err);
        }
    }
    let samples = ["--train-samples=128", "--test-samples=20", "--probe-samples=16"];
    for rule in ["--rule=bp", "--rule=pc"] {
        for width in ["--width=4", "--width=5"] {
            let done = at(&[&["train", rule, width, "--depth=3", "--quiet"][..], &samples].concat());
            assert_eq!(done.code, 0, "{}", done.err);
        }
    }
    assert_eq!(std::fs::read_dir(place.path().join("runs")).unwrap().count(), 5 * 2 + 4);
}

#[test]
fn options_without_effect_are_errors() {
    let place = folder();
    let out = path(place.path(), "x");
    let at = |arguments: &[&str]| run(&[arguments, &["--out", &out]].concat());
    let empty = path(place.path(), "empty");
    std::fs::create_dir(&empty).unwrap();
    for (arguments, parts) in [
        (&["train", "--train-images=a"][..], ["train-images", "idx"]),
        (&["train", "--data-dir", &empty][..], ["data-dir", "glyphs"]),
        (&["train", "--widths=4,4", "--width=8"][..], ["width", "--widths"]),
        (&["train", "--path-position=0.5"][..], ["path-position", "path"]),
        (&["compare", "--rules=bp,bp"][..], ["rules", "twice"]),
        (&["figure", "scalar", "--data-dir=/typo"][..], ["data-dir", "/typo"]),
        (&["figure", "scalar", "--data-dir", &empty][..], ["data-dir", "would not be used"]),
    ] {
        assert_refused(&at(arguments), &parts);
    }
    let grid = |text: &str| {
        let file = path(place.path(), "grid.toml");
        std::fs::write(&file, text).unwrap();
        at(&["sweep", &file])
    };
    let axis = "[axes]\nrule = [\"bp\", \"pc\"]\n";
    for (text, parts) in [
        ("", ["sets no option", "grid.toml"]),
        ("[axes]\ndata-dir = [\"/a\", \"/b\"]\n", ["data-dir", "no effect"]),
        ("[axes]\nmetrics-every = [1, 2]\n", ["metrics-every", "no effect"]),
        ("[axes]\nwidth = [4, 8, 4]\n", ["width", "`4` and `4`"]),
        (&format!("{axis}[[variants]]\nname = \"a\"\nrule = \"mm\"\n"), ["variant `a`", "axis"]),
        ("[[variants]]\nname = \"a\"\nwidth = 4\n[[variants]]\nname = \"a\"\nwidth = 8\n", ["two variants", "`a`"]),
        ("[[variants]]\nname = \"a\"\n[[variants]]\nname = \"b\"\nwidth = 32\n", ["variants", "`a` and `b`"]),
    ] {
        assert_refused(&grid(text), &parts);
    }
}
