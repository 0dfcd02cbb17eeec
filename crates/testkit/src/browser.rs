//! A browser without a screen or scripts: pages are used as a person would.

use http::Method;

use crate::html::{self, Button, Form, Piece};
use crate::server::{Answer, TestClient, encode_form};

/// Visits pages, follows redirects, fills in forms.
pub struct Browser<'a> {
    client: TestClient<'a>,
    path: String,
    answer: Option<Answer>,
    page: Vec<Piece>,
    forms: Vec<Form>,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(mut client: TestClient<'a>) -> Self {
        client.set_header(
            "accept",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        );
        client.set_header("user-agent", "Testkit-Browser/1.0");
        Self { client, path: "/".to_owned(), answer: None, page: Vec::new(), forms: Vec::new() }
    }

    /// The client behind it, for calls that a page's script would make; it shares the cookies.
    pub const fn client(&mut self) -> &mut TestClient<'a> {
        &mut self.client
    }

    /// Types an address.
    pub async fn visit(&mut self, path: &str) -> &mut Self {
        self.client.set_header("sec-fetch-site", "none");
        self.client.unset_header("origin");
        self.go(Method::GET, path.to_owned(), Vec::new()).await
    }

    /// Follows the link with this text.
    pub async fn click(&mut self, text: &str) -> &mut Self {
        let Some(href) = html::link(&self.page, text) else {
            panic!("no link {text:?} on {}: {}", self.path, self.text());
        };
        self.client.set_header("sec-fetch-site", "same-origin");
        self.client.unset_header("origin");
        let target = self.resolve(&href);
        self.go(Method::GET, target, Vec::new()).await
    }

    /// Types into a field.
    #[track_caller]
    pub fn fill(&mut self, name: &str, value: &str) -> &mut Self {
        let mut fields = self.forms.iter_mut().flat_map(|form| &mut form.fields);
        match fields.find(|field| field.name == name && !field.is_hidden) {
            Some(field) => value.clone_into(&mut field.value),
            None => panic!("no field {name:?} on {}: {}", self.path, self.text()),
        }
        self
    }

    /// Presses Enter: sends the page's only form with its first button.
    pub async fn submit(&mut self) -> &mut Self {
        let [form] = self.forms.as_slice() else {
            panic!("{} has {} forms: press a button by its text", self.path, self.forms.len());
        };
        let form = form.clone();
        let button = form.buttons.first().cloned();
        self.send(&form, button.as_ref()).await
    }

    /// Presses the button with this text.
    pub async fn press(&mut self, text: &str) -> &mut Self {
        let of_form = |form: &Form| {
            let button = form.buttons.iter().find(|button| button.text == text).cloned();
            button.map(|button| (form.clone(), button))
        };
        let Some((form, button)) = self.forms.iter().find_map(of_form) else {
            panic!("no button {text:?} on {}: {}", self.path, self.text());
        };
        self.send(&form, Some(&button)).await
    }

    /// The status of the page.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.answer().status
    }

    /// The last answer, redirects followed.
    #[must_use]
    pub fn answer(&self) -> &Answer {
        self.answer.as_ref().expect("a page was visited")
    }

    /// Path and query of the page, as the address bar shows them.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The page's title.
    #[must_use]
    pub fn title(&self) -> String {
        html::title(&self.page).unwrap_or_default()
    }

    /// Everything a person reads on the page.
    #[must_use]
    pub fn text(&self) -> String {
        html::visible_text(&self.page)
    }

    /// The sentence in the page's alert; empty when there is none.
    #[must_use]
    pub fn alert(&self) -> String {
        html::alert(&self.page).unwrap_or_default()
    }

    /// What a field holds, hidden ones too; `None` when there is no such field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.forms.iter().flat_map(|form| &form.fields);
        fields.find(|field| field.name == name).map(|field| field.value.as_str())
    }

    /// The texts of all buttons.
    #[must_use]
    pub fn buttons(&self) -> Vec<&str> {
        let buttons = self.forms.iter().flat_map(|form| &form.buttons);
        buttons.map(|button| button.text.as_str()).collect()
    }

    async fn send(&mut self, form: &Form, button: Option<&Button>) -> &mut Self {
        let sent = form.fields.iter().filter(|field| field.is_sent);
        let mut pairs: Vec<_> = sent.map(|f| (f.name.as_str(), f.value.as_str())).collect();
        if let Some(Button { name: Some(name), value, .. }) = button {
            pairs.push((name, value));
        }
        let body = encode_form(&pairs);
        let action = button.and_then(|button| button.action.as_ref()).or(form.action.as_ref());
        let target = self.resolve(action.map_or("", String::as_str));
        self.client.set_header("sec-fetch-site", "same-origin");
        if form.posts {
            let origin = self.origin();
            self.client.set_header("origin", &origin);
            return self.go(Method::POST, target, body.into_bytes()).await;
        }
        self.client.unset_header("origin");
        let path = target.split('?').next().unwrap_or_default();
        self.go(Method::GET, format!("{path}?{body}"), Vec::new()).await
    }

    /// What a form names as its origin: under `no-referrer` browsers hide even their own
    /// (Fetch §3.2).
    fn origin(&self) -> String {
        match self.answer().header("referrer-policy") {
            Some("no-referrer") => "null".to_owned(),
            _ => self.client.server().origin(),
        }
    }

    async fn go(&mut self, mut method: Method, mut path: String, mut body: Vec<u8>) -> &mut Self {
        for _ in 0..10 {
            let kind = (method == Method::POST).then_some("application/x-www-form-urlencoded");
            let answer = self.client.send(method.clone(), &path, kind, body.clone()).await;
            self.path.clone_from(&path);
            let location = answer.header("location").map(|to| self.resolve(to));
            match (answer.status, location) {
                (301..=303, Some(target)) => {
                    (method, body, path) = (Method::GET, Vec::new(), target);
                }
                (307 | 308, Some(target)) => path = target,
                _ => {
                    self.show(answer);
                    return self;
                }
            }
            self.client.unset_header("origin");
        }
        panic!("more than ten redirects, the last one to {path}")
    }

    fn show(&mut self, answer: Answer) {
        let is_html =
            answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
        self.page = if is_html { html::read(answer.text()) } else { Vec::new() };
        self.forms = html::forms(&self.page);
        self.answer = Some(answer);
    }

    /// A link's target as path and query on this server.
    fn resolve(&self, link: &str) -> String {
        let own = link.strip_prefix(&self.client.server().origin()).unwrap_or(link);
        assert!(!own.contains("://") && !own.starts_with("//"), "{link} leads away");
        let own = own.split('#').next().unwrap_or_default();
        let page = self.path.split('?').next().unwrap_or_default();
        match own.chars().next() {
            None if link.is_empty() => self.path.clone(),
            None => "/".to_owned(),
            Some('/') => own.to_owned(),
            Some('?') => format!("{page}{own}"),
            Some(_) => {
                let folder = page.rfind('/').map_or("/", |at| page.split_at(at + 1).0);
                without_dots(&format!("{folder}{own}"))
            }
        }
    }
}

/// Removes `.` and `..` from a path, its query kept (RFC 3986 §5.2.4).
fn without_dots(target: &str) -> String {
    let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/').skip(1) {
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            other => kept.push(other),
        }
    }
    format!("/{}{query}", kept.join("/"))
}
