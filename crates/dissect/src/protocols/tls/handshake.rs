//! Handshake messages: hellos, extensions, certificates.

use super::VERSIONS;
use super::exchange::{self, OF_TLS};
use super::fingerprint::Fingerprint;
use crate::context::Context;
use crate::crypto::{SUITE_NAMES, Suite};
use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::{FieldDef, Names, protocol};

static TYPES: Names = &[
    (0, "Hello Request"),
    (1, "Client Hello"),
    (2, "Server Hello"),
    (4, "New Session Ticket"),
    (5, "End of Early Data"),
    (8, "Encrypted Extensions"),
    (11, "Certificate"),
    (12, "Server Key Exchange"),
    (13, "Certificate Request"),
    (14, "Server Hello Done"),
    (15, "Certificate Verify"),
    (16, "Client Key Exchange"),
    (20, "Finished"),
    (22, "Certificate Status"),
    (24, "Key Update"),
];
pub(crate) static EXTENSIONS: Names = &[
    (0, "server_name"),
    (5, "status_request"),
    (10, "supported_groups"),
    (11, "ec_point_formats"),
    (13, "signature_algorithms"),
    (16, "application_layer_protocol_negotiation"),
    (18, "signed_certificate_timestamp"),
    (21, "padding"),
    (22, "encrypt_then_mac"),
    (23, "extended_master_secret"),
    (27, "compress_certificate"),
    (35, "session_ticket"),
    (41, "pre_shared_key"),
    (42, "early_data"),
    (43, "supported_versions"),
    (44, "cookie"),
    (45, "psk_key_exchange_modes"),
    (50, "signature_algorithms_cert"),
    (51, "key_share"),
    (57, "quic_transport_parameters"),
    (65281, "renegotiation_info"),
];
pub(crate) static GROUPS: Names = &[
    (0x0017, "secp256r1"),
    (0x0018, "secp384r1"),
    (0x0019, "secp521r1"),
    (0x001D, "x25519"),
    (0x001E, "x448"),
    (0x11EC, "X25519MLKEM768"),
];
pub(super) static SCHEMES: Names = &[
    (0x0201, "rsa_pkcs1_sha1"),
    (0x0203, "ecdsa_sha1"),
    (0x0401, "rsa_pkcs1_sha256"),
    (0x0403, "ecdsa_secp256r1_sha256"),
    (0x0501, "rsa_pkcs1_sha384"),
    (0x0503, "ecdsa_secp384r1_sha384"),
    (0x0601, "rsa_pkcs1_sha512"),
    (0x0603, "ecdsa_secp521r1_sha512"),
    (0x0804, "rsa_pss_rsae_sha256"),
    (0x0805, "rsa_pss_rsae_sha384"),
    (0x0806, "rsa_pss_rsae_sha512"),
    (0x0807, "ed25519"),
    (0x0808, "ed448"),
    (0x0809, "rsa_pss_pss_sha256"),
    (0x080A, "rsa_pss_pss_sha384"),
    (0x080B, "rsa_pss_pss_sha512"),
];

protocol! { TLS_HANDSHAKE "tls" "TLS" "Transport Layer Security";
    HANDSHAKE: none "tls.handshake" "Handshake Protocol";
    TYPE: u8 "tls.handshake.type" "Handshake Message Type", names(TYPES);
    LENGTH: u24 "tls.handshake.length" "Length";
    VERSION: u16 "tls.handshake.version" "Version", hex, names(VERSIONS);
    RANDOM: bytes "tls.handshake.random" "Random";
    RANDOM_TIME: absolute "tls.handshake.random_time" "GMT Unix Time";
    RANDOM_BYTES: bytes "tls.handshake.random_bytes" "Random Bytes";
    SESSION_ID_LENGTH: u8 "tls.handshake.session_id_length" "Session ID Length";
    SESSION_ID: bytes "tls.handshake.session_id" "Session ID";
    SUITES_LENGTH: u16 "tls.handshake.cipher_suites_length" "Cipher Suites Length";
    SUITES: none "tls.handshake.ciphersuites" "Cipher Suites";
    SUITE: u16 "tls.handshake.ciphersuite" "Cipher Suite", hex, names(SUITE_NAMES);
    COMPRESSIONS_LENGTH: u8 "tls.handshake.comp_methods_length" "Compression Methods Length";
    COMPRESSIONS: none "tls.handshake.comp_methods" "Compression Methods";
    COMPRESSION: u8 "tls.handshake.comp_method" "Compression Method";
    EXTENSIONS_LENGTH: u16 "tls.handshake.extensions_length" "Extensions Length";
    EXTENSION_TYPE: u16 "tls.handshake.extension.type" "Type", names(EXTENSIONS);
    EXTENSION_LEN: u16 "tls.handshake.extension.len" "Length";
    EXTENSION_DATA: bytes "tls.handshake.extension.data" "Data";
    SNI_LIST_LEN: u16 "tls.handshake.extensions_server_name_list_len" "Server Name list length";
    SNI_TYPE: u8 "tls.handshake.extensions_server_name_type" "Server Name Type";
    SNI_LEN: u16 "tls.handshake.extensions_server_name_len" "Server Name length";
    SNI: text "tls.handshake.extensions_server_name" "Server Name";
    ALPN_LEN: u16 "tls.handshake.extensions_alpn_len" "ALPN Extension Length";
    ALPNS: none "tls.handshake.extensions_alpn_list" "ALPN Protocol";
    ALPN_STR_LEN: u8 "tls.handshake.extensions_alpn_str_len" "ALPN string length";
    ALPN: text "tls.handshake.extensions_alpn_str" "ALPN Next Protocol";
    GROUPS_LENGTH: u16 "tls.handshake.extensions_supported_groups_length" "Supported Groups List Length";
    GROUPS_LIST: none "tls.handshake.extensions_supported_groups" "Supported Groups List";
    GROUP: u16 "tls.handshake.extensions_supported_group" "Supported Group", hex, names(GROUPS);
    VERSIONS_LEN: u8 "tls.handshake.extensions.supported_versions_len" "Supported Versions length";
    SUPPORTED_VERSION: u16 "tls.handshake.extensions.supported_version" "Supported Version", hex, names(VERSIONS);
    KEY_SHARE_LENGTH: u16 "tls.handshake.extensions_key_share_client_length" "Client Key Share Length";
    KEY_SHARE_GROUP: u16 "tls.handshake.extensions_key_share_group" "Group", names(GROUPS);
    KEY_SHARE_LEN: u16 "tls.handshake.extensions_key_share_key_exchange_length" "Key Exchange Length";
    KEY_SHARE: bytes "tls.handshake.extensions_key_share_key_exchange" "Key Exchange";
    SELECTED_GROUP: u16 "tls.handshake.extensions_key_share_selected_group" "Selected Group", names(GROUPS);
    SCTS_LENGTH: u16 "tls.sct.scts_length" "Serialized SCT List Length";
    SCT_LENGTH: u16 "tls.sct.sct_length" "Serialized SCT Length";
    SCT_VERSION: u8 "tls.sct.sct_version" "SCT Version";
    SCT_LOG: bytes "tls.sct.sct_logid" "Log ID";
    SCT_TIME: absolute "tls.sct.sct_timestamp" "Timestamp";
    SCT_EXTENSIONS_LENGTH: u16 "tls.sct.sct_extensions_length" "Extensions length";
    SCT_EXTENSIONS: none "tls.sct.sct_extensions" "Extensions";
    SCT_SIGNATURE_LENGTH: u16 "tls.sct.sct_signature_length" "Signature Length";
    SCT_SIGNATURE: bytes "tls.sct.sct_signature" "Signature";
    CERTIFICATES_LENGTH: u24 "tls.handshake.certificates_length" "Certificates Length";
    CERTIFICATES: none "tls.handshake.certificates" "Certificates";
    CERTIFICATE_LENGTH: u24 "tls.handshake.certificate_length" "Certificate Length";
    CERTIFICATE: bytes "tls.handshake.certificate" "Certificate";
    CONTEXT_LENGTH: u8 "tls.handshake.certificate_request_context_length" "Certificate Request Context Length";
    CONTEXT: bytes "tls.handshake.certificate_request_context" "Certificate Request Context";
    VERIFY_DATA: bytes "tls.handshake.verify_data" "Verify Data";
    REQUEST_UPDATE: u8 "tls.handshake.key_update.request_update" "Key Update Request";
}

/// What messages say that later ones depend on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    pub(crate) client_random: Option<[u8; 32]>,
    pub(crate) server_random: Option<[u8; 32]>,
    /// The first suites that the client offered.
    pub(crate) offered: Vec<u16>,
    /// The suite that the server has chosen.
    pub(crate) suite: Option<u16>,
    /// The version that the server has chosen, by its own number: that of TLS 1.2 stands for 1.3, too.
    pub(crate) version: u16,
    /// The server has chosen TLS 1.3.
    pub(crate) is_13: bool,
    /// MACs are of what was encrypted (RFC 7366).
    pub(crate) encrypt_then_mac: bool,
    /// The client sends data before the server has answered.
    pub(crate) early_data: bool,
    /// The protocol that was agreed upon to be spoken inside; empty: none.
    pub(crate) alpn: Vec<u8>,
    /// The protocol that the client would like most: early data speak it before the server has answered.
    wished: Vec<u8>,
    /// Which messages have come since somebody looked: bits of [`seen`].
    pub(crate) seen: u8,
}

/// Messages after which keys may change.
pub(super) mod seen {
    pub(crate) const CLIENT_HELLO: u8 = 1;
    pub(crate) const SERVER_HELLO: u8 = 2;
    pub(crate) const END_OF_EARLY_DATA: u8 = 4;
    pub(crate) const FINISHED: u8 = 8;
    pub(crate) const KEY_UPDATE: u8 = 16;
}

impl Said {
    /// What QUIC carries is always TLS 1.3.
    pub(crate) fn quic() -> Said {
        Said { is_13: true, ..Said::default() }
    }

    /// A client has begun.
    pub(crate) fn begun(client_random: [u8; 32]) -> Said {
        Said { client_random: Some(client_random), ..Said::default() }
    }

    /// What is spoken inside.
    pub(crate) fn protocol(&self) -> &[u8] {
        if self.alpn.is_empty() && self.early_data && self.server_random.is_none() {
            &self.wished
        } else {
            &self.alpn
        }
    }

    /// The version before TLS 1.3 that was agreed upon; DTLS counts downwards from the one that it is made of.
    pub(crate) fn tls_version(&self) -> u16 {
        match self.version {
            0xFEFF | 0x0100 => 0x0302,
            0xFEFD => 0x0303,
            version => version,
        }
    }

    /// What opens records before TLS 1.3.
    pub(crate) fn opens_with(&self) -> Option<Suite> {
        let suite = self.suite.and_then(Suite::of)?;
        match self.tls_version() {
            0x0303 => Some(suite),
            0x0301 | 0x0302 if suite.cipher.mac().is_some() => Some(suite),
            _ => None,
        }
    }

    /// How Wireshark calls what is spoken inside.
    pub(super) fn alpn_name(&self) -> &'static str {
        match self.alpn.as_slice() {
            b"h2" => "HyperText Transfer Protocol 2",
            b"http/1.1" => "Hypertext Transfer Protocol",
            b"dot" => "Domain Name System",
            draft if draft.starts_with(b"h2-") => "HyperText Transfer Protocol 2",
            version if version.starts_with(b"spdy/") => "SPDY",
            _ => "",
        }
    }
}

/// So many of the offered suites are remembered: those of TLS 1.3 come first.
const OFFERED_MAX: usize = 8;

/// The random number of a server hello that asks for another client hello (RFC 8446 4.1.3).
const RETRY: [u8; 32] = [
    0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11, 0xBE, 0x1D, 0x8C, 0x02, 0x1E, 0x65, 0xB8, 0x91, 0xC2,
    0xA2, 0x11, 0x16, 0x7A, 0xBB, 0x8C, 0x5E, 0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C,
];

/// Messages, as many as are whole. Gives how many bytes were used.
pub(crate) fn messages(cx: &mut Context<'_>, bytes: Data<'_>, said: &mut Said) -> usize {
    let mut c = bytes.cursor();
    while c.left() >= 4 {
        let len = c.data.u32(c.pos).map_or(0, |word| (word & 0xFF_FFFF) as usize);
        let Ok(message) = c.take(len + 4) else { break };
        let result = cx.within(&HANDSHAKE, message, |cx| self::message(cx, message, said));
        if result.is_err() {
            // Told in the tree by the missing fields; what follows has its own length.
            continue;
        }
    }
    c.pos
}

fn message(cx: &mut Context<'_>, message: Data<'_>, said: &mut Said) -> Read {
    let mut c = message.cursor();
    let kind = c.u8(cx, &TYPE)?;
    c.u24(cx, &LENGTH)?;
    match kind {
        1 => client_hello(cx, &mut c, said),
        2 => server_hello(cx, &mut c, said),
        4 => {
            exchange::ticket(cx, &mut c, &OF_TLS, said)?;
            if said.is_13 { extensions(cx, &mut c, kind, said) } else { Ok(()) }
        }
        5 => {
            said.seen |= seen::END_OF_EARLY_DATA;
            Ok(())
        }
        8 => extensions(cx, &mut c, kind, said),
        11 => certificates(cx, &mut c, said),
        13 if said.is_13 => {
            context(cx, &mut c)?;
            extensions(cx, &mut c, kind, said)
        }
        12 => exchange::server(cx, &mut c, &OF_TLS, said),
        13 => exchange::request(cx, &mut c, &OF_TLS, said),
        15 => exchange::verify(cx, &mut c, &OF_TLS, said),
        16 => exchange::client(cx, &mut c, &OF_TLS, said),
        20 => {
            said.seen |= seen::FINISHED;
            c.all(cx, &VERIFY_DATA);
            Ok(())
        }
        24 => {
            said.seen |= seen::KEY_UPDATE;
            c.u8(cx, &REQUEST_UPDATE).map(|_| ())
        }
        _ => Ok(()),
    }
}

/// The context of a certificate request or certificate in TLS 1.3.
fn context(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let len = usize::from(c.u8(cx, &CONTEXT_LENGTH)?);
    if len > 0 {
        c.bytes(cx, &CONTEXT, len)?;
    }
    Ok(())
}

/// What both hellos begin with. Gives the version and the random number, which begins with a time before TLS 1.3.
fn hello(cx: &mut Context<'_>, c: &mut Cursor<'_>, is_13: bool) -> Read<(u16, [u8; 32])> {
    let version = c.u16(cx, &VERSION)?;
    let random = *c.bytes(cx, &RANDOM, 32)?.first_chunk().ok_or(Short)?;
    if !is_13 {
        cx.depth += 1;
        let seconds = u64::from(c.data.u32(c.pos - 32)?);
        cx.add(&RANDOM_TIME, c.data, c.pos - 32, 4, seconds * 1_000_000_000);
        cx.add(&RANDOM_BYTES, c.data, c.pos - 28, 28, 0);
        cx.depth -= 1;
    }
    let len = usize::from(c.u8(cx, &SESSION_ID_LENGTH)?);
    if len > 0 {
        c.bytes(cx, &SESSION_ID, len)?;
    }
    Ok((version, random))
}

fn client_hello(cx: &mut Context<'_>, c: &mut Cursor<'_>, said: &mut Said) -> Read {
    let (version, random) = hello(cx, c, said.is_13)?;
    said.client_random = Some(random);
    said.server_random = None;
    said.early_data = false;
    said.encrypt_then_mac = false;
    said.wished.clear();
    said.seen |= seen::CLIENT_HELLO;
    said.offered.clear();
    let len = usize::from(c.u16(cx, &SUITES_LENGTH)?);
    cx.state.print.begin(c.rest().first(len).bytes);
    each_of(cx, c, &SUITES, len, |cx, c| {
        let suite = c.u16(cx, &SUITE)?;
        if said.offered.len() < OFFERED_MAX {
            said.offered.push(suite);
        }
        Ok(())
    })?;
    let len = usize::from(c.u8(cx, &COMPRESSIONS_LENGTH)?);
    each_of(cx, c, &COMPRESSIONS, len, |cx, c| c.u8(cx, &COMPRESSION).map(|_| ()))?;
    let result = extensions(cx, c, 1, said);
    Fingerprint::client(cx, &OF_TLS, version);
    result
}

/// Whether a record is nothing but a client's hello, in the clear.
pub(super) fn is_hello(record: &[u8]) -> bool {
    let [1, high, middle, low, 3, 1..=3, ..] = record else { return false };
    u32::from_be_bytes([0, *high, *middle, *low]) as usize + 4 == record.len()
}

/// TLS 1.3, its drafts, and Facebook's drafts of it.
fn is_13(version: u16) -> bool {
    version == 0x0304 || matches!(version >> 8, 0x7F | 0xFB)
}

/// Whether a server's hello has the extension that chooses TLS 1.3; `None`: it ends early.
fn chooses_13(hello: &[u8]) -> Option<bool> {
    let session = usize::from(*hello.get(34)?);
    // Behind session, suite, compression and the extensions' length.
    let mut rest = hello.get(35 + session + 5..)?;
    while let [kind_high, kind, len_high, len, body @ ..] = rest {
        if [*kind_high, *kind] == [0, 43] {
            return body.first_chunk().map(|version| is_13(u16::from_be_bytes(*version)));
        }
        rest = body.get(usize::from(u16::from_be_bytes([*len_high, *len]))..)?;
    }
    Some(false)
}

fn server_hello(cx: &mut Context<'_>, c: &mut Cursor<'_>, said: &mut Said) -> Read {
    cx.state.print.begin(&[]);
    let random;
    if c.peek()? == 0x7F {
        // Drafts of TLS 1.3 before 22 said their version here, and nothing of sessions.
        said.version = c.u16(cx, &VERSION)?;
        random = *c.bytes(cx, &RANDOM, 32)?.first_chunk().ok_or(Short)?;
        said.is_13 = true;
        said.suite = Some(c.u16(cx, &SUITE)?);
    } else {
        // Some of those that made up a protocol of their own say 1.3 in the old place.
        said.is_13 |= c.peek_u16()? == 0x0304;
        let is_13 = said.is_13 || chooses_13(c.rest().bytes).unwrap_or(false);
        (said.version, random) = hello(cx, c, is_13)?;
        said.suite = Some(c.u16(cx, &SUITE)?);
        c.u8(cx, &COMPRESSION)?;
    }
    let result = extensions(cx, c, 2, said);
    Fingerprint::server(cx, &OF_TLS, said.version, said.suite.unwrap_or(0));
    if random == RETRY {
        said.early_data = false;
        return result;
    }
    said.server_random = Some(random);
    said.seen |= seen::SERVER_HELLO;
    result
}

/// Reads items until `len` bytes are used.
fn each<'d>(
    cx: &mut Context<'_>,
    c: &mut Cursor<'d>,
    len: usize,
    mut read: impl FnMut(&mut Context<'_>, &mut Cursor<'d>) -> Read,
) -> Read {
    let mut inside = c.take(len)?.cursor();
    while !inside.is_done() {
        read(cx, &mut inside)?;
    }
    Ok(())
}

/// The same below a heading; of nothing there is none.
fn each_of<'d>(
    cx: &mut Context<'_>,
    c: &mut Cursor<'d>,
    heading: &'static FieldDef,
    len: usize,
    read: impl FnMut(&mut Context<'_>, &mut Cursor<'d>) -> Read,
) -> Read {
    let list = c.take(len)?;
    if len == 0 {
        return Ok(());
    }
    cx.within(heading, list, |cx| each(cx, &mut list.cursor(), len, read))
}

fn extensions(cx: &mut Context<'_>, c: &mut Cursor<'_>, message: u8, said: &mut Said) -> Read {
    if c.is_done() {
        return Ok(()); // TLS 1.2 without extensions
    }
    let len = usize::from(c.u16(cx, &EXTENSIONS_LENGTH)?);
    each(cx, c, len, |cx, c| {
        let kind = c.u16(cx, &EXTENSION_TYPE)?;
        let len = usize::from(c.u16(cx, &EXTENSION_LEN)?);
        let body = c.take(len)?;
        if matches!(message, 1 | 2) {
            cx.state.print.extension(kind, body.bytes);
        }
        cx.depth += 1;
        // One that ends early has a length all the same: the next is read.
        let depth = cx.depth;
        let _ended_early = extension(cx, &mut body.cursor(), kind, message, said);
        cx.depth = depth - 1;
        Ok(())
    })
}

/// Whether an extension's content has fields of its own in Wireshark, told here or not.
fn has_own_fields(kind: u16) -> bool {
    matches!(
        kind,
        0 | 1 | 5 | 10 | 11 | 13..=23 | 27 | 28 | 34 | 40..=45 | 47..=51 | 57 | 13172 | 17513 | 0xFF01 | 0xFFA5 | 0xFFCE
    )
}

fn extension(cx: &mut Context<'_>, c: &mut Cursor<'_>, kind: u16, message: u8, said: &mut Said) -> Read {
    if c.is_done() {
        said.early_data |= kind == 42 && message == 1;
        said.encrypt_then_mac |= kind == 22 && message == 2;
        if !has_own_fields(kind) {
            cx.add(&EXTENSION_DATA, c.data, 0, 0, 0);
        }
        return Ok(());
    }
    match kind {
        0 => {
            let len = usize::from(c.u16(cx, &SNI_LIST_LEN)?);
            each(cx, c, len, |cx, c| {
                c.u8(cx, &SNI_TYPE)?;
                let len = usize::from(c.u16(cx, &SNI_LEN)?);
                c.bytes(cx, &SNI, len).map(|_| ())
            })
        }
        10 => {
            let len = usize::from(c.u16(cx, &GROUPS_LENGTH)?);
            each_of(cx, c, &GROUPS_LIST, len, |cx, c| c.u16(cx, &GROUP).map(|_| ()))
        }
        18 => timestamps(cx, c),
        13 | 34 | 50 => exchange::schemes(cx, c, &OF_TLS),
        47 => exchange::authorities(cx, c, &OF_TLS),
        16 => {
            let len = usize::from(c.u16(cx, &ALPN_LEN)?);
            each_of(cx, c, &ALPNS, len, |cx, c| {
                let len = usize::from(c.u8(cx, &ALPN_STR_LEN)?);
                let name = c.bytes(cx, &ALPN, len)?;
                // In a client's hello it is a wish only.
                if message != 1 {
                    said.alpn = name.to_vec();
                } else if said.wished.is_empty() {
                    said.wished = name.to_vec();
                }
                Ok(())
            })
        }
        43 if message == 1 => {
            let len = usize::from(c.u8(cx, &VERSIONS_LEN)?);
            each(cx, c, len, |cx, c| c.u16(cx, &SUPPORTED_VERSION).map(|_| ()))
        }
        43 => {
            let version = c.u16(cx, &SUPPORTED_VERSION)?;
            said.is_13 |= is_13(version);
            Ok(())
        }
        // 40 in drafts before 23.
        40 | 51 if message == 1 => {
            let len = usize::from(c.u16(cx, &KEY_SHARE_LENGTH)?);
            each(cx, c, len, key_share)
        }
        // A hello retry names a group only.
        40 | 51 if c.left() == 2 => c.u16(cx, &SELECTED_GROUP).map(|_| ()),
        40 | 51 => key_share(cx, c),
        // Draft 2 of encrypted names, of a client.
        0xFFCE if message == 1 => {
            super::extensions::suite(cx, c)?;
            key_share(cx, c)?;
            super::extensions::show(cx, c, kind, message)
        }
        kind if has_own_fields(kind) => super::extensions::show(cx, c, kind, message),
        _ => {
            c.all(cx, &EXTENSION_DATA);
            Ok(())
        }
    }
}

/// What logs promised of the certificate (RFC 6962 3.3).
pub(super) fn timestamps(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let len = usize::from(c.u16(cx, &SCTS_LENGTH)?);
    each(cx, c, len, |cx, c| {
        let len = usize::from(c.u16(cx, &SCT_LENGTH)?);
        let c = &mut c.take(len)?.cursor();
        c.u8(cx, &SCT_VERSION)?;
        c.bytes(cx, &SCT_LOG, 32)?;
        let millis = c.rest().bytes.first_chunk().map(|bytes| u64::from_be_bytes(*bytes)).ok_or(Short)?;
        cx.add(&SCT_TIME, c.data, c.pos, 8, millis.wrapping_mul(1_000_000));
        c.skip(8)?;
        let len = usize::from(c.u16(cx, &SCT_EXTENSIONS_LENGTH)?);
        if len > 0 {
            c.bytes(cx, &SCT_EXTENSIONS, len)?;
        }
        exchange::scheme(cx, c, &OF_TLS)?;
        let len = usize::from(c.u16(cx, &SCT_SIGNATURE_LENGTH)?);
        c.bytes(cx, &SCT_SIGNATURE, len).map(drop)
    })
}

fn key_share(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    c.u16(cx, &KEY_SHARE_GROUP)?;
    let len = usize::from(c.u16(cx, &KEY_SHARE_LEN)?);
    c.bytes(cx, &KEY_SHARE, len).map(|_| ())
}

fn certificates(cx: &mut Context<'_>, c: &mut Cursor<'_>, said: &mut Said) -> Read {
    if said.is_13 {
        context(cx, c)?;
    }
    let len = c.u24(cx, &CERTIFICATES_LENGTH)? as usize;
    each_of(cx, c, &CERTIFICATES, len, |cx, c| {
        let len = c.u24(cx, &CERTIFICATE_LENGTH)? as usize;
        let certificate = c.rest().first(len);
        c.bytes(cx, &CERTIFICATE, len)?;
        super::certificate::show(cx, certificate);
        if said.is_13 { extensions(cx, c, 11, said) } else { Ok(()) }
    })?;
    if len == 0 && !c.is_done() { Err(Short) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::State;
    use crate::tree::Arena;

    #[test]
    fn an_extension_that_ends_early_does_not_hide_the_next() {
        let (mut state, mut arena, mut said) = (State::default(), Arena::new(), Said::default());
        let mut cx = Context::new(&mut arena, &mut state, 1, 0);
        // A transport parameter without a length, and a wish for HTTP/2.
        let list: &[u8] = &[0, 14, 0, 57, 0, 1, 1, 0, 16, 0, 5, 0, 3, 2, b'h', b'2'];
        let data = Data { bytes: list, at: 0, source: 0 };
        extensions(&mut cx, &mut data.cursor(), 1, &mut said).expect("the list is whole");
        assert_eq!(said.wished, b"h2");
    }

    #[test]
    fn a_hello_is_told_from_what_is_sealed() {
        assert!(is_hello(&[1, 0, 0, 3, 3, 3, 0]));
        assert!(!is_hello(&[1, 0, 0, 9, 3, 3, 0]), "its length is another");
        assert!(!is_hello(&[20, 0, 0, 3, 3, 3, 0]));
    }
}
