//! The walls of the house that no compiler holds: reads the sources and names every breach.
//!
//! Each rule has a small house that breaks it (`each_rule_finds_its_breach`), so that no rule
//! can go blind unnoticed.

mod source;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use source::{Source, name, sources};

/// The rooms from the door inwards: each uses only those after it.
const ROOMS: [&str; 15] = [
    "sign_in",
    "social",
    "sources",
    "profiles",
    "accounts",
    "credentials",
    "one_time_codes",
    "sessions",
    "tokens",
    "limits",
    "audit",
    "messages",
    "secrets",
    "outbound",
    "database",
];

/// What any room may use, and what uses no room.
const LEAVES: [&str; 6] = ["client", "error", "ids", "ports", "settings", "time"];

/// They stand above all rooms: the map and the one who starts the background tasks.
const ABOVE: [&str; 2] = ["lib", "workers"];

/// `auth.<this>()` enters that room.
const ENTRANCES: [(&str, &str); 17] = [
    ("sign_in", "sign_in"),
    ("social", "social"),
    ("sources", "sources"),
    ("profiles", "profiles"),
    ("totp", "credentials"),
    ("recovery_codes", "credentials"),
    ("accounts", "accounts"),
    ("passwords", "credentials"),
    ("one_time_codes", "one_time_codes"),
    ("sessions", "sessions"),
    ("tokens", "tokens"),
    ("limits", "limits"),
    ("audit", "audit"),
    ("messages", "messages"),
    ("secrets", "secrets"),
    ("outbound", "outbound"),
    ("database", "database"),
];

const SQL: [&str; 5] = ["SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "WITH "];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_house_stands_as_designed() {
    let mut house = sources(&workspace(), "crates");
    house.retain(|source| source.path.contains("/src/"));
    assert!(house.len() > 40, "the sources were not found");
    let breaches: Vec<_> = RULES.iter().flat_map(|(_, rule)| rule(&house)).collect();
    assert!(breaches.is_empty(), "\n{}", breaches.join("\n"));
}

type Rule = fn(&[Source]) -> Vec<String>;

const RULES: [(&str, Rule); 9] = [
    ("every room has its place", every_room_has_its_place),
    ("rooms look inwards only", rooms_look_inwards_only),
    ("stores are private", stores_are_private),
    ("SQL is in stores only", sql_is_in_stores_only),
    ("tables are written by their owner", tables_are_written_by_their_owner),
    ("proofs are made in one place", proofs_are_made_in_one_place),
    ("accounts are made by sign-up", accounts_are_made_by_sign_up),
    ("time is told by the clock", time_is_told_by_the_clock),
    ("only the hash is unsafe", only_the_hash_is_unsafe),
];

fn every_room_has_its_place(house: &[Source]) -> Vec<String> {
    let known = |room: &str| [&ROOMS[..], &LEAVES, &ABOVE].concat().contains(&room);
    let strangers = house.iter().filter(|source| source.room().is_some_and(|room| !known(room)));
    strangers.map(|source| format!("{}: give this room a place in ROOMS", source.path)).collect()
}

fn rooms_look_inwards_only(house: &[Source]) -> Vec<String> {
    let mut breaches = Vec::new();
    for source in house {
        let Some(room) = source.room().filter(|room| !ABOVE.contains(room)) else { continue };
        for used in rooms_used(source) {
            if used == room || LEAVES.contains(&used) {
                continue;
            }
            let place = |room| ROOMS.iter().position(|known| *known == room);
            let is_below = match (place(room), place(used)) {
                (Some(here), Some(there)) => here < there,
                _ => false,
            };
            if !is_below {
                breaches.push(format!("{}: {room} may not use {used}", source.path));
            }
        }
    }
    breaches.sort();
    breaches.dedup();
    breaches
}

/// Modules named by path (`crate::room`, `use crate::{room, …}`) and entered through `Auth`.
fn rooms_used(source: &Source) -> Vec<&str> {
    let is_module = |word: &str| word.starts_with(|c: char| c.is_ascii_lowercase());
    let mut used: Vec<_> =
        source.after("crate::").map(name).filter(|word| is_module(word)).collect();
    for group in source.after("crate::{") {
        let mut depth = 0_i32;
        let mut is_start = true;
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => is_start = true,
                _ if is_start => {
                    used.extend(Some(name(&group[at..])).filter(|word| is_module(word)));
                    is_start = false;
                }
                _ => {}
            }
        }
    }
    for (entrance, room) in ENTRANCES {
        for prefix in ["auth.", "auth()."] {
            if source.after(&format!("{prefix}{entrance}()")).next().is_some() {
                used.push(room);
            }
        }
    }
    used
}

fn stores_are_private(house: &[Source]) -> Vec<String> {
    let opened = |source: &&Source| {
        ["pub mod store", "pub(crate)mod store", "pub(super)mod store"]
            .iter()
            .any(|words| source.code.contains(words))
    };
    house.iter().filter(opened).map(|s| format!("{}: a store is private", s.path)).collect()
}

fn sql_is_in_stores_only(house: &[Source]) -> Vec<String> {
    let mut breaches = Vec::new();
    for source in house {
        let is_database = source.room() == Some("database");
        let is_product = ["core", "web", "server"]
            .iter()
            .any(|name| source.path.starts_with(&format!("crates/{name}/")));
        if is_database || !is_product {
            continue;
        }
        for (text, at) in &source.texts {
            let is_sql = SQL.iter().any(|verb| text.trim_start().starts_with(verb));
            if is_sql && !(source.room().is_some() && source.is_store(*at)) {
                let start: String = text.trim().chars().take(40).collect();
                breaches.push(format!("{}: SQL outside a store: {start}", source.path));
            }
        }
    }
    breaches
}

fn tables_are_written_by_their_owner(house: &[Source]) -> Vec<String> {
    let owners = owners(house);
    let mut breaches = Vec::new();
    for source in house {
        let Some(room) = source.room() else { continue };
        for table in source.texts.iter().flat_map(|(text, _)| tables_written(text)) {
            match owners.get(table).map(String::as_str) {
                Some(owner) if owner == room => {}
                Some(owner) => breaches.push(format!(
                    "{}: {room} writes {table}, which belongs to {owner}",
                    source.path
                )),
                None => breaches.push(format!("{}: nobody owns {table}", source.path)),
            }
        }
    }
    breaches
}

/// Which room's front page says "Owns the table".
fn owners(house: &[Source]) -> BTreeMap<String, String> {
    let mut owners = BTreeMap::new();
    for source in house.iter().filter(|source| source.path.ends_with("/mod.rs")) {
        let Some((_, said)) = source.front_page.split_once("Owns the table") else { continue };
        let sentence = said.split(['.', ';']).next().unwrap_or_default();
        for table in sentence.split('`').skip(1).step_by(2) {
            owners.insert(table.to_owned(), source.room().unwrap().to_owned());
        }
    }
    owners
}

fn tables_written(sql: &str) -> Vec<&str> {
    let mut tables = Vec::new();
    for verb in ["INSERT INTO ", "UPDATE ", "DELETE FROM "] {
        for (at, _) in sql.match_indices(verb) {
            let before = sql[..at].trim_end();
            // `ON CONFLICT … DO UPDATE` and `SELECT … FOR UPDATE` name no table.
            if before.ends_with("DO") || before.ends_with("FOR") {
                continue;
            }
            let table = name(sql[at + verb.len()..].trim_start());
            tables.extend(Some(table).filter(|word| word.chars().all(|c| !c.is_uppercase())));
        }
    }
    tables.retain(|table| !table.is_empty());
    tables
}

/// A session starts with a `Proof`; whoever could make one could skip every step.
fn proofs_are_made_in_one_place(house: &[Source]) -> Vec<String> {
    let mut makers = Vec::new();
    for source in house {
        for (at, _) in source.code.match_indices("Proof{") {
            let before = &source.code[..at];
            let is_name = before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
            let is_other = [" struct ", "struct ", "impl ", "for ", "let ", "->", "&"]
                .iter()
                .any(|words| before.ends_with(words));
            if !is_name && !is_other {
                makers.push(source.path.as_str());
            }
        }
    }
    if makers == ["crates/core/src/sign_in/complete.rs"] {
        return Vec::new();
    }
    vec![format!("a Proof is made exactly once, in sign_in/complete.rs, not in {makers:?}")]
}

fn accounts_are_made_by_sign_up(house: &[Source]) -> Vec<String> {
    let mut breaches = Vec::new();
    for source in house.iter().filter(|source| source.room().is_some()) {
        let rows = source.texts.iter().filter(|(text, _)| text.contains("INSERT INTO accounts"));
        if rows.count() > 0 && source.path != "crates/core/src/accounts/store.rs" {
            breaches.push(format!("{}: only accounts/store.rs inserts accounts", source.path));
        }
        let calls = ["accounts::insert(", "NewRow{"].iter().flat_map(|words| source.after(words));
        let is_allowed = ["sign_in/sign_up.rs", "accounts/store.rs"]
            .iter()
            .any(|allowed| source.path.ends_with(allowed));
        if calls.count() > 0 && !is_allowed {
            breaches.push(format!("{}: only sign_in/sign_up.rs makes accounts", source.path));
        }
    }
    breaches
}

fn time_is_told_by_the_clock(house: &[Source]) -> Vec<String> {
    let is_product = |source: &&Source| {
        let is_port = source.path.starts_with("crates/core/src/ports/");
        !is_port && !source.path.starts_with("crates/xtask/")
    };
    let asks = |source: &&Source| source.after("SystemTime::now").next().is_some();
    let found = house.iter().filter(is_product).filter(asks);
    found.map(|source| format!("{}: ask Auth's clock for the time", source.path)).collect()
}

/// Memory in huge pages, and vectors: decision 0130.
fn only_the_hash_is_unsafe(house: &[Source]) -> Vec<String> {
    let may = ["crates/argon2id/src/arena.rs", "crates/argon2id/src/forms/"];
    let is_not_allowed = |source: &&Source| !may.iter().any(|path| source.path.starts_with(path));
    let is_unsafe = |source: &&Source| source.after("unsafe").next().is_some();
    let found = house.iter().filter(is_not_allowed).filter(is_unsafe);
    found.map(|source| format!("{}: unsafe code", source.path)).collect()
}

/// What a crate does not depend on it cannot name.
#[test]
fn rules_cannot_name_http_and_http_cannot_name_sql() {
    let dependencies = |krate: &str| {
        let file = workspace().join(format!("crates/{krate}/Cargo.toml"));
        let text = std::fs::read_to_string(file).unwrap();
        let section = text.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
        let names = section.lines().filter_map(|line| line.split(['.', ' ', '=']).next());
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    let core = dependencies("core");
    assert!(core.iter().any(|name| name == "rusqlite"), "the dependencies were not read");
    for http in ["axum", "http", "hyper", "tower", "cookie", "ironlatch-web"] {
        assert!(!core.iter().any(|name| name == http), "core names {http}");
    }
    let web = dependencies("web");
    for sql in ["rusqlite", "tokio-postgres", "deadpool-postgres"] {
        assert!(!web.iter().any(|name| name == sql), "web names {sql}");
    }
}

/// Every table of the migrations has an owner, and owners name no other tables.
#[test]
fn front_pages_and_migrations_name_the_same_tables() {
    let house = sources(&workspace(), "crates/core/src");
    let mut tables: Vec<String> = vec!["schema_migrations".to_owned()];
    for engine in ["sqlite", "postgres"] {
        let folder = workspace().join("crates/core/migrations").join(engine);
        for file in std::fs::read_dir(folder).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let created = text.match_indices("CREATE TABLE ");
            tables.extend(created.map(|(at, verb)| name(&text[at + verb.len()..]).to_owned()));
        }
    }
    tables.sort();
    tables.dedup();
    assert_eq!(owners(&house).into_keys().collect::<Vec<_>>(), tables);
}

/// A house as it should be, in small.
const GOOD: [(&str, &str); 4] = [
    ("crates/core/src/sign_in/complete.rs", "use crate::sessions::Proof; fn f() { Proof { a } }"),
    (
        "crates/core/src/sessions/mod.rs",
        "//! Owns the tables `sessions`\n//! and `chains`. More.\nmod store;\npub struct Proof { a: u8 }
         use crate::{time::Timestamp, database::{Batch}};",
    ),
    (
        "crates/core/src/sessions/store.rs",
        "const A: &str = \"UPDATE sessions SET a = 'x' ON CONFLICT DO UPDATE SET b\"; // unsafe",
    ),
    ("crates/web/src/page.rs", "const T: &str = \"UPDATES are near\"; fn g<'a>(x: &'a str) {}"),
];

#[test]
fn a_good_house_passes() {
    let house: Vec<_> = GOOD.iter().map(|(path, text)| Source::new(path, text)).collect();
    let breaches: Vec<_> = RULES.iter().flat_map(|(_, rule)| rule(&house)).collect();
    assert!(breaches.is_empty(), "{breaches:?}");
}

#[test]
fn each_rule_finds_its_breach() {
    let sessions = "crates/core/src/sessions/start.rs";
    let bad = [
        ("every room has its place", "crates/core/src/utils/mod.rs", ""),
        ("rooms look inwards only", sessions, "use crate::accounts::Email;"),
        ("rooms look inwards only", sessions, "use crate::{time::T, accounts::{self, Email}};"),
        ("rooms look inwards only", sessions, "fn f(&self) { self.auth\n.sign_in()\n.go() }"),
        ("rooms look inwards only", "crates/core/src/time.rs", "use crate::database::Batch;"),
        ("stores are private", sessions, "pub(crate) mod store;"),
        ("SQL is in stores only", sessions, "f(r#\"SELECT 1\"#)"),
        ("SQL is in stores only", "crates/web/src/store.rs", "f(\"\n  SELECT 1\")"),
        (
            "tables are written by their owner",
            "crates/core/src/accounts/store.rs",
            "f(\"WITH a AS (DELETE FROM sessions) SELECT 1\")",
        ),
        ("tables are written by their owner", sessions, "f(\"INSERT INTO strays (a)\")"),
        ("proofs are made in one place", sessions, "fn f() -> Proof { Proof { a: '\"' } }"),
        ("proofs are made in one place", "crates/core/src/sign_in/complete.rs", "(Proof { a })"),
        ("accounts are made by sign-up", sessions, "accounts::insert(&row)"),
        ("accounts are made by sign-up", sessions, "f(\"INSERT INTO accounts (id)\")"),
        ("time is told by the clock", "crates/web/src/a.rs", "std::time::SystemTime::now()"),
        ("only the hash is unsafe", "crates/web/src/a.rs", "unsafe { f() }"),
        ("only the hash is unsafe", "crates/argon2id/src/hash.rs", "unsafe { f() }"),
    ];
    for (wanted, path, text) in bad {
        let mut house: Vec<_> = GOOD.iter().map(|(path, text)| Source::new(path, text)).collect();
        house.push(Source::new(path, text));
        let rule = RULES.iter().find(|(name, _)| *name == wanted).unwrap().1;
        assert!(!rule(&house).is_empty(), "{wanted}: did not see {text:?} in {path}");
    }
}

/// Tables and columns of the migrations, and those of `docs/schema.md`.
#[test]
fn the_schema_is_documented_to_the_last_column() {
    let mut built = std::collections::BTreeSet::new();
    for engine in ["sqlite", "postgres"] {
        let folder = workspace().join("crates/core/migrations").join(engine);
        for file in std::fs::read_dir(folder).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let mut table = "";
            for line in text.lines() {
                if let Some(rest) = line.strip_prefix("CREATE TABLE ") {
                    table = name(rest);
                } else if let Some(column) = line.strip_prefix("    ").filter(|_| !table.is_empty())
                {
                    let column = name(column);
                    let is_column = column.starts_with(|c: char| c.is_ascii_lowercase());
                    built.extend(is_column.then(|| format!("{table}.{column}")));
                } else {
                    table = "";
                    let altered = line.strip_prefix("ALTER TABLE ").unwrap_or_default();
                    if let Some((table, column)) = altered.split_once(" ADD COLUMN ") {
                        built.insert(format!("{table}.{}", name(column)));
                    }
                }
            }
        }
    }
    let document = std::fs::read_to_string(workspace().join("docs/schema.md")).unwrap();
    let mut written = std::collections::BTreeSet::new();
    let mut table = "";
    for line in document.lines() {
        if let Some(rest) = line.strip_prefix("## `") {
            table = name(rest);
        } else if let Some(rest) = line.strip_prefix("| `") {
            written.insert(format!("{table}.{}", name(rest)));
        }
    }
    // Made by the runner, not by a migration.
    written.retain(|column| !column.starts_with("schema_migrations."));
    let wrong: Vec<_> = written.symmetric_difference(&built).collect();
    assert!(wrong.is_empty(), "built or documented, but not both: {wrong:?}");
    assert!(built.len() > 50, "the migrations were not read");
}
