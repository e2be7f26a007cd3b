//! One word, one thing: the names of types, over all crates.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Every Rust file below `folder`.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}

/// The name of the type that is declared on a line. A type indented under no `pub` is one of a trait's or an
/// implementation's own, whose name is not its choice.
fn declared(line: &str) -> Option<&str> {
    let bare = line.trim_start();
    let item = match bare.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(") ")?.1,
        Some(rest) => rest.strip_prefix(' ')?,
        None => bare,
    };
    let (keyword, rest) = item.strip_prefix("unsafe ").unwrap_or(item).split_once(' ')?;
    let declares = match keyword {
        "struct" | "enum" | "union" | "trait" => true,
        "type" => bare == line || item != bare,
        _ => false,
    };
    let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
    (declares && name.starts_with(char::is_uppercase)).then_some(name)
}

/// The module's file that `path` is, or stands for in a build without some feature: `study.rs` for `no_study.rs`.
fn module(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap().to_str().unwrap();
    path.with_file_name(name.strip_prefix("no_").unwrap_or(name))
}

#[test]
fn a_type_name_is_declared_once_in_the_workspace() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    let mut places: BTreeMap<String, BTreeSet<PathBuf>> = BTreeMap::new();
    let folders = fs::read_dir(&crates).unwrap().map(|entry| entry.unwrap().path().join("src"));
    for folder in folders.filter(|folder| folder.is_dir()) {
        for path in sources(&folder) {
            for name in fs::read_to_string(&path).unwrap().lines().filter_map(declared) {
                let place = module(path.strip_prefix(&crates).unwrap());
                places.entry(name.to_owned()).or_default().insert(place);
            }
        }
    }
    // The scan sees plain items, those in macros, aliases and traits, in all three crates.
    for name in ["Network", "Experiment", "Reference", "Backend", "Command"] {
        assert!(places.contains_key(name), "{name}");
    }
    let files = |(name, files): (&String, &BTreeSet<PathBuf>)| {
        let files: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
        (files.len() > 1).then(|| format!("{name}: {}", files.join(", ")))
    };
    let twice: Vec<String> = places.iter().filter_map(files).collect();
    assert!(twice.is_empty(), "type names that stand for two things:\n{}", twice.join("\n"));
}
