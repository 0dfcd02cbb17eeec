//! Nothing is lost, nothing is sent twice, nothing is sent late (reliability R11).

use std::sync::Arc;
use std::time::Duration;

use ironlatch_core::database::{Batch, Statement};
use ironlatch_core::messages::Message;
use ironlatch_core::time::{days, minutes, seconds};
use ironlatch_core::workers::{self, Workers};
use ironlatch_testkit::{MovedClock, each_engine};

use super::post::{Fate, Post};
use super::{node, queue, queue_for, rows, write_all};

#[tokio::test]
async fn a_mail_is_sent_once_and_then_forgotten() {
    each_engine(async |url| {
        let post = Post::new(|_| Fate::Taken);
        let auth = node(&url, &Arc::default(), post.clone()).await;
        queue(&auth, "ada@example.com").await;
        for _ in 0..3 {
            auth.messages().deliver_due().await.unwrap();
        }
        assert_eq!(post.taken(), ["ada@example.com"]);
        let rows = rows(&auth).await;
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].1.as_deref(), rows[0].2), (Some("sent"), 0), "the body is gone");
    })
    .await;
}

#[tokio::test]
async fn a_queued_body_is_sealed() {
    each_engine(async |url| {
        let auth = node(&url, &Arc::default(), Post::new(|_| Fate::Taken)).await;
        queue(&auth, "ada@example.com").await;
        let select = Statement::new("SELECT sealed_body, template FROM messages", []);
        let row = auth.database().read_one(select).await.unwrap().unwrap();
        let body = String::from_utf8_lossy(&row.bytes(0).unwrap()).into_owned();
        assert!(!body.contains("secret") && !body.contains("http"), "{body}");
        assert_eq!(row.text(1).unwrap(), "verify_email");
    })
    .await;
}

#[tokio::test]
async fn an_expired_mail_is_never_sent() {
    each_engine(async |url| {
        let clock = Arc::new(MovedClock::new());
        let post = Post::new(|_| Fate::Later);
        let auth = node(&url, &clock, post.clone()).await;
        queue_for(&auth, "tried@example.com", 10).await;
        auth.messages().deliver_due().await.unwrap();
        queue_for(&auth, "untried@example.com", 10).await;
        clock.advance(minutes(10));
        post.follow(|_| Fate::Taken);
        auth.messages().deliver_due().await.unwrap();
        assert_eq!((post.tries(), post.taken().len()), (1, 0));
        for (to, outcome, body, _) in rows(&auth).await {
            assert_eq!((outcome.as_deref(), body), (Some("expired"), 0), "{to}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_refused_mail_is_not_tried_again() {
    each_engine(async |url| {
        let clock = Arc::new(MovedClock::new());
        let post = Post::new(|_| Fate::Never);
        let auth = node(&url, &clock, post.clone()).await;
        queue(&auth, "ada@example.com").await;
        for _ in 0..5 {
            auth.messages().deliver_due().await.unwrap();
            clock.advance(minutes(6));
        }
        assert_eq!(post.tries(), 1);
        let rows = rows(&auth).await;
        assert_eq!((rows[0].1.as_deref(), rows[0].2), (Some("refused"), 0));
    })
    .await;
}

#[tokio::test]
async fn pauses_grow_to_five_minutes_at_most() {
    each_engine(async |url| {
        let clock = Arc::new(MovedClock::new());
        let post = Post::new(|_| Fate::Later);
        let auth = node(&url, &clock, post.clone()).await;
        queue_for(&auth, "ada@example.com", 600).await;
        auth.messages().deliver_due().await.unwrap();
        let mut longest_of_this_try = seconds(5);
        for tries in 1..=10 {
            let shortest = longest_of_this_try / 2;
            clock.advance(shortest.saturating_sub(Duration::from_micros(1)));
            auth.messages().deliver_due().await.unwrap();
            assert_eq!(post.tries(), tries, "too early");
            clock.advance(shortest + Duration::from_micros(1));
            auth.messages().deliver_due().await.unwrap();
            assert_eq!(post.tries(), tries + 1, "too late");
            longest_of_this_try = (longest_of_this_try * 2).min(minutes(5));
        }
    })
    .await;
}

#[tokio::test]
async fn r11_after_an_hour_without_a_mail_server_nothing_is_lost_or_doubled() {
    each_engine(async |url| {
        let clock = Arc::new(MovedClock::new());
        let post = Post::new(|_| Fate::Later);
        let auth = node(&url, &clock, post.clone()).await;
        let now = auth.clock().now();
        let mut batch = Batch::new();
        for n in 0..150 {
            let (kind, valid) = if n % 3 == 0 { ("code", 10) } else { ("notice", 3 * 24 * 60) };
            let to = format!("{kind}-{n}@example.com");
            let message = Message::ResetPassword {
                link: format!("https://auth.example.com/{n}"),
                name: None,
            };
            let row = auth.messages().queue(&to, &message, now, now.plus(minutes(valid)));
            batch.add(row.unwrap());
        }
        write_all(&auth, batch).await;
        for _ in 0..12 {
            auth.messages().deliver_due().await.unwrap();
            clock.advance(minutes(5));
        }
        post.follow(|_| Fate::Taken);
        auth.messages().deliver_due().await.unwrap();
        auth.messages().deliver_due().await.unwrap();

        assert_eq!(post.copies().len(), 100);
        assert!(post.copies().values().all(|copies| *copies == 1));
        assert!(post.taken().iter().all(|to| to.starts_with("notice")), "no late code");
        let expired =
            rows(&auth).await.iter().filter(|row| row.1.as_deref() == Some("expired")).count();
        assert_eq!(expired, 50);
    })
    .await;
}

#[tokio::test]
async fn a_crash_after_sending_costs_one_duplicate_with_the_same_message_id() {
    each_engine(async |url| {
        let clock = Arc::new(MovedClock::new());
        let post = Post::new(|_| Fate::TakenUnanswered);
        let crashing = node(&url, &clock, post.clone()).await;
        queue(&crashing, "ada@example.com").await;
        let round = tokio::spawn(async move { crashing.messages().deliver_due().await });
        post.bell.notified().await;
        round.abort();
        assert!(round.await.unwrap_err().is_cancelled());

        post.follow(|_| Fate::Taken);
        let other = node(&url, &clock, post.clone()).await;
        clock.advance(seconds(59));
        other.messages().deliver_due().await.unwrap();
        assert_eq!(post.taken().len(), 1, "the lease still holds");
        clock.advance(seconds(1));
        other.messages().deliver_due().await.unwrap();
        other.messages().deliver_due().await.unwrap();
        assert_eq!(post.copies().into_values().collect::<Vec<_>>(), [2]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_never_send_the_same_mail() {
    each_engine(async |url| {
        let clock = Arc::new(MovedClock::new());
        let posts = [Post::new(|_| Fate::Taken), Post::new(|_| Fate::Taken)];
        let mut nodes = Vec::new();
        for post in &posts {
            nodes.push(node(&url, &clock, post.clone()).await);
        }
        for n in 0..120 {
            queue(&nodes[0], &format!("{n}@example.com")).await;
        }
        let rounds: Vec<_> = nodes
            .iter()
            .cloned()
            .map(|auth| tokio::spawn(async move { auth.messages().deliver_due().await }))
            .collect();
        for round in rounds {
            round.await.unwrap().unwrap();
        }
        let mut copies = posts[0].copies();
        for (id, more) in posts[1].copies() {
            *copies.entry(id).or_default() += more;
        }
        assert_eq!(copies.len(), 120);
        assert!(copies.values().all(|copies| *copies == 1));
    })
    .await;
}

#[tokio::test]
async fn recipients_whose_servers_hang_hold_up_nobody_else() {
    each_engine(async |url| {
        let post = Post::new(|mail| match mail.to.split_once('@') {
            Some(("slow", _)) => Fate::Hang,
            _ => Fate::Taken,
        });
        let auth = node(&url, &Arc::default(), post.clone()).await;
        for n in 0..7 {
            queue(&auth, &format!("slow@{n}.example")).await;
        }
        for n in 0..30 {
            queue(&auth, &format!("{n}@example.com")).await;
        }
        let node = auth.clone();
        let round = tokio::spawn(async move { node.messages().deliver_due().await });
        while post.taken().len() < 30 {
            post.bell.notified().await;
        }
        queue(&auth, "late@example.com").await;
        auth.messages().wake();
        while post.taken().len() < 31 {
            post.bell.notified().await;
        }
        assert!(!round.is_finished(), "the slow ones still hang");
        round.abort();
    })
    .await;
}

#[tokio::test]
async fn a_transport_that_panics_loses_nothing() {
    each_engine(async |url| {
        let clock = Arc::new(MovedClock::new());
        let post = Post::new(|_| Fate::Panic);
        let auth = node(&url, &clock, post.clone()).await;
        queue(&auth, "ada@example.com").await;
        auth.messages().deliver_due().await.unwrap();
        post.follow(|_| Fate::Taken);
        clock.advance(seconds(5));
        auth.messages().deliver_due().await.unwrap();
        assert_eq!(post.taken(), ["ada@example.com"]);
    })
    .await;
}

#[tokio::test]
async fn a_graceful_stop_gives_back_what_it_cannot_finish() {
    each_engine(async |url| {
        let clock = Arc::new(MovedClock::new());
        let post = Post::new(|_| Fate::Hang);
        let auth = node(&url, &clock, post.clone()).await;
        queue(&auth, "ada@example.com").await;
        let workers = Workers::start(&auth);
        post.bell.notified().await;
        assert!(rows(&auth).await[0].3.is_some(), "it is leased");
        workers.stop().await;
        assert!(rows(&auth).await[0].3.is_none(), "the lease was given back");

        post.follow(|_| Fate::Taken);
        node(&url, &clock, post.clone()).await.messages().deliver_due().await.unwrap();
        assert_eq!(post.taken(), ["ada@example.com"], "without waiting for the lease");
    })
    .await;
}

#[tokio::test]
async fn workers_send_by_themselves_and_what_is_done_is_swept() {
    each_engine(async |url| {
        let clock = Arc::new(MovedClock::new());
        let post = Post::new(|_| Fate::Taken);
        let auth = node(&url, &clock, post.clone()).await;
        let workers = Workers::start(&auth);
        queue(&auth, "ada@example.com").await;
        auth.messages().wake();
        post.bell.notified().await;
        workers.stop().await;
        assert_eq!(rows(&auth).await[0].1.as_deref(), Some("sent"));

        clock.advance(days(7));
        workers::sweep(&auth).await.unwrap();
        assert_eq!(rows(&auth).await.len(), 1, "kept for a week");
        clock.advance(seconds(1));
        workers::sweep(&auth).await.unwrap();
        assert!(rows(&auth).await.is_empty());
    })
    .await;
}
