//! Makes `zones.bin` from a country database in MaxMind's format: `make geo`.

use super::super::{Country, is_public, zones};
use super::{MARK, NAMES, Runs, V4_CELL_BITS, V6_CELL_BITS, ZONES, fingerprint};
use maxminddb::{Reader, WithinOptions};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// A gap of so many cells belongs to nobody, a smaller one to its neighbour: an IPv4 /16, an IPv6 /20.
const V4_GAP_CELLS: u64 = 1 << 6;
const V6_GAP_CELLS: u64 = 1 << 20;

const NOWHERE: u64 = NAMES - 1;

#[test]
fn the_table_is_written_if_a_source_is_given() {
    let Some(folder) = env::var_os("VISAVIS_GEO_SOURCE").map(PathBuf::from) else { return };
    let mut file = MARK.to_vec();
    file.extend(fingerprint().to_be_bytes());
    for (name, cell_bits, gap) in [("ipv4", V4_CELL_BITS, V4_GAP_CELLS), ("ipv6", V6_CELL_BITS, V6_GAP_CELLS)]
    {
        let runs = encode(gap, &cells(&folder.join(format!("geo-whois-asn-country-{name}.mmdb")), cell_bits));
        file.extend(u32::try_from(runs.len()).unwrap().to_be_bytes());
        file.extend(runs);
    }
    fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/geo/zones.bin"), file).unwrap();
}

/// Runs of cells, in order: first cell, cell behind the last, zone. A cell belongs to the zone of most of its addresses.
fn cells(path: &Path, cell_bits: u32) -> Vec<(u64, u64, u64)> {
    let reader = Reader::open_readfile(path).unwrap();
    let is_v4 = cell_bits == V4_CELL_BITS;
    let whole = if is_v4 { "0.0.0.0/0" } else { "::/0" };
    let mut runs = Vec::new();
    let mut shared: BTreeMap<u64, BTreeMap<u64, u128>> = BTreeMap::new();
    for found in reader.within(whole.parse().unwrap(), WithinOptions::default()).unwrap() {
        let found = found.unwrap();
        let country = found.decode_path::<&str>(&["country_code".into()]).unwrap().and_then(Country::read);
        let Some(zone) = country.and_then(zones::index_of) else { continue };
        let network = found.network().unwrap();
        // The data has a country for some private networks.
        if !is_public(network.ip()) {
            continue;
        }
        let (first, bits) = match network.ip() {
            std::net::IpAddr::V4(ip) => (u128::from(u32::from(ip)), 32),
            std::net::IpAddr::V6(ip) => (u128::from(ip), 128),
        };
        // The data has no network as wide as everything.
        let size = 1u128 << (bits - u32::from(network.prefix()));
        let cell = u64::try_from(first >> cell_bits).unwrap();
        if size >= 1 << cell_bits {
            runs.push((cell, cell + u64::try_from(size >> cell_bits).unwrap(), zone as u64));
        } else {
            *shared.entry(cell).or_default().entry(zone as u64).or_default() += size;
        }
    }
    let most = |zones: BTreeMap<u64, u128>| zones.into_iter().max_by_key(|(_, size)| *size).unwrap().0;
    runs.extend(shared.into_iter().map(|(cell, zones)| (cell, cell + 1, most(zones))));
    runs.sort_unstable();
    runs
}

fn encode(gap_cells: u64, runs: &[(u64, u64, u64)]) -> Vec<u8> {
    let mut begins: Vec<(u64, u64)> = Vec::new();
    let mut last: Option<(u64, u64)> = None;
    for &(first, behind, zone) in runs {
        let (end, last_zone) = last.unwrap_or((0, NOWHERE));
        let gap = first - end;
        if gap >= gap_cells && last_zone != NOWHERE {
            begins.push((end, NOWHERE));
        }
        if last_zone != zone || gap >= gap_cells {
            begins.push((first, zone));
        }
        last = Some((behind, zone));
    }
    begins.extend(last.map(|(end, _)| (end, NOWHERE)));
    let mut bytes = Vec::new();
    let mut before: Option<u64> = None;
    for (begin, name) in begins {
        let distance = before.map_or(begin, |before| begin - before - 1);
        let mut value = distance * NAMES + name;
        while value > 0x7f {
            bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        before = Some(begin);
    }
    bytes
}

#[test]
fn what_is_encoded_is_found_again() {
    let runs = [(10, 20, 3), (20, 21, 3), (22, 30, 5), (30, 1_000, 0), (5_000, 1 << 39, 7)];
    let bytes: &'static [u8] = encode(64, &runs).leak();
    let table = Runs::new(bytes);
    let nowhere = Some(ZONES.len());
    for (cell, expected) in [
        (0, None),
        (9, None),
        (10, Some(3)),
        (20, Some(3)),
        // A small gap is its neighbour's.
        (21, Some(3)),
        (22, Some(5)),
        (999, Some(0)),
        (1_000, nowhere),
        (4_999, nowhere),
        (5_000, Some(7)),
        ((1 << 39) - 1, Some(7)),
        (1 << 39, nowhere),
    ] {
        assert_eq!(table.name(cell), expected, "{cell}");
    }
    let many: Vec<_> = (0..10_000u64).map(|n| (n * 3, n * 3 + 3, n % 7)).collect();
    let table = Runs::new(encode(64, &many).leak());
    assert!((0..30_000).all(|cell| table.name(cell) == Some((cell / 3 % 7) as usize)));
}
