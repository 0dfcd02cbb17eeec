//! The hash gate: bounded, fair, and honest at the door. One slot, and work that takes long
//! enough to be watched (bcrypt), so that order and not the clock decides.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use ironlatch_core::Auth;
use ironlatch_core::client::Network;
use ironlatch_core::credentials::password::{
    Costs, GateError, StoredHash, Verdict, form, hashes_per_second,
};
use ironlatch_core::ports::Token;
use ironlatch_core::settings::PasswordSettings;
use ironlatch_core::time::seconds;
use ironlatch_testkit::TestAuth;

type Answer = Result<Verdict, GateError>;
type Running<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

async fn auth_with(change: impl FnOnce(&mut PasswordSettings)) -> TestAuth {
    TestAuth::builder().settings(|settings| change(&mut settings.passwords)).build().await
}

fn network(last: u8) -> Network {
    Network::of([192, 0, 2, last].into())
}

/// A hash of some password at a cost of 2^`cost` rounds.
fn bcrypt(cost: u32) -> StoredHash {
    let text = format!("$2b${cost:02}$EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie");
    StoredHash(Token::new(text))
}

/// Asks the gate to compare a wrong password with a hash of this cost.
fn compare(auth: &Auth, cost: u32, network: Network) -> Running<'_> {
    Box::pin(async move {
        let (hash, wrong) = (bcrypt(cost), Token::new("a wrong password".to_owned()));
        auth.passwords().check_or_pretend(Some(&hash), &wrong, "ada", network).await
    })
}

/// Polls once, which is when work enters the queue: afterwards it waits, runs, or was refused.
async fn enter(running: &mut Running<'_>) -> Option<Answer> {
    poll_fn(|context| match running.as_mut().poll(context) {
        Poll::Ready(answer) => Poll::Ready(Some(answer)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Returns once the only slot has taken up what was queued; needs a queue of one.
async fn until_taken_up(auth: &Auth, network: Network) {
    while auth.passwords().admit(network).is_err() {
        tokio::task::yield_now().await;
    }
}

fn is_busy(answer: Option<&Answer>) -> bool {
    matches!(answer, Some(Err(GateError::Busy { .. })))
}

#[tokio::test]
async fn a_flood_from_one_network_waits_for_itself_and_not_others_for_it() {
    let test = auth_with(|_| ()).await;
    let mut flood: Vec<Running<'_>> =
        (0..20).map(|_| compare(&test.auth, 10, network(1))).collect();
    for running in &mut flood {
        assert!(enter(running).await.is_none(), "queued");
    }
    assert!(matches!(compare(&test.auth, 4, network(2)).await, Ok(Verdict::Wrong)));
    let mut done = 0;
    for running in &mut flood {
        done += usize::from(enter(running).await.is_some());
    }
    assert!(done <= 10, "{done} of the flood went before");
}

#[tokio::test]
async fn the_queue_is_bounded_and_more_is_turned_away_at_once() {
    let test = auth_with(|passwords| passwords.queue = 3).await;
    let mut kept = Vec::new();
    // Four find a place, the one that the slot has taken up and three behind it, and never a
    // fifth; whoever comes before the slot has woken up is a fourth in the queue.
    let refused = loop {
        let mut next = compare(&test.auth, 12, network(1));
        match enter(&mut next).await {
            None => kept.push(next),
            Some(_) if kept.len() == 3 => tokio::task::yield_now().await,
            refused => break refused,
        }
    };
    assert_eq!(kept.len(), 4);
    assert!(is_busy(refused.as_ref()));
    assert!(matches!(
        test.auth.passwords().admit(network(1)),
        Err(GateError::Busy { retry_after }) if retry_after >= seconds(1)
    ));
    for running in kept {
        assert!(matches!(running.await, Ok(Verdict::Wrong)), "what was taken is done");
    }
}

#[tokio::test]
async fn a_full_queue_makes_room_for_a_newcomer_at_the_cost_of_who_has_most_in_it() {
    let test = auth_with(|passwords| passwords.queue = 2).await;
    let mut first = compare(&test.auth, 12, network(1));
    assert!(enter(&mut first).await.is_none());
    let (mut second, mut third) =
        (compare(&test.auth, 8, network(1)), compare(&test.auth, 8, network(1)));
    while is_busy(enter(&mut second).await.as_ref()) {
        second = compare(&test.auth, 8, network(1));
    }
    // Refused until the slot has taken up the first one.
    while is_busy(enter(&mut third).await.as_ref()) {
        third = compare(&test.auth, 8, network(1));
    }
    assert!(matches!(compare(&test.auth, 4, network(2)).await, Ok(Verdict::Wrong)));
    assert!(matches!(first.await, Ok(Verdict::Wrong)));
    assert!(matches!(second.await, Ok(Verdict::Wrong)), "the flood's oldest stays");
    assert!(is_busy(Some(&third.await)), "its latest makes room");
}

#[tokio::test]
async fn who_would_wait_beyond_the_deadline_is_told_at_once() {
    let test = auth_with(|passwords| passwords.longest_wait = Duration::from_millis(400)).await;
    // Teaches the gate what a hash takes here: some 15 ms.
    for _ in 0..12 {
        let taught = compare(&test.auth, 8, network(1)).await;
        assert!(matches!(taught, Ok(Verdict::Wrong)));
    }
    let mut queued = Vec::new();
    let refused = loop {
        let mut next = compare(&test.auth, 8, network(1));
        if let Some(answer) = enter(&mut next).await {
            break answer;
        }
        queued.push(next);
        assert!(queued.len() < 100, "the gate takes everything");
    };
    assert!(is_busy(Some(&refused)));
    assert!(test.auth.passwords().admit(network(1)).is_err());
    // Another network's turn comes sooner, so it is still let in.
    assert!(test.auth.passwords().admit(network(2)).is_ok());
}

#[tokio::test]
async fn work_whose_request_is_gone_is_skipped_while_it_waits() {
    // What is gone still counts as a wait for those who come later.
    let test = auth_with(|passwords| passwords.longest_wait = Duration::from_mins(10)).await;
    let one_by_one = Instant::now();
    for _ in 0..10 {
        let _ = compare(&test.auth, 8, network(1)).await;
    }
    let one_by_one = one_by_one.elapsed();

    let gone = Instant::now();
    for _ in 0..60 {
        assert!(enter(&mut compare(&test.auth, 8, network(1))).await.is_none());
    }
    let _ = compare(&test.auth, 4, network(1)).await;
    assert!(gone.elapsed() < one_by_one * 2, "{:?} against {one_by_one:?}", gone.elapsed());
}

/// H02: the place is held by the hashing, so hanging up early buys no second slot.
#[tokio::test]
async fn a_request_that_goes_away_while_its_hash_runs_frees_no_slot() {
    let test = auth_with(|passwords| passwords.queue = 1).await;
    let mut running = compare(&test.auth, 12, network(1));
    assert!(enter(&mut running).await.is_none());
    until_taken_up(&test.auth, network(1)).await;
    drop(running);
    // The hash takes 150 ms on any machine, and what came after it waits that long.
    let mut next = compare(&test.auth, 4, network(2));
    assert!(tokio::time::timeout(Duration::from_millis(30), &mut next).await.is_err());
    assert!(matches!(next.await, Ok(Verdict::Wrong)));
}

#[tokio::test]
async fn hashes_with_larger_costs_do_not_hold_up_the_others() {
    let test = auth_with(|_| ()).await;
    // Django's argon2 as shipped: 100 MiB, which no slot here keeps.
    let salt_and_hash = "VW5uQnV0N2hrN1FEZnBEejRTT05Qdw$\
                         AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let heavy = format!("argon2$argon2id$v=19$m=102400,t=2,p=8${salt_and_hash}");
    let (heavy, wrong) = (StoredHash(Token::new(heavy)), Token::new("a wrong password".to_owned()));
    let passwords = test.auth.passwords();
    let mut queued: Vec<Running<'_>> = Vec::new();
    for _ in 0..4 {
        queued.push(Box::pin(passwords.check_or_pretend(Some(&heavy), &wrong, "ada", network(1))));
    }
    for heavy in &mut queued {
        assert!(enter(heavy).await.is_none());
    }
    assert!(matches!(compare(&test.auth, 4, network(1)).await, Ok(Verdict::Wrong)));
    let mut last = queued.pop().unwrap();
    assert!(enter(&mut last).await.is_none(), "the heavy ones still run");
    assert!(matches!(last.await, Ok(Verdict::Wrong)));
}

#[test]
fn an_operator_can_ask_how_fast_this_machine_is() {
    let (costs, span) = (Costs { memory_kib: 64, passes: 1, lanes: 2 }, Duration::from_millis(20));
    let (one, two) = (hashes_per_second(costs, 1, span), hashes_per_second(costs, 2, span));
    assert!(one.unwrap() > 10.0 && two.unwrap() > 10.0);
    let impossible = Costs { memory_kib: 8, passes: 1, lanes: 2 };
    assert!(hashes_per_second(impossible, 2, span).is_err());
    assert!(!form().to_string().is_empty());
}

/// Linux shows the niceness of each thread; each gate of this binary has some.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn hashing_threads_give_way_to_everything_else() {
    let test = auth_with(|_| ()).await;
    assert!(compare(&test.auth, 4, network(1)).await.is_ok());
    let mut nice = Vec::new();
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        // A thread of another test may end meanwhile.
        let Ok(stat) = std::fs::read_to_string(task.unwrap().path().join("stat")) else {
            continue;
        };
        let (name, fields) = stat.rsplit_once(')').unwrap();
        if name.ends_with("(hash") {
            // proc_pid_stat(5): field 19, of which 2 stand before the parenthesis.
            nice.push(fields.split_whitespace().nth(16).unwrap().to_owned());
        }
    }
    assert!(nice.contains(&"10".to_owned()), "{nice:?}");
}
