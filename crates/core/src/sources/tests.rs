//! The counters of code requests and the bounds of sources, on both engines.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::*;
use crate::client::Network;
use crate::database::{Batch, Statement};
use crate::ports::Clock;
use crate::sessions::Door;
use crate::settings::Settings;
use crate::time::{Timestamp, days, hours};

/// 2026-07-01, noon.
const NOON: i64 = 1_782_907_200_000_000;

struct Hand(AtomicI64);

impl Hand {
    fn advance(&self, span: std::time::Duration) {
        self.0.fetch_add(crate::time::micros_of(span), Ordering::SeqCst);
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// Runs a test on every engine, with a clock to move.
async fn each(most_sources: u32, test: impl AsyncFn(Auth, &Hand)) {
    let folder = tempfile::tempdir().unwrap();
    let postgres = ironlatch_testkit::postgres().await;
    let mut urls = vec![format!("sqlite:{}", folder.path().join("test.db").display())];
    urls.extend(postgres.as_ref().map(|database| database.url.clone()));
    for url in urls {
        let hand = Arc::new(Hand(AtomicI64::new(NOON)));
        let mut settings = Settings::default();
        settings.limits.most_sources = most_sources;
        settings.doors.users.frontend_url = Some("https://app.example.com/base".to_owned());
        let auth = Auth::builder().settings(settings).database(&url).master_key([7; 32]);
        let auth = auth.clock(Arc::<Hand>::clone(&hand)).build().await.unwrap();
        test(auth, &hand).await;
    }
}

fn network(n: u32) -> Network {
    Network::of(Ipv4Addr::from_bits(0x0A00_0000 + n).into())
}

/// Somebody asks for a first code.
async fn requested(auth: &Auth, url: &str, from: Network, counts: bool) {
    let (sources, now) = (auth.sources(), auth.clock().now());
    let source = Source::parse(url).unwrap();
    write(auth, sources.count_requested(Some(&source), from, counts, now)).await;
}

async fn write(auth: &Auth, statements: impl IntoIterator<Item = Statement>) {
    let mut batch = Batch::new();
    batch.extend(statements);
    auth.database().write(batch).await.unwrap();
}

async fn number_of_sources(auth: &Auth) -> usize {
    let wish = Wish { limit: Some(1_000), ..Wish::default() };
    auth.sources().top(&wish).await.unwrap().rows.len()
}

async fn conversion(auth: &Auth, wish: &Wish) -> Vec<(String, i64, i64)> {
    let report = auth.sources().conversion(wish).await.unwrap();
    let rows = report.rows.into_iter();
    rows.map(|row| (row.source.url, row.requested, row.verified)).collect()
}

#[tokio::test]
async fn requests_become_accounts_or_not() {
    each(100, async |auth, hand| {
        let (a, b) = ("https://a.example/x", "https://b.example");
        let made = async |url: &str| {
            let source = Source::parse(url).unwrap();
            write(&auth, auth.sources().count_verified(Some(&source), auth.clock().now())).await;
        };
        for n in 0..4 {
            requested(&auth, a, network(n), true).await;
        }
        made(a).await;
        requested(&auth, b, network(9), true).await;
        // Of somebody who has an account, or who asks again: the same work, and no count.
        requested(&auth, b, network(9), false).await;
        requested(&auth, "https://c.example", network(9), false).await;
        hand.advance(days(1));
        requested(&auth, a, network(5), true).await;
        made(a).await;

        let all = conversion(&auth, &Wish::default()).await;
        assert_eq!(all, [(a.to_owned(), 5, 2), (b.to_owned(), 1, 0)]);
        let today = Day::of(auth.clock().now());
        let day = Wish { from: Some(today), to: Some(today), ..Wish::default() };
        assert_eq!(conversion(&auth, &day).await, [(a.to_owned(), 1, 1)]);
        let report = auth.sources().conversion(&day).await.unwrap();
        assert_eq!(report.rows[0].ratio(), Some(1.0));
        let none = Wish { from: Some(today.plus(1)), to: Some(today.plus(1)), ..Wish::default() };
        assert_eq!(conversion(&auth, &none).await, []);
    })
    .await;
}

#[tokio::test]
async fn the_same_is_written_for_everybody() {
    each(100, async |auth, _| {
        let source = Source::parse("https://a.example").unwrap();
        let now = auth.clock().now();
        let sources = auth.sources();
        let texts = |counts| -> Vec<&str> {
            let statements = sources.count_requested(Some(&source), network(1), counts, now);
            statements.iter().map(Statement::text).collect()
        };
        assert_eq!(texts(true), texts(false));
        assert!(sources.count_requested(None, network(1), true, now).is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_thousand_made_up_pages_make_few_sources() {
    each(50, async |auth, hand| {
        for n in 0..1_000 {
            requested(&auth, &format!("https://one.example/{n}"), network(1), true).await;
        }
        assert_eq!(number_of_sources(&auth).await, 20, "H10: one network");
        // A page that is there counts all the same, and another network may bring more.
        requested(&auth, "https://one.example/0", network(1), true).await;
        assert_eq!(conversion(&auth, &Wish::default()).await[0].1, 2);
        requested(&auth, "https://one.example", network(2), true).await;
        for n in 0..1_000 {
            requested(&auth, &format!("https://two.example/{n}"), network(100 + n), true).await;
        }
        assert_eq!(number_of_sources(&auth).await, 50, "H10: many networks");
        // Beyond the bound its host is counted where that is a source, else nothing.
        requested(&auth, "https://one.example/new", network(3), true).await;
        requested(&auth, "https://three.example/new", network(3), true).await;
        let counted = conversion(&auth, &Wish::default()).await;
        let of = |url: &str| counted.iter().find(|row| row.0 == url).map(|row| row.1);
        assert_eq!(of("https://one.example"), Some(2));
        assert_eq!(of("https://three.example"), None);
        hand.advance(hours(1));
        requested(&auth, "https://four.example", network(1), true).await;
        assert_eq!(number_of_sources(&auth).await, 50);
    })
    .await;
}

#[tokio::test]
async fn sources_nobody_comes_from_go_after_ninety_days() {
    each(100, async |auth, hand| {
        let name = async |url: &str, change: SourceChange| {
            let wish = Wish { limit: Some(100), ..Wish::default() };
            let all = auth.sources().top(&wish).await.unwrap().rows;
            let id = all.iter().find(|row| row.source.url == url).unwrap().source.id;
            let operator = crate::ids::AccountId::new(auth.clock().now(), auth.random());
            auth.sources().change(id, &change, operator).await.unwrap().unwrap()
        };
        for (n, url) in
            ["https://a.example", "https://b.example", "https://c.example"].into_iter().enumerate()
        {
            requested(&auth, url, network(u32::try_from(n).unwrap()), true).await;
        }
        let named = SourceChange { name: Some("Ours".to_owned()), ..SourceChange::default() };
        hand.advance(days(1));
        assert_eq!(name("https://c.example", named).await.display_name(), "Ours");
        hand.advance(days(59));
        requested(&auth, "https://b.example", network(1), true).await;
        hand.advance(days(32));
        assert_eq!(auth.sources().sweep(100).await.unwrap(), 1, "a alone");
        assert_eq!(auth.sources().sweep(100).await.unwrap(), 0);
        let left = auth.sources().top(&Wish::default()).await.unwrap().rows;
        let left: Vec<_> = left.iter().map(|row| row.source.display_name()).collect();
        assert_eq!(left, ["b.example", "Ours"]);
        // It may come back.
        requested(&auth, "https://a.example", network(1), true).await;
        assert_eq!(number_of_sources(&auth).await, 3);
        hand.advance(days(401));
        assert_eq!(auth.sources().sweep(100).await.unwrap(), 4 + 2, "days, then sources");
        assert_eq!(number_of_sources(&auth).await, 1, "what an operator named stays");
    })
    .await;
}

#[tokio::test]
async fn hints_are_taken_in_order_and_our_own_pages_are_no_source() {
    each(100, async |auth, _| {
        let utm = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            pairs.iter().map(owned).collect()
        };
        let url = |source_url: Option<&str>, referrer: Option<&str>, utm: Vec<_>, door| {
            let (source_url, referrer) =
                (source_url.map(str::to_owned), referrer.map(str::to_owned));
            let hint = SourceHint { source_url, referrer, utm };
            auth.sources().of_hint(&hint, door).map(|source| source.url().to_owned())
        };
        let ads = || utm(&[("utm_campaign", "spring"), ("other", "x"), ("utm_source", "ads")]);
        let news = Some("https://u:p@News.example:443/a/?id=1&utm_medium=post#x");
        let kept = "https://news.example/a?utm_medium=post";
        let said = Some("https://said.example");
        let told = |text: &str| Some(text.to_owned());

        assert_eq!(url(said, news, ads(), Door::Api), told("https://said.example"));
        let parameters = "http://127.0.0.1:8000?utm_source=ads&utm_campaign=spring";
        assert_eq!(url(None, news, ads(), Door::Api), told(parameters));
        let parameters = "https://app.example.com/base?utm_source=ads&utm_campaign=spring";
        assert_eq!(url(Some("javascript:1"), news, ads(), Door::Users), told(parameters));
        assert_eq!(url(None, news, utm(&[("utm_source", " ")]), Door::Api), told(kept));
        assert_eq!(url(None, None, Vec::new(), Door::Api), None);
        for ours in [
            "http://127.0.0.1:8000/register",
            "https://app.example.com/",
            "HTTPS://APP.example.com:443/x?y=z",
            "about:blank",
            "junk",
            "android-app://com.example",
        ] {
            assert_eq!(url(None, Some(ours), Vec::new(), Door::Accounts), None, "{ours}");
        }
        let led = Some("https://app.example.com/join?utm_source=ads&next=%2F");
        let kept = "https://app.example.com/join?utm_source=ads";
        assert_eq!(url(None, led, Vec::new(), Door::Users), told(kept));
        let endless = format!("https://news.example/{}", "a".repeat(5_000));
        assert_eq!(url(None, Some(&endless), Vec::new(), Door::Api), None);
        let long = format!("https://news.example/{}", "a".repeat(500));
        assert_eq!(url(None, Some(&long), Vec::new(), Door::Api), told("https://news.example"));
    })
    .await;
}

#[tokio::test]
async fn reports_are_bounded() {
    each(100, async |auth, _| {
        let sources = auth.sources();
        let today = Day::of(auth.clock().now());
        let of = |from: i64, to: i64| Wish {
            from: Some(today.plus(from)),
            to: Some(today.plus(to)),
            ..Wish::default()
        };
        sources.daily(&of(-399, 0)).await.unwrap();
        for (wish, field) in [
            (of(-400, 0), "from"),
            (of(1, 0), "from"),
            (Wish { from: Some(today.plus(1)), ..Wish::default() }, "from"),
            (Wish { limit: Some(0), ..Wish::default() }, "limit"),
            (Wish { limit: Some(1_001), ..Wish::default() }, "limit"),
        ] {
            let Err(ReportError::Wish(problem)) = sources.daily(&wish).await else {
                panic!("{wish:?}")
            };
            assert_eq!(problem.field(), field, "{wish:?}");
        }
        let usual = sources.over_period(&Wish::default()).await.unwrap().period.unwrap();
        assert_eq!((usual.from, usual.to), (today.plus(-29), today));
        for n in 0..12 {
            requested(&auth, &format!("https://{n}.example"), network(n), true).await;
        }
        let top = sources.top(&Wish::default()).await.unwrap();
        assert!(top.is_cut && top.rows.len() == 10);
        let two = Wish { limit: Some(2), ..Wish::default() };
        let cut = sources.conversion(&two).await.unwrap();
        assert!(cut.is_cut && cut.rows.len() == 2);
    })
    .await;
}
