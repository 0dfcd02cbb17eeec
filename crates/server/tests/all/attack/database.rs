//! The database behind a server, looked at and touched from outside.

use std::path::Path;

use data_encoding::HEXLOWER;
use serde_json::Value;

/// One value of a row, as bytes.
pub(super) struct Cell {
    /// `table.column`
    pub(super) place: String,
    pub(super) bytes: Vec<u8>,
}

/// The file of an embedded database.
pub(super) fn file(url: &str) -> Option<&Path> {
    url.strip_prefix("sqlite:").map(Path::new)
}

/// Runs one statement beside the server.
pub(super) fn execute(url: &str, sql: &str) {
    match file(url) {
        Some(path) => {
            let connection = rusqlite::Connection::open(path).unwrap();
            connection.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
            connection.execute(sql, []).unwrap();
        }
        None => {
            postgres(url, async |client| {
                client.batch_execute(sql).await.unwrap();
            });
        }
    }
}

/// Every value of every table.
pub(super) fn dump(url: &str) -> Vec<Cell> {
    match file(url) {
        Some(path) => dump_sqlite(path),
        None => postgres(url, dump_postgres),
    }
}

fn dump_sqlite(path: &Path) -> Vec<Cell> {
    let connection = rusqlite::Connection::open(path).unwrap();
    let mut tables =
        connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
    let tables: Vec<String> =
        tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut cells = Vec::new();
    for table in tables {
        let mut all = connection.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
        let columns: Vec<String> = all.column_names().iter().map(|it| (*it).to_owned()).collect();
        let mut rows = all.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for (n, column) in columns.iter().enumerate() {
                let bytes = match row.get_ref(n).unwrap() {
                    rusqlite::types::ValueRef::Null => continue,
                    rusqlite::types::ValueRef::Integer(n) => n.to_string().into_bytes(),
                    rusqlite::types::ValueRef::Real(n) => n.to_string().into_bytes(),
                    rusqlite::types::ValueRef::Text(bytes)
                    | rusqlite::types::ValueRef::Blob(bytes) => bytes.to_vec(),
                };
                cells.push(Cell { place: format!("{table}.{column}"), bytes });
            }
        }
    }
    cells
}

async fn dump_postgres(client: &tokio_postgres::Client) -> Vec<Cell> {
    let tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'";
    let tables = client.query(tables, &[]).await.unwrap();
    let mut cells = Vec::new();
    for table in tables {
        let table: String = table.get(0);
        let all = format!("SELECT to_jsonb(t)::text FROM \"{table}\" t");
        for row in client.query(&all, &[]).await.unwrap() {
            let row: Value = serde_json::from_str(row.get(0)).unwrap();
            for (column, value) in row.as_object().unwrap() {
                let bytes = match value {
                    Value::Null => continue,
                    Value::String(text) => {
                        let hex = text.strip_prefix("\\x").map(str::as_bytes);
                        let bytes = hex.and_then(|hex| HEXLOWER.decode(hex).ok());
                        bytes.unwrap_or_else(|| text.clone().into_bytes())
                    }
                    other => other.to_string().into_bytes(),
                };
                cells.push(Cell { place: format!("{table}.{column}"), bytes });
            }
        }
    }
    cells
}

/// A conversation with PostgreSQL on a thread of its own: tests block, it does not.
fn postgres<T: Send>(url: &str, work: impl AsyncFnOnce(&tokio_postgres::Client) -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let (client, connection) =
                    tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
                tokio::spawn(connection);
                work(&client).await
            })
        });
        thread.join().unwrap()
    })
}
