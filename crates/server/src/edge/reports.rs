//! `POST /api/reports`: a visitor reports a stranger that it was matched with, by the receipt of that match.
//!
//! What always holds: a report that was answered by 201 or 200 is on the disk. Whatever the store does, the two are parted
//! before it is asked. What a report says is never logged, and no address is in it.

mod body;
mod read;

use super::counters::Counter;
use super::origin::{self, Verdict};
use super::{ClientAddress, Edge, Networks, Pace, Peer, address, cors, log, respond};
use crate::backend::store::{self, Category, Digests, Filing, NewReport, ReportedLine, Unavailable};
use crate::driver::Event;
use crate::evidence::{self, Recipient, Unsound};
use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_MAX_AGE, RETRY_AFTER,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use body::{Reading, Unread};
use read::{Flaw, Given};
use serde::Serialize;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::oneshot;
use visavis_lobby::{Author, Input, Receipt, ReceiptFault, Receipts, Seat, Time, Trace};

/// Everything that a report needs.
pub(crate) struct ReportDesk {
    receipts: Receipts,
    /// Empty: no evidence is taken.
    recipients: Vec<Recipient>,
    pace: Pace,
    exempt: Networks,
    reading: Reading,
    counters: ReportCounters,
}

impl ReportDesk {
    pub(crate) fn new(receipts: Receipts, recipients: Vec<Recipient>, pace: Pace, exempt: Networks) -> Self {
        let (reading, counters) = (Reading::default(), ReportCounters::default());
        ReportDesk { receipts, recipients, pace, exempt, reading, counters }
    }

    pub(crate) fn counters(&self) -> &ReportCounters {
        &self.counters
    }
}

#[derive(Default)]
pub(crate) struct ReportCounters {
    filed: [Counter; 6],
    again: Counter,
    refused: Counter,
    unavailable: Counter,
}

impl ReportCounters {
    pub(crate) fn by_category(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Category::ALL.iter().zip(&self.filed).map(|(category, count)| (category.name(), count.total()))
    }

    pub(crate) fn by_outcome(&self) -> [(&'static str, u64); 4] {
        let filed = self.filed.iter().map(Counter::total).sum();
        [
            ("filed", filed),
            ("again", self.again.total()),
            ("refused", self.refused.total()),
            ("unavailable", self.unavailable.total()),
        ]
    }
}

/// A page of an allowed site asks first whether it may.
pub(super) async fn preflight(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    let mut response = respond::json(StatusCode::OK, &());
    let allowed = response.headers_mut();
    allowed.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type"));
    allowed.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
    allowed.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    cors::shared(&edge, &headers, response)
}

pub(super) async fn answer(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let headers = request.headers().clone();
    let desk = &edge.reports;
    let response = match take(&edge, request).await {
        Ok(filing) => {
            let (status, id) = match filing {
                Filing::New(id) => (StatusCode::CREATED, id),
                Filing::Known(id) => {
                    desk.counters.again.add(1);
                    (StatusCode::OK, id)
                }
            };
            respond::json(status, &Answer { id: id.to_string() })
        }
        Err(refusal) => {
            let counter = match refusal {
                Refusal::Store | Refusal::Busy => &desk.counters.unavailable,
                Refusal::Origin
                | Refusal::TooFast { .. }
                | Refusal::Unread(_)
                | Refusal::Flaw(_)
                | Refusal::Receipt(_)
                | Refusal::NoEvidence
                | Refusal::Evidence(_) => &desk.counters.refused,
            };
            counter.add(1);
            refuse(&refusal)
        }
    };
    cors::shared(&edge, &headers, response)
}

#[derive(Serialize)]
struct Answer {
    id: String,
}

enum Refusal {
    Origin,
    TooFast {
        retry_after_s: u64,
    },
    Unread(Unread),
    Flaw(Flaw),
    Receipt(ReceiptFault),
    NoEvidence,
    Evidence(Unsound),
    /// Too many reports are being read at this moment.
    Busy,
    Store,
}

async fn take(edge: &Edge, request: Request) -> Result<Filing, Refusal> {
    let client = request
        .extensions()
        .get::<Peer>()
        .map(|peer| address::client_address(peer.address, request.headers(), &edge.trusted_proxies));
    may_report(edge, request.headers(), client)?;
    let desk = &edge.reports;
    let bytes = desk.reading.whole(request).await?;
    let given = read::read(bytes.as_slice(), edge.limits.max_text_chars).map_err(Refusal::Flaw)?;
    drop(bytes);
    let receipt = desk.receipts.open(&given.receipt, now()).map_err(Refusal::Receipt)?;
    if let Some(sealed) = &given.evidence {
        if desk.recipients.is_empty() {
            return Err(Refusal::NoEvidence);
        }
        evidence::check(sealed, desk.recipients.len()).map_err(Refusal::Evidence)?;
    }
    let report = report(edge, receipt, given).await;
    let category = report.category;
    // Whatever becomes of the report: nobody has to stay with a stranger because a disk is full.
    let _ = edge.link.inbox.send(Event::Happened(Input::Reported(receipt))).await;
    let filing = edge.store.file_report(report).await.map_err(|Unavailable| Refusal::Store)?;
    if let Filing::New(_) = filing {
        desk.counters.filed[category as usize].add(1);
    }
    Ok(filing)
}

fn may_report(edge: &Edge, headers: &HeaderMap, client: Option<ClientAddress>) -> Result<(), Refusal> {
    // Before it is counted: a page of another site must not use up what its reader may send.
    if let Verdict::Foreign(cause) = origin::judge(headers, &edge.allowed_origins()) {
        log::foreign_page("/api/reports", &cause);
        return Err(Refusal::Origin);
    }
    let desk = &edge.reports;
    let Some(client) = client.filter(|client| !desk.exempt.contains(client.reveal())) else { return Ok(()) };
    desk.pace.take(Instant::now(), client.subscriber()).map_err(|wait| {
        log::too_many_reports(client, desk.pace.most());
        // Rounded up: who comes back on the second is served.
        Refusal::TooFast { retry_after_s: wait.as_secs() + 1 }
    })
}

/// As it is kept: with what the lobby knows of its lines.
async fn report(edge: &Edge, receipt: Receipt, given: Given) -> NewReport {
    let Given { receipt: _, category, note, lines, evidence } = given;
    let (reply, witnessed) = oneshot::channel();
    let asked: Vec<(Author, String)> =
        lines.iter().map(|(from, text)| (read::author(*from), text.clone())).collect();
    let verified = if asked.is_empty() {
        Vec::new()
    } else {
        let _ =
            edge.link.inbox.send(Event::Witness { receipt: Box::new(receipt), lines: asked, reply }).await;
        // Without a lobby the process is about to end, and nobody vouches for anything.
        witnessed.await.unwrap_or_default()
    };
    let lines = lines.into_iter().enumerate().map(|(at, (from, text))| {
        let verified = verified.get(at).copied().unwrap_or(false);
        ReportedLine { from, text, verified }
    });
    NewReport {
        match_id: receipt.match_id().to_string(),
        side: match receipt.side() {
            Seat::Initiator => 0,
            Seat::Responder => 1,
        },
        matched_at_ms: i64::try_from(receipt.made().as_micros() / 1_000).unwrap_or(i64::MAX),
        category,
        note,
        lines: lines.collect(),
        evidence,
        reporter: digests(receipt.reporter()),
        reported: digests(receipt.reported()),
        filed_at_ms: store::now_ms(),
    }
}

fn digests(trace: Trace) -> Digests {
    Digests { session: trace.session(), device: trace.device(), prefix: trace.prefix() }
}

fn now() -> Time {
    Time::from_micros(u64::try_from(store::now_ms()).unwrap_or(0).saturating_mul(1_000))
}

fn refuse(refusal: &Refusal) -> Response {
    let said = |status, code, message: &str| respond::error(status, code, message);
    match refusal {
        Refusal::Origin => said(
            StatusCode::FORBIDDEN,
            "foreign_origin",
            "This page's origin may not report. Operators: list it with --allow-origin; behind a proxy, pass the Host header on.",
        ),
        Refusal::TooFast { retry_after_s } => later(
            said(
                StatusCode::TOO_MANY_REQUESTS,
                "too_fast",
                "Too many reports from your address; come back after the time in Retry-After.",
            ),
            *retry_after_s,
        ),
        Refusal::Unread(Unread::TooLarge) => {
            said(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "A report has at most 256 KiB.")
        }
        Refusal::Unread(Unread::Unfinished) => {
            said(StatusCode::REQUEST_TIMEOUT, "unfinished", "The report did not arrive in time.")
        }
        Refusal::Flaw(Flaw::NotJson) => {
            said(StatusCode::BAD_REQUEST, "bad_json", "A report is one JSON object.")
        }
        Refusal::Flaw(Flaw::Field(sentence)) => said(StatusCode::BAD_REQUEST, "bad_field", sentence),
        Refusal::Flaw(Flaw::TooLarge(sentence)) => said(StatusCode::BAD_REQUEST, "too_large", sentence),
        Refusal::Receipt(ReceiptFault::Invalid) => said(
            StatusCode::FORBIDDEN,
            "receipt_invalid",
            "The receipt is not one of this server's, or was changed.",
        ),
        Refusal::Receipt(ReceiptFault::Expired) => said(
            StatusCode::FORBIDDEN,
            "receipt_expired",
            "The receipt is of a match of more than 24 hours ago.",
        ),
        Refusal::NoEvidence => said(
            StatusCode::BAD_REQUEST,
            "evidence_not_taken",
            "This server takes no evidence: leave it out. Operators: set safety.evidence_recipient.",
        ),
        Refusal::Evidence(unsound) => said(StatusCode::BAD_REQUEST, "evidence_invalid", unsound.sentence()),
        Refusal::Busy => later(
            said(
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "Too many reports come in at this moment; send it again after the time in Retry-After.",
            ),
            5,
        ),
        Refusal::Store => later(
            said(
                StatusCode::SERVICE_UNAVAILABLE,
                "store_unavailable",
                "The report could not be kept just now. You will not meet this stranger again; send the report again \
                 after the time in Retry-After.",
            ),
            5,
        ),
    }
}

fn later(mut response: Response, retry_after_s: u64) -> Response {
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after_s));
    response
}

/// A sentence of a flaw: fixed, or with a number in it.
type Sentence = Cow<'static, str>;
