//! CRC-32 (ITU-T V.42) over a message, exclusive-or'ed with "STUN" (RFC 8489, section 14.7).

const XOR: u32 = 0x5354_554e;

/// Over the parts, one after the other.
pub(super) fn fingerprint(parts: &[&[u8]]) -> u32 {
    let mut crc = !0u32;
    for byte in parts.iter().copied().flatten() {
        let index = (crc ^ u32::from(*byte)) & 0xff;
        // The index has eight bits: the table has an entry for each.
        crc = (crc >> 8) ^ TABLE.get(index as usize).copied().unwrap_or_default();
    }
    !crc ^ XOR
}

static TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut entry = index as u32;
        let mut bit = 0;
        while bit < 8 {
            entry = if entry & 1 == 1 { (entry >> 1) ^ 0xedb8_8320 } else { entry >> 1 };
            bit += 1;
        }
        table[index] = entry;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(fingerprint(&[b"1234", b"56789"]) ^ XOR, 0xcbf4_3926);
    }
}
