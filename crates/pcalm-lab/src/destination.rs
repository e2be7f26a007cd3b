//! Where a result goes: what cannot be written is found out before the work that makes it.

use crate::error::LabError;
use std::path::Path;

/// That a file can be written to `path` without damage to an input; `option` is what named it. A file that is there
/// already is refused unless `replace`.
///
/// # Errors
/// If it is one of `inputs` or lies in one that is a folder, also by another spelling or through a link, if it is
/// there and not to be replaced, or if its folder cannot be written to.
pub fn check<'a>(
    option: &str,
    path: &Path,
    inputs: impl IntoIterator<Item = &'a Path>,
    replace: bool,
) -> Result<(), LabError> {
    let refused = |problem: &str| Err(LabError::option(option, format!("{} {problem}", path.display())));
    if path.is_dir() {
        return refused("is a folder; name a file");
    }
    if let Ok(whole) = path.canonicalize() {
        let is_input = |input: &Path| {
            let within = input.is_dir() && input.canonicalize().is_ok_and(|folder| whole.starts_with(folder));
            within || same_file::is_same_file(path, input).unwrap_or(false)
        };
        if inputs.into_iter().any(is_input) {
            return refused("is what the command reads from; name another file");
        }
        if !replace {
            return refused("is there already; name another file, or replace it with --force");
        }
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    tempfile::NamedTempFile::new_in(folder).map_err(|e| LabError::io(path, e))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_refused_by_any_name_and_another_file_only_without_force() {
        let place = tempfile::tempdir().unwrap();
        let (input, other) = (place.path().join("input"), place.path().join("other"));
        std::fs::write(&input, "x").unwrap();
        std::fs::write(&other, "x").unwrap();
        let judged = |path: &Path, replace| check("out", path, [&*input], replace).map_err(|e| e.to_string());
        let hard = place.path().join("hard");
        std::fs::hard_link(&input, &hard).unwrap();
        for name in [&input, &place.path().join("../").join(place.path()).join("./input"), &hard] {
            assert!(judged(name, true).unwrap_err().contains("reads from"), "{}", name.display());
        }
        assert!(judged(&other, false).unwrap_err().contains("--force"));
        assert!(judged(&other, true).is_ok() && judged(&place.path().join("new"), false).is_ok());
        assert!(judged(&place.path().join("none/new"), true).is_err());
        assert!(judged(place.path(), true).unwrap_err().contains("folder"));
        let within = check("out", &other, [place.path()], true).unwrap_err().to_string();
        assert!(within.contains("reads from"), "{within}");
    }
}
