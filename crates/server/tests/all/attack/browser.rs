//! A browser that a person uses: for the pages that mails link to.

use std::collections::BTreeMap;

use super::house::{House, ORIGIN};
use super::http::{Answer, Call};

/// A browser without scripts: keeps cookies, follows redirects, sends what browsers send.
pub(super) struct Browser<'a> {
    house: &'a House,
    pub(super) jar: BTreeMap<String, String>,
}

impl<'a> Browser<'a> {
    /// One without cookies.
    pub(super) fn new(house: &'a House) -> Self {
        Self { house, jar: BTreeMap::new() }
    }

    /// Sends a call with the cookies and keeps those that come back.
    pub(super) fn call(&mut self, call: Call) -> Answer {
        let pairs: Vec<_> = self.jar.iter().map(|(name, it)| format!("{name}={it}")).collect();
        let call = if pairs.is_empty() { call } else { call.cookie(&pairs.join("; ")) };
        let answer = self.house.call(call);
        for line in answer.set_cookies() {
            let Some((name, value)) = line.split(';').next().and_then(|pair| pair.split_once('='))
            else {
                continue;
            };
            if line.contains("Max-Age=0") {
                self.jar.remove(name);
            } else {
                self.jar.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// Opens a link of a mail, or a path, and follows where it leads.
    pub(super) fn visit(&mut self, link: &str) -> Answer {
        let mut path = link.strip_prefix(ORIGIN).unwrap_or(link).to_owned();
        for _ in 0..5 {
            let call = Call::get(&path)
                .header("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
                .header("Sec-Fetch-Site", "none");
            let answer = self.call(call);
            match answer.header("location") {
                Some(location) if answer.status == 303 => path = resolve(&path, location),
                _ => return answer,
            }
        }
        unreachable!("{link} leads nowhere")
    }

    /// Presses a button of a page of ours, as the page is at this moment.
    pub(super) fn press(&mut self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        let link = self.visit(path).form_link().unwrap_or_default();
        let pairs = &[pairs, &[("link", link.as_str())]].concat();
        let call = Call::post(path)
            .header("Accept", "text/html,*/*;q=0.8")
            .header("Origin", "null")
            .header("Sec-Fetch-Site", "same-origin");
        for (_, value) in pairs.iter().filter(|(name, _)| name.contains("password")) {
            self.house.keep(value);
        }
        self.call(call.form(pairs))
    }
}

/// A relative redirect (RFC 3986 §5.2, as far as ours go).
fn resolve(path: &str, location: &str) -> String {
    if location.starts_with('/') {
        return location.to_owned();
    }
    let path = path.split('?').next().unwrap_or_default();
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in location.split('/') {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}
