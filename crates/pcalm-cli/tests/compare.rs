//! `pcalm compare`.

mod common;

use common::{SMALL, folder, path, run};

#[test]
fn compare_prints_a_row_per_rule_and_writes_table_and_picture() {
    let place = folder();
    let out = path(place.path(), "cmp");
    let said = run(&[&["compare", "--seeds=2", "--out", &out][..], SMALL].concat());
    assert_eq!(said.code, 0, "{}", said.err);
    let rows: Vec<&str> = said.out.lines().map(|l| l.split_whitespace().next().unwrap_or("")).collect();
    assert_eq!(rows[..4], ["rule", "bp", "pc", "pc-alm"]);
    for file in ["compare.csv", "compare.json", "accuracy.svg", "pc-alm-seed1/summary.json", "bp-seed0/config.toml"] {
        assert!(place.path().join("cmp").join(file).exists(), "{file}");
    }
    let svg = std::fs::read_to_string(place.path().join("cmp/accuracy.svg")).unwrap();
    assert!(svg.contains("pc-alm") && svg.contains("test accuracy"));
}

#[test]
fn the_rules_of_a_comparison_start_from_the_same_network() {
    let place = folder();
    let out = path(place.path(), "cmp");
    assert_eq!(run(&[&["compare", "--seeds=1", "--out", &out][..], SMALL].concat()).code, 0);
    let first_row = |rule: &str| {
        let rows = std::fs::read_to_string(place.path().join(format!("cmp/{rule}-seed0/epochs.csv"))).unwrap();
        let row: Vec<String> = rows.lines().nth(1).unwrap().split(',').map(str::to_owned).collect();
        // Test loss, test accuracy and probe loss before training.
        row[2..5].to_vec()
    };
    assert_eq!(first_row("bp"), first_row("pc"));
    assert_eq!(first_row("bp"), first_row("pc-alm"));
}

#[test]
fn json_on_stdout_is_the_table() {
    let place = folder();
    let out = path(place.path(), "cmp");
    let said = run(&[&["compare", "--seeds=1", "--rules=bp", "--json", "--out", &out][..], SMALL].concat());
    let table: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(table[0]["rule"], "bp");
    // BP's alignment with itself.
    assert!((table[0]["alignment"].as_f64().unwrap() - 1.0).abs() < 1e-12);
}
