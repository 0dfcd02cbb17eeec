//! Rust sources as the architecture test sees them: code, and texts in it, apart.

use std::path::Path;

/// One source file.
pub(crate) struct Source {
    /// Path under the workspace, e.g. `crates/core/src/sessions/start.rs`.
    pub(crate) path: String,
    /// Front page: the `//!` lines.
    pub(crate) front_page: String,
    /// The code, tests left out: no comments, texts emptied, blanks only where names would
    /// grow together.
    pub(crate) code: String,
    /// Every text in the code, with how much of `code` stands before it.
    pub(crate) texts: Vec<(String, usize)>,
}

impl Source {
    /// Takes a file apart.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let docs = text.lines().map(str::trim).filter_map(|line| line.strip_prefix("//!"));
        let front_page = docs.map(str::trim).collect::<Vec<_>>().join(" ");
        // Tests stand last in a file.
        let text = text.split("\n#[cfg(test)]").next().unwrap_or_default();
        let (code, texts) = take_apart(text);
        Self { path: path.to_owned(), front_page, code, texts }
    }

    /// The room of the core a file belongs to, e.g. `sessions`; `lib` for the map.
    pub(crate) fn room(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("crates/core/src/")?;
        inside.split(['/', '.']).next()
    }

    /// Whether the code at an offset lies in a `store`: the file, or a module in it.
    pub(crate) fn is_store(&self, offset: usize) -> bool {
        self.path.ends_with("/store.rs") || self.code[..offset].contains("mod store{")
    }

    /// Everything that follows an occurrence of `words` in the code, as often as it occurs as a
    /// whole name.
    pub(crate) fn after<'a>(&'a self, words: &'a str) -> impl Iterator<Item = &'a str> {
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        self.code.match_indices(words).filter_map(move |(at, _)| {
            let starts = words.starts_with(is_name) && self.code[..at].ends_with(is_name);
            let rest = &self.code[at + words.len()..];
            let ends = words.ends_with(is_name) && rest.starts_with(is_name);
            (!starts && !ends).then_some(rest)
        })
    }
}

/// Every source under a folder, files with tests only left out.
pub(crate) fn sources(workspace: &Path, folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(workspace.join(folder)).into_iter().flatten() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let path = format!("{folder}/{name}");
        if workspace.join(&path).is_dir() {
            found.extend(sources(workspace, &path));
        } else if std::path::Path::new(&name).extension().is_some_and(|kind| kind == "rs")
            && name != "tests.rs"
        {
            let text = std::fs::read_to_string(workspace.join(&path)).unwrap();
            found.push(Source::new(&path, &text));
        }
    }
    found
}

/// The name a piece of code begins with.
pub(crate) fn name(code: &str) -> &str {
    let end = code.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(code.len());
    &code[..end]
}

fn take_apart(text: &str) -> (String, Vec<(String, usize)>) {
    let mut code = String::new();
    let mut texts = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = rest.split_once('\n').map_or("", |(_, after)| after);
        } else if rest.starts_with("/*") {
            rest = rest.split_once("*/").map_or("", |(_, after)| after);
        } else if let Some((inside, after)) = literal(rest, &code) {
            texts.push((inside, code.len()));
            code.push_str("\"\"");
            rest = after;
        } else if let Some(after) = character(rest) {
            code.push_str("' '");
            rest = after;
        } else {
            push(&mut code, c);
            rest = &rest[c.len_utf8()..];
        }
    }
    (code, texts)
}

/// Keeps one blank between two names and none elsewhere.
fn push(code: &mut String, c: char) {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    if c.is_whitespace() {
        if code.ends_with(is_name) {
            code.push(' ');
        }
    } else {
        if !is_name(c) && code.ends_with(' ') {
            code.pop();
        }
        code.push(c);
    }
}

/// A text in quotes, raw ones too, and what follows it.
fn literal<'a>(rest: &'a str, code: &str) -> Option<(String, &'a str)> {
    if let Some(raw) = rest.strip_prefix('r')
        && !code.ends_with(|c: char| c.is_alphanumeric() || c == '_')
    {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if let Some(inside) = raw[hashes..].strip_prefix('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let (text, after) = inside.split_once(&end)?;
            return Some((text.to_owned(), after));
        }
    }
    let inside = rest.strip_prefix('"')?;
    let mut is_escaped = false;
    for (at, c) in inside.char_indices() {
        match c {
            '"' if !is_escaped => return Some((inside[..at].to_owned(), &inside[at + 1..])),
            _ => is_escaped = c == '\\' && !is_escaped,
        }
    }
    None
}

/// A character in quotes (a lifetime is none), and what follows it.
fn character(rest: &str) -> Option<&str> {
    let inside = rest.strip_prefix('\'')?;
    if let Some(escape) = inside.strip_prefix('\\') {
        let after = &escape[escape.chars().next()?.len_utf8()..];
        return after.split_once('\'').map(|(_, after)| after);
    }
    inside[inside.chars().next()?.len_utf8()..].strip_prefix('\'')
}
