//! Reads the pages we write: tags, attributes, texts and forms. Not a parser for the web.

/// A piece of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Open { name: String, attributes: Vec<(String, String)> },
    Close(String),
    Text(String),
}

/// Elements without an end tag (HTML §13.1.2).
const VOID: [&str; 8] = ["br", "hr", "img", "input", "link", "meta", "source", "wbr"];

/// Elements whose content is not markup.
const RAW: [&str; 2] = ["script", "style"];

impl Piece {
    fn attribute(&self, wanted: &str) -> Option<&str> {
        let Self::Open { attributes, .. } = self else { return None };
        attributes.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }

    fn is_open(&self, wanted: &str) -> bool {
        matches!(self, Self::Open { name, .. } if name == wanted)
    }
}

/// Takes a page apart.
pub(crate) fn read(page: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        let (text, tag) = rest.split_at(at);
        push_text(&mut pieces, text);
        if let Some(comment) = tag.strip_prefix("<!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let end = tag_end(tag);
        let (inside, after) = tag.split_at(end);
        rest = after.strip_prefix('>').unwrap_or(after);
        let inside = inside.trim_start_matches('<');
        if let Some(name) = inside.strip_prefix('/') {
            pieces.push(Piece::Close(name.trim().to_ascii_lowercase()));
        } else if !inside.starts_with('!') {
            let open = read_tag(inside.trim_end_matches('/'));
            if let Some(raw) = RAW.iter().find(|raw| open.is_open(raw)) {
                let close = format!("</{raw}");
                rest = rest.find(&close).map_or("", |at| rest.split_at(at).1);
            }
            pieces.push(open);
        }
    }
    push_text(&mut pieces, rest);
    pieces
}

/// Where the tag ends: the first `>` outside quotes.
fn tag_end(tag: &str) -> usize {
    let mut quote = None;
    for (at, c) in tag.char_indices() {
        match (quote, c) {
            (None, '>') => return at,
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
    }
    tag.len()
}

fn read_tag(inside: &str) -> Piece {
    let (name, mut rest) = inside.split_once(char::is_whitespace).unwrap_or((inside, ""));
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start();
        let end = rest.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(rest.len());
        let (attribute, after) = rest.split_at(end);
        if attribute.is_empty() {
            break;
        }
        let (value, after) = match after.strip_prefix('=') {
            Some(value) => read_value(value),
            None => ("", after),
        };
        attributes.push((attribute.to_ascii_lowercase(), decode(value)));
        rest = after;
    }
    Piece::Open { name: name.to_ascii_lowercase(), attributes }
}

fn read_value(text: &str) -> (&str, &str) {
    for quote in ['"', '\''] {
        if let Some(quoted) = text.strip_prefix(quote) {
            return quoted.split_once(quote).unwrap_or((quoted, ""));
        }
    }
    text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()))
}

fn push_text(pieces: &mut Vec<Piece>, text: &str) {
    if !text.trim().is_empty() {
        pieces.push(Piece::Text(decode(text)));
    }
}

/// Character references, the named ones that templates write.
fn decode(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let reference = after.split_once(';').filter(|(name, _)| name.len() <= 8);
        let decoded = reference.and_then(|(name, _)| character(name));
        rest = after;
        if let (Some(c), Some((_, behind))) = (decoded, reference) {
            out.push(c);
            rest = behind;
        } else {
            out.push('&');
        }
    }
    out.push_str(rest);
    out
}

fn character(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let hexadecimal = number.strip_prefix(['x', 'X']);
        let code = match hexadecimal {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => number.parse(),
        };
        return char::from_u32(code.ok()?);
    }
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{a0}'),
        _ => None,
    }
}

/// The text of the first element that `is_it`, blanks joined.
pub(crate) fn text_of(pieces: &[Piece], is_it: impl Fn(&Piece) -> bool) -> Option<String> {
    let start = pieces.iter().position(is_it)?;
    Some(text_from(pieces.split_at(start).1))
}

/// The text of the element that begins here.
fn text_from(pieces: &[Piece]) -> String {
    let mut depth = 0_usize;
    let mut words = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Open { name, .. } if !VOID.contains(&name.as_str()) => depth += 1,
            Piece::Open { .. } => {}
            Piece::Close(_) => depth = depth.saturating_sub(1),
            Piece::Text(text) => words.extend(text.split_whitespace()),
        }
        if depth == 0 {
            break;
        }
    }
    words.join(" ")
}

/// The text of everything a person sees.
pub(crate) fn visible_text(pieces: &[Piece]) -> String {
    text_of(pieces, |piece| piece.is_open("body")).unwrap_or_default()
}

pub(crate) fn title(pieces: &[Piece]) -> Option<String> {
    text_of(pieces, |piece| piece.is_open("title"))
}

pub(crate) fn alert(pieces: &[Piece]) -> Option<String> {
    text_of(pieces, |piece| piece.attribute("role") == Some("alert"))
}

/// Where the link with this text leads.
pub(crate) fn link(pieces: &[Piece], text: &str) -> Option<String> {
    let links = pieces.iter().enumerate().filter(|(_, piece)| piece.is_open("a"));
    let mut links = links.map(|(at, piece)| (piece, text_from(pieces.split_at(at).1)));
    let (found, _) = links.find(|(_, words)| words == text)?;
    found.attribute("href").map(str::to_owned)
}

/// A form and what is in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Form {
    pub(crate) action: Option<String>,
    pub(crate) posts: bool,
    pub(crate) fields: Vec<Field>,
    pub(crate) buttons: Vec<Button>,
}

#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) value: String,
    /// Unchecked boxes are there, but are not sent.
    pub(crate) is_sent: bool,
    pub(crate) is_hidden: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Button {
    pub(crate) text: String,
    pub(crate) name: Option<String>,
    pub(crate) value: String,
    pub(crate) action: Option<String>,
}

/// Every form of the page.
pub(crate) fn forms(pieces: &[Piece]) -> Vec<Form> {
    let mut forms: Vec<Form> = Vec::new();
    let mut is_inside = false;
    for (at, piece) in pieces.iter().enumerate() {
        if piece.is_open("form") {
            let posts = piece.attribute("method").is_some_and(|m| m.eq_ignore_ascii_case("post"));
            let action = piece.attribute("action").map(str::to_owned);
            forms.push(Form { action, posts, ..Form::default() });
            is_inside = true;
        } else if *piece == Piece::Close("form".to_owned()) {
            is_inside = false;
        } else if let Some(form) = forms.last_mut().filter(|_| is_inside) {
            if piece.is_open("input") {
                form.fields.extend(input(piece));
            } else if piece.is_open("button") {
                form.buttons.push(button(piece, text_from(pieces.split_at(at).1)));
            }
        }
    }
    forms
}

fn input(piece: &Piece) -> Option<Field> {
    let kind = piece.attribute("type").unwrap_or("text");
    let is_box = matches!(kind, "checkbox" | "radio");
    let default = if is_box { "on" } else { "" };
    Some(Field {
        name: piece.attribute("name")?.to_owned(),
        value: piece.attribute("value").unwrap_or(default).to_owned(),
        is_sent: !is_box || piece.attribute("checked").is_some(),
        is_hidden: kind == "hidden",
    })
}

fn button(piece: &Piece, text: String) -> Button {
    Button {
        text,
        name: piece.attribute("name").map(str::to_owned),
        value: piece.attribute("value").unwrap_or_default().to_owned(),
        action: piece.attribute("formaction").map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"<!doctype html><html><head><title>Choose &amp; save</title>
        <style>p > a { }</style></head><body><!-- <p>no</p> -->
        <p role="alert">Not <b>quite</b>.<br>Again &#x2019;please&#39;.</p>
        <form method=post action='/next?a=1&amp;b=2'>
          <input type="hidden" name="token" value="a>b &quot;c&quot;">
          <input name="password" type="password" required>
          <input type="checkbox" name="stay"> <button name="act" value="go">Go <i>on</i></button>
          <button formaction="/other">Not me</button>
        </form><a href="/terms">The terms</a></body></html>"#;

    #[test]
    fn a_page_is_read_as_a_person_sees_it() {
        let pieces = read(PAGE);
        assert_eq!(title(&pieces).as_deref(), Some("Choose & save"));
        assert_eq!(alert(&pieces).as_deref(), Some("Not quite . Again \u{2019}please'."));
        assert_eq!(link(&pieces, "The terms").as_deref(), Some("/terms"));
        assert!(!visible_text(&pieces).contains("no"), "comments are not seen");
    }

    #[test]
    fn forms_carry_what_a_browser_would_send() {
        let forms = forms(&read(PAGE));
        let [form] = forms.as_slice() else { panic!("one form") };
        assert!(form.posts);
        assert_eq!(form.action.as_deref(), Some("/next?a=1&b=2"));
        let sent: Vec<_> = form.fields.iter().map(|f| (&*f.name, &*f.value, f.is_sent)).collect();
        let expected =
            [("token", "a>b \"c\"", true), ("password", "", true), ("stay", "on", false)];
        assert_eq!(sent, expected);
        assert_eq!(form.buttons[0].text, "Go on");
        assert_eq!(form.buttons[1].action.as_deref(), Some("/other"));
    }
}
