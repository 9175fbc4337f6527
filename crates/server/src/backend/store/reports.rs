//! Reports: filed once for each side of a match, whoever sends the receipt how often.

use super::sql::{Sql, SqlError, SqlErrorKind, Value};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::Deserialize;
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Category {
    Sexual,
    Minor,
    Harassment,
    Violence,
    Spam,
    Other,
}

impl Category {
    pub(crate) const ALL: [Category; 6] = [
        Category::Sexual,
        Category::Minor,
        Category::Harassment,
        Category::Violence,
        Category::Spam,
        Category::Other,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Category::Sexual => "sexual",
            Category::Minor => "minor",
            Category::Harassment => "harassment",
            Category::Violence => "violence",
            Category::Spam => "spam",
            Category::Other => "other",
        }
    }
}

/// Keyed digests of one visitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Digests {
    pub(crate) session: u64,
    pub(crate) device: Option<u64>,
    pub(crate) prefix: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LineFrom {
    You,
    Stranger,
}

#[derive(Clone)]
pub(crate) struct ReportedLine {
    pub(crate) from: LineFrom,
    pub(crate) text: String,
    /// Went through this server, which recognises it.
    pub(crate) verified: bool,
}

/// What a visitor wrote and saw: it is never printed.
#[derive(Clone)]
pub(crate) struct NewReport {
    pub(crate) match_id: String,
    /// Of the reporter: 0 or 1.
    pub(crate) side: u8,
    pub(crate) matched_at_ms: i64,
    pub(crate) category: Category,
    pub(crate) note: Option<String>,
    pub(crate) lines: Vec<ReportedLine>,
    /// An age file that this server cannot open.
    pub(crate) evidence: Option<Vec<u8>>,
    pub(crate) reporter: Digests,
    pub(crate) reported: Digests,
    pub(crate) filed_at_ms: i64,
}

impl fmt::Debug for NewReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewReport({:?}, ‹redacted›)", self.category)
    }
}

/// By which a report is known: 128 random bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReportId(String);

impl ReportId {
    fn random() -> Result<Self, SqlError> {
        let mut bytes = [0; 16];
        SystemRandom::new().fill(&mut bytes).map_err(|_| SqlError {
            kind: SqlErrorKind::Statement,
            reason: "the operating system gives no randomness".into(),
        })?;
        Ok(ReportId(BASE64URL_NOPAD.encode(&bytes)))
    }
}

impl fmt::Display for ReportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Filing {
    New(ReportId),
    /// This side of this match has reported before.
    Known(ReportId),
}

pub(crate) fn file(sql: &mut dyn Sql, report: &NewReport) -> Result<Filing, SqlError> {
    let id = ReportId::random()?;
    let side = i64::from(report.side);
    let [reporter, reported] = [report.reporter, report.reported];
    let inserted = sql.execute(
        "INSERT INTO reports (id, match_id, side, matched_at_ms, filed_at_ms, category, note, reporter_session, reporter_device,
            reporter_prefix, reported_session, reported_device, reported_prefix)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT (match_id, side) DO NOTHING",
        &[
            id.to_string().into(),
            report.match_id.as_str().into(),
            side.into(),
            report.matched_at_ms.into(),
            report.filed_at_ms.into(),
            report.category.name().into(),
            report.note.clone().into(),
            reporter.session.into(),
            reporter.device.into(),
            reporter.prefix.into(),
            reported.session.into(),
            reported.device.into(),
            reported.prefix.into(),
        ],
    )?;
    if inserted == 0 {
        let of_match: [Value; 2] = [report.match_id.as_str().into(), side.into()];
        let known = sql.query("SELECT id FROM reports WHERE match_id = $1 AND side = $2", &of_match)?;
        return match known.first() {
            Some(row) => Ok(Filing::Known(ReportId(row.text(0)?))),
            // Deleted in between: whoever asks again files it anew.
            None => Err(SqlError { kind: SqlErrorKind::Statement, reason: "a report that is gone".into() }),
        };
    }
    for (position, line) in (0_i64..).zip(&report.lines) {
        let speaker = match line.from {
            LineFrom::You => "reporter",
            LineFrom::Stranger => "reported",
        };
        sql.execute(
            "INSERT INTO report_lines (report_id, position, speaker, line, verified) VALUES ($1, $2, $3, $4, $5)",
            &[
                id.to_string().into(),
                position.into(),
                speaker.into(),
                line.text.as_str().into(),
                line.verified.into(),
            ],
        )?;
    }
    if let Some(sealed) = &report.evidence {
        let hash = HEXLOWER.encode(digest(&SHA256, sealed).as_ref());
        sql.execute(
            "INSERT INTO evidence (report_id, sealed, sha256, filed_at_ms) VALUES ($1, $2, $3, $4)",
            &[id.to_string().into(), sealed.clone().into(), hash.into(), report.filed_at_ms.into()],
        )?;
    }
    Ok(Filing::New(id))
}
