//! The manual, README.md and docs/, against the program: every command is parsed by the real command line and run in
//! small, every option and every link that the text names exists.
//!
//! The commands of a page run in order, in a folder of their own that has what a reader has: the clone's `configs`, the
//! files that an MNIST download leaves, a network and a batch from elsewhere. Commands that download or take
//! minutes are marked in the page by a comment on the line before their block, which may name them by their first words:
//! `<!-- test: parsed only -->`, `<!-- test: parsed only: pcalm data fetch -->`.

mod common;
// The program is no library: its command line is compiled once more.
#[allow(dead_code)]
#[path = "../src/args/mod.rs"]
mod args;

use common::{folder, pcalm, published_case, said};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    thread,
};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// A page by its path from the root, and its text.
struct Page {
    name: String,
    text: String,
}

/// README.md and everything below docs/.
fn pages() -> Vec<Page> {
    let mut found = vec![PathBuf::from("README.md")];
    let mut open = vec![PathBuf::from("docs")];
    while let Some(place) = open.pop() {
        for entry in fs::read_dir(Path::new(ROOT).join(&place)).unwrap() {
            let path = place.join(entry.unwrap().file_name());
            if Path::new(ROOT).join(&path).is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    let page = |path: PathBuf| {
        let text = fs::read_to_string(Path::new(ROOT).join(&path)).unwrap();
        Page { name: path.to_str().unwrap().replace('\\', "/"), text }
    };
    found.into_iter().map(page).collect()
}

/// A block of code with its language, the line it begins at and the line before it; or a line of prose.
enum Part<'t> {
    Prose(&'t str),
    Code { language: &'t str, first: usize, before: &'t str, lines: Vec<&'t str> },
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut before = "";
    let mut lines = text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let inside = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
            parts.push(Part::Code { language, first: at + 2, before, lines: inside });
        } else {
            parts.push(Part::Prose(line));
        }
        before = line;
    }
    parts
}

/// One line for a shell.
struct Line {
    /// Page and line, for whoever has to mend it.
    place: String,
    words: Vec<String>,
    /// Whether it is to be parsed alone.
    parsed_only: bool,
}

impl Line {
    /// The arguments of `pcalm`, if the line calls it.
    fn arguments(&self) -> Option<&[String]> {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        match words[..] {
            ["pcalm", ..] => Some(&self.words[1..]),
            ["cargo", "run", ..] => {
                let end = words.iter().position(|w| *w == "--")?;
                Some(&self.words[end + 1..])
            }
            _ => None,
        }
    }
}

/// The lines of all shell blocks of a page, without comments, with `\` and variables resolved.
fn lines(page: &Page) -> Vec<Line> {
    const MARK: &str = "<!-- test: parsed only";
    let mut found = Vec::new();
    let mut variables = BTreeMap::new();
    for part in parts(&page.text) {
        let Part::Code { language: "sh", first, before, lines } = part else { continue };
        let mark = before.strip_prefix(MARK).map(|rest| rest.strip_suffix("-->").unwrap().trim_matches([':', ' ']));
        let mut words: Vec<String> = Vec::new();
        for (at, line) in lines.into_iter().enumerate() {
            let (line, goes_on) = line.strip_suffix('\\').map_or((line, false), |line| (line, true));
            words.extend(line.split_whitespace().take_while(|word| !word.starts_with('#')).map(str::to_owned));
            if goes_on || words.is_empty() {
                continue;
            }
            for word in &mut words {
                if let Some(value) = word.strip_prefix('$').and_then(|name| variables.get(name)) {
                    *word = String::clone(value);
                }
            }
            let place = format!("{}:{}", page.name, first + at);
            if let Some((name, value)) = words[0].split_once('=') {
                variables.insert(name.to_owned(), value.to_owned());
                words.clear();
                continue;
            }
            let parsed_only = mark.is_some_and(|mark| words.join(" ").starts_with(mark));
            found.push(Line { place, words: std::mem::take(&mut words), parsed_only });
        }
    }
    found
}

#[test]
fn every_line_for_a_shell_is_understood_by_the_command_line_or_is_another_programs() {
    let mut wrong = Vec::new();
    for line in pages().iter().flat_map(lines) {
        let text = line.words.join(" ");
        if let Some(arguments) = line.arguments() {
            let words = ["pcalm"].into_iter().chain(arguments.iter().map(String::as_str));
            if let Err(error) = args::parse(words)
                && error.use_stderr()
            {
                wrong.push(format!("{}: {text}: {error}", line.place));
            }
        } else if let Some(at) = line.words.iter().position(|w| w == "--example") {
            let example = format!("{ROOT}/crates/pcalm/examples/{}.rs", line.words[at + 1]);
            assert!(Path::new(&example).exists(), "{}: {text}", line.place);
        } else if !["cargo install", "cargo test", ".ci/run", "column "].iter().any(|known| text.starts_with(known)) {
            wrong.push(format!("{}: what is this? {text}", line.place));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const SMALL_RUN: &str =
    "--width 8 --depth 4 --epochs 1 --train-samples 128 --test-samples 64 --probe-samples 32 --quiet";

/// What makes a verb's commands small; in most of them the later of two values counts.
const SMALL: &[(&str, &str)] = &[
    ("train", SMALL_RUN),
    ("compare", SMALL_RUN),
    ("compare", "--seeds 2"),
    ("infer", "--samples 8"),
    ("theory spectrum", "--width 8 --depth 6 --quiet"),
    ("theory equilibrium", "--width 8 --depth 6 --samples 4 --quiet"),
    ("theory relaxation", "--width 8 --depth 6 --samples 2 --quiet"),
    ("theory energies", "--width 8 --depth 6 --samples 4 --quiet"),
    ("theory wave", "--width 8 --depth 6 --samples 4 --quiet"),
    ("theory stability", "--grid 6"),
    ("figure", "--quiet"),
];

/// The command, in small.
fn small(arguments: &[String]) -> Vec<String> {
    let mut small = arguments.to_vec();
    let has = |option: &str| arguments.iter().any(|word| word == option);
    if has("--help") {
        return small;
    }
    if has("--resume") {
        // What a run is about is in its folder.
        small.push("--quiet".into());
        return small;
    }
    let text = arguments.join(" ");
    for (verb, options) in SMALL {
        if text.starts_with(verb) {
            small.extend(options.split(' ').map(str::to_owned));
        }
    }
    let mut leave_out = |options: &[&str]| {
        for option in options {
            while let Some(at) = small.iter().position(|word| word == option) {
                small.drain(at..at + 2);
            }
        }
    };
    if has("--network") {
        // What a network is like is in its file.
        leave_out(&["--width", "--depth"]);
    }
    if has("--batch") {
        leave_out(&["--samples"]);
    }
    if arguments[0] == "figure" {
        // Without one that is given the folder is called after the scale, and a report may be asked for.
        let after = |option: &str| arguments.iter().skip_while(|word| *word != option).nth(1).cloned();
        let scale = after("--scale").unwrap_or("default".into());
        let out = after("--out").unwrap_or(format!("runs/figures-{scale}"));
        leave_out(&["--scale", "--out"]);
        small.extend(["--scale".into(), "smoke".into(), "--out".into(), out]);
        // tests/figures.rs makes all of them.
        small.iter_mut().filter(|word| *word == "all").for_each(|word| *word = "credit".into());
    }
    small
}

/// Four IDX files, as the download leaves them: images of random numbers.
fn handwritten_digits(place: &Path) {
    fs::create_dir_all(place).unwrap();
    let mut random = 1_u32;
    for (part, samples) in [("train", 256_u32), ("t10k", 128)] {
        let mut images: Vec<u8> = [0x803, samples, 28, 28].iter().flat_map(|n| n.to_be_bytes()).collect();
        for _ in 0..samples * 28 * 28 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            images.push((random >> 24) as u8);
        }
        let mut labels: Vec<u8> = [0x801, samples].iter().flat_map(|n| n.to_be_bytes()).collect();
        labels.extend((0..samples).map(|i| (i % 10) as u8));
        fs::write(place.join(format!("{part}-images-idx3-ubyte")), images).unwrap();
        fs::write(place.join(format!("{part}-labels-idx1-ubyte")), labels).unwrap();
    }
}

/// Makes a folder into what a reader sits in.
fn furnish(place: &Path) {
    fs::create_dir(place.join("configs")).unwrap();
    for entry in fs::read_dir(Path::new(ROOT).join("configs")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        // Every cell of a grid is small.
        let text = text.replace("[base]\n", "[base]\ntrain-samples = 64\ntest-samples = 64\nprobe-samples = 32\n");
        fs::write(place.join("configs").join(path.file_name().unwrap()), text).unwrap();
    }
    handwritten_digits(&place.join("data").join("mnist"));
    published_case(place);
}

/// Runs the commands of a page one after the other; what went wrong.
fn follow(page: &Page) -> Option<String> {
    let lines: Vec<Line> = lines(page).into_iter().filter(|line| !line.parsed_only).collect();
    if lines.is_empty() {
        return None;
    }
    let place = folder();
    furnish(place.path());
    for line in lines {
        let Some(arguments) = line.arguments() else {
            // Tables that another program is to show.
            if line.words[0] == "column" && !place.path().join(line.words.last().unwrap()).exists() {
                return Some(format!("{}: {}: no such file", line.place, line.words.join(" ")));
            }
            continue;
        };
        let arguments = small(arguments);
        let mut command = pcalm();
        command.args(&arguments).current_dir(place.path());
        command.env("PCALM_DATA_DIR", place.path().join("data")).env("XDG_CACHE_HOME", place.path().join("cache"));
        let begun = std::time::Instant::now();
        let said = said(command.output().unwrap());
        println!("{:6.2} s  {}: pcalm {}", begun.elapsed().as_secs_f64(), line.place, arguments.join(" "));
        // A light build says what it lacks.
        let light = !cfg!(all(feature = "theory", feature = "parquet", feature = "pictures"));
        let lacking = light && said.code == 2 && said.err.contains("build with --features");
        if said.code != 0 && !lacking {
            return Some(format!("{}: pcalm {}: exit {}: {}", line.place, arguments.join(" "), said.code, said.err));
        }
    }
    None
}

#[test]
fn a_reader_who_types_what_the_pages_say_meets_no_error() {
    let pages = pages();
    let wrong: Vec<String> = thread::scope(|scope| {
        let readers: Vec<_> = pages.iter().map(|page| scope.spawn(|| follow(page))).collect();
        readers.into_iter().filter_map(|reader| reader.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Options of cargo.
#[cfg(feature = "theory")]
const FOREIGN: &[&str] = &["bench", "example", "features", "no-default-features", "release", "test", "workspace"];

#[cfg(feature = "theory")]
#[test]
fn every_option_that_the_prose_names_is_one_of_some_verb() {
    fn options(of: &clap::Command, into: &mut Vec<String>) {
        for argument in of.get_arguments() {
            into.extend(argument.get_long_and_visible_aliases().into_iter().flatten().map(str::to_owned));
        }
        of.get_subcommands().for_each(|below| options(below, into));
    }
    let mut known: Vec<String> = FOREIGN.iter().map(|&name| name.to_owned()).collect();
    known.extend(["help".into(), "version".into()]);
    options(&args::command(), &mut known);
    for page in pages() {
        for part in parts(&page.text) {
            let Part::Prose(line) = part else { continue };
            for (_, rest) in line.match_indices(" --").chain(line.match_indices("`--")).map(|(at, _)| line.split_at(at))
            {
                let name: String =
                    rest[3..].chars().take_while(|c| c.is_ascii_lowercase() || "-0123456789".contains(*c)).collect();
                let name = name.trim_matches('-');
                assert!(name.is_empty() || known.iter().any(|k| k == name), "{}: --{name}: {line}", page.name);
            }
        }
    }
}

/// What a heading is called in an address.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn every_link_between_the_pages_leads_somewhere() {
    for page in pages() {
        for part in parts(&page.text) {
            let Part::Prose(line) = part else { continue };
            for rest in line.split("](").skip(1) {
                let link = rest.split(')').next().unwrap();
                if link.contains("://") {
                    continue;
                }
                let (file, heading) =
                    link.split_once('#').map_or((link, None), |(file, heading)| (file, Some(heading)));
                let from = Path::new(ROOT).join(&page.name);
                let target = if file.is_empty() { from } else { from.parent().unwrap().join(file) };
                assert!(target.exists(), "{}: {link}", page.name);
                let Some(heading) = heading else { continue };
                let text = fs::read_to_string(&target).unwrap();
                let found = parts(&text)
                    .iter()
                    .any(|part| matches!(part, Part::Prose(line) if line.starts_with('#') && anchor(line) == heading));
                assert!(found, "{}: {link}", page.name);
            }
        }
    }
}

#[test]
fn lines_of_rust_are_those_of_the_crates_own_page_which_is_a_test_of_its_own() {
    let tested = fs::read_to_string(format!("{ROOT}/crates/pcalm/README.md")).unwrap();
    for page in pages() {
        for part in parts(&page.text) {
            let Part::Code { language: "rust", lines, first, .. } = part else { continue };
            let mut all = tested.lines();
            for (at, line) in lines.into_iter().enumerate().filter(|(_, line)| !line.is_empty()) {
                assert!(all.any(|tested| tested == line), "{}:{}: {line}", page.name, first + at);
            }
        }
    }
}

#[test]
fn the_front_page_has_at_most_150_lines() {
    let lines = fs::read_to_string(format!("{ROOT}/README.md")).unwrap().lines().count();
    assert!(lines <= 150, "{lines}");
}
