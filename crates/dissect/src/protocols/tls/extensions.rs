//! Extensions of hellos that stand for themselves: nothing that comes later depends on them.

use crate::context::Context;
use crate::crypto::SUITE_NAMES;
use crate::cursor::{Cursor, Read};
use crate::field::{Names, protocol};
use crate::table::{Step::*, walk};

static PACKERS: Names = &[(1, "zlib"), (2, "brotli"), (3, "zstd")];

protocol! { TLS_EXTENSIONS "tls" "TLS" "Transport Layer Security";
    FORMATS_LENGTH: u8 "tls.handshake.extensions_ec_point_formats_length" "EC point formats Length";
    FORMATS: none "tls.handshake.extensions_ec_point_formats" "Elliptic curves point formats";
    FORMAT: u8 "tls.handshake.extensions_ec_point_format" "EC point format";
    STATUS_TYPE: u8 "tls.handshake.extensions_status_request_type" "Certificate Status Type";
    RESPONDERS_LENGTH: u16 "tls.handshake.extensions_status_request_responder_ids_len" "Responder ID list Length";
    STATUS_LENGTH: u16 "tls.handshake.extensions_status_request_exts_len" "Request Extensions Length";
    PADDING: bytes "tls.handshake.extensions_padding_data" "Padding Data";
    SIZE_LIMIT: u16 "tls.record_size_limit" "Record Size Limit";
    IDENTITIES_LENGTH: u16 "tls.handshake.extensions.psk.identities.length" "Identities Length";
    IDENTITY_LENGTH: u16 "tls.handshake.extensions.psk.identity.identity_length" "Identity Length";
    IDENTITY: bytes "tls.handshake.extensions.psk.identity.identity" "Identity";
    TICKET_AGE: u32 "tls.handshake.extensions.psk.identity.obfuscated_ticket_age" "Obfuscated Ticket Age";
    BINDERS_LENGTH: u16 "tls.handshake.extensions.psk.binders_len" "PSK Binders length";
    BINDERS: none "tls.handshake.extensions.psk.binders" "PSK Binders";
    SELECTED: u16 "tls.handshake.extensions.psk.identity.selected" "Selected Identity";
    EARLY_MAX: u32 "tls.early_data.max_early_data_size" "Maximum Early Data Size";
    COOKIE_LENGTH: u16 "tls.handshake.extensions.cookie_len" "Cookie length";
    COOKIE: bytes "tls.handshake.extensions.cookie" "Cookie";
    MODES_LENGTH: u8 "tls.extension.psk_ke_modes_length" "PSK Key Exchange Modes Length";
    MODE: u8 "tls.extension.psk_ke_mode" "PSK Key Exchange Mode";
    RENEGOTIATION_LENGTH: u8 "tls.handshake.extensions_reneg_info_len" "Renegotiation info extension length";
    PACKERS_LENGTH: u8 "tls.compress_certificate.algorithms_length" "Algorithms Length";
    PACKER: u16 "tls.compress_certificate.algorithm" "Algorithm", names(PACKERS);
    SETTINGS_LENGTH: u16 "tls.handshake.extensions_alps_len" "ALPS Extension Length";
    SETTINGS_LIST: none "tls.handshake.extensions_alps_alpn_list" "Supported ALPN List";
    SETTINGS_STR_LENGTH: u8 "tls.handshake.extensions_alps_alpn_str_len" "Supported ALPN Length";
    SETTINGS_STR: text "tls.handshake.extensions_alps_alpn_str" "Supported ALPN";
    SETTINGS: bytes "tls.handshake.extensions_alps.settings" "ALPN Opaque Settings";
    NPN_LENGTH: u8 "tls.handshake.extensions_npn_str_len" "Protocol string length";
    NPN: text "tls.handshake.extensions_npn" "Next Protocol";
    ESNI_SUITE: u16 "tls.esni.suite" "Cipher Suite", hex, names(SUITE_NAMES);
    ESNI_DIGEST_LENGTH: u16 "tls.esni.record_digest_length" "Record Digest Length";
    ESNI_DIGEST: bytes "tls.esni.record_digest" "Record Digest";
    ESNI_LENGTH: u16 "tls.esni.encrypted_sni_length" "Encrypted SNI Length";
    ESNI: bytes "tls.esni.encrypted_sni" "Encrypted SNI";
    HEARTBEAT: u8 "tls.handshake.extension.heartbeat.mode" "Mode";
}

/// The cipher of an encrypted name.
pub(super) fn suite(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    walk(cx, c, &[Is(&ESNI_SUITE)])
}

/// Shows one, of a message of this type; others have nothing to show.
pub(super) fn show(cx: &mut Context<'_>, c: &mut Cursor<'_>, kind: u16, message: u8) -> Read {
    const OCSP: u8 = 1;
    match (kind, message) {
        (5, 1) if c.peek() == Ok(OCSP) => {
            walk(cx, c, &[Is(&STATUS_TYPE)])?;
            let responders = c.u16(cx, &RESPONDERS_LENGTH)?;
            c.skip(usize::from(responders))?;
            walk(cx, c, &[Is(&STATUS_LENGTH)])
        }
        (11, _) => walk(cx, c, &[Is(&FORMATS_LENGTH), Under(&FORMATS, &[Each(&[Is(&FORMAT)])])]),
        (15, _) => walk(cx, c, &[Is(&HEARTBEAT)]),
        (27, _) => walk(cx, c, &[Is(&PACKERS_LENGTH), Each(&[Is(&PACKER)])]),
        (57 | 0xFFA5, _) => super::transport::show(cx, c),
        (13172, _) => walk(cx, c, &[Each(&[Counted(&NPN_LENGTH, &NPN)])]),
        // What the server may be told at once; in its answer stands what it told.
        (17513, 1) => {
            let names: &[_] = &[Each(&[Counted(&SETTINGS_STR_LENGTH, &SETTINGS_STR)])];
            walk(cx, c, &[Is(&SETTINGS_LENGTH), Under(&SETTINGS_LIST, names)])
        }
        (17513, _) => walk(cx, c, &[Rest(&SETTINGS)]),
        (21, _) => walk(cx, c, &[Rest(&PADDING)]),
        (28, _) => walk(cx, c, &[Is(&SIZE_LIMIT)]),
        (41, 1) => {
            let len = usize::from(c.u16(cx, &IDENTITIES_LENGTH)?);
            let identity: &[_] = &[Counted(&IDENTITY_LENGTH, &IDENTITY), Is(&TICKET_AGE)];
            walk(cx, &mut c.take(len)?.cursor(), &[Each(identity)])?;
            walk(cx, c, &[Is(&BINDERS_LENGTH), Rest(&BINDERS)])
        }
        (41, 2) => walk(cx, c, &[Is(&SELECTED)]),
        (42, 4) => walk(cx, c, &[Is(&EARLY_MAX)]),
        (44, _) => walk(cx, c, &[Counted(&COOKIE_LENGTH, &COOKIE)]),
        (45, _) => walk(cx, c, &[Is(&MODES_LENGTH), Each(&[Is(&MODE)])]),
        (0xFFCE, 1) => {
            walk(cx, c, &[Counted(&ESNI_DIGEST_LENGTH, &ESNI_DIGEST), Counted(&ESNI_LENGTH, &ESNI)])
        }
        (0xFF01, _) => walk(cx, c, &[Is(&RENEGOTIATION_LENGTH)]),
        _ => Ok(()),
    }
}
