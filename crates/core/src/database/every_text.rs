//! Every SQL text of the product is prepared on both engines, so that none waits for its
//! first use to turn out wrong. Texts are found in the sources: a new one is covered at once.

use std::path::{Path, PathBuf};

use tokio_postgres::types::Type;
use tokio_postgres::{Client, NoTls};

use super::postgres::text::{Duty, wrap};
use super::sqlite::text::numbered;
use super::{Database, DatabaseUrl};

/// A text and where it stands.
struct Found {
    sql: String,
    place: String,
}

#[tokio::test]
async fn every_statement_is_prepared_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    let url = DatabaseUrl(format!("sqlite:{}", path.display()));
    let clock = std::sync::Arc::new(crate::ports::SystemClock);
    let random = std::sync::Arc::new(crate::ports::SystemRandom);
    drop(Database::open(&url, clock, random).await.unwrap());
    let connection = rusqlite::Connection::open(&path).unwrap();
    let mut wrong = Vec::new();
    for Found { sql, place } in statements() {
        match connection.prepare(&numbered(&sql)) {
            Ok(prepared) if prepared.parameter_count() != highest_parameter(&sql) => {
                wrong.push(format!("{place}: parameters are missing between $1 and the last"));
            }
            Ok(_) => {}
            Err(error) => wrong.push(format!("{place}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "SQLite refuses:\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn every_statement_is_prepared_on_postgres_plain_and_wrapped() {
    let Some(database) = ironlatch_testkit::postgres().await else { return };
    let (client, connection) = tokio_postgres::connect(&database.url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let mut wrong = Vec::new();
    for Found { sql, place } in statements() {
        let mut texts = vec![sql.clone()];
        if !sql.trim_start().starts_with("SELECT") {
            for alone in [false, true] {
                for must_change in [false, true] {
                    let duty = Duty { must_change, returning: true, alone };
                    texts.push(wrap(&sql, highest_parameter(&sql), duty));
                }
            }
        }
        for text in texts {
            if let Err(sentence) = prepared(&client, &text).await {
                wrong.push(format!("{place}: {sentence}"));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "PostgreSQL refuses:\n{}", wrong.join("\n"));
}

/// In use every parameter has the type of its value. Here the server finds most of them out
/// by itself; where it cannot, each type a value may have is tried.
async fn prepared(client: &Client, text: &str) -> Result<(), String> {
    let mut attempts = vec![vec![Type::UNKNOWN; highest_parameter(text)]];
    let mut refused = String::new();
    while let Some(types) = attempts.pop() {
        let Err(error) = client.prepare_typed(text, &types).await else { return Ok(()) };
        refused = super::postgres::failure::told(&error);
        let number = refused.split_once("data type of parameter $").map(|(_, rest)| rest);
        let digits = number.and_then(|rest| rest.split_once(' '));
        let Some(Ok(number)) = digits.map(|(digits, _)| digits.parse::<usize>()) else { continue };
        for kind in [Type::INT8, Type::BOOL, Type::TEXT, Type::BYTEA, Type::UUID] {
            let mut types = types.clone();
            types[number - 1] = kind;
            attempts.push(types);
        }
    }
    Err(refused)
}

#[test]
fn the_search_for_texts_understands_rust() {
    let source = r##"
        // "SELECT 1 FROM comments"
        /* "SELECT 2 FROM comments" /* nested */ "SELECT 3 FROM comments" */
        fn a<'a>(c: char) { let x = '"'; "SELECT 4 \
             FROM t"; r#"INSERT INTO "t" VALUES (5)"#; "selective words"; "UPDATED"; }
    "##;
    let texts: Vec<_> = literals(source).into_iter().filter(|text| is_sql(text)).collect();
    assert_eq!(texts, ["SELECT 4 FROM t", "INSERT INTO \"t\" VALUES (5)"]);
}

/// The statements of every room but this one, whose texts its own tests run.
fn statements() -> Vec<Found> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for path in files(&sources) {
        if path.starts_with(sources.join("database")) {
            continue;
        }
        let source = std::fs::read_to_string(&path).unwrap();
        let place = path.strip_prefix(&sources).unwrap().display().to_string();
        for sql in literals(&source).into_iter().filter(|text| is_sql(text)) {
            let begin: String = sql.split_whitespace().collect::<Vec<_>>().join(" ");
            let begin: String = begin.chars().take(70).collect();
            found.push(Found { sql, place: format!("{place}: {begin}…") });
        }
    }
    assert!(found.len() > 20, "the search for statements found only {}", found.len());
    found
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<PathBuf> = entries
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    all.sort();
    all
}

fn is_sql(text: &str) -> bool {
    let mut words = text.split_whitespace();
    match words.next() {
        Some("SELECT" | "WITH") => text.contains("FROM"),
        Some("INSERT") => words.next() == Some("INTO"),
        Some("UPDATE") => text.contains("SET"),
        Some("DELETE") => words.next() == Some("FROM"),
        _ => false,
    }
}

fn highest_parameter(sql: &str) -> usize {
    sql.split('$')
        .skip(1)
        .filter_map(|rest| {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        })
        .max()
        .unwrap_or(0)
}

/// The string literals of a Rust source, unescaped as far as SQL needs it.
fn literals(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
        } else if rest.starts_with("/*") {
            rest = after_comment(rest);
        } else if let Some((text, after)) = raw_literal(rest) {
            found.push(text);
            rest = after;
        } else if c == '"' {
            let (text, after) = plain_literal(&rest[1..]);
            found.push(text);
            rest = after;
        } else if c == '\'' {
            rest = after_quote(rest);
        } else {
            rest = &rest[c.len_utf8()..];
        }
    }
    found
}

fn after_comment(text: &str) -> &str {
    let mut depth = 0;
    let mut rest = text;
    while !rest.is_empty() {
        if rest.starts_with("/*") {
            depth += 1;
            rest = &rest[2..];
        } else if rest.starts_with("*/") {
            depth -= 1;
            rest = &rest[2..];
            if depth == 0 {
                return rest;
            }
        } else {
            rest = &rest[rest.chars().next().map_or(1, char::len_utf8)..];
        }
    }
    rest
}

fn raw_literal(text: &str) -> Option<(String, &str)> {
    let rest = text.strip_prefix('r')?;
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let body = rest[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let at = body.find(&end)?;
    Some((body[..at].to_owned(), &body[at + end.len()..]))
}

fn plain_literal(body: &str) -> (String, &str) {
    let mut text = String::new();
    let mut letters = body.char_indices().peekable();
    while let Some((at, c)) = letters.next() {
        match c {
            '"' => return (text, &body[at + 1..]),
            '\\' => match letters.next() {
                Some((_, '\n')) => {
                    while letters.peek().is_some_and(|(_, next)| next.is_whitespace()) {
                        letters.next();
                    }
                }
                Some((_, 'n')) => text.push('\n'),
                Some((_, other)) => text.push(other),
                None => {}
            },
            _ => text.push(c),
        }
    }
    (text, "")
}

/// Past a character literal, or past the mark of a lifetime.
fn after_quote(text: &str) -> &str {
    let mut letters = text.char_indices().skip(1);
    match (letters.next(), letters.next(), letters.next()) {
        (Some((_, '\\')), _, _) => {
            let end = text[3..].find('\'').map_or(text.len(), |at| at + 4);
            &text[end..]
        }
        (Some(_), Some((at, '\'')), _) => &text[at + 1..],
        _ => &text[1..],
    }
}
