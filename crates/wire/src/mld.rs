//! Multicast listener discovery (RFC 2710, RFC 9777), as a view.

use core::net::Ipv6Addr;

use crate::error::{ClaimedBy, Layer, ParseError, claimed, fixed_header, ipv6_at, u16_at};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{hex, sweep};
    use proptest::prelude::*;

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
