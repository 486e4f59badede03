//! Certificates and answers about their revocation: any octets, and sound ones with some octets changed.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use thru_trace::certificate::{Certificate, chain_value};
use thru_trace::staple;

/// A certificate with an alternative name, an issuer's address, a purpose and a promised staple.
const CERTIFICATE: &str = "3082019730820149a00302010202140cf6920fa0d89fbc056a1fcc094c539c2ef76a4c300506032b6570300c310a30080603\
     5504030c0161301e170d3236313132323033343030335a170d3236313232323033343030335a300c310a300806035504030c\
     0161302a300506032b6570032100713ca7f59a94e91743c87289bfb570699a9725631e1b88388c4a243ffba3ef93a381bc30\
     81b9301d0603551d0e04160414642b34e262a6be432a50f6de7c1c8b335b3c4b3e301f0603551d23041830168014642b34e2\
     62a6be432a50f6de7c1c8b335b3c4b3e300f0603551d130101ff040530030101ff30180603551d110411300f82072a2e612e\
     6c61628704c0000201302406082b0601050507010104183016301406082b060105050730028608687474703a2f2f61301306\
     03551d25040c300a06082b06010505070301301106082b0601050507011804053003020105300506032b657003410066bbb1\
     3cbc9a2504451a5af87424160e8bafcd06eb6965951132a83e986b612930c12bbf286d9e5d7b79c6943cdd629b09b965f897\
     318ef34d3aa087d38a4e02";
/// A good answer about the certificate with the serial number 1.
const STAPLE: &str = "30580a0100a053305106012b044c304a3048a200180f32303236303330323039303030305a30333031300930000400040002\
     01018000180f32303236303330323039303030305aa011180f32303236303330393039303030305a";

static SAMPLES: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| [CERTIFICATE, STAPLE].map(octets));

fn octets(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks_exact(2);
    pairs.filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let mut sample = match kind % 3 {
        0 => bytes.to_vec(),
        kind => SAMPLES[usize::from(kind) - 1].clone(),
    };
    // Each three octets change one, or cut it there.
    for change in bytes.chunks_exact(3).filter(|_| kind % 3 > 0) {
        let at = usize::from(u16::from_be_bytes([change[0], change[1]])) % sample.len().max(1);
        match sample.get_mut(at) {
            Some(octet) if change[0] & 0x80 == 0 => *octet = change[2],
            _ => sample.truncate(at),
        }
    }
    let _ = staple::read(&sample, &[1]);
    let _ = chain_value([&sample[..]]);
    if let Some(read) = Certificate::read(&sample) {
        assert!(read.names.len() <= 1_000 && read.subject.len() < 600);
        let _ = (read.is_for("www.a.lab"), read.is_self_signed());
    }
});
