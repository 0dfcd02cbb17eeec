//! What a program did to its files, as `strace` saw it, and what a disk may hold of that after
//! the power went: everything synchronised, and any part of the rest.

use std::collections::BTreeMap;
use std::path::Path;

/// One thing that was done, in the order of time.
#[derive(Debug)]
pub(super) enum Event {
    Created(String),
    Removed(String),
    Wrote {
        file: String,
        offset: usize,
        bytes: Vec<u8>,
    },
    Cut {
        file: String,
        length: usize,
    },
    Synchronised(String),
    FolderSynchronised,
    /// A line of the file `acknowledged`: somebody was told that this is stored.
    Acknowledged(String),
}

/// Reads the log of `strace -f -y -xx` for the files of one folder. A call that was
/// interrupted by another thread's counts from its beginning, a synchronisation from its end.
pub(super) fn parse(log: &str, folder: &Path) -> Vec<Event> {
    let folder = folder.to_str().unwrap();
    let mut under_way = BTreeMap::new();
    let mut events = Vec::new();
    for line in log.lines() {
        let Some((thread, call)) = line.split_once(' ') else { continue };
        let call = call.trim_start();
        if call.contains("resumed>") {
            let is_done = call.ends_with("= 0");
            if let Some(file) = under_way.remove(thread).filter(|_| is_done) {
                events.push(synchronised(file, folder));
            }
            continue;
        }
        let is_sync = call.starts_with("fsync(") || call.starts_with("fdatasync(");
        if is_sync && call.ends_with("<unfinished ...>") {
            under_way.insert(thread.to_owned(), file_of(call));
        } else if is_sync {
            assert!(call.ends_with("= 0"), "{call}");
            events.push(synchronised(file_of(call), folder));
        } else {
            events.extend(change(call, folder));
        }
    }
    events
}

fn synchronised(file: String, folder: &str) -> Event {
    if file == folder { Event::FolderSynchronised } else { Event::Synchronised(file) }
}

/// A call that changes a file of the folder.
fn change(call: &str, folder: &str) -> Option<Event> {
    let (name, arguments) = call.split_once('(')?;
    let is_ours = |file: &String| file.starts_with(folder) && !file.ends_with("-shm");
    match name {
        "openat" if arguments.contains("O_CREAT") && !arguments.contains("= -1") => {
            Some(Event::Created(texts(arguments).next()?).filter_file(is_ours)?)
        }
        "unlink" => Some(Event::Removed(texts(arguments).next()?).filter_file(is_ours)?),
        "ftruncate" => {
            let file = Some(file_of(call)).filter(is_ours)?;
            Some(Event::Cut { file, length: number(arguments, 1)? })
        }
        "write" | "pwrite64" => {
            let file = Some(file_of(call)).filter(is_ours)?;
            let bytes = unescaped(arguments.split('"').nth(1)?);
            if file.ends_with("/acknowledged") {
                let line = String::from_utf8(bytes).unwrap();
                return Some(Event::Acknowledged(line.trim_end().to_owned()));
            }
            assert_eq!(name, "pwrite64", "a database file is written at offsets: {call}");
            Some(Event::Wrote { file, offset: number(arguments, 3)?, bytes })
        }
        _ => None,
    }
}

impl Event {
    fn filter_file(self, is_ours: impl Fn(&String) -> bool) -> Option<Self> {
        match &self {
            Self::Created(file) | Self::Removed(file) if !is_ours(file) => None,
            _ => Some(self),
        }
    }
}

/// The file behind the descriptor that is the first argument: `3<…>`.
fn file_of(call: &str) -> String {
    let inside = call.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inside.map(|(path, _)| String::from_utf8(unescaped(path)).unwrap()).unwrap_or_default()
}

/// The quoted arguments.
fn texts(arguments: &str) -> impl Iterator<Item = String> {
    let quoted = arguments.split('"').skip(1).step_by(2);
    quoted.filter_map(|text| String::from_utf8(unescaped(text)).ok())
}

/// A numeric argument; nothing before it holds a comma, as texts are all hexadecimal.
fn number(arguments: &str, position: usize) -> Option<usize> {
    let argument = arguments.split(", ").nth(position)?;
    let digits: String = argument.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn unescaped(text: &str) -> Vec<u8> {
    text.split("\\x").skip(1).map(|digits| u8::from_str_radix(digits, 16).unwrap()).collect()
}

/// A disk on which not everything that was written has arrived.
#[derive(Debug, Default)]
pub(super) struct Disk {
    files: BTreeMap<String, File>,
}

#[derive(Debug, Default, Clone)]
struct File {
    /// Whether the folder's entry has arrived, and whether a later change of it is pending.
    is_listed: bool,
    will_be_listed: bool,
    arrived: Vec<u8>,
    pending: Vec<Pending>,
}

#[derive(Debug, Clone)]
enum Pending {
    Write { offset: usize, bytes: Vec<u8> },
    Cut(usize),
}

impl Disk {
    pub(super) fn apply(&mut self, event: &Event) {
        match event {
            Event::Created(name) => {
                self.files.entry(name.clone()).or_default().will_be_listed = true;
            }
            Event::Removed(name) => {
                self.files.entry(name.clone()).or_default().will_be_listed = false;
            }
            Event::Wrote { file, offset, bytes } => {
                let write = Pending::Write { offset: *offset, bytes: bytes.clone() };
                self.files.entry(file.clone()).or_default().pending.push(write);
            }
            Event::Cut { file, length } => {
                self.files.entry(file.clone()).or_default().pending.push(Pending::Cut(*length));
            }
            Event::Synchronised(name) => {
                let file = self.files.entry(name.clone()).or_default();
                for pending in std::mem::take(&mut file.pending) {
                    pending.arrive(&mut file.arrived, usize::MAX);
                }
            }
            Event::FolderSynchronised => {
                for file in self.files.values_mut() {
                    file.is_listed = file.will_be_listed;
                    if !file.is_listed {
                        *file = File::default();
                    }
                }
            }
            Event::Acknowledged(_) => {}
        }
    }

    /// Writes what is left after a power cut into a folder. `chance` decides about every part
    /// that was not synchronised.
    pub(super) fn crash_into(&self, folder: &Path, chance: &mut impl FnMut() -> Fate) {
        for (name, file) in &self.files {
            let is_listed = if file.is_listed == file.will_be_listed {
                file.is_listed
            } else {
                let has_arrived = chance() != Fate::Lost;
                file.will_be_listed == has_arrived
            };
            if !is_listed {
                continue;
            }
            let mut content = file.arrived.clone();
            for pending in &file.pending {
                match chance() {
                    Fate::Lost => {}
                    Fate::Torn(sectors) => pending.arrive(&mut content, sectors * 512),
                    Fate::Arrived => pending.arrive(&mut content, usize::MAX),
                }
            }
            std::fs::write(folder.join(Path::new(name).file_name().unwrap()), content).unwrap();
        }
    }
}

/// What happened to something that was written but not synchronised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Lost,
    /// Only its first sectors arrived.
    Torn(usize),
    Arrived,
}

impl Pending {
    fn arrive(&self, content: &mut Vec<u8>, most: usize) {
        match self {
            Self::Cut(length) => content.resize(*length, 0),
            Self::Write { offset, bytes } => {
                let bytes = &bytes[..bytes.len().min(most)];
                let end = offset + bytes.len();
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[*offset..end].copy_from_slice(bytes);
            }
        }
    }
}
