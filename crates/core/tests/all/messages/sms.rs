//! SMS through the outbox: what is said, what is counted, what is stopped (attack B22).

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use ironlatch_core::Auth;
use ironlatch_core::database::{Batch, Statement};
use ironlatch_core::messages::{LogTransport, Message, SmsRefusal};
use ironlatch_core::ports::{SendError, SmsTransport};
use ironlatch_core::time::{days, minutes, seconds};
use ironlatch_core::workers;
use ironlatch_testkit::{
    Inbox, MASTER_KEY, MovedClock, TestAuth, cheap_settings, each_auth, each_engine,
};

use super::post::{Fate, Post};
use super::rows;

const ADA: &str = "+491701234567";
const CODE: &str = "042137";

fn code() -> Message {
    Message::SignInCode { code: CODE.to_owned(), link: None }
}

/// Queues an SMS with a code of five minutes, counted against the day's budget.
async fn ask(test: &TestAuth, number: &str) -> bool {
    let now = test.now();
    let messages = test.auth.messages();
    let mut batch = Batch::new();
    batch.add(messages.count_sms(now));
    batch.add(messages.queue_sms(number, &code(), now, now.plus(minutes(5))).unwrap());
    test.auth.database().write(batch).await.is_ok()
}

#[tokio::test]
async fn an_sms_says_the_code_and_is_sent_once() {
    each_auth(async |test| {
        assert!(ask(&test, ADA).await);
        for _ in 0..3 {
            test.deliver().await;
        }
        let [sms] = &test.inbox.to(ADA)[..] else { panic!("one SMS") };
        assert_eq!((sms.channel, sms.text.as_str()), ("sms", "Your verification code is: 042137"));
        assert_eq!(sms.code(), CODE);
        let rows = rows(&test.auth).await;
        assert_eq!((rows[0].1.as_deref(), rows[0].2), (Some("sent"), 0), "the body is gone");
    })
    .await;
}

#[tokio::test]
async fn an_expired_code_is_never_sent() {
    each_auth(async |test| {
        test.inbox.fail_next(SendError::Later("away".to_owned()));
        assert!(ask(&test, ADA).await);
        test.deliver().await;
        assert_eq!(test.inbox.attempts(), 1);
        test.clock.advance(minutes(5));
        test.deliver().await;
        assert_eq!(test.inbox.attempts(), 1);
        assert_eq!(rows(&test.auth).await[0].1.as_deref(), Some("expired"));
    })
    .await;
}

#[tokio::test]
async fn what_has_not_left_is_tried_again_and_what_may_have_is_not() {
    each_auth(async |test| {
        test.inbox.fail_next(SendError::Later("503".to_owned()));
        assert!(ask(&test, ADA).await);
        test.deliver().await;
        test.clock.advance(seconds(5));
        test.deliver().await;
        assert_eq!(test.inbox.to(ADA).len(), 1);

        test.inbox.fail_next(SendError::Never("no answer".to_owned()));
        assert!(ask(&test, ADA).await);
        test.deliver().await;
        test.clock.advance(seconds(60));
        test.deliver().await;
        assert_eq!((test.inbox.attempts(), test.inbox.to(ADA).len()), (3, 1));
        assert_eq!(rows(&test.auth).await[1].1.as_deref(), Some("refused"));
    })
    .await;
}

/// A node that sends SMS by this post.
async fn node_by(url: &str, clock: &Arc<MovedClock>, post: &Arc<Post>) -> Auth {
    let built = Auth::builder()
        .settings(cheap_settings())
        .database(url)
        .master_key(MASTER_KEY)
        .clock(Arc::<MovedClock>::clone(clock))
        .sms(Arc::<Post>::clone(post))
        .build();
    built.await.unwrap()
}

async fn queue(auth: &Auth) {
    let now = auth.clock().now();
    let queued = auth.messages().queue_sms(ADA, &code(), now, now.plus(minutes(5))).unwrap();
    auth.database().write(queued.into()).await.unwrap();
}

#[tokio::test]
async fn a_transport_that_panics_is_not_asked_twice() {
    each_engine(async |url| {
        let clock = Arc::new(MovedClock::new());
        let post = Post::new(|_| Fate::Panic);
        let auth = node_by(&url, &clock, &post).await;
        queue(&auth).await;
        for _ in 0..3 {
            auth.messages().deliver_due().await.unwrap();
            clock.advance(seconds(61));
        }
        assert_eq!(post.tries(), 1, "it may have left");
        assert_eq!(rows(&auth).await[0].1.as_deref(), Some("refused"));
    })
    .await;
}

#[tokio::test]
async fn what_a_node_that_died_held_is_sent_by_another_in_time_only() {
    each_engine(async |url| {
        let clock = Arc::new(MovedClock::new());
        let post = Post::new(|_| Fate::Hang);
        let dying = node_by(&url, &clock, &post).await;
        queue(&dying).await;
        let round = tokio::spawn(async move { dying.messages().deliver_due().await });
        post.bell.notified().await;
        round.abort();
        assert!(round.await.unwrap_err().is_cancelled());

        post.follow(|_| Fate::Taken);
        let other = node_by(&url, &clock, &post).await;
        other.messages().deliver_due().await.unwrap();
        assert_eq!(post.taken().len(), 0, "the lease still holds");
        clock.advance(seconds(60));
        other.messages().deliver_due().await.unwrap();
        other.messages().deliver_due().await.unwrap();
        assert_eq!(post.taken(), [ADA]);
    })
    .await;
}

#[tokio::test]
async fn counts_of_days_go_after_ninety_of_them() {
    each_auth(async |test| {
        assert!(ask(&test, ADA).await);
        let days_kept = async || {
            let count = Statement::new("SELECT count(*) FROM message_budgets", []);
            test.auth.database().read_one(count).await.unwrap().unwrap().int(0).unwrap()
        };
        test.clock.advance(days(90));
        workers::sweep(&test.auth).await.unwrap();
        assert_eq!(days_kept().await, 1);
        test.clock.advance(days(1));
        workers::sweep(&test.auth).await.unwrap();
        assert_eq!(days_kept().await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_never_send_the_same_sms() {
    each_auth(async |test| {
        let other = test.second_node().await;
        for n in 0..40 {
            assert!(ask(&test, &format!("+4917012345{n:02}")).await);
        }
        let (one, two) = (test.auth.clone(), other.auth.clone());
        let rounds = [
            tokio::spawn(async move { one.messages().deliver_due().await }),
            tokio::spawn(async move { two.messages().deliver_due().await }),
        ];
        for round in rounds {
            round.await.unwrap().unwrap();
        }
        let mut numbers: Vec<_> = test.inbox.all().iter().map(|sms| sms.to.clone()).collect();
        assert_eq!(numbers.len(), 40);
        numbers.sort();
        numbers.dedup();
        assert_eq!(numbers.len(), 40, "nobody gets two");
    })
    .await;
}

#[tokio::test]
async fn nothing_secret_is_logged() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("test.db").display());
    let clock = Arc::new(MovedClock::new());
    let link = Some("https://auth.example.com/sign-in?token=tok-en".to_owned());
    let message = Message::SignInCode { code: CODE.to_owned(), link };
    let inbox = Arc::new(Inbox::new());
    let quiet: Arc<dyn SmsTransport> = Arc::new(LogTransport);
    for sms in [quiet, Arc::<Inbox>::clone(&inbox)] {
        inbox.fail_next(SendError::Later("away".to_owned()));
        inbox.fail_next(SendError::Never("no".to_owned()));
        let auth = Auth::builder()
            .settings(cheap_settings())
            .database(url.as_str())
            .master_key(MASTER_KEY)
            .clock(Arc::<MovedClock>::clone(&clock))
            .mail(Arc::new(LogTransport))
            .sms(sms);
        let auth = auth.build().await.unwrap();
        let (now, messages) = (auth.clock().now(), auth.messages());
        let end = now.plus(minutes(5));
        let mut batch = Batch::new();
        batch.add(messages.queue_sms(ADA, &message, now, end).unwrap());
        batch.add(messages.queue_sms(ADA, &message, now, end).unwrap());
        batch.add(messages.queue("ada@example.com", &message, now, end).unwrap());
        auth.database().write(batch).await.unwrap();
        messages.deliver_due().await.unwrap();
    }
    let text = log.0.lock().unwrap().clone();
    for line in ["an SMS would leave", "a mail would leave", "refused for good", "has to wait"] {
        assert!(text.contains(line), "{line} is missing in {text}");
    }
    for secret in [CODE, "tok-en", "170123", "ada@example.com"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

/// Keeps every field of every event.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut log = self.0.lock().unwrap();
        event.record(&mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
            let _ = writeln!(log, "{field}={value:?}");
        });
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn b22_a_stop_holds_on_every_node_and_is_recorded() {
    each_auth(async |test| {
        let other = test.second_node().await;
        assert!(ask(&test, ADA).await);
        assert!(other.auth.limits().stop_sms().await.unwrap());
        assert!(!other.auth.limits().stop_sms().await.unwrap(), "stopped already");
        for node in [&test, &other] {
            node.deliver().await;
            let refusal = node.auth.messages().admits_sms(ADA).await;
            assert!(matches!(refusal, Err(SmsRefusal::Stopped)));
        }
        assert_eq!(test.inbox.attempts(), 0, "what waits does not leave either");
        assert!(test.auth.limits().start_sms().await.unwrap());
        assert!(!test.auth.limits().start_sms().await.unwrap());
        other.deliver().await;
        assert_eq!(test.inbox.to(ADA).len(), 1);
        let events = "SELECT event FROM audit_entries WHERE event LIKE 'sms%' ORDER BY event";
        let events = Statement::new(events, []);
        let events = test.auth.database().read(events).await.unwrap();
        let events: Vec<_> = events.iter().map(|row| row.text(0).unwrap()).collect();
        assert_eq!(events, ["sms_started", "sms_stopped"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b22_two_nodes_never_exceed_the_days_budget() {
    each_auth(async |test| {
        let small = test.node_with(|settings| settings.sms.daily_budget = 20).await;
        let other = small.second_node().await;
        let asking = (0..50).map(|n| {
            let node = if n % 2 == 0 { &small } else { &other };
            async move { ask(node, ADA).await }
        });
        let queued = futures_util::future::join_all(asking).await;
        assert_eq!(queued.iter().filter(|queued| **queued).count(), 20);
        small.deliver().await;
        assert_eq!(test.inbox.to(ADA).len(), 20);
        let refusal = other.auth.messages().admits_sms(ADA).await;
        assert!(matches!(refusal, Err(SmsRefusal::BudgetSpent)));
        let status = other.auth.messages().sms_status().await.unwrap();
        assert_eq!((status.sent_today, status.daily_budget), (20, 20));

        test.clock.advance(days(1));
        other.auth.messages().admits_sms(ADA).await.unwrap();
        assert!(ask(&other, ADA).await, "a new day");
    })
    .await;
}

#[tokio::test]
async fn b22_nothing_goes_anywhere_until_somebody_says_where() {
    each_auth(async |test| {
        let closed = test.node_with(|settings| settings.sms.countries.clear()).await;
        for node in [&closed, &test] {
            for number in ["+18765550123", "+881612345678", "+447012345678", "+12125550123"] {
                let refusal = node.auth.messages().admits_sms(number).await;
                assert!(matches!(refusal, Err(SmsRefusal::CountryNotAllowed)), "{number}");
            }
        }
        let refusal = closed.auth.messages().admits_sms(ADA).await;
        assert!(matches!(refusal, Err(SmsRefusal::CountryNotAllowed)));
        test.auth.messages().admits_sms(ADA).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn b22_off_until_configured_and_left_to_nodes_that_can() {
    each_auth(async |test| {
        let inbox = std::sync::Arc::clone(&test.inbox);
        let without = super::node(&test.database_url, &test.clock, inbox).await;
        let refusal = without.messages().admits_sms(ADA).await;
        assert!(matches!(refusal, Err(SmsRefusal::NotConfigured)));
        assert!(ask(&test, ADA).await);
        without.messages().deliver_due().await.unwrap();
        assert_eq!(test.inbox.attempts(), 0);
        test.deliver().await;
        assert_eq!(test.inbox.to(ADA).len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_message_without_a_text_for_sms_is_not_queued_as_one() {
    let test = TestAuth::new().await;
    let now = test.now();
    let notice = Message::AccountClosed { at: now };
    let queued = test.auth.messages().queue_sms(ADA, &notice, now, now.plus(minutes(5)));
    assert!(queued.is_err());
}
