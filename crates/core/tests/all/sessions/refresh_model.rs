//! The refresh rule against a small model, and what it promises, for random histories.

use ironlatch_core::database::Statement;
use ironlatch_core::ports::Token;
use ironlatch_core::sessions::RefreshError;
use ironlatch_core::time::{Timestamp, seconds};
use ironlatch_core::tokens::{Chain, RefreshClaims};
use ironlatch_testkit::TestAuth;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use super::{is_in, refresh, sign_in, with_ada};

const CHAINS: [Chain; 2] = [Chain::Cookie, Chain::Body];
const SECOND: i64 = 1_000_000;
/// W and the age of a young token, in microseconds.
const BURST: i64 = 30 * SECOND;
const YOUNG: i64 = 120 * SECOND;

type Verdict = Result<(), TestCaseError>;

/// Runs a test for random values; fewer where each step crosses a network.
fn for_all<S: Strategy>(
    auth: &TestAuth,
    cases: u32,
    values: &S,
    test: impl AsyncFn(S::Value) -> Verdict,
) {
    let cases = if auth.auth.database().engine() == "sqlite" { cases } else { cases / 4 };
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(values, |value| {
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(test(value)))
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

/// A chain as the design's table has it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Model {
    generation: i64,
    parent: i64,
    first_child: i64,
    rotated_at: i64,
}

#[derive(Debug, PartialEq)]
enum Answer {
    Same,
    Child(i64),
    Theft,
    Future,
}

impl Model {
    fn new(now: i64) -> Self {
        Self { generation: 1, parent: 0, first_child: 1, rotated_at: now }
    }

    fn present(&mut self, g: i64, issued_at: i64, now: i64) -> Answer {
        let since = |then: i64| (now - then).max(0);
        if (self.first_child..=self.generation).contains(&g) {
            if since(self.rotated_at) <= BURST && since(issued_at) < YOUNG {
                return Answer::Same;
            }
            self.parent = g;
            self.generation += 1;
            self.first_child = self.generation;
        } else if g == self.parent {
            self.generation += 1;
        } else if g > self.generation {
            return Answer::Future;
        } else {
            return Answer::Theft;
        }
        self.rotated_at = now;
        Answer::Child(self.generation)
    }

    fn token(&self, pick: Pick) -> i64 {
        match pick {
            Pick::Parent => self.parent,
            Pick::FirstChild => self.first_child,
            Pick::Latest => self.generation,
            Pick::SomeChild => i64::midpoint(self.first_child, self.generation),
            Pick::Grandparent => self.parent - 1,
            Pick::DeadSibling => self.first_child - 1,
            Pick::Next => self.generation + 1,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Pick {
    Parent,
    FirstChild,
    Latest,
    SomeChild,
    Grandparent,
    DeadSibling,
    Next,
}

#[derive(Debug, Clone)]
struct Step {
    chain: Chain,
    pick: Pick,
    age: i64,
    wait: i64,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pick = prop_oneof![
        4 => Just(Pick::Parent),
        3 => Just(Pick::FirstChild),
        4 => Just(Pick::Latest),
        3 => Just(Pick::SomeChild),
        1 => Just(Pick::Grandparent),
        1 => Just(Pick::DeadSibling),
        1 => Just(Pick::Next),
    ];
    let age = select(vec![-5, 0, 1, 60, 119, 120, 121, 1_000]);
    let wait = select(vec![0, 0, 1, 15, 29, 30, 31, 121, 900, 86_400, -1, -31, -3_600]);
    let step = (select(CHAINS.to_vec()), pick, age, wait)
        .prop_map(|(chain, pick, age, wait)| Step { chain, pick, age, wait });
    vec(step, 1..12)
}

fn shift(test: &TestAuth, seconds: i64) {
    test.clock.set(Timestamp::from_micros(test.now().micros() + seconds * SECOND));
}

async fn stored(test: &TestAuth, session: &RefreshClaims) -> Model {
    let chain = if session.chain == Chain::Cookie { "cookie" } else { "body" };
    let row = test.auth.database().read_one(Statement::new(
        "SELECT generation, parent, first_child, rotated_at FROM session_chains
          WHERE session_id = $1 AND kind = $2",
        [session.session.into(), chain.into()],
    ));
    let row = row.await.unwrap().unwrap();
    Model {
        generation: row.int(0).unwrap(),
        parent: row.int(1).unwrap(),
        first_child: row.int(2).unwrap(),
        rotated_at: row.int(3).unwrap(),
    }
}

/// Every answer and every stored row is the model's, whatever is presented and whenever.
async fn agrees_with_the_model(test: &TestAuth, steps: Vec<Step>) -> Verdict {
    let started = sign_in(test).await.started;
    let tokens = test.auth.tokens();
    let first = [&started.refresh_cookie, &started.refresh_body]
        .map(|token| tokens.read_refresh(token.reveal(), test.now()).unwrap());
    let mut models = [Model::new(test.now().micros()); 2];
    for step in steps {
        shift(test, step.wait);
        let now = test.now();
        let which = usize::from(step.chain == Chain::Body);
        let g = models[which].token(step.pick);
        let claims = RefreshClaims {
            door: ironlatch_core::sessions::Door::Api,
            generation: g,
            issued_at: now.seconds() - step.age,
            expires_at: now.seconds() + 86_400,
            ..first[which].clone()
        };
        let token = tokens.write_refresh(&claims).unwrap();
        let issued_at = claims.issued_at * SECOND;
        let expected = models[which].present(g, issued_at, now.micros());
        let real = refresh(test, &token, step.chain).await;
        match (&expected, real) {
            (Answer::Same, Ok(real)) => prop_assert_eq!(real.refresh.reveal(), token.reveal()),
            (Answer::Child(generation), Ok(real)) => {
                let child = tokens.read_refresh(real.refresh.reveal(), now).unwrap();
                prop_assert_eq!(child.generation, *generation);
                prop_assert_eq!(child.issued_at, now.seconds());
                prop_assert!(is_in(test, &real.access).await);
            }
            (Answer::Theft | Answer::Future, Err(RefreshError::Revoked)) => {
                prop_assert!(!is_in(test, &started.access).await);
                for (token, chain) in
                    [(&started.refresh_cookie, CHAINS[0]), (&started.refresh_body, CHAINS[1])]
                {
                    let after = refresh(test, token, chain).await;
                    prop_assert!(matches!(after, Err(RefreshError::Revoked)), "{:?}", after);
                }
                return Ok(());
            }
            (expected, real) => prop_assert!(false, "{expected:?}, but the code: {real:?}"),
        }
        for (model, first) in models.iter().zip(&first) {
            prop_assert_eq!(stored(test, first).await, *model);
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_is_the_one_the_table_gives() {
    with_ada(async |test| {
        for_all(&test, 96, &steps(), async |steps| agrees_with_the_model(&test, steps).await);
    })
    .await;
}

/// One request of a tab, in milliseconds after its burst began. What is not served or not
/// answered was lost on the way.
#[derive(Debug, Clone)]
struct Request {
    chain: Chain,
    sent: i64,
    served: Option<i64>,
    answered: Option<i64>,
}

#[derive(Debug, Clone)]
struct Burst {
    /// Seconds since the last burst settled, by the server's clock: negative where it was set
    /// back.
    after: i64,
    requests: Vec<Request>,
}

fn bursts() -> impl Strategy<Value = Vec<Burst>> {
    let request = (select(CHAINS.to_vec()), 0..=30_000_i64, 0..=30_000_i64, 0..=30_000_i64)
        .prop_flat_map(|(chain, a, b, c)| {
            let mut times = [a, b, c];
            times.sort_unstable();
            let [sent, served, answered] = times;
            (option::weighted(0.9, Just(served)), option::weighted(0.7, Just(answered))).prop_map(
                move |(served, answered)| Request {
                    chain,
                    sent,
                    served,
                    answered: answered.filter(|_| served.is_some()),
                },
            )
        });
    let after = prop_oneof![
        3 => 0..=60_i64,
        3 => 60..=1_000_i64,
        // Eight such gaps stay below the idle limit, even where every request is lost.
        2 => 1_000..=140_000_i64,
        1 => -7_200..=-1_i64,
    ];
    let burst = (after, vec(request, 1..6)).prop_map(|(after, requests)| Burst { after, requests });
    vec(burst, 1..8)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    Sent,
    Served,
    Answered,
}

/// Statement (a): nobody is signed out as long as each burst settles within W, whatever is
/// lost or reordered inside it.
async fn nobody_is_signed_out(test: &TestAuth, bursts: Vec<Burst>) -> Verdict {
    let started = sign_in(test).await.started;
    let mut jars = [started.refresh_cookie, started.refresh_body];
    let jar = |chain| usize::from(chain == Chain::Body);
    for burst in bursts {
        shift(test, burst.after);
        let begin = test.now().micros();
        let mut events = Vec::new();
        for (index, request) in burst.requests.iter().enumerate() {
            events.push((request.sent, Moment::Sent, index));
            events.extend(request.served.map(|at| (at, Moment::Served, index)));
            events.extend(request.answered.map(|at| (at, Moment::Answered, index)));
        }
        // Of one request the moments follow each other; requests mix as they like.
        events.sort_unstable_by_key(|(at, moment, index)| (*at, *moment, *index));
        let mut held: Vec<Option<Token>> = vec![None; burst.requests.len()];
        for (at, moment, index) in events {
            let chain = burst.requests[index].chain;
            match moment {
                Moment::Sent => held[index] = Some(jars[jar(chain)].clone()),
                Moment::Served => {
                    test.clock.set(Timestamp::from_micros(begin + at * 1_000));
                    let token = held[index].take().unwrap();
                    match refresh(test, &token, chain).await {
                        Ok(answer) => {
                            prop_assert!(is_in(test, &answer.access).await);
                            held[index] = Some(answer.refresh);
                        }
                        Err(error) => prop_assert!(false, "signed out: {error}"),
                    }
                }
                Moment::Answered => jars[jar(chain)] = held[index].take().unwrap(),
            }
        }
        test.clock.set(Timestamp::from_micros(begin + BURST));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_signed_out_while_each_burst_settles_in_time() {
    with_ada(async |test| {
        for_all(&test, 128, &bursts(), async |bursts| nobody_is_signed_out(&test, bursts).await);
    })
    .await;
}

#[derive(Debug, Clone)]
enum Act {
    /// The owner's client needs a new access token, so long after its last time at least.
    Owner { wait: i64 },
    /// The thief presents one of the tokens it holds: the newest for 0, and so on.
    Thief { wait: i64, back: usize },
}

fn acts() -> impl Strategy<Value = (usize, Chain, Vec<Act>)> {
    let act = prop_oneof![
        (0..=900_i64).prop_map(|wait| Act::Owner { wait }),
        (0..=400_i64, 0..4_usize).prop_map(|(wait, back)| Act::Thief { wait, back }),
    ];
    (0..3_usize, select(CHAINS.to_vec()), vec(act, 2..16))
}

/// Statement (b): of an owner who stores what comes, at most two ordinary refreshes are
/// answered after a thief's first success; then the thief's next token ends the session. Where
/// the owner is the one to lose, the owner's does.
async fn a_thief_is_thrown_out(
    test: &TestAuth,
    (before, chain, acts): (usize, Chain, Vec<Act>),
) -> Verdict {
    let started = sign_in(test).await.started;
    let mut owner =
        if chain == Chain::Body { started.refresh_body } else { started.refresh_cookie };
    for _ in 0..before {
        test.clock.advance(seconds(900));
        owner = refresh(test, &owner, chain).await.unwrap().refresh;
    }
    let mut owner_came = test.now();
    let mut loot = vec![owner.clone()];
    let mut answered_since_theft = None;
    for act in acts {
        let (wait, is_owner) = match &act {
            Act::Owner { wait } => (*wait, true),
            Act::Thief { wait, .. } => (*wait, false),
        };
        shift(test, wait);
        if is_owner {
            // An ordinary refresh: not within the burst or the youth of the last one.
            test.clock.set(test.now().max(owner_came.plus(seconds(121))));
            owner_came = test.now();
        }
        let token = match act {
            Act::Owner { .. } => owner.clone(),
            Act::Thief { back, .. } => loot[loot.len().saturating_sub(1 + back)].clone(),
        };
        let answer = refresh(test, &token, chain).await;
        let has_parted = answered_since_theft.is_some_and(|answered| answered >= 2);
        match answer {
            Ok(answer) if is_owner => {
                owner = answer.refresh;
                answered_since_theft = answered_since_theft.map(|answered: u32| answered + 1);
            }
            Ok(answer) => {
                prop_assert!(!has_parted, "the thief goes on beside the owner");
                loot.push(answer.refresh);
                answered_since_theft.get_or_insert(0);
            }
            Err(RefreshError::Revoked) => {
                prop_assert!(!is_owner || answered_since_theft.is_some(), "without any theft");
                for token in loot.iter().chain([&owner]) {
                    let after = refresh(test, token, chain).await;
                    prop_assert!(matches!(after, Err(RefreshError::Revoked)), "{:?}", after);
                }
                return Ok(());
            }
            Err(error) => prop_assert!(false, "refused otherwise: {error}"),
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thief_is_thrown_out_within_two_of_the_owners_refreshes() {
    with_ada(async |test| {
        for_all(&test, 160, &acts(), async |acts| a_thief_is_thrown_out(&test, acts).await);
    })
    .await;
}
