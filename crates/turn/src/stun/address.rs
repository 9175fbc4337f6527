//! XOR-MAPPED-ADDRESS and its kin (RFC 8489, section 14.2): an address that no meddling middlebox recognises.

use super::{MAGIC_COOKIE, Transaction};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const FAMILY_IPV4: u8 = 1;
const FAMILY_IPV6: u8 = 2;

/// The attribute's value: 8 bytes for IPv4, 20 for IPv6.
pub(crate) struct XorAddress {
    bytes: [u8; 20],
    len: usize,
}

impl XorAddress {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

pub(crate) fn xor_address(address: SocketAddr, transaction: &Transaction) -> XorAddress {
    let mut bytes = [0; 20];
    let port = address.port() ^ 0x2112;
    let head = |family| [0, family, (port >> 8) as u8, port as u8];
    let len = match address.ip() {
        IpAddr::V4(ip) => {
            write(&mut bytes, head(FAMILY_IPV4).into_iter().chain(xor(ip.octets(), &[])));
            8
        }
        IpAddr::V6(ip) => {
            write(&mut bytes, head(FAMILY_IPV6).into_iter().chain(xor(ip.octets(), transaction)));
            20
        }
    };
    XorAddress { bytes, len }
}

pub(crate) fn read_xor_address(value: &[u8], transaction: &Transaction) -> Option<SocketAddr> {
    let (head, rest) = value.split_first_chunk::<4>()?;
    let [_, family, high, low] = *head;
    let port = u16::from_be_bytes([high, low]) ^ 0x2112;
    let ip = match family {
        FAMILY_IPV4 => Ipv4Addr::from(xor(<[u8; 4]>::try_from(rest).ok()?, &[])).into(),
        FAMILY_IPV6 => Ipv6Addr::from(xor(<[u8; 16]>::try_from(rest).ok()?, transaction)).into(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

fn xor<const N: usize>(mut octets: [u8; N], transaction: &[u8]) -> [u8; N] {
    for (octet, mask) in octets.iter_mut().zip(MAGIC_COOKIE.iter().chain(transaction)) {
        *octet ^= mask;
    }
    octets
}

fn write(to: &mut [u8], from: impl Iterator<Item = u8>) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5769, sections 2.2 and 2.3.
    const TRANSACTION: Transaction = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];

    #[test]
    fn the_published_vectors_are_read_and_written() {
        let ipv4 = [0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43];
        let ipv6 = [
            0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5,
            0xbe, 0xd2, 0xb9, 0xd9,
        ];
        for (bytes, address) in
            [(&ipv4[..], "192.0.2.1:32853"), (&ipv6, "[2001:db8:1234:5678:11:2233:4455:6677]:32853")]
        {
            let address: SocketAddr = address.parse().unwrap();
            assert_eq!(read_xor_address(bytes, &TRANSACTION), Some(address));
            assert_eq!(xor_address(address, &TRANSACTION).bytes(), bytes);
        }
    }

    #[test]
    fn an_address_of_another_length_or_family_is_none() {
        for bytes in [
            &[][..],
            &[0, 1, 0, 0],
            &[0, 1, 0, 0, 1, 2, 3],
            &[0, 2, 0, 0, 1, 2, 3, 4],
            &[0, 3, 0, 0, 1, 2, 3, 4],
        ] {
            assert_eq!(read_xor_address(bytes, &TRANSACTION), None);
        }
    }
}
