//! The providers that the observed exchanges were about, and what its client brought from them.

use std::sync::Arc;

use ironlatch_core::ports::SystemClock;
use ironlatch_core::settings::ProviderKind;
use ironlatch_testkit::provider::{At, FakeProvider, Fault, Person};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::super::house::{House, ORIGIN};
use super::super::http::{Answer, Call};

/// GitHub and Google on loopback, and a configuration that names them.
pub(super) struct Providers {
    github: FakeProvider,
    folder: TempDir,
}

impl Providers {
    pub(super) async fn start() -> Self {
        let [github, google] = [ProviderKind::Github, ProviderKind::Google]
            .map(|kind| FakeProvider::start(kind, Arc::new(SystemClock)));
        let (github, google) = (github.await, google.await);
        let folder = tempfile::tempdir().unwrap();
        let text = github.toml("github", ORIGIN) + &google.toml("google", ORIGIN);
        std::fs::write(folder.path().join("ironlatch.toml"), text).unwrap();
        Self { github, folder }
    }

    /// Where the configuration is.
    pub(super) fn configuration(&self) -> String {
        self.folder.path().join("ironlatch.toml").to_str().unwrap().to_owned()
    }

    /// A social exchange of `auth-api.txt`, by its name.
    pub(super) fn answer(&self, house: &House, name: &str) -> Answer {
        let github = Call::post("/api/auth/social/github/");
        let octocat = || {
            let person = Person::new("42").with_email("gh@ex.com");
            person.with_claim("login", json!("octocat")).with_claim("email", Value::Null)
        };
        let call = match name {
            "social unsupported" => Call::post("/api/auth/social/myspace/").json(json!({})),
            "social code exchange fails" => {
                let verifier = self.github.code_for(&octocat()).verifier;
                github.json(json!({ "code": "nonsense", "code_verifier": verifier }))
            }
            "social fetch fails" => {
                self.github.break_with(Fault::Status(At::Userinfo, 401));
                github.json(self.bring(&octocat()))
            }
            "social nothing google" => Call::post("/api/auth/social/google/").json(json!({})),
            "social github new" | "social github again" => github.json(self.bring(&octocat())),
            "social github no email" => {
                let person = Person::new("43").with_emails(json!([]));
                let person = person.with_claim("login", json!("noemail"));
                github.json(self.bring(&person))
            }
            "social GET" => Call::get("/api/auth/social/github/"),
            "social list body" => github.json(json!([])),
            _ => unreachable!("{name}"),
        };
        let answer = house.call(call);
        self.github.mend();
        answer
    }

    fn bring(&self, person: &Person) -> Value {
        let brought = self.github.code_for(person);
        json!({ "code": brought.code, "code_verifier": brought.verifier })
    }
}
