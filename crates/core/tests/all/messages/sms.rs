//! SMS through the outbox: what is said, what is counted, what is stopped (attack B22).

use ironlatch_core::database::Batch;
use ironlatch_core::messages::{Message, SmsRefusal};
use ironlatch_core::ports::SendError;
use ironlatch_core::time::{days, minutes, seconds};
use ironlatch_testkit::{TestAuth, each_auth};

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
        let events = ironlatch_core::database::Statement::new(events, []);
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
