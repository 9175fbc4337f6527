//! What a certificate chain says of itself: for whom, by whom, from when until when. Only what an operator can get wrong
//! is looked at; whether a signature is true is for browsers to say.

use std::time::{SystemTime, UNIX_EPOCH};
use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use webpki::EndEntityCert;

#[derive(Clone, Debug)]
pub(crate) struct Chain {
    certificates: Vec<Certificate>,
    names: Vec<String>,
    der: CertificateDer<'static>,
}

#[derive(Clone, Debug)]
struct Certificate {
    issuer: Vec<u8>,
    subject: Vec<u8>,
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
}

impl Chain {
    /// `None` where a certificate is not as X.509 has it.
    pub(crate) fn read(chain: &[CertificateDer<'static>]) -> Option<Self> {
        let der = chain.first()?.clone();
        let certificates = chain.iter().map(|der| Certificate::read(der)).collect::<Option<_>>()?;
        let names = match EndEntityCert::try_from(&der) {
            Ok(end) => end.valid_dns_names().map(str::to_owned).collect(),
            Err(_) => Vec::new(),
        };
        Some(Chain { certificates, names, der })
    }

    /// When the first of its certificates expires, in seconds of Unix time.
    pub(crate) fn expires_unix_s(&self) -> i64 {
        self.certificates.iter().map(|one| one.not_after.unix_timestamp()).min().unwrap_or_default()
    }

    /// For people: whom it is for and until when.
    pub(crate) fn summary(&self) -> String {
        let names = if self.names.is_empty() { "addresses only".to_owned() } else { self.names.join(", ") };
        let until = OffsetDateTime::from_unix_timestamp(self.expires_unix_s()).map(|until| until.date());
        until.map_or(names.clone(), |until| format!("{names}, good until {until}"))
    }

    /// Whether browsers that come by this name take it.
    pub(crate) fn is_for(&self, name: &str) -> bool {
        let bare = name.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
        let Ok(name) = ServerName::try_from(bare) else { return false };
        EndEntityCert::try_from(&self.der)
            .is_ok_and(|end| end.verify_is_valid_for_subject_name(&name).is_ok())
    }

    /// Why browsers will refuse it, at this moment.
    pub(crate) fn flaw(&self) -> Option<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        self.flaw_at(i64::try_from(now).unwrap_or(i64::MAX))
    }

    fn flaw_at(&self, now_unix_s: i64) -> Option<String> {
        for one in &self.certificates {
            if one.not_after.unix_timestamp() <= now_unix_s {
                return Some(format!("has expired on {}; renew it", one.not_after.date()));
            }
            if one.not_before.unix_timestamp() > now_unix_s {
                return Some(format!(
                    "is good only from {} on; look at this machine's clock, or wait",
                    one.not_before.date()
                ));
            }
        }
        let issued_by_next = |pair: &[Certificate]| match pair {
            [one, next] => one.issuer == next.subject,
            _ => true,
        };
        if !self.certificates.windows(2).all(issued_by_next) {
            return Some(
                "is out of order: each certificate must be followed by its issuer's, the server's own first"
                    .into(),
            );
        }
        match &self.certificates[..] {
            [alone] if alone.issuer != alone.subject => Some(
                "holds only the server's own certificate, without its issuer's, and many clients refuse that; give \
                 the whole chain (fullchain.pem)"
                    .into(),
            ),
            _ => None,
        }
    }
}

impl Certificate {
    /// RFC 5280, section 4.1.
    fn read(der: &[u8]) -> Option<Self> {
        let mut whole = Der(Der(der).inside(SEQUENCE)?);
        let mut body = Der(whole.inside(SEQUENCE)?);
        if body.0.first() == Some(&VERSION) {
            body.next()?;
        }
        body.inside(INTEGER)?;
        body.inside(SEQUENCE)?;
        let issuer = body.inside(SEQUENCE)?.to_vec();
        let mut validity = Der(body.inside(SEQUENCE)?);
        let not_before = validity.moment()?;
        let not_after = validity.moment()?;
        let subject = body.inside(SEQUENCE)?.to_vec();
        Some(Certificate { issuer, subject, not_before, not_after })
    }
}

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// `[0]`, constructed.
const VERSION: u8 = 0xa0;

/// Elements of DER, one after the other.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next element's tag and content.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, first], mut rest) = self.0.split_first_chunk::<2>()?;
        let length = match first {
            0..=0x7f => usize::from(first),
            // Four bytes of length are more than any certificate has.
            0x81..=0x84 => {
                let (digits, after) = rest.split_at_checked(usize::from(first & 0x7f))?;
                rest = after;
                digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit))
            }
            _ => return None,
        };
        let (content, after) = rest.split_at_checked(length)?;
        self.0 = after;
        Some((tag, content))
    }

    fn inside(&mut self, wanted: u8) -> Option<&'a [u8]> {
        self.next().and_then(|(tag, content)| (tag == wanted).then_some(content))
    }

    /// `YYMMDDHHMMSSZ`, or with a year of four digits.
    fn moment(&mut self) -> Option<OffsetDateTime> {
        let (tag, text) = self.next()?;
        let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
        let (year, rest) = match tag {
            UTC_TIME => {
                let (year, rest) = text.split_at_checked(2)?;
                let year: i32 = year.parse().ok()?;
                (if year < 50 { 2000 + year } else { 1900 + year }, rest)
            }
            GENERALIZED_TIME => {
                let (year, rest) = text.split_at_checked(4)?;
                (year.parse().ok()?, rest)
            }
            _ => return None,
        };
        let two = |at: usize| rest.get(at..at + 2).and_then(|digits| digits.parse::<u8>().ok());
        let date = Date::from_calendar_date(year, Month::try_from(two(0)?).ok()?, two(2)?).ok()?;
        let time = Time::from_hms(two(4)?, two(6)?, two(8)?).ok()?;
        Some(PrimitiveDateTime::new(date, time).assume_utc())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
    use time::Duration;

    const DAY_S: i64 = 24 * 3600;

    fn params(name: &str, from: OffsetDateTime) -> CertificateParams {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = from;
        params.not_after = from + Duration::days(90);
        params
    }

    /// An issuer's certificate, and one of its for `chat.example`, both good for 90 days from then.
    fn issued(from: OffsetDateTime) -> [CertificateDer<'static>; 2] {
        let key = KeyPair::generate().unwrap();
        let mut issuing = params("an issuer", from);
        issuing.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = issuing.self_signed(&key).unwrap();
        let issuer = Issuer::new(issuing, key);
        let leaf = params("chat.example", from).signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
        [leaf.der().clone(), root.der().clone()]
    }

    #[test]
    fn a_chain_is_sound_between_its_dates_and_in_order() {
        let from = OffsetDateTime::from_unix_timestamp(1_900_000_000).unwrap();
        let [leaf, root] = issued(from);
        let flaw = |chain: &[CertificateDer<'static>], days: i64| {
            Chain::read(chain).unwrap().flaw_at(1_900_000_000 + days * DAY_S).unwrap_or_default()
        };
        let whole = [leaf.clone(), root.clone()];
        assert_eq!(flaw(&whole, 1), "");
        assert_eq!(Chain::read(&whole).unwrap().expires_unix_s(), 1_900_000_000 + 90 * DAY_S);
        assert!(flaw(&whole, 90).starts_with("has expired on 2030-06-15"), "{}", flaw(&whole, 90));
        assert!(flaw(&whole, -1).starts_with("is good only from 2030-03-17"), "{}", flaw(&whole, -1));
        assert!(flaw(std::slice::from_ref(&leaf), 1).starts_with("holds only the server's own"));
        assert_eq!(flaw(std::slice::from_ref(&root), 1), "", "it issued itself");
        assert!(flaw(&[root, leaf], 1).starts_with("is out of order"));
    }

    #[test]
    fn names_are_told() {
        let from = OffsetDateTime::from_unix_timestamp(1_900_000_000).unwrap();
        let chain = Chain::read(&issued(from)).unwrap();
        assert_eq!(chain.summary(), "chat.example, good until 2030-06-15");
        assert!(chain.is_for("chat.example") && !chain.is_for("other.example"));
    }

    #[test]
    fn bytes_that_are_no_certificate_are_not_read() {
        let from = OffsetDateTime::from_unix_timestamp(1_900_000_000).unwrap();
        let [leaf, _] = issued(from);
        for cut in 0..leaf.len() {
            let _ = Chain::read(&[CertificateDer::from(leaf[..cut].to_vec())]);
        }
        assert!(Chain::read(&[CertificateDer::from(b"no".to_vec())]).is_none());
    }
}
