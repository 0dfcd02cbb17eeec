//! Files stay short enough to read in one sitting. Functions are held short by clippy.

use std::path::{Path, PathBuf};

use anyhow::bail;

use crate::machine;

/// Lines a source file may have, its tests not counted.
const LONGEST: usize = 400;

const FOLDERS: [&str; 3] = ["crates", "examples", "bench"];

/// Names every file that is too long.
pub(crate) fn check() -> anyhow::Result<()> {
    let mut too_long = Vec::new();
    for file in FOLDERS.iter().flat_map(|folder| sources(&machine::root().join(folder))) {
        let lines = lines_without_tests(&std::fs::read_to_string(&file)?);
        if lines > LONGEST {
            too_long.push(format!("{}: {lines} lines", file.display()));
        }
    }
    if too_long.is_empty() {
        return Ok(());
    }
    bail!("a file has at most {LONGEST} lines without its tests:\n{}", too_long.join("\n"))
}

/// Rust sources under a folder, test files and build output left out.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() && name != "tests" && name != "target" {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") && name != "tests.rs" {
            files.push(path);
        }
    }
    files
}

/// Tests stand last in a file, so the first test module ends the count.
fn lines_without_tests(text: &str) -> usize {
    text.lines().take_while(|line| line.trim() != "#[cfg(test)]").count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_at_the_end_do_not_count() {
        assert_eq!(lines_without_tests("a\nb\n#[cfg(test)]\nmod tests {\n}\n"), 2);
    }
}
