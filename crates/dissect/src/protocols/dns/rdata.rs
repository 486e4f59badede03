//! The data of each type of record.

use super::{RESP_TYPE, TYPES, keys, name};
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::{FieldDef, Names, protocol};
use crate::protocols::wireguard::base64;

static ALGORITHMS: Names = &[
    (5, "RSA/SHA-1"),
    (7, "RSASHA1-NSEC3-SHA1"),
    (8, "RSA/SHA-256"),
    (10, "RSA/SHA-512"),
    (13, "ECDSA Curve P-256 with SHA-256"),
    (14, "ECDSA Curve P-384 with SHA-384"),
    (15, "Ed25519"),
    (16, "Ed448"),
];
static SVC_KEYS: Names = &[
    (0, "mandatory"),
    (1, "alpn"),
    (2, "no-default-alpn"),
    (3, "port"),
    (4, "ipv4hint"),
    (5, "ech"),
    (6, "ipv6hint"),
];
static EXTENDED_ERRORS: Names = &[
    (0, "Other Error"),
    (3, "Stale Answer"),
    (6, "DNSSEC Bogus"),
    (7, "Signature Expired"),
    (9, "DNSKEY Missing"),
    (15, "Blocked"),
    (18, "Prohibited"),
    (22, "No Reachable Authority"),
    (23, "Network Error"),
];

protocol! { RDATA "dns" "DNS" "Domain Name System";
    A: ipv4 "dns.a" "Address";
    AAAA: ipv6 "dns.aaaa" "AAAA Address";
    CNAME: text "dns.cname" "CNAME";
    DNAME: text "dns.dname" "DNAME";
    NS: text "dns.ns" "Name Server";
    PTR: text "dns.ptr.domain_name" "Domain Name";
    MX_PREFERENCE: u16 "dns.mx.preference" "Preference";
    MX: text "dns.mx.mail_exchange" "Mail Exchange";
    TXT_LENGTH: u8 "dns.txt.length" "TXT Length";
    TXT: text "dns.txt" "TXT";
    HINFO_CPU_LEN: u8 "dns.hinfo.cpu_length" "CPU Length";
    HINFO_CPU: text "dns.hinfo.cpu" "CPU";
    HINFO_OS_LEN: u8 "dns.hinfo.os_length" "OS Length";
    HINFO_OS: text "dns.hinfo.os" "OS";
    SOA_MNAME: text "dns.soa.mname" "Primary name server";
    SOA_RNAME: text "dns.soa.rname" "Responsible authority's mailbox";
    SOA_SERIAL: u32 "dns.soa.serial_number" "Serial Number";
    SOA_REFRESH: u32 "dns.soa.refresh_interval" "Refresh Interval";
    SOA_RETRY: u32 "dns.soa.retry_interval" "Retry Interval";
    SOA_EXPIRE: u32 "dns.soa.expire_limit" "Expire limit";
    SOA_MINIMUM: u32 "dns.soa.minimum_ttl" "Minimum TTL";
    SRV_PRIORITY: u16 "dns.srv.priority" "Priority";
    SRV_WEIGHT: u16 "dns.srv.weight" "Weight";
    SRV_PORT: u16 "dns.srv.port" "Port";
    SRV_TARGET: text "dns.srv.target" "Target";
    NAPTR_ORDER: u16 "dns.naptr.order" "Order";
    NAPTR_PREFERENCE: u16 "dns.naptr.preference" "Preference";
    NAPTR_FLAGS_LEN: u8 "dns.naptr.flags_length" "Flags Length";
    NAPTR_FLAGS: text "dns.naptr.flags" "Flags";
    NAPTR_SERVICE_LEN: u8 "dns.naptr.service_length" "Service Length";
    NAPTR_SERVICE: text "dns.naptr.service" "Service";
    NAPTR_REGEX_LEN: u8 "dns.naptr.regex_length" "Regex Length";
    NAPTR_REGEX: text "dns.naptr.regex" "Regex";
    NAPTR_REPLACEMENT: text "dns.naptr.replacement" "Replacement";
    DS_KEY: u16 "dns.ds.key_id" "Key id", hex;
    DS_ALGORITHM: u8 "dns.ds.algorithm" "Algorithm", names(ALGORITHMS);
    DS_DIGEST_TYPE: u8 "dns.ds.digest_type" "Digest Type";
    DS_DIGEST: bytes "dns.ds.digest" "Digest";
    RRSIG_TYPE: u16 "dns.rrsig.type_covered" "Type Covered", names(TYPES);
    RRSIG_ALGORITHM: u8 "dns.rrsig.algorithm" "Algorithm", names(ALGORITHMS);
    RRSIG_LABELS: u8 "dns.rrsig.labels" "Labels";
    RRSIG_TTL: u32 "dns.rrsig.original_ttl" "Original TTL";
    RRSIG_EXPIRATION: absolute "dns.rrsig.signature_expiration" "Signature Expiration";
    RRSIG_INCEPTION: absolute "dns.rrsig.signature_inception" "Signature Inception";
    RRSIG_KEY: u16 "dns.rrsig.key_tag" "Key Tag";
    RRSIG_SIGNER: text "dns.rrsig.signers_name" "Signer's name";
    RRSIG_SIGNATURE: bytes "dns.rrsig.signature" "Signature";
    DNSKEY_FLAGS: u16 "dns.dnskey.flags" "Flags", hex;
    DNSKEY_ZONE: bool "dns.dnskey.flags.zone_key" "Zone Key", mask(0x0100);
    DNSKEY_REVOKED: bool "dns.dnskey.flags.key_revoked" "Key Revoked", mask(0x0080);
    DNSKEY_SEP: bool "dns.dnskey.flags.secure_entry_point" "Key Signing Key", mask(0x0001);
    DNSKEY_RESERVED: u16 "dns.dnskey.flags.reserved" "Key Signing Key", hex, mask(0xFE7E);
    DNSKEY_PROTOCOL: u8 "dns.dnskey.protocol" "Protocol";
    DNSKEY_ALGORITHM: u8 "dns.dnskey.algorithm" "Algorithm", names(ALGORITHMS);
    DNSKEY_ID: u16 "dns.dnskey.key_id" "Key id";
    DNSKEY_KEY: bytes "dns.dnskey.public_key" "Public Key";
    NSEC_NEXT: text "dns.nsec.next_domain_name" "Next Domain Name";
    NSEC3_ALGO: u8 "dns.nsec3.algo" "Hash algorithm";
    NSEC3_FLAGS: u8 "dns.nsec3.flags" "NSEC3 flags";
    NSEC3_OPT_OUT: bool "dns.nsec3.flags.opt_out" "NSEC3 Opt-out flag", mask(0x01);
    NSEC3_ITERATIONS: u16 "dns.nsec3.iterations" "NSEC3 iterations";
    NSEC3_SALT_LEN: u8 "dns.nsec3.salt_length" "Salt length";
    NSEC3_SALT: bytes "dns.nsec3.salt_value" "Salt value";
    NSEC3_HASH_LEN: u8 "dns.nsec3.hash_length" "Hash length";
    NSEC3_HASH: text "dns.nsec3.hash_value" "Next hashed owner";
    TLSA_USAGE: u8 "dns.tlsa.certificate_usage" "Certificate Usage";
    TLSA_SELECTOR: u8 "dns.tlsa.selector" "Selector";
    TLSA_MATCHING: u8 "dns.tlsa.matching_type" "Matching Type";
    TLSA_DATA: bytes "dns.tlsa.certificate_association_data" "Certificate Association Data";
    SVCB_PRIORITY: u16 "dns.svcb.svcpriority" "SvcPriority";
    SVCB_TARGET: text "dns.svcb.targetname" "TargetName";
    SVCB_PARAM: none "dns.svcb.svcparam" "SvcParam";
    SVCB_KEY: u16 "dns.svcb.svcparam.key" "SvcParamKey", names(SVC_KEYS);
    SVCB_LENGTH: u16 "dns.svcb.svcparam.value.length" "SvcParamValue length";
    SVCB_MANDATORY: u16 "dns.svcb.svcparam.mandatory.key" "Mandatory key", names(SVC_KEYS);
    SVCB_ALPN_LEN: u8 "dns.svcb.svcparam.alpn.length" "ALPN length";
    SVCB_ALPN: text "dns.svcb.svcparam.alpn" "ALPN";
    SVCB_PORT: u16 "dns.svcb.svcparam.port" "Port";
    SVCB_V4: ipv4 "dns.svcb.svcparam.ipv4hint.ip" "IP";
    SVCB_V6: ipv6 "dns.svcb.svcparam.ipv6hint.ip" "IP";
    SVCB_ECH: bytes "dns.svcb.svcparam.echconfig" "ECHConfig";
    SVCB_VALUE: bytes "dns.svcb.svcparam.value" "SvcParamValue";
    APL_FAMILY: u16 "dns.apl.address_family" "Address Family";
    APL_PREFIX: u8 "dns.apl.coded_prefix" "Prefix Length";
    APL_NEGATION: bool "dns.apl.negation" "Negation Flag", mask(0x80);
    APL_LENGTH: u8 "dns.apl.afdlength" "Address Length", mask(0x7F);
    APL_IPV4: ipv4 "dns.apl.afdpart.ipv4" "Address";
    APL_IPV6: ipv6 "dns.apl.afdpart.ipv6" "Address";
    APL_DATA: bytes "dns.apl.afdpart.data" "Address";
    OPENPGP: text "dns.openpgpkey" "OpenPGP Key";
    CAA_FLAGS: u8 "dns.caa.flags" "CAA Flags", hex;
    CAA_TAG_LEN: u8 "dns.caa.tag_length" "Tag length";
    CAA_TAG: text "dns.caa.tag" "Tag";
    CAA_VALUE: text "dns.caa.value" "Value";
    OPT: none "dns.opt" "Option";
    OPT_CODE: u16 "dns.opt.code" "Option Code";
    OPT_LEN: u16 "dns.opt.len" "Option Length";
    OPT_DATA: bytes "dns.opt.data" "Option Data";
    OPT_COOKIE_CLIENT: bytes "dns.opt.cookie.client" "Client Cookie";
    OPT_COOKIE_SERVER: bytes "dns.opt.cookie.server" "Server Cookie";
    OPT_PADDING: bytes "dns.opt.padding" "Padding";
    OPT_EDE: u16 "dns.opt.ext_error.info_code" "Info Code", names(EXTENDED_ERRORS);
    OPT_EDE_TEXT: text "dns.opt.ext_error.extra_text" "Extra Text";
    OPT_CLIENT_FAMILY: u16 "dns.opt.client.family" "Family";
    OPT_CLIENT_NETMASK: u8 "dns.opt.client.netmask" "Source Netmask";
    OPT_CLIENT_SCOPE: u8 "dns.opt.client.scope" "Scope Netmask";
    OPT_CLIENT_ADDR4: ipv4 "dns.opt.client.addr4" "Client Subnet";
    OPT_CLIENT_ADDR6: ipv6 "dns.opt.client.addr6" "Client Subnet";
    OPT_CLIENT_ADDR: bytes "dns.opt.client.addr" "Client Subnet";
    NULL: bytes "dns.null" "Null";
    LOC_VERSION: u8 "dns.loc.version" "Version";
    LOC_SIZE: u8 "dns.loc.size" "Size";
    LOC_HORIZONTAL: u8 "dns.loc.horizontal_precision" "Horizontal Precision";
    LOC_VERTICAL: u8 "dns.loc.vertical_precision" "Vertical Precision";
    LOC_LATITUDE: u32 "dns.loc.latitude" "Latitude";
    LOC_LONGITUDE: u32 "dns.loc.longitude" "Longitude";
    LOC_ALTITUDE: u32 "dns.loc.altitude" "Altitude";
    LOC_UNKNOWN: bytes "dns.loc.unknown_data" "Unknown data";
    SSHFP_ALGORITHM: u8 "dns.sshfp.algorithm" "Algorithm";
    SSHFP_TYPE: u8 "dns.sshfp.fingerprint.type" "Fingerprint type";
    SSHFP: bytes "dns.sshfp.fingerprint" "Fingerprint";
    SPF_LENGTH: u8 "dns.spf.length" "SPF Length";
    SPF: text "dns.spf" "SPF";
    RP_MAILBOX: text "dns.rp.mailbox" "Mailbox";
    RP_TXT: text "dns.rp.txt_rr" "TXT RR";
    AFSDB_SUBTYPE: u16 "dns.afsdb.subtype" "Subtype";
    AFSDB_HOST: text "dns.afsdb.hostname" "Hostname";
    DATA: bytes "dns.data" "Data";
}

/// Shows the data of a record of type `kind`; the cursor's window ends with it, `whole` with the message.
pub(super) fn show(cx: &mut Context<'_>, c: &mut Cursor<'_>, kind: u16, whole: Data<'_>) -> Read {
    match kind {
        1 => c.ipv4(cx, &A).map(|_| ()),
        28 => c.ipv6(cx, &AAAA).map(|_| ()),
        2 => far(cx, c, whole, &NS),
        5 => far(cx, c, whole, &CNAME),
        12 => far(cx, c, whole, &PTR),
        39 => far(cx, c, whole, &DNAME),
        6 => {
            far(cx, c, whole, &SOA_MNAME)?;
            far(cx, c, whole, &SOA_RNAME)?;
            for def in [&SOA_SERIAL, &SOA_REFRESH, &SOA_RETRY, &SOA_EXPIRE, &SOA_MINIMUM] {
                c.u32(cx, def)?;
            }
            Ok(())
        }
        13 => {
            string(cx, c, &HINFO_CPU_LEN, &HINFO_CPU)?;
            string(cx, c, &HINFO_OS_LEN, &HINFO_OS)
        }
        15 => {
            c.u16(cx, &MX_PREFERENCE)?;
            far(cx, c, whole, &MX)
        }
        16 => {
            while !c.is_done() {
                string(cx, c, &TXT_LENGTH, &TXT)?;
            }
            Ok(())
        }
        33 => {
            c.u16(cx, &SRV_PRIORITY)?;
            c.u16(cx, &SRV_WEIGHT)?;
            c.u16(cx, &SRV_PORT)?;
            far(cx, c, whole, &SRV_TARGET)
        }
        35 => {
            c.u16(cx, &NAPTR_ORDER)?;
            c.u16(cx, &NAPTR_PREFERENCE)?;
            string(cx, c, &NAPTR_FLAGS_LEN, &NAPTR_FLAGS)?;
            string(cx, c, &NAPTR_SERVICE_LEN, &NAPTR_SERVICE)?;
            string(cx, c, &NAPTR_REGEX_LEN, &NAPTR_REGEX)?;
            far(cx, c, whole, &NAPTR_REPLACEMENT)
        }
        41 => {
            while !c.is_done() {
                option(cx, c)?;
            }
            Ok(())
        }
        43 | 59 => {
            c.u16(cx, &DS_KEY)?;
            c.u8(cx, &DS_ALGORITHM)?;
            c.u8(cx, &DS_DIGEST_TYPE)?;
            c.all(cx, &DS_DIGEST);
            Ok(())
        }
        46 => signature(cx, c, whole),
        10 => {
            c.all(cx, &NULL);
            Ok(())
        }
        17 => {
            far(cx, c, whole, &RP_MAILBOX)?;
            far(cx, c, whole, &RP_TXT)
        }
        18 => {
            c.u16(cx, &AFSDB_SUBTYPE)?;
            far(cx, c, whole, &AFSDB_HOST)
        }
        29 => location(cx, c),
        44 => {
            c.u8(cx, &SSHFP_ALGORITHM)?;
            c.u8(cx, &SSHFP_TYPE)?;
            c.all(cx, &SSHFP);
            Ok(())
        }
        99 => {
            while !c.is_done() {
                string(cx, c, &SPF_LENGTH, &SPF)?;
            }
            Ok(())
        }
        47 => {
            far(cx, c, whole, &NSEC_NEXT)?;
            types(cx, c)
        }
        48 | 60 => {
            let key = c.rest().bytes;
            c.bits(cx, &DNSKEY_FLAGS, 2, &[&DNSKEY_ZONE, &DNSKEY_REVOKED, &DNSKEY_SEP, &DNSKEY_RESERVED])?;
            c.u8(cx, &DNSKEY_PROTOCOL)?;
            c.u8(cx, &DNSKEY_ALGORITHM)?;
            cx.conclude(&DNSKEY_ID, u64::from(key_tag(key)));
            c.all(cx, &DNSKEY_KEY);
            Ok(())
        }
        50 | 51 => nsec3(cx, c, kind == 50),
        52 => {
            c.u8(cx, &TLSA_USAGE)?;
            c.u8(cx, &TLSA_SELECTOR)?;
            c.u8(cx, &TLSA_MATCHING)?;
            c.all(cx, &TLSA_DATA);
            Ok(())
        }
        64 | 65 => {
            c.u16(cx, &SVCB_PRIORITY)?;
            far(cx, c, whole, &SVCB_TARGET)?;
            while !c.is_done() {
                parameter(cx, c)?;
            }
            Ok(())
        }
        42 => {
            while !c.is_done() {
                prefix(cx, c)?;
            }
            Ok(())
        }
        61 => {
            let key = c.take_most(usize::MAX);
            cx.add_words(&OPENPGP, key, &base64(key.bytes));
            Ok(())
        }
        249 => keys::agreement(cx, c),
        250 => keys::signature(cx, c),
        257 => {
            c.u8(cx, &CAA_FLAGS)?;
            string(cx, c, &CAA_TAG_LEN, &CAA_TAG)?;
            c.all(cx, &CAA_VALUE);
            Ok(())
        }
        _ => {
            c.all(cx, &DATA);
            Ok(())
        }
    }
}

/// A name, which Wireshark reads to its end even where the data ends before.
fn far(cx: &mut Context<'_>, c: &mut Cursor<'_>, whole: Data<'_>, def: &'static FieldDef) -> Read {
    let mut inside = Cursor { data: whole, pos: c.pos };
    name(cx, &mut inside, def)?;
    c.pos = inside.pos.min(c.data.len());
    Ok(())
}

/// A prefix of a list, or one that it leaves out (RFC 3123 4). Zeros at the end are not sent.
fn prefix(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let family = c.u16(cx, &APL_FAMILY)?;
    c.u8(cx, &APL_PREFIX)?;
    let len = c.parts(cx, 1, &[&APL_NEGATION, &APL_LENGTH])? as usize & 0x7F;
    let part = c.take(len)?;
    let mut octets = [0; 16];
    octets.get_mut(..len).ok_or(Short)?.copy_from_slice(part.bytes);
    match family {
        1 if len <= 4 => {
            let address = u32::from_be_bytes([octets[0], octets[1], octets[2], octets[3]]);
            cx.add(&APL_IPV4, part, 0, len, u64::from(address));
        }
        2 => cx.add_words(&APL_IPV6, part, &octets),
        _ => cx.add(&APL_DATA, part, 0, len, 0),
    }
    Ok(())
}

/// Words behind their length.
fn string(
    cx: &mut Context<'_>,
    c: &mut Cursor<'_>,
    len: &'static FieldDef,
    words: &'static FieldDef,
) -> Read {
    let count = usize::from(c.u8(cx, len)?);
    c.bytes(cx, words, count).map(|_| ())
}

fn signature(cx: &mut Context<'_>, c: &mut Cursor<'_>, whole: Data<'_>) -> Read {
    c.u16(cx, &RRSIG_TYPE)?;
    c.u8(cx, &RRSIG_ALGORITHM)?;
    c.u8(cx, &RRSIG_LABELS)?;
    c.u32(cx, &RRSIG_TTL)?;
    for def in [&RRSIG_EXPIRATION, &RRSIG_INCEPTION] {
        let second = u64::from(c.data.u32(c.pos)?);
        cx.add(def, c.data, c.pos, 4, second * 1_000_000_000);
        c.pos += 4;
    }
    c.u16(cx, &RRSIG_KEY)?;
    far(cx, c, whole, &RRSIG_SIGNER)?;
    c.all(cx, &RRSIG_SIGNATURE);
    Ok(())
}

/// RFC 4034 appendix B.
fn key_tag(rdata: &[u8]) -> u16 {
    let sum: u32 =
        rdata.iter().enumerate().map(|(at, byte)| u32::from(*byte) << if at & 1 == 0 { 8 } else { 0 }).sum();
    (sum + (sum >> 16)) as u16
}

fn nsec3(cx: &mut Context<'_>, c: &mut Cursor<'_>, has_next: bool) -> Read {
    c.u8(cx, &NSEC3_ALGO)?;
    let flags: &[_] = if has_next { &[&NSEC3_OPT_OUT] } else { &[] };
    c.bits(cx, &NSEC3_FLAGS, 1, flags)?;
    c.u16(cx, &NSEC3_ITERATIONS)?;
    let salt = usize::from(c.u8(cx, &NSEC3_SALT_LEN)?);
    c.bytes(cx, &NSEC3_SALT, salt)?;
    if has_next {
        let hash = usize::from(c.u8(cx, &NSEC3_HASH_LEN)?);
        let hash = c.take(hash)?;
        let words = base32(hash.bytes);
        cx.add_words(&NSEC3_HASH, hash, &words);
        return types(cx, c);
    }
    Ok(())
}

/// Base 32 with the extended hexadecimal alphabet, as in the owner names of NSEC3 (RFC 5155 3.3, RFC 4648 7).
fn base32(bytes: &[u8]) -> Vec<u8> {
    let mut words = Vec::with_capacity(bytes.len() * 8 / 5 + 1);
    let (mut held, mut count) = (0u32, 0);
    for byte in bytes {
        (held, count) = (held << 8 | u32::from(*byte), count + 8);
        while count >= 5 {
            count -= 5;
            words.push(b"0123456789abcdefghijklmnopqrstuv"[(held >> count) as usize & 31]);
        }
    }
    words
}

/// Which types a name has: bits in windows (RFC 4034 4.1.2).
fn types(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    while !c.is_done() {
        let window = u64::from(c.peek()?);
        let len = usize::from(c.data.u8(c.pos + 1)?);
        c.skip(2)?;
        let bits = c.take_most(len);
        for (at, byte) in bits.bytes.iter().enumerate() {
            for bit in (0..8u64).filter(|bit| byte & 0x80 >> bit != 0) {
                cx.add(&RESP_TYPE, bits, at, 1, window << 8 | (at as u64) << 3 | bit);
            }
        }
        if bits.len() < len {
            return Err(Short);
        }
    }
    Ok(())
}

/// Where something is (RFC 1876).
fn location(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    if c.u8(cx, &LOC_VERSION)? != 0 {
        c.all(cx, &LOC_UNKNOWN);
        return Ok(());
    }
    for def in [&LOC_SIZE, &LOC_HORIZONTAL, &LOC_VERTICAL] {
        c.u8(cx, def)?;
    }
    for def in [&LOC_LATITUDE, &LOC_LONGITUDE, &LOC_ALTITUDE] {
        c.u32(cx, def)?;
    }
    Ok(())
}

fn parameter(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let len = c.data.u16(c.pos + 2).map_or(0, usize::from);
    let whole = c.take_most(len + 4);
    cx.within(&SVCB_PARAM, whole, |cx| {
        let mut c = whole.cursor();
        let key = c.u16(cx, &SVCB_KEY)?;
        c.u16(cx, &SVCB_LENGTH)?;
        while !c.is_done() {
            match key {
                0 => c.u16(cx, &SVCB_MANDATORY).map(|_| ())?,
                1 => string(cx, &mut c, &SVCB_ALPN_LEN, &SVCB_ALPN)?,
                3 => c.u16(cx, &SVCB_PORT).map(|_| ())?,
                4 => c.ipv4(cx, &SVCB_V4).map(|_| ())?,
                5 => c.bytes(cx, &SVCB_ECH, len).map(|_| ())?,
                6 => c.ipv6(cx, &SVCB_V6).map(|_| ())?,
                _ => c.bytes(cx, &SVCB_VALUE, len).map(|_| ())?,
            }
        }
        Ok(())
    })
}

fn option(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let len = usize::from(c.data.u16(c.pos + 2)?);
    let whole = c.take_most(len + 4);
    cx.within(&OPT, whole, |cx| {
        let mut c = whole.cursor();
        let code = c.u16(cx, &OPT_CODE)?;
        c.u16(cx, &OPT_LEN)?;
        if c.left() < len {
            return Err(Short);
        }
        let value = c.rest();
        cx.add(&OPT_DATA, value, 0, value.len(), 0);
        match code {
            8 => {
                let family = c.u16(cx, &OPT_CLIENT_FAMILY)?;
                c.u8(cx, &OPT_CLIENT_NETMASK)?;
                c.u8(cx, &OPT_CLIENT_SCOPE)?;
                subnet(cx, c.take_most(usize::MAX), family);
            }
            10 => {
                c.bytes(cx, &OPT_COOKIE_CLIENT, 8)?;
                let server = c.take_most(usize::MAX);
                cx.add(&OPT_COOKIE_SERVER, server, 0, server.len(), 0);
            }
            12 => {
                c.all(cx, &OPT_PADDING);
            }
            15 => {
                c.u16(cx, &OPT_EDE)?;
                c.all(cx, &OPT_EDE_TEXT);
            }
            _ => {}
        }
        Ok(())
    })
}

/// A network's address, of which only as many bytes were sent as it needs (RFC 7871 6).
fn subnet(cx: &mut Context<'_>, sent: Data<'_>, family: u16) {
    let (def, size) = match family {
        1 => (&OPT_CLIENT_ADDR4, 4),
        2 => (&OPT_CLIENT_ADDR6, 16),
        _ => (&OPT_CLIENT_ADDR, sent.len()),
    };
    let mut address = sent.first(size).bytes.to_vec();
    address.resize(size, 0);
    match family {
        1 => {
            let number = address.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
            cx.add(def, sent, 0, sent.len(), number);
        }
        2 => cx.add_words(def, sent, &address),
        _ => cx.add(def, sent, 0, sent.len(), 0),
    }
}
