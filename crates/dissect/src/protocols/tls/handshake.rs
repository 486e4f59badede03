//! Handshake messages: hellos, extensions, certificates.

use super::VERSIONS;
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::{Names, protocol};

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
static EXTENSIONS: Names = &[
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
static SUITES: Names = &[
    (0x002F, "TLS_RSA_WITH_AES_128_CBC_SHA"),
    (0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA"),
    (0x009C, "TLS_RSA_WITH_AES_128_GCM_SHA256"),
    (0x009D, "TLS_RSA_WITH_AES_256_GCM_SHA384"),
    (0x00FF, "TLS_EMPTY_RENEGOTIATION_INFO_SCSV"),
    (0x1301, "TLS_AES_128_GCM_SHA256"),
    (0x1302, "TLS_AES_256_GCM_SHA384"),
    (0x1303, "TLS_CHACHA20_POLY1305_SHA256"),
    (0xC02B, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
    (0xC02C, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
    (0xC02F, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
    (0xC030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
    (0xCCA8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
    (0xCCA9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
];
static GROUPS: Names = &[
    (0x0017, "secp256r1"),
    (0x0018, "secp384r1"),
    (0x0019, "secp521r1"),
    (0x001D, "x25519"),
    (0x001E, "x448"),
    (0x11EC, "X25519MLKEM768"),
];
static SCHEMES: Names = &[
    (0x0401, "rsa_pkcs1_sha256"),
    (0x0403, "ecdsa_secp256r1_sha256"),
    (0x0503, "ecdsa_secp384r1_sha384"),
    (0x0804, "rsa_pss_rsae_sha256"),
    (0x0805, "rsa_pss_rsae_sha384"),
    (0x0806, "rsa_pss_rsae_sha512"),
    (0x0807, "ed25519"),
];

protocol! { TLS_HANDSHAKE "tls" "TLS" "Transport Layer Security";
    HANDSHAKE: none "tls.handshake" "Handshake Protocol";
    TYPE: u8 "tls.handshake.type" "Handshake Message Type", names(TYPES);
    LENGTH: u24 "tls.handshake.length" "Length";
    VERSION: u16 "tls.handshake.version" "Version", hex, names(VERSIONS);
    RANDOM: bytes "tls.handshake.random" "Random";
    SESSION_ID_LENGTH: u8 "tls.handshake.session_id_length" "Session ID Length";
    SESSION_ID: bytes "tls.handshake.session_id" "Session ID";
    SUITES_LENGTH: u16 "tls.handshake.cipher_suites_length" "Cipher Suites Length";
    SUITE: u16 "tls.handshake.ciphersuite" "Cipher Suite", hex, names(SUITES);
    COMPRESSIONS_LENGTH: u8 "tls.handshake.comp_methods_length" "Compression Methods Length";
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
    ALPN_STR_LEN: u8 "tls.handshake.extensions_alpn_str_len" "ALPN string length";
    ALPN: text "tls.handshake.extensions_alpn_str" "ALPN Next Protocol";
    GROUPS_LENGTH: u16 "tls.handshake.extensions_supported_groups_length" "Supported Groups List Length";
    GROUP: u16 "tls.handshake.extensions_supported_group" "Supported Group", hex, names(GROUPS);
    SCHEMES_LENGTH: u16 "tls.handshake.sig_hash_alg_len" "Signature Hash Algorithms Length";
    SCHEME: u16 "tls.handshake.sig_hash_alg" "Signature Algorithm", hex, names(SCHEMES);
    VERSIONS_LEN: u8 "tls.handshake.extensions.supported_versions_len" "Supported Versions length";
    SUPPORTED_VERSION: u16 "tls.handshake.extensions.supported_version" "Supported Version", hex, names(VERSIONS);
    KEY_SHARE_LENGTH: u16 "tls.handshake.extensions_key_share_client_length" "Client Key Share Length";
    KEY_SHARE_GROUP: u16 "tls.handshake.extensions_key_share_group" "Group", names(GROUPS);
    KEY_SHARE_LEN: u16 "tls.handshake.extensions_key_share_key_exchange_length" "Key Exchange Length";
    KEY_SHARE: bytes "tls.handshake.extensions_key_share_key_exchange" "Key Exchange";
    SELECTED_GROUP: u16 "tls.handshake.extensions_key_share_selected_group" "Selected Group", names(GROUPS);
    CERTIFICATES_LENGTH: u24 "tls.handshake.certificates_length" "Certificates Length";
    CERTIFICATE_LENGTH: u24 "tls.handshake.certificate_length" "Certificate Length";
    CERTIFICATE: bytes "tls.handshake.certificate" "Certificate";
}

/// Messages, as many as are whole. Gives how many bytes were used. `is_13` is set when the server chooses TLS 1.3.
pub(crate) fn messages(cx: &mut Context<'_>, bytes: Data<'_>, is_13: &mut bool) -> usize {
    let mut c = bytes.cursor();
    while c.left() >= 4 {
        let len = c.data.u32(c.pos).map_or(0, |word| (word & 0xFF_FFFF) as usize);
        let Ok(message) = c.take(len + 4) else { break };
        let result = cx.within(&HANDSHAKE, message, |cx| self::message(cx, message, is_13));
        if result.is_err() {
            // Told in the tree by the missing fields; what follows has its own length.
            continue;
        }
    }
    c.pos
}

fn message(cx: &mut Context<'_>, message: Data<'_>, is_13: &mut bool) -> Read {
    let mut c = message.cursor();
    let kind = c.u8(cx, &TYPE)?;
    c.u24(cx, &LENGTH)?;
    match kind {
        1 => client_hello(cx, &mut c),
        2 => server_hello(cx, &mut c, is_13),
        8 => extensions(cx, &mut c, kind, is_13),
        11 => certificates(cx, &mut c, *is_13),
        _ => Ok(()),
    }
}

fn hello(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    c.u16(cx, &VERSION)?;
    c.bytes(cx, &RANDOM, 32)?;
    let len = usize::from(c.u8(cx, &SESSION_ID_LENGTH)?);
    if len > 0 {
        c.bytes(cx, &SESSION_ID, len)?;
    }
    Ok(())
}

fn client_hello(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    hello(cx, c)?;
    let len = usize::from(c.u16(cx, &SUITES_LENGTH)?);
    each(cx, c, len, |cx, c| c.u16(cx, &SUITE).map(|_| ()))?;
    let len = usize::from(c.u8(cx, &COMPRESSIONS_LENGTH)?);
    each(cx, c, len, |cx, c| c.u8(cx, &COMPRESSION).map(|_| ()))?;
    extensions(cx, c, 1, &mut false)
}

fn server_hello(cx: &mut Context<'_>, c: &mut Cursor<'_>, is_13: &mut bool) -> Read {
    hello(cx, c)?;
    c.u16(cx, &SUITE)?;
    c.u8(cx, &COMPRESSION)?;
    extensions(cx, c, 2, is_13)
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

fn extensions(cx: &mut Context<'_>, c: &mut Cursor<'_>, message: u8, is_13: &mut bool) -> Read {
    if c.is_done() {
        return Ok(()); // TLS 1.2 without extensions
    }
    let len = usize::from(c.u16(cx, &EXTENSIONS_LENGTH)?);
    each(cx, c, len, |cx, c| {
        let kind = c.u16(cx, &EXTENSION_TYPE)?;
        let len = usize::from(c.u16(cx, &EXTENSION_LEN)?);
        let body = c.take(len)?;
        cx.depth += 1;
        let result = extension(cx, &mut body.cursor(), kind, message, is_13);
        cx.depth -= 1;
        result
    })
}

fn extension(cx: &mut Context<'_>, c: &mut Cursor<'_>, kind: u16, message: u8, is_13: &mut bool) -> Read {
    if c.is_done() {
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
            each(cx, c, len, |cx, c| c.u16(cx, &GROUP).map(|_| ()))
        }
        13 | 50 => {
            let len = usize::from(c.u16(cx, &SCHEMES_LENGTH)?);
            each(cx, c, len, |cx, c| c.u16(cx, &SCHEME).map(|_| ()))
        }
        16 => {
            let len = usize::from(c.u16(cx, &ALPN_LEN)?);
            each(cx, c, len, |cx, c| {
                let len = usize::from(c.u8(cx, &ALPN_STR_LEN)?);
                c.bytes(cx, &ALPN, len).map(|_| ())
            })
        }
        43 if message == 1 => {
            let len = usize::from(c.u8(cx, &VERSIONS_LEN)?);
            each(cx, c, len, |cx, c| c.u16(cx, &SUPPORTED_VERSION).map(|_| ()))
        }
        43 => {
            *is_13 |= c.u16(cx, &SUPPORTED_VERSION)? == 0x0304;
            Ok(())
        }
        51 if message == 1 => {
            let len = usize::from(c.u16(cx, &KEY_SHARE_LENGTH)?);
            each(cx, c, len, key_share)
        }
        // A hello retry names a group only.
        51 if c.left() == 2 => c.u16(cx, &SELECTED_GROUP).map(|_| ()),
        51 => key_share(cx, c),
        _ => {
            c.all(cx, &EXTENSION_DATA);
            Ok(())
        }
    }
}

fn key_share(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    c.u16(cx, &KEY_SHARE_GROUP)?;
    let len = usize::from(c.u16(cx, &KEY_SHARE_LEN)?);
    c.bytes(cx, &KEY_SHARE, len).map(|_| ())
}

fn certificates(cx: &mut Context<'_>, c: &mut Cursor<'_>, is_13: bool) -> Read {
    if is_13 {
        let context = usize::from(c.peek()?);
        c.skip(1 + context)?;
    }
    let len = c.u24(cx, &CERTIFICATES_LENGTH)? as usize;
    each(cx, c, len, |cx, c| {
        let len = c.u24(cx, &CERTIFICATE_LENGTH)? as usize;
        c.bytes(cx, &CERTIFICATE, len)?;
        if is_13 {
            let extensions = usize::from(c.peek_u16()?);
            c.skip(2 + extensions)?;
        }
        Ok(())
    })?;
    if len == 0 && !c.is_done() { Err(Short) } else { Ok(()) }
}
