//! The built-in table from addresses to zones: it needs no account anywhere and no file beside the binary.
//!
//! Addresses are cut into cells (an IPv4 /22, an IPv6 /40); a run of cells of one zone is one number,
//! `(distance to the last run's begin - 1) * ZONES + zone`, as a varint (LEB128). `zones.bin` holds an 8-byte mark, the
//! fingerprint of the zones that it was made with, and for each family the length and the runs. `make geo` writes it.
//!
//! Source: `@ip-location-db/geo-whois-asn-country-mmdb`, made from the registries' data; credit nro.net. At /22 about
//! 0.5 % of the addresses of IPv4 are counted to the zone of their neighbours. Free data of this kind errs in a few
//! percent of all addresses (the old blocks of APNIC, 2001:200::/23, count as Australian): whom that matters to sets
//! `geo.database`.

use super::zones::{ZONES, Zone};
use std::net::IpAddr;
use std::sync::OnceLock;

static BYTES: &[u8] = include_bytes!("zones.bin");

const MARK: &[u8; 8] = b"visazon1";

/// Bits of an address that a cell leaves out.
const V4_CELL_BITS: u32 = 10;
const V6_CELL_BITS: u32 = 88;

/// How many zones a run can name: those of the list, and nowhere.
const NAMES: u64 = ZONES.len() as u64 + 1;

/// Runs between two entries of the index.
const STRIDE: usize = 128;

/// The zone of a public address; `None` for what belongs to nobody.
pub(super) fn look_up(address: IpAddr) -> Option<&'static Zone> {
    static TABLE: OnceLock<Option<Table>> = OnceLock::new();
    let table = TABLE.get_or_init(|| Table::read(BYTES)).as_ref()?;
    let name = match address {
        IpAddr::V4(address) => table.v4.name(u64::from(u32::from(address) >> V4_CELL_BITS)),
        IpAddr::V6(address) => table.v6.name(u64::try_from(u128::from(address) >> V6_CELL_BITS).ok()?),
    };
    ZONES.get(name?)
}

struct Table {
    v4: Runs,
    v6: Runs,
}

/// The runs as they stand in the file, and where to begin to read.
struct Runs {
    bytes: &'static [u8],
    index: Vec<Mark>,
}

/// Before the run at `offset` the last one had begun at cell `begin`, with this name.
#[derive(Clone, Copy)]
struct Mark {
    offset: usize,
    begin: Option<u64>,
    name: Option<usize>,
}

impl Table {
    /// `None` for a file that was not made for these zones.
    fn read(bytes: &'static [u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(MARK)?.strip_prefix(&fingerprint().to_be_bytes())?;
        let (v4, rest) = take(rest)?;
        let (v6, rest) = take(rest)?;
        rest.is_empty().then(|| Table { v4: Runs::new(v4), v6: Runs::new(v6) })
    }
}

fn take(bytes: &'static [u8]) -> Option<(&'static [u8], &'static [u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}

impl Runs {
    fn new(bytes: &'static [u8]) -> Self {
        let start = Mark { offset: 0, begin: None, name: None };
        let mut index = vec![start];
        let (mut mark, mut count) = (start, 0);
        while let Some(next) = after(bytes, mark) {
            (mark, count) = (next, count + 1);
            if count % STRIDE == 0 {
                index.push(mark);
            }
        }
        Runs { bytes, index }
    }

    fn name(&self, cell: u64) -> Option<usize> {
        let behind = self.index.partition_point(|mark| mark.begin.is_none_or(|begin| begin <= cell));
        let mut mark = *self.index.get(behind.checked_sub(1)?)?;
        while let Some(next) = after(self.bytes, mark)
            && next.begin.is_some_and(|begin| begin <= cell)
        {
            mark = next;
        }
        mark.name
    }
}

/// The end of one run is the begin of the next.
fn after(bytes: &[u8], mark: Mark) -> Option<Mark> {
    let (mut value, mut shift, mut offset) = (0u64, 0u32, mark.offset);
    loop {
        let byte = *bytes.get(offset)?;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        (offset, shift) = (offset + 1, shift + 7);
        if byte & 0x80 == 0 {
            break;
        }
    }
    let begin = match mark.begin {
        Some(begin) => begin + value / NAMES + 1,
        None => value / NAMES,
    };
    Some(Mark { offset, begin: Some(begin), name: usize::try_from(value % NAMES).ok() })
}

/// Of the list of zones: a table that was made with another list would send people around the world. FNV-1a.
fn fingerprint() -> u32 {
    ZONES
        .iter()
        .flat_map(|zone| zone.countries())
        .flat_map(str::bytes)
        .fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
        ^ ZONES.len() as u32
}

#[cfg(test)]
mod making;

#[cfg(test)]
mod tests {
    use super::*;

    fn countries(address: &str) -> Option<&'static str> {
        look_up(address.parse().unwrap()).and_then(|zone| zone.countries().next())
    }

    #[test]
    fn well_known_addresses_are_where_they_are() {
        // Addresses whose place is public: root servers' operators, universities, national broadcasters.
        for (address, first_country_of_zone) in [
            ("18.0.0.1", "US"),     // MIT
            ("141.20.1.1", "DE"),   // Humboldt-Universität, Berlin
            ("130.133.1.1", "DE"),  // Freie Universität Berlin
            ("129.67.1.1", "GB"),   // Oxford
            ("133.11.0.1", "JP"),   // University of Tokyo
            ("143.107.1.1", "BR"),  // Universidade de São Paulo
            ("137.132.1.1", "SG"),  // National University of Singapore
            ("130.194.1.1", "AU"),  // Monash University
            ("146.231.1.1", "ZA"),  // Rhodes University
            ("166.111.1.1", "CN"),  // Tsinghua University
            ("2001:638::1", "DE"),  // DFN
            ("240e::1", "CN"),      // China Telecom
            ("2001:630::1", "GB"),  // Janet
            ("2001:4860::1", "US"), // Google
        ] {
            assert_eq!(countries(address), Some(first_country_of_zone), "{address}");
        }
    }

    #[test]
    fn what_is_nobodys_is_nowhere() {
        for address in [
            "0.0.0.1",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.1.1",
            "172.16.0.1",
            "192.168.1.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fc00::1",
            "fe80::1",
            "ff02::1",
            "4000::1",
        ] {
            assert_eq!(countries(address), None, "{address}");
        }
    }

    #[test]
    fn the_table_is_small() {
        assert!(BYTES.len() < 300 * 1024, "{} bytes", BYTES.len());
        assert!(Table::read(BYTES).is_some(), "the zones have changed; run `make geo`");
    }

    #[test]
    fn a_broken_table_is_no_table() {
        let broken: &'static [u8] = &BYTES[..BYTES.len() - 1];
        assert!(Table::read(broken).is_none());
        assert!(Table::read(&[]).is_none());
        assert!(Table::read(b"visazon1\0\0\0\0\0\0\0\0\0\0\0\0").is_none());
    }
}
