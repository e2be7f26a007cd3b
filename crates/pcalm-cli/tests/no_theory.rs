//! A program built without the theory: it trains as any other, and says of what it lacks how it is had.

#![cfg(not(feature = "theory"))]

mod common;

use common::{folder, run};

const WAY_OUT: &str = "this build has no theory; build with --features theory";

#[test]
fn verbs_and_options_that_need_the_theory_are_refused_before_anything_is_done() {
    let place = folder();
    let out = place.path().join("out");
    let asked: [(&[&str], &str); 9] = [
        (&["theory", "spectrum", "--width=4"], "pcalm theory"),
        (&["theory", "--help"], "pcalm theory"),
        (&["figure", "all"], "pcalm figure"),
        (&["report", "somewhere"], "pcalm report"),
        (&["verify", "--json"], "pcalm verify"),
        (&["train", "--rule=pc-nesterov"], "--nesterov auto"),
        (&["train", "--eta=auto-track"], "--eta auto-track"),
        (&["train", "--watch-stability=5"], "--watch-stability"),
        (&["compare", "--rules=bp,pc-nesterov"], "--nesterov auto"),
    ];
    for (words, named) in asked {
        let trains = ["train", "compare"].contains(&words[0]);
        let place: &[&str] = if trains { &["--out", out.to_str().unwrap()] } else { &[] };
        let said = run(&[words, place].concat());
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{words:?}");
        assert_eq!(said.err, format!("pcalm: error: {named}: {WAY_OUT}\n"), "{words:?}");
    }
    assert!(!out.exists());
}

#[test]
fn momentum_that_is_a_number_needs_no_theory() {
    let place = folder();
    let out = place.path().join("out");
    let words = ["train", "--rule=pc-nesterov", "--nesterov=0.5", "--width=4", "--depth=3", "--train-samples=64"];
    let said = run(&[&words[..], &["--epochs=1", "--quiet", "--out", out.to_str().unwrap()]].concat());
    assert_eq!(said.code, 0, "{}", said.err);
    let network = out.join("network.safetensors");
    let words = ["infer", "--dataset=glyphs", "--samples=2", "--rule=pc-nesterov", "--network"];
    let infer = |momentum| run(&[&words[..], &[network.to_str().unwrap(), momentum]].concat());
    assert_eq!(infer("--nesterov=0.5").code, 0);
    assert_eq!(infer("--nesterov=auto").err, format!("pcalm: error: --nesterov auto: {WAY_OUT}\n"));
}
