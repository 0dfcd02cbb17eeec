//! What a batch promises, on both engines.

use std::collections::HashSet;

use ironlatch_core::database::{Batch, Database, Statement, Value, WriteError};
use ironlatch_core::error::InternalError;
use ironlatch_testkit::each_engine;
use uuid::Uuid;

use super::{assert_conflict, insert, names, open, rename};

#[tokio::test]
async fn a_batch_stands_or_falls_as_a_whole() {
    each_engine(async |url| {
        let database = open(&url).await;
        database.write(insert("ada").into()).await.unwrap();
        let mut batch = Batch::new();
        batch.add(insert("berta"));
        batch.add(insert("ada"));
        batch.add(insert("clara"));
        let refused = database.write(batch).await;
        assert!(
            matches!(refused, Err(WriteError::Conflict { index: Some(_) })),
            "a unique index refuses the second ada: {refused:?}"
        );
        assert_eq!(names(&database).await, ["ada"]);
        drop(database);
        assert_eq!(names(&open(&url).await).await, ["ada"], "what was answered stays");
    })
    .await;
}

#[tokio::test]
async fn a_must_change_statement_that_changes_nothing_undoes_its_batch() {
    each_engine(async |url| {
        let database = open(&url).await;
        database.write(insert("ada").into()).await.unwrap();

        let alone = rename("nobody", "x").must_change();
        assert_conflict(&database.write(alone.into()).await);

        // The guard must also be evaluated beside returned columns, of which there are none.
        let sql = "UPDATE groups SET name = $2 WHERE name_key = $1 RETURNING id, name";
        let returning = Statement::new(sql, ["nobody".into(), "x".into()]).must_change();
        assert_conflict(&database.write_returning(returning.clone()).await);

        for at_end in [false, true] {
            let mut batch = Batch::new();
            batch.add(rename("ada", "changed"));
            batch.add_returning(returning.clone());
            if !at_end {
                batch.add(insert("berta"));
            }
            assert_conflict(&database.write(batch).await);
        }
        assert_eq!(names(&database).await, ["ada"]);
    })
    .await;
}

#[tokio::test]
async fn a_must_change_statement_that_changes_something_goes_through() {
    each_engine(async |url| {
        let database = open(&url).await;
        database.write(insert("ada").must_change().into()).await.unwrap();
        let mut batch = Batch::new();
        batch.add(rename("ada", "Ada").must_change());
        let sql = "UPDATE groups SET name = $2 WHERE name_key = $1 RETURNING name, name_key";
        batch.add_returning(Statement::new(sql, ["ada".into(), "ADA".into()]).must_change());
        batch.add(insert("berta"));
        let rows = database.write(batch).await.unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].text(0).unwrap(), "ADA");
        assert_eq!(rows[0].text(1).unwrap(), "ada");
        assert!(rows[0].text(2).is_err(), "the guard's own column is not shown");
        assert_eq!(names(&database).await, ["ADA", "berta"]);
    })
    .await;
}

#[tokio::test]
async fn rows_come_back_from_the_statement_that_was_asked_only() {
    each_engine(async |url| {
        let database = open(&url).await;
        for name in ["ada", "berta", "clara"] {
            database.write(insert(name).into()).await.unwrap();
        }
        let some =
            Statement::new("DELETE FROM groups WHERE name <> $1 RETURNING name", ["x".into()]);
        let mut batch = Batch::new();
        batch.add(rename("ada", "x"));
        batch.add_returning(some.clone());
        batch.add(insert("dora"));
        let mut gone: Vec<_> = database.write(batch).await.unwrap();
        gone.sort_by_key(|row| row.text(0).unwrap());
        let gone: Vec<_> = gone.iter().map(|row| row.text(0).unwrap()).collect();
        assert_eq!(gone, ["berta", "clara"]);

        let rows = database.write_returning(some.clone()).await.unwrap();
        assert_eq!(rows.len(), 1, "dora alone");
        assert!(database.write_returning(some).await.unwrap().is_empty(), "none is an answer too");
        assert!(database.write(insert("eva").into()).await.unwrap().is_empty());
        assert!(database.write(Batch::new()).await.unwrap().is_empty(), "nothing to do is done");
    })
    .await;
}

#[tokio::test]
async fn parameters_go_by_their_number_not_by_their_first_use() {
    each_engine(async |url| {
        let database = open(&url).await;
        let select = Statement::new("SELECT $2, $1", [1_i64.into(), 2_i64.into()]);
        let row = database.read_one(select).await.unwrap().unwrap();
        assert_eq!((row.int(0).unwrap(), row.int(1).unwrap()), (2, 1));
    })
    .await;
}

#[tokio::test]
async fn every_kind_of_value_comes_back_as_it_went_in() {
    each_engine(async |url| {
        let database = open(&url).await;
        let id = Uuid::from_u128(7);
        let some: [Value; 5] =
            [i64::MIN.into(), true.into(), "ä'\"$1\n".into(), vec![0_u8, 255].into(), id.into()];
        let row = database.read_one(Statement::new("SELECT $1, $2, $3, $4, $5", some)).await;
        let row = row.unwrap().unwrap();
        assert_eq!(row.int(0).unwrap(), i64::MIN);
        assert!(row.bool(1).unwrap());
        assert_eq!(row.text(2).unwrap(), "ä'\"$1\n");
        assert_eq!(row.bytes(3).unwrap(), [0, 255]);
        assert_eq!(row.id::<()>(4).unwrap().uuid(), id);

        let none = [
            Value::Int(None),
            Value::Bool(None),
            Value::Text(None),
            Value::Bytes(None),
            Value::Uuid(None),
        ];
        let row = database.read_one(Statement::new("SELECT $1, $2, $3, $4, $5", none)).await;
        let row = row.unwrap().unwrap();
        assert_eq!(row.optional_int(0).unwrap(), None);
        assert_eq!(row.optional_text(2).unwrap(), None);
        assert_eq!(row.optional_bytes(3).unwrap(), None);
        assert!(row.optional_id::<()>(4).unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_wrong_statement_is_a_fault_and_harms_nothing() {
    each_engine(async |url| {
        let database = open(&url).await;
        let wrong = [
            Statement::new("SELECT $1 + 1", []),
            Statement::new("SELECT no_such_column FROM groups", []),
        ];
        for statement in wrong {
            let answer = database.read(statement.clone()).await;
            assert!(matches!(answer, Err(InternalError::Fault(_))), "{statement:?}: {answer:?}");
            let mut batch = Batch::new();
            batch.add(insert("ada"));
            batch.add(statement);
            let answer = database.write(batch).await;
            assert!(
                matches!(answer, Err(WriteError::Internal(InternalError::Fault(_)))),
                "{answer:?}"
            );
        }
        assert!(names(&database).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_reference_to_what_is_gone_is_a_conflict() {
    each_engine(async |url| {
        let database = open(&url).await;
        let sql = "INSERT INTO group_permissions (group_id, permission) VALUES ($1, $2)";
        let orphan = Statement::new(sql, [Uuid::from_u128(1).into(), "read".into()]);
        let refused = database.write(orphan.into()).await;
        assert!(matches!(refused, Err(WriteError::Conflict { index: Some(_) })), "{refused:?}");
    })
    .await;
}

/// Leases groups that nobody holds. The condition stands outside the sub-select too: two
/// workers may both have read a row there before either wrote it.
fn lease(worker: &str) -> Statement {
    Statement::new(
        "UPDATE groups SET name = $1
          WHERE id IN (SELECT id FROM groups WHERE name = 'free' ORDER BY id LIMIT 7)
            AND name = 'free'
      RETURNING name_key",
        [worker.into()],
    )
}

async fn work(database: Database, worker: String) -> Vec<String> {
    let mut mine = Vec::new();
    loop {
        let rows = database.write_returning(lease(&worker)).await.unwrap();
        mine.extend(rows.iter().map(|row| row.text(0).unwrap()));
        let left = Statement::new("SELECT id FROM groups WHERE name = 'free' LIMIT 1", []);
        if rows.is_empty() && database.read_one(left).await.unwrap().is_none() {
            return mine;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_never_lease_the_same_row() {
    each_engine(async |url| {
        let database = open(&url).await;
        let mut batch = Batch::new();
        for number in 0..300 {
            batch.add(insert(&format!("{number}")));
        }
        batch.add(Statement::new("UPDATE groups SET name = $1", ["free".into()]));
        database.write(batch).await.unwrap();

        let workers = ["one", "two", "three", "four"]
            .map(|worker| tokio::spawn(work(database.clone(), worker.to_owned())));
        let mut seen = HashSet::new();
        for worker in workers {
            for name in worker.await.unwrap() {
                assert!(seen.insert(name.clone()), "{name} was leased twice");
            }
        }
        assert_eq!(seen.len(), 300);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_fails_among_many_leaves_the_others_intact() {
    each_engine(async |url| {
        let database = open(&url).await;
        database.write(insert("taken").into()).await.unwrap();
        let writes: Vec<_> = (0..200)
            .map(|number| {
                let database = database.clone();
                tokio::spawn(async move {
                    let mut batch = Batch::new();
                    batch.add(insert(&format!("{number:03}")));
                    // Every third fails after its first row, in one of two ways.
                    match number % 6 {
                        2 => batch.add(insert("taken")),
                        5 => batch.add(rename("nobody", "x").must_change()),
                        _ => {}
                    }
                    (number, database.write(batch).await.is_ok())
                })
            })
            .collect();
        let mut expected = Vec::new();
        for write in writes {
            let (number, is_written) = write.await.unwrap();
            assert_eq!(is_written, number % 3 != 2, "{number}");
            if is_written {
                expected.push(format!("{number:03}"));
            }
        }
        expected.push("taken".to_owned());
        assert_eq!(names(&database).await, expected);
    })
    .await;
}

#[tokio::test]
async fn what_follows_a_change_happens_where_there_was_one() {
    each_engine(async |url| {
        let database = open(&url).await;
        database.write(insert("ada").into()).await.unwrap();
        // Changes something wherever the statement before it does.
        let told = "UPDATE groups SET name = name || '!' WHERE name_key = $1 RETURNING name";
        for (who, expected) in [("nobody", None), ("ada", Some("Ada!"))] {
            let mut batch = Batch::from(rename(who, "Ada"));
            batch.add(Statement::new(told, [who.into()]).follows_change());
            batch.add_returning(Statement::new(told, [who.into()]).follows_change());
            let rows = database.write(batch).await.unwrap();
            let name = rows.first().map(|row| row.text(0).unwrap());
            assert_eq!(name, expected.map(|name| format!("{name}!")));
        }
        assert_eq!(names(&database).await, ["Ada!!"]);

        // The embedded engine takes the word for it; the other lets the text decide.
        let mut batch = Batch::from(rename("nobody", "x"));
        batch.add(rename("ada", "Ada, not left out").follows_change());
        batch.add(rename("ada", "Ada by the text").follows_change());
        batch.add(insert("berta"));
        database.write(batch).await.unwrap();
        let is_embedded = url.starts_with("sqlite:");
        let ada = if is_embedded { "Ada!!" } else { "Ada by the text" };
        assert_eq!(names(&database).await, [ada, "berta"]);
    })
    .await;
}
