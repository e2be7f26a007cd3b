//! What CONTRIBUTING says must never be in the sources, where reading them can show it.

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

/// The core's source files with their code: comments are left out.
fn core() -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pcalm/src").canonicalize().unwrap();
    let code = |path: &Path| {
        let text = fs::read_to_string(path).unwrap();
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
    };
    sources(&folder).into_iter().map(|p| (p.strip_prefix(&folder).unwrap().to_owned(), code(&p))).collect()
}

#[test]
fn the_core_prints_nothing_reads_no_clock_and_has_randomness_from_seeds_alone() {
    let refused =
        ["print!", "println!", "Instant::now", "SystemTime", "std::net", "std::env", "rand::rng()", "from_os_rng"];
    for (path, code) in core() {
        for word in refused {
            assert!(!code.contains(word), "{}: {word}", path.display());
        }
    }
}

#[test]
fn the_optimizer_alone_takes_a_network_to_change_it() {
    let mutable = core().into_iter().filter(|(_, code)| code.contains("&mut Network"));
    let places: Vec<PathBuf> = mutable.map(|(path, _)| path).collect();
    assert_eq!(places, [Path::new("optimizer/mod.rs")]);
}

#[test]
fn unsafe_code_is_in_kernels_alone() {
    let allowed = core().into_iter().filter(|(_, code)| code.contains("allow(unsafe_code)"));
    for (path, _) in allowed {
        assert!(path.starts_with("backend/cpu"), "{}", path.display());
    }
    for name in ["pcalm-lab", "pcalm-cli"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src");
        for path in sources(&folder) {
            assert!(!fs::read_to_string(&path).unwrap().contains("allow(unsafe_code)"), "{}", path.display());
        }
    }
}

/// The modules that `code` names behind `crate::`.
fn imported(code: &str) -> BTreeSet<String> {
    let word =
        |text: &str| text.trim_start().split(|c: char| !c.is_alphanumeric() && c != '_').next().map(str::to_owned);
    let mut found = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        let Some(group) = rest.strip_prefix('{') else {
            found.extend(word(rest));
            continue;
        };
        let (mut depth, mut at_start) = (0, true);
        for (i, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => at_start = true,
                c if at_start && c.is_alphanumeric() => {
                    found.extend(word(&group[i..]));
                    at_start = false;
                }
                _ => {}
            }
        }
    }
    found
}

#[test]
fn imports_between_the_cores_modules_run_in_no_circle() {
    let module = |path: &Path| {
        let first = path.iter().next().unwrap().to_str().unwrap();
        first.strip_suffix(".rs").unwrap_or(first).to_owned()
    };
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, code) in core().into_iter().filter(|(path, _)| path != Path::new("lib.rs")) {
        let name = module(&path);
        let others = imported(&code).into_iter().filter(|other| *other != name);
        imports.entry(name.clone()).or_default().extend(others);
    }
    assert!(imports["rule"].contains("lagrangian") && imports["state"].contains("backend"), "{imports:?}");
    // Whoever imports nothing that is left, leaves; a circle stays.
    while let Some(ground) = imports.iter().find(|(_, of)| of.iter().all(|m| !imports.contains_key(m))) {
        let ground = ground.0.clone();
        imports.remove(&ground);
    }
    assert!(imports.is_empty(), "a circle among {:?}", imports.keys().collect::<Vec<_>>());
}
