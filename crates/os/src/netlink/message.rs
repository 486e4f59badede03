//! Netlink messages (netlink(7)): a header, a fixed part, and attributes that may nest. All in the machine's byte
//! order, all aligned to four bytes.

const HEADER: usize = 16;

/// A request being written.
pub(super) struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// A request of this type; `NLM_F_REQUEST` is understood.
    pub(super) fn new(kind: u16, flags: libc::c_int) -> Message {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&((flags | libc::NLM_F_REQUEST) as u16).to_ne_bytes());
        bytes[8..12].copy_from_slice(&1_u32.to_ne_bytes());
        Message { bytes }
    }

    pub(super) fn wants_ack(&self) -> bool {
        u16::from_ne_bytes([self.bytes[6], self.bytes[7]]) & libc::NLM_F_ACK as u16 != 0
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// `struct ifinfomsg`.
    pub(super) fn link_header(&mut self, index: u32, flags: u32, change: u32) {
        self.bytes(&[0; 4]);
        for word in [index, flags, change] {
            self.bytes(&word.to_ne_bytes());
        }
    }

    pub(super) fn attribute(&mut self, kind: u16, data: &[u8]) {
        self.nested(kind, |message| message.bytes(data));
    }

    /// Text ends with a zero byte.
    pub(super) fn text(&mut self, kind: u16, text: &str) {
        self.nested(kind, |message| {
            message.bytes(text.as_bytes());
            message.bytes(&[0]);
        });
    }

    /// An attribute whose content is written by `content`.
    pub(super) fn nested(&mut self, kind: u16, content: impl FnOnce(&mut Message)) {
        let start = self.bytes.len();
        self.bytes(&[0, 0]);
        self.bytes(&kind.to_ne_bytes());
        content(self);
        let length = (self.bytes.len() - start) as u16;
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        let length = self.bytes.len() as u32;
        self.bytes[..4].copy_from_slice(&length.to_ne_bytes());
        self.bytes
    }
}

/// The messages of one answer: type and payload.
pub(super) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
        let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
        let payload = bytes.get(HEADER..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, payload))
    })
}

/// The attributes of a payload: type and data.
pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    /// The two uppermost bits of the type are flags.
    const KIND: u16 = 0x3fff;
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(bytes.get(2..4)?.try_into().ok()?) & KIND;
        let data = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, data))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read_and_every_cut_is_survived() {
        let mut message = Message::new(libc::RTM_NEWLINK, libc::NLM_F_ACK);
        message.link_header(7, 1, 1);
        message.text(libc::IFLA_IFNAME, "veth-a");
        message.nested(libc::IFLA_LINKINFO, |message| message.attribute(libc::IFLA_INFO_KIND, b"veth"));
        assert!(message.wants_ack());
        let bytes = message.finish();
        let (kind, payload) = messages(&bytes).next().unwrap();
        assert_eq!(kind, libc::RTM_NEWLINK);
        let read: Vec<_> = attributes(&payload[16..]).collect();
        assert_eq!(read[0], (libc::IFLA_IFNAME, &b"veth-a\0"[..]));
        assert_eq!(attributes(read[1].1).next(), Some((libc::IFLA_INFO_KIND, &b"veth"[..])));
        for cut in 0..bytes.len() {
            for (_, payload) in messages(&bytes[..cut]) {
                attributes(payload).count();
            }
        }
        // A length of zero must not stand still.
        assert_eq!(messages(&[0; 64]).count(), 0);
        assert_eq!(attributes(&[0; 64]).count(), 0);
    }
}
