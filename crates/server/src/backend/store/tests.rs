//! The same promises of both: SQLite in a directory of its own, and a PostgreSQL that the test starts and stops.

use super::retention::RETENTION;
use super::sql::Value;
use super::*;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

const NOW: i64 = 1_800_000_000_000;
const HOUR: i64 = 60 * 60 * 1_000;
const SECRET: &str = "nobody may find this sentence again";

fn report(match_id: &str, side: u8) -> NewReport {
    NewReport {
        match_id: match_id.into(),
        side,
        matched_at_ms: NOW - HOUR,
        category: Category::Harassment,
        note: Some(SECRET.into()),
        lines: vec![
            ReportedLine {
                from: LineFrom::Stranger,
                text: format!("{SECRET}, said the stranger"),
                verified: true,
            },
            ReportedLine { from: LineFrom::You, text: "stop".into(), verified: false },
        ],
        evidence: Some(SECRET.as_bytes().to_vec()),
        reporter: Digests { session: u64::MAX, device: Some(1), prefix: None },
        reported: Digests { session: 7, device: None, prefix: Some(u64::MAX - 1) },
        filed_at_ms: NOW,
    }
}

/// A PostgreSQL of one test. Its server refuses to run as root, so the tests' root becomes somebody else.
struct Server {
    directory: TempDir,
    process: Child,
}

impl Server {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let is_root =
            fs::metadata("/proc/self").is_ok_and(|of| std::os::unix::fs::MetadataExt::uid(&of) == 0);
        let data = directory.path().join("data");
        if is_root {
            let owned = Command::new("chown").args(["nobody"]).arg(directory.path()).status().unwrap();
            assert!(owned.success());
        }
        let made = Server::run("initdb", is_root)
            .args(["--no-sync", "--auth=trust", "--username=visavis", "--pgdata"])
            .arg(&data)
            .stdout(Stdio::null())
            .status();
        assert!(made.unwrap().success());
        let process = Server::spawn(&data, is_root);
        let server = Server { directory, process };
        server.wait();
        server
    }

    /// Debian keeps the programs out of the path.
    fn run(program: &str, is_root: bool) -> Command {
        let beside = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let mut found: Vec<_> = beside.map(|version| version.path().join("bin").join(program)).collect();
        found.sort();
        let path = found.pop().unwrap_or_else(|| program.into());
        if !is_root {
            return Command::new(path);
        }
        let mut command = Command::new("setpriv");
        command.args(["--reuid=nobody", "--clear-groups", "--"]).arg(path).current_dir("/");
        command
    }

    fn spawn(data: &Path, is_root: bool) -> Child {
        let mut command = Server::run("postgres", is_root);
        command.arg("-D").arg(data).args(["-c", "listen_addresses=", "-c", "fsync=off", "-k"]);
        command.arg(data).stderr(Stdio::null()).spawn().unwrap()
    }

    fn place(&self) -> Place {
        let socket = self.directory.path().join("data").display().to_string().replace('/', "%2F");
        let url = format!("postgres://visavis@{socket}/postgres?sslmode=disable");
        Place::Postgres(PostgresUrl::read(&url).unwrap())
    }

    fn wait(&self) {
        for _ in 0..600 {
            if postgres_answers(&self.place()) {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("PostgreSQL does not answer");
    }

    fn stop(&mut self) {
        let stopped = Command::new("kill").args(["-INT", &self.process.id().to_string()]).status();
        assert!(stopped.unwrap().success());
        self.process.wait().unwrap();
    }

    fn start_again(&mut self) {
        let is_root =
            fs::metadata("/proc/self").is_ok_and(|of| std::os::unix::fs::MetadataExt::uid(&of) == 0);
        self.process = Server::spawn(&self.directory.path().join("data"), is_root);
        self.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-QUIT", &self.process.id().to_string()]).status();
        let _ = self.process.wait();
    }
}

fn postgres_answers(place: &Place) -> bool {
    match place {
        Place::Postgres(url) => postgres::Postgres::connect(url).is_ok(),
        Place::File(_) => true,
    }
}

/// What a test says of the raw store.
fn look<T>(place: &Place, look: impl FnOnce(&mut dyn Sql) -> Result<T, SqlError>) -> T {
    look_in(place, look).unwrap()
}

fn look_in<T>(place: &Place, look: impl FnOnce(&mut dyn Sql) -> Result<T, SqlError>) -> Result<T, SqlError> {
    let mut sql: Box<dyn Sql> = match place {
        Place::File(path) => Box::new(sqlite::Sqlite::open(path)?),
        Place::Postgres(url) => Box::new(postgres::Postgres::connect(url)?),
    };
    look(&mut *sql)
}

fn count(place: &Place, table: &str) -> i64 {
    look(place, |sql| sql.query(&format!("SELECT count(*) FROM {table}"), &[])?[0].int(0))
}

fn opened(place: &Place) -> Store {
    Store::open(place.clone()).unwrap()
}

fn waiting<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// What holds for both.
fn keeps_its_promises(place: &Place) {
    empties_an_older_schema_never(place);
    files_a_report_once_for_each_side(place);
    keeps_what_was_written(place);
    deletes_what_is_over_and_nothing_on_hold(place);
    leaves_a_newer_schema_alone(place);
}

fn empties_an_older_schema_never(place: &Place) {
    look(place, |sql| {
        assert_eq!(schema::tests::migrate_to_first(sql), Ok(()));
        sql.execute("INSERT INTO reports (id, match_id, side, matched_at_ms, filed_at_ms, category, reporter_session, reported_session) VALUES ($1, $2, 0, 0, $3, 'other', 0, 0)", &["old".into(), "oldest".into(), NOW.into()])
    });
    assert_eq!(opened(place).state(), StoreState::Ready);
    assert_eq!(count(place, "reports"), 1);
    look(place, |sql| sql.execute("DELETE FROM reports", &[]));
}

fn files_a_report_once_for_each_side(place: &Place) {
    let stores = [opened(place), opened(place)];
    let filings = waiting(async {
        let tasks: Vec<_> = (0..100)
            .map(|n| {
                let store = stores[n % 2].clone();
                tokio::spawn(async move { store.file_report(report("same", 0)).await.unwrap() })
            })
            .collect();
        let mut filings = Vec::new();
        for task in tasks {
            filings.push(task.await.unwrap());
        }
        filings
    });
    let made: Vec<_> = filings.iter().filter(|filing| matches!(filing, Filing::New(_))).collect();
    assert_eq!(made.len(), 1);
    let Filing::New(id) = made[0] else { unreachable!() };
    assert!(
        filings
            .iter()
            .all(|filing| matches!(filing, Filing::New(other) | Filing::Known(other) if other == id))
    );
    let other_side = waiting(stores[0].file_report(report("same", 1))).unwrap();
    assert!(matches!(other_side, Filing::New(other) if other != *id));
    assert_eq!((count(place, "reports"), count(place, "report_lines"), count(place, "evidence")), (2, 4, 2));
}

fn keeps_what_was_written(place: &Place) {
    let rows = look(place, |sql| {
        sql.query(
            "SELECT note, category, reporter_session, reporter_device, reporter_prefix, reported_prefix FROM reports WHERE side = 0",
            &[],
        )
    });
    let expected = vec![
        Value::from(SECRET),
        Value::from("harassment"),
        Value::from(u64::MAX),
        Value::Int(1),
        Value::Null,
        Value::from(u64::MAX - 1),
    ];
    assert!(rows[0].0 == expected);
    let lines = look(place, |sql| {
        sql.query(
            "SELECT speaker, line, verified FROM report_lines JOIN reports ON report_id = id WHERE side = 0 ORDER BY position",
            &[],
        )
    });
    let stranger = format!("{SECRET}, said the stranger");
    assert!(lines[0].0 == vec![Value::from("reported"), Value::from(stranger), Value::Int(1)]);
    assert!(lines[1].0 == vec![Value::from("reporter"), Value::from("stop"), Value::Int(0)]);
}

fn deletes_what_is_over_and_nothing_on_hold(place: &Place) {
    let store = opened(place);
    look(place, |sql| {
        sql.execute(
            "INSERT INTO holds (report_id, reason, since_ms) SELECT id, 'asked for by a court', $1 FROM reports WHERE side = 1",
            &[NOW.into()],
        )
    });
    let counts = || (count(place, "reports"), count(place, "report_lines"), count(place, "evidence"));
    for kept in RETENTION {
        let end = NOW + kept.days * retention::DAY_MS;
        let before = counts();
        waiting(store.clean_up(end - HOUR)).unwrap();
        assert_eq!(counts(), before, "{} an hour before its end", kept.table);
        waiting(store.clean_up(end + HOUR)).unwrap();
        assert_eq!(count(place, kept.table), 1, "{}: what is on hold stays, and no more", kept.table);
    }
    assert_eq!(counts(), (1, 2, 1));
    look(place, |sql| sql.execute("DELETE FROM holds", &[]));
    waiting(store.clean_up(NOW + 91 * retention::DAY_MS)).unwrap();
    assert_eq!(counts(), (0, 0, 0));
}

fn leaves_a_newer_schema_alone(place: &Place) {
    look(place, |sql| {
        assert_eq!(schema::tests::migrate_beyond(sql), Ok(()));
        Ok(())
    });
    let Err(Failure::Runtime(sentence)) = Store::open(place.clone()) else { panic!("it was opened") };
    assert!(sentence.contains("newer server (schema 2, this one knows 1)"), "{sentence}");
}

#[test]
fn sqlite_keeps_its_promises() {
    let directory = tempfile::tempdir().unwrap();
    let place = Place::of(None, directory.path());
    keeps_its_promises(&place);
    for entry in fs::read_dir(directory.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        let found = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
        assert!(!found, "what was deleted stands in {}", path.display());
    }
}

#[test]
fn postgres_keeps_its_promises_and_may_come_and_go() {
    let mut server = Server::start();
    let place = server.place();
    let store = opened(&place);
    waiting(store.file_report(report("before", 0))).unwrap();
    server.stop();
    assert_eq!(waiting(store.file_report(report("meanwhile", 0))), Err(Unavailable));
    assert_eq!(store.state(), StoreState::Unavailable);
    // One that starts while PostgreSQL is away.
    let second = opened(&place);
    assert_eq!(second.state(), StoreState::Unavailable);
    server.start_again();
    for store in [&store, &second] {
        let filed = waiting(store.file_report(report("before", 0)));
        assert!(matches!(filed, Ok(Filing::Known(_))), "{filed:?}");
        assert_eq!(store.state(), StoreState::Ready);
    }
    drop((store, second));
    look(&place, |sql| sql.batch("DROP TABLE holds, evidence, report_lines, reports, schema_version"));
    keeps_its_promises(&place);
}

#[test]
fn a_file_that_somebody_locks_is_waited_for_and_then_reports_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let place = Place::of(None, directory.path());
    let store = opened(&place);
    let filed = look(&place, |sql| {
        sql.batch("BEGIN EXCLUSIVE")?;
        let filed = waiting(store.file_report(report("locked", 0)));
        sql.batch("ROLLBACK")?;
        Ok(filed)
    });
    assert_eq!((filed, store.state()), (Err(Unavailable), StoreState::Unavailable));
    assert!(matches!(waiting(store.file_report(report("locked", 0))), Ok(Filing::New(_))));
    assert_eq!(store.state(), StoreState::Ready);
}

#[test]
fn a_disk_that_is_full_loses_nothing_that_was_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let place = Place::of(None, directory.path());
    let store = opened(&place);
    waiting(store.file_report(report("before", 0))).unwrap();
    // SQLite's own bound stands for the disk's: the same error, without a file system of one's own.
    let pages = look(&place, |sql| sql.query("PRAGMA page_count", &[])?[0].int(0));
    let full = waiting(store.write(
        move |sql| {
            sql.batch(&format!("PRAGMA max_page_count = {pages}"))?;
            let mut large = report("large", 0);
            large.evidence = Some(vec![7; 100_000]);
            reports::file(sql, &large)
        },
        false,
    ));
    assert_eq!((full, store.state()), (Err(Unavailable), StoreState::Unavailable));
    assert_eq!(count(&place, "reports"), 1);
    assert!(matches!(waiting(store.file_report(report("before", 0))), Ok(Filing::Known(_))));
    assert!(matches!(waiting(store.file_report(report("large", 0))), Ok(Filing::New(_))));
}

#[test]
fn a_directory_that_cannot_be_made_does_not_keep_the_server_from_starting() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file"), "").unwrap();
    let store = opened(&Place::of(None, &directory.path().join("file")));
    assert_eq!(store.state(), StoreState::Unavailable);
    assert_eq!(waiting(store.file_report(report("anything", 0))), Err(Unavailable));
}

#[test]
fn a_url_of_something_else_is_refused_without_being_repeated() {
    for wrong in ["mysql://me:secret@host/db", "postgres://host:secret/db"] {
        let refused = PostgresUrl::read(wrong).unwrap_err();
        assert!(!refused.contains("secret"), "{refused}");
    }
}
