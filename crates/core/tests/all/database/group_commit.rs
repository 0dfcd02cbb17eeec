//! SQLite's one writer: what a failure in the middle of a group does to the rest of it.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use ironlatch_core::database::{Batch, Database, Row, Statement, WriteError};
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::{assert_unavailable, count, count_up, insert, names, open, rename};

struct Embedded {
    database: Database,
    folder: TempDir,
}

impl Embedded {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        Self { database: open(&url).await, folder }
    }

    fn connection(&self) -> Connection {
        Connection::open(self.folder.path().join("test.db")).unwrap()
    }

    /// Has the batches wait at a lock of somebody else's, so that they form one group.
    async fn write_as_one_group(&self, batches: Vec<Batch>) -> Vec<Answer> {
        let other = self.connection();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        // The writer takes this one alone and waits with it.
        let first = self.spawn(count_up().into());
        tokio::time::sleep(Duration::from_millis(50)).await;
        let rest: Vec<_> = batches.into_iter().map(|batch| self.spawn(batch)).collect();
        tokio::time::sleep(Duration::from_millis(50)).await;
        other.execute_batch("ROLLBACK").unwrap();
        first.await.unwrap().unwrap();
        let mut answers = Vec::new();
        for answer in rest {
            answers.push(answer.await.unwrap());
        }
        answers
    }

    fn spawn(&self, batch: Batch) -> JoinHandle<Answer> {
        let database = self.database.clone();
        tokio::spawn(async move { database.write(batch).await })
    }

    /// How many groups the writer has committed: the marker ends in their number.
    async fn groups(&self) -> u64 {
        let select = Statement::new("SELECT group_id FROM commit_marker", []);
        let marker = self.database.read_one(select).await.unwrap().unwrap().bytes(0).unwrap();
        let number = marker.get(8..).unwrap_or(&[0; 8]);
        u64::from_be_bytes(number.try_into().unwrap())
    }

    fn assert_sound(&self) {
        let check = self.connection().query_row("PRAGMA integrity_check", [], |row| row.get(0));
        assert_eq!(check, Ok("ok".to_owned()));
    }
}

type Answer = Result<Vec<Row>, WriteError>;

fn large(name: &str) -> Statement {
    let sql = "INSERT INTO groups (id, name, name_key) VALUES ($1, $2, $3)";
    let text = "x".repeat(2_000_000);
    Statement::new(sql, [vec![0_u8; 16].into(), text.into(), name.into()])
}

#[tokio::test]
async fn batches_that_wait_share_one_commit() {
    let embedded = Embedded::new().await;
    let before = embedded.groups().await;
    let batches = (0..100).map(|number| insert(&format!("{number}")).into()).collect();
    for answer in embedded.write_as_one_group(batches).await {
        answer.unwrap();
    }
    assert_eq!(embedded.groups().await - before, 2, "the one that waited, then all the others");
    assert_eq!(names(&embedded.database).await.len(), 100);
}

#[tokio::test]
async fn a_patient_batch_shares_the_commit_of_the_next_that_is_not() {
    let embedded = Embedded::new().await;
    let before = embedded.groups().await;
    let patient = |name: &str| Batch::from(insert(name)).patient(Duration::from_mins(10));
    let waiting = [embedded.spawn(patient("a")), embedded.spawn(patient("b"))];
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(waiting.iter().all(|answer| !answer.is_finished()), "nobody has come yet");
    embedded.database.write(insert("c").into()).await.unwrap();
    for answer in waiting {
        answer.await.unwrap().unwrap();
    }
    assert_eq!(embedded.groups().await - before, 1);
    assert_eq!(names(&embedded.database).await.len(), 3);
}

#[tokio::test]
async fn patient_batches_are_committed_alone_when_nobody_comes() {
    let embedded = Embedded::new().await;
    let before = embedded.groups().await;
    let patience = |name: &str, millis| {
        embedded.spawn(Batch::from(insert(name)).patient(Duration::from_millis(millis)))
    };
    // The least patient one decides for all.
    let waiting = [patience("a", 600_000), patience("b", 20), patience("c", 600_000)];
    for answer in waiting {
        answer.await.unwrap().unwrap();
    }
    assert_eq!(names(&embedded.database).await.len(), 3);
    assert!((1..=2).contains(&(embedded.groups().await - before)));
}

#[tokio::test]
async fn a_database_that_is_closed_commits_what_was_patient() {
    let embedded = Embedded::new().await;
    let waiting = embedded.spawn(Batch::from(insert("a")).patient(Duration::from_mins(10)));
    tokio::time::sleep(Duration::from_millis(50)).await;
    let Embedded { database, folder } = embedded;
    drop(database);
    // The write itself keeps the database open until its answer is dropped.
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    let found = || {
        let connection = Connection::open(folder.path().join("test.db")).unwrap();
        let count = "SELECT COUNT(*) FROM groups";
        connection.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(found(), 1);
}

/// SQLite's answer to a full disk takes back the whole transaction, the batches before it
/// included, which went well and have not been answered.
#[tokio::test]
async fn a_full_disk_in_the_middle_of_a_group_takes_only_the_batch_that_filled_it() {
    let embedded = Embedded::new().await;
    embedded.database.write(insert("before").into()).await.unwrap();
    embedded
        .database
        .write(Statement::new("PRAGMA max_page_count = 100", []).into())
        .await
        .unwrap();

    for takes_several in [false, true] {
        let round = if takes_several { "two" } else { "one" };
        let mut fatal = Batch::from(large("large"));
        if takes_several {
            fatal.add(insert("never"));
        }
        let small = |name: &str| {
            let mut batch = Batch::from(insert(&format!("{round} {name}")));
            batch.add(count_up());
            batch
        };
        let counted = count(&embedded.database).await;
        let batches = vec![small("a"), small("b"), fatal, small("c"), small("d")];
        let answers = embedded.write_as_one_group(batches).await;
        for (index, answer) in answers.iter().enumerate() {
            if index == 2 {
                assert_unavailable(answer);
            } else {
                assert!(answer.is_ok(), "{index}: {answer:?}");
            }
        }
        // One for the batch that formed the group, four for the small ones: none ran twice.
        assert_eq!(count(&embedded.database).await - counted, 5);
    }
    let expected =
        ["before", "one a", "one b", "one c", "one d", "two a", "two b", "two c", "two d"];
    assert_eq!(names(&embedded.database).await, expected);
    embedded.assert_sound();

    let more = Statement::new("PRAGMA max_page_count = 100000", []);
    embedded.database.write(more.into()).await.unwrap();
    embedded.database.write(large("large").into()).await.unwrap();
}

#[tokio::test]
async fn a_conflict_in_a_group_takes_only_its_own_batch() {
    let embedded = Embedded::new().await;
    let mut failing = Batch::from(insert("half"));
    failing.add(rename("nobody", "x").must_change());
    let batches = vec![insert("a").into(), failing, insert("a").into(), insert("b").into()];
    let before = embedded.groups().await;
    let answers = embedded.write_as_one_group(batches).await;
    assert!(matches!(answers[1], Err(WriteError::Conflict { index: None })));
    assert!(matches!(&answers[2], Err(WriteError::Conflict { index: Some(_) })));
    assert!(answers[0].is_ok() && answers[3].is_ok());
    assert_eq!(names(&embedded.database).await, ["a", "b"]);
    assert_eq!(embedded.groups().await - before, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_refused_can_see_what_stood_in_the_way() {
    let embedded = Embedded::new().await;
    for round in 0..20 {
        let name = format!("round {round}");
        let writers = (0..50).map(|_| {
            let (database, name) = (embedded.database.clone(), name.clone());
            tokio::spawn(async move {
                match database.write(insert(&name).into()).await {
                    Ok(_) => 1,
                    Err(WriteError::Conflict { .. }) => {
                        assert!(names(&database).await.contains(&name), "refused, yet not there");
                        0
                    }
                    Err(other) => panic!("{other:?}"),
                }
            })
        });
        let written = futures_util::future::join_all(writers).await;
        assert_eq!(written.into_iter().map(Result::unwrap).sum::<i32>(), 1);
    }
}

#[tokio::test]
async fn another_process_that_holds_the_file_makes_us_unavailable_not_wrong() {
    let embedded = Embedded::new().await;
    let other = embedded.connection();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_unavailable(&embedded.database.write(insert("a").into()).await);
    assert!(names(&embedded.database).await.is_empty(), "reading goes on");
    other.execute_batch("ROLLBACK").unwrap();
    embedded.database.write(insert("a").into()).await.unwrap();
    assert_eq!(names(&embedded.database).await, ["a"]);
}

#[tokio::test]
async fn nobody_else_may_read_the_files_and_missing_folders_are_made() {
    let folder = tempfile::tempdir_in(".").unwrap();
    let relative = folder.path().file_name().unwrap();
    let file = std::path::Path::new(relative).join("new/folder/test.db");
    let database = open(&format!("sqlite:{}", file.display())).await;
    database.write(insert("a").into()).await.unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode();
    let mut files = 0;
    for entry in std::fs::read_dir(file.parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
        files += 1;
    }
    assert_eq!(files, 3, "the database, its log and its shared memory");
    assert_eq!(mode(file.parent().unwrap()) & 0o077, 0);

    drop(database);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let database = open(&format!("sqlite://{}", file.display())).await;
    assert_eq!(mode(&file) & 0o077, 0, "a file others could read is closed to them");
    assert_eq!(names(&database).await, ["a"]);
}

#[tokio::test]
async fn a_backup_is_whole_private_and_never_overwrites() {
    let embedded = Embedded::new().await;
    embedded.database.write(insert("a").into()).await.unwrap();
    let copy = embedded.folder.path().join("copy.db");
    embedded.database.backup(&copy).await.unwrap();
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o077, 0);
    assert!(embedded.database.backup(&copy).await.is_err(), "an older backup stays");
    assert_eq!(names(&open(&format!("sqlite:{}", copy.display())).await).await, ["a"]);
}

/// Runs the next test in a process of its own, where the system refuses to let files grow.
#[test]
fn a_commit_that_fails_is_undone_and_the_next_one_works() {
    let child = std::env::current_exe().unwrap();
    let name = "database::group_commit::child_whose_files_cannot_grow";
    // The signal must be ignored from the start for a write to fail instead.
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(child)
        .args(["--exact", name, "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}\n{complained}");
}

#[tokio::test]
#[ignore = "only as the child of the test above"]
async fn child_whose_files_cannot_grow() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let embedded = Embedded::new().await;
    embedded.database.write(insert("before").into()).await.unwrap();
    let log = std::fs::metadata(embedded.folder.path().join("test.db-wal")).unwrap().len();
    let free = getrlimit(Resource::Fsize);
    let tight = Rlimit { current: Some(log + 6 * 4_152), maximum: free.maximum };
    setrlimit(Resource::Fsize, tight).unwrap();

    let name = |number: usize| format!("{number} {}", "x".repeat(300));
    let batches = (0..60).map(|number| insert(&name(number)).into()).collect();
    let answers = embedded.write_as_one_group(batches).await;
    let reading = names(&embedded.database).await;
    setrlimit(Resource::Fsize, free).unwrap();

    let written = answers.iter().filter(|answer| answer.is_ok()).count();
    // Together they are too much for the log; one alone is not.
    assert!((1..60).contains(&written), "{written} were written");
    assert_eq!(reading.len(), written + 1, "what was refused is not there");
    for answer in answers.iter().filter(|answer| answer.is_err()) {
        assert_unavailable(answer);
    }
    embedded.database.write(insert("after").into()).await.unwrap();
    let found = names(&embedded.database).await;
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(found.contains(&name(number)), answer.is_ok(), "{number}");
    }
    assert!(found.contains(&"before".to_owned()) && found.contains(&"after".to_owned()));
    embedded.assert_sound();
}
