//! How long what is kept: the one list that the cleanup, its test and the documents come from.

use super::sql::{Sql, SqlError};

pub(crate) const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// What is deleted when it is so old.
pub(crate) struct Kept {
    pub(crate) table: &'static str,
    /// The column that says since when, in milliseconds since the Unix epoch.
    pub(crate) since: &'static str,
    /// The column that names the report it belongs to: a hold on that keeps it.
    report: &'static str,
    pub(crate) days: i64,
    /// For the documents.
    #[cfg_attr(not(test), expect(dead_code, reason = "a test holds the documents against it"))]
    pub(crate) what: &'static str,
}

/// Lines go with their report.
pub(crate) const RETENTION: &[Kept] = &[
    Kept {
        table: "evidence",
        since: "filed_at_ms",
        report: "report_id",
        days: 30,
        what: "Pictures attached to reports, which only the holders of the evidence keys can open",
    },
    Kept {
        table: "reports",
        since: "filed_at_ms",
        report: "id",
        days: 90,
        what: "Reports: category, note, attached lines, and keyed digests of the two visitors",
    },
];

/// Deletes what is over, and lets nothing of it remain in the files. Whether anything was.
pub(crate) fn clean_up(sql: &mut dyn Sql, now_ms: i64) -> Result<u64, SqlError> {
    let mut gone = 0;
    for kept in RETENTION {
        let Kept { table, since, report, days, .. } = kept;
        let statement = format!(
            "DELETE FROM {table} WHERE {since} <= $1 AND {report} NOT IN (SELECT report_id FROM holds)"
        );
        gone += sql.execute(&statement, &[now_ms.saturating_sub(days * DAY_MS).into()])?;
    }
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documents_say_how_long_things_are_kept() {
        let document = include_str!("../../../../../docs/operations.md");
        for Kept { what, days, .. } in RETENTION {
            let row = format!("| {what} | {days} days |");
            assert!(document.contains(&row), "docs/operations.md lacks this row:\n{row}");
        }
    }
}
