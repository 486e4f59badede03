//! Multicast listener discovery (RFC 2710, RFC 9777), as a view; and the one report that a host of ours sends.

use core::net::Ipv6Addr;

use crate::checksum::PseudoHeader;
use crate::error::{ClaimedBy, Layer, ParseError, claimed, fixed_header, ipv6_at, u16_at};
use crate::ipv4::Protocol;

/// Looks at the bytes of an MLD message, from the ICMPv6 header on.
#[derive(Clone, Copy, Debug)]
pub struct MldView<'a> {
    bytes: &'a [u8],
}

/// What an MLD message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MldKind {
    /// 130, of version 1 (24 bytes) or 2 (28 or more).
    Query,
    /// 131: a version 1 report.
    ReportV1,
    /// 132: a version 1 listener leaves.
    Done,
    /// 143: a version 2 report.
    ReportV2,
}

impl<'a> MldView<'a> {
    /// Checks that the kind is one of MLD's and that its fixed part is there.
    pub fn new(bytes: &'a [u8]) -> Result<MldView<'a>, ParseError> {
        fixed_header(Layer::Mld, bytes, 8)?;
        match bytes[0] {
            130..=132 => claimed(Layer::Mld, bytes, 0, 24, ClaimedBy::FixedHeader)?,
            143 => {}
            _ => {
                let what = "type is not one of multicast listener discovery";
                return Err(ParseError::Illegal { layer: Layer::Mld, at: 0, what });
            }
        }
        Ok(MldView { bytes })
    }

    /// What it is.
    pub fn kind(&self) -> MldKind {
        match self.bytes[0] {
            130 => MldKind::Query,
            131 => MldKind::ReportV1,
            132 => MldKind::Done,
            _ => MldKind::ReportV2,
        }
    }

    /// How long a listener may wait with its answer, as the field stands (version 1: milliseconds;
    /// version 2: a floating point code above 32767). 0 but in queries.
    pub fn max_response_code(&self) -> u16 {
        if self.kind() == MldKind::ReportV2 { 0 } else { u16_at(self.bytes, 4) }
    }

    /// The group asked for (unspecified: any), reported or left. `None` in a version 2 report, which has records.
    pub fn group(&self) -> Option<Ipv6Addr> {
        (self.kind() != MldKind::ReportV2).then(|| ipv6_at(self.bytes, 8))
    }

    /// Sources asked for in a version 2 query.
    pub fn sources(&self) -> impl Iterator<Item = Ipv6Addr> + 'a {
        let listed = match self.bytes.get(28..) {
            Some(listed) if self.kind() == MldKind::Query => {
                let count = usize::from(u16_at(self.bytes, 26));
                &listed[..listed.len().min(count * 16)]
            }
            _ => &[],
        };
        listed.chunks_exact(16).map(|address| ipv6_at(address, 0))
    }

    /// The records of a version 2 report; ends at the first that does not fit, with its error.
    pub fn records(&self) -> MldRecordIter<'a> {
        let left = if self.kind() == MldKind::ReportV2 { u16_at(self.bytes, 6) } else { 0 };
        MldRecordIter { bytes: self.bytes, at: 8, left }
    }
}

/// One record of a version 2 report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MldRecord<'a> {
    /// 1 and 2: the filter is include/exclude; 3 and 4: it has changed to that; 5 and 6: sources were added/removed.
    pub kind: u8,
    /// The group.
    pub group: Ipv6Addr,
    sources: &'a [u8],
}

impl<'a> MldRecord<'a> {
    /// The sources it is about.
    pub fn sources(&self) -> impl Iterator<Item = Ipv6Addr> + 'a {
        self.sources.chunks_exact(16).map(|address| ipv6_at(address, 0))
    }
}

/// Goes through the records of a version 2 report.
#[derive(Clone, Debug)]
pub struct MldRecordIter<'a> {
    bytes: &'a [u8],
    at: usize,
    left: u16,
}

impl<'a> Iterator for MldRecordIter<'a> {
    type Item = Result<MldRecord<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let at = self.at;
        if let Err(error) = claimed(Layer::Mld, self.bytes, at, 20, ClaimedBy::MldCount) {
            self.left = 0;
            return Some(Err(error));
        }
        let sources = usize::from(u16_at(self.bytes, at + 2)) * 16;
        let len = 20 + sources + usize::from(self.bytes[at + 1]) * 4;
        if let Err(error) = claimed(Layer::Mld, self.bytes, at, len, ClaimedBy::MldCount) {
            self.left = 0;
            return Some(Err(error));
        }
        self.at += len;
        let listed = &self.bytes[at + 20..at + 20 + sources];
        Some(Ok(MldRecord { kind: self.bytes[at], group: ipv6_at(self.bytes, at + 4), sources: listed }))
    }
}

/// `ff02::16`: routers that listen to version 2 reports (RFC 9777 5.2.14).
pub const ALL_MLDV2_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);

/// What follows the IPv6 header of a version 2 report from `src` to [`ALL_MLDV2_ROUTERS`] that says "I listen to
/// `group` from now on": the hop-by-hop header with the router alert option (RFC 2711), which every MLD message
/// needs, and the report. The IPv6 header in front of it has a hop limit of 1.
pub fn join_report(src: Ipv6Addr, group: Ipv6Addr) -> Vec<u8> {
    /// "Pass it on from everyone in future" (CHANGE_TO_EXCLUDE_MODE of no source, RFC 9777 5.2.12).
    const TO_EXCLUDE: u8 = 4;
    let mut report = vec![143, 0, 0, 0, 0, 0, 0, 1, TO_EXCLUDE, 0, 0, 0];
    report.extend_from_slice(&group.octets());
    let mut sum = PseudoHeader::v6(src, ALL_MLDV2_ROUTERS, Protocol::ICMPV6).sum(report.len());
    sum.add_bytes(&report);
    report[2..4].copy_from_slice(&sum.checksum().to_be_bytes());
    // ICMPv6 follows; router alert of value 0, and two bytes of padding.
    let mut bytes = vec![Protocol::ICMPV6.0, 0, 5, 2, 0, 0, 1, 0];
    bytes.extend_from_slice(&report);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{hex, sweep};
    use proptest::prelude::*;

    #[test]
    fn what_we_report_is_read_as_such() {
        let (src, group) = (Ipv6Addr::UNSPECIFIED, "ff02::1:ff00:1".parse().unwrap());
        let bytes = join_report(src, group);
        assert_eq!(bytes[..8], hex("3a 00 0502 0000 0100"));
        let pseudo = PseudoHeader::v6(src, ALL_MLDV2_ROUTERS, Protocol::ICMPV6);
        assert!(pseudo.is_valid(&bytes[8..]));
        let records: Vec<_> = MldView::new(&bytes[8..]).unwrap().records().map(Result::unwrap).collect();
        assert_eq!(
            records.iter().map(|record| (record.kind, record.group)).collect::<Vec<_>>(),
            [(4, group)]
        );
    }

    #[test]
    fn a_report_with_two_records() {
        let bytes = hex("8f00 0000 0000 0002  04 00 0000 ff0200000000000000000001ff000001 \
             06 01 0001 ff050000000000000000000000000123 20010db8000000000000000000000001 deadbeef");
        let view = MldView::new(&bytes).unwrap();
        assert_eq!((view.kind(), view.group()), (MldKind::ReportV2, None));
        let records: Vec<_> = view.records().map(Result::unwrap).collect();
        assert_eq!((records.len(), records[0].kind, records[0].sources().count()), (2, 4, 0));
        assert_eq!(records[0].group, "ff02::1:ff00:1".parse::<Ipv6Addr>().unwrap());
        let sources: Vec<_> = records[1].sources().collect();
        assert_eq!(sources, ["2001:db8::1".parse::<Ipv6Addr>().unwrap()]);
        for cut in 8..bytes.len() {
            let view = MldView::new(&bytes[..cut]).unwrap();
            assert!(view.records().last().unwrap().is_err(), "{cut}");
        }
    }

    #[test]
    fn a_query() {
        let bytes = hex(
            "8200 0000 2710 0000 ff020000000000000000000000000123 02 7d 0001 20010db8000000000000000000000001",
        );
        let view = MldView::new(&bytes).unwrap();
        assert_eq!(
            (view.kind(), view.max_response_code(), view.sources().count()),
            (MldKind::Query, 10_000, 1)
        );
        assert_eq!(view.group(), Some("ff02::123".parse().unwrap()));
        sweep(&bytes[..24], |bytes| MldView::new(bytes).map(|_| ()));
    }

    proptest! {
        #[test]
        fn any_bytes_are_shown(mut bytes in proptest::collection::vec(any::<u8>(), 1..100), kind in prop_oneof![130u8..=132, Just(143)]) {
            bytes[0] = kind;
            if let Ok(view) = MldView::new(&bytes) {
                let _ = (view.sources().count(), view.group());
                prop_assert!(view.records().count() <= bytes.len());
            }
        }
    }
}
