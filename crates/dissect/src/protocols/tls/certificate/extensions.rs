//! Extensions of certificates (RFC 5280 4.2).

use super::names::{NAMES, sets};
use super::{CRITICAL, EXTENSION_ID, each, expect, integer, next, oid, tag};
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read};
use crate::field::{FieldDef, Names, protocol};

static GENERAL: Names = &[
    (0, "otherName"),
    (1, "rfc822Name"),
    (2, "dNSName"),
    (3, "x400Address"),
    (4, "directoryName"),
    (5, "ediPartyName"),
    (6, "uniformResourceIdentifier"),
    (7, "iPAddress"),
    (8, "registeredID"),
];
static POINTS: Names = &[(0, "fullName"), (1, "nameRelativeToCRLIssuer")];
static DIRECTORY: Names = &[(0, "rdnSequence")];

protocol! { X509CE "x509ce" "X509CE" "X.509 Certificate Extensions";
    GENERAL_NAMES: u32 "x509ce.GeneralNames" "GeneralNames";
    GENERAL_NAME: u32 "x509ce.GeneralName" "GeneralName", names(GENERAL);
    DNS_NAME: text "x509ce.dNSName" "dNSName";
    MAIL: text "x509ce.rfc822Name" "rfc822Name";
    DIRECTORY_NAME: u32 "x509ce.directoryName" "directoryName", names(DIRECTORY);
    URI: text "x509ce.uniformResourceIdentifier" "uniformResourceIdentifier";
    IPV4: ipv4 "x509ce.IPAddress.ipv4" "iPAddress";
    IPV6: ipv6 "x509ce.IPAddress.ipv6" "iPAddress";
    CONSTRAINTS: none "x509ce.BasicConstraintsSyntax_element" "BasicConstraintsSyntax";
    CA: bool "x509ce.cA" "cA";
    PATH_LENGTH: u64 "x509ce.pathLenConstraint" "pathLenConstraint";
    SUBJECT_KEY: bytes "x509ce.SubjectKeyIdentifier" "SubjectKeyIdentifier";
    AUTHORITY: none "x509ce.AuthorityKeyIdentifier_element" "AuthorityKeyIdentifier";
    AUTHORITY_KEY: bytes "x509ce.keyIdentifier" "keyIdentifier";
    AUTHORITY_ISSUER: u32 "x509ce.authorityCertIssuer" "authorityCertIssuer";
    AUTHORITY_SERIAL: bytes "x509ce.authorityCertSerialNumber" "authorityCertSerialNumber";
    PURPOSES: u32 "x509ce.KeyPurposeIDs" "KeyPurposeIDs";
    PURPOSE: oid "x509ce.KeyPurposeId" "KeyPurposeId";
    USAGE: bytes "x509ce.KeyUsage" "KeyUsage";
    SIGNS: bool "x509ce.KeyUsage.digitalSignature" "digitalSignature", mask(0x80);
    COMMITS: bool "x509ce.KeyUsage.contentCommitment" "contentCommitment", mask(0x40);
    WRAPS: bool "x509ce.KeyUsage.keyEncipherment" "keyEncipherment", mask(0x20);
    SEALS: bool "x509ce.KeyUsage.dataEncipherment" "dataEncipherment", mask(0x10);
    AGREES: bool "x509ce.KeyUsage.keyAgreement" "keyAgreement", mask(0x08);
    SIGNS_CERTIFICATES: bool "x509ce.KeyUsage.keyCertSign" "keyCertSign", mask(0x04);
    SIGNS_LISTS: bool "x509ce.KeyUsage.cRLSign" "cRLSign", mask(0x02);
    ENCIPHERS_ONLY: bool "x509ce.KeyUsage.encipherOnly" "encipherOnly", mask(0x01);
    DECIPHERS_ONLY: bool "x509ce.KeyUsage.decipherOnly" "decipherOnly", mask(0x80);
    POLICIES: u32 "x509ce.CertificatePoliciesSyntax" "CertificatePoliciesSyntax";
    POLICY: none "x509ce.PolicyInformation_element" "PolicyInformation";
    POLICY_ID: oid "x509ce.policyIdentifier" "policyIdentifier";
    QUALIFIERS: u32 "x509ce.policyQualifiers" "policyQualifiers";
    QUALIFIER: none "x509ce.PolicyQualifierInfo_element" "PolicyQualifierInfo";
    QUALIFIER_ID: oid "x509ce.id" "Id";
    LISTS: u32 "x509ce.CRLDistPointsSyntax" "CRLDistPointsSyntax";
    POINT: none "x509ce.DistributionPoint_element" "DistributionPoint";
    POINT_NAME: u32 "x509ce.distributionPoint" "distributionPoint", names(POINTS);
    FULL_NAME: u32 "x509ce.fullName" "fullName";
    ACCESS: u32 "pkix1implicit.AuthorityInfoAccessSyntax" "AuthorityInfoAccessSyntax";
    DESCRIPTION: none "pkix1implicit.AccessDescription_element" "AccessDescription";
    METHOD: oid "pkix1implicit.accessMethod" "accessMethod";
    LOCATION: u32 "pkix1implicit.accessLocation" "accessLocation", names(GENERAL);
}

pub(super) fn extension(cx: &mut Context<'_>, one: Data<'_>) -> Read {
    /// id-pe-authorityInfoAccess: where to ask whether the certificate was revoked.
    const INFO_ACCESS: [u8; 8] = [0x2B, 6, 1, 5, 5, 7, 1, 1];
    let mut c = one.cursor();
    let id = expect(&mut c, tag::OID)?;
    cx.add(&EXTENSION_ID, id, 0, id.len(), 0);
    let (mut tag, mut content) = next(&mut c)?;
    if tag == tag::BOOLEAN {
        cx.add(&CRITICAL, content, 0, content.len(), u64::from(content.u8(0)? != 0));
        (tag, content) = next(&mut c)?;
    }
    // Those before 9 were given up before X.509's third version.
    if matches!(id.bytes, [0x55, 0x1D, 9..=255, ..]) {
        cx.arena.layers.push(&X509CE);
    }
    let mut c = content.cursor();
    match id.bytes {
        _ if tag != tag::OCTET_STRING => {}
        [0x55, 0x1D, which] => return of_certificates(cx, &mut c, *which),
        id if id == INFO_ACCESS => {
            each(cx, &ACCESS, expect(&mut c, tag::SEQUENCE)?, |cx, _, one| {
                cx.within(&DESCRIPTION, one, |cx| {
                    let mut c = one.cursor();
                    oid(cx, &METHOD, &mut c)?;
                    let (tag, content) = next(&mut c)?;
                    general_name(cx, &LOCATION, tag, content);
                    Ok(())
                })
            });
        }
        _ => {}
    }
    Ok(())
}

/// Those of id-ce: 2.5.29.
fn of_certificates(cx: &mut Context<'_>, c: &mut Cursor<'_>, which: u8) -> Read {
    match which {
        14 => {
            let key = expect(c, tag::OCTET_STRING)?;
            cx.add(&SUBJECT_KEY, key, 0, key.len(), 0);
        }
        15 => usage(cx, expect(c, tag::BIT_STRING)?.from(1)),
        17 | 18 => general_names(cx, &GENERAL_NAMES, expect(c, tag::SEQUENCE)?),
        19 => {
            let content = expect(c, tag::SEQUENCE)?;
            cx.within(&CONSTRAINTS, content, |cx| basic_constraints(cx, content))?;
        }
        31 => each(cx, &LISTS, expect(c, tag::SEQUENCE)?, |cx, _, one| {
            cx.within(&POINT, one, |cx| distribution_point(cx, one))
        }),
        32 => each(cx, &POLICIES, expect(c, tag::SEQUENCE)?, |cx, _, one| {
            cx.within(&POLICY, one, |cx| policy(cx, one))
        }),
        35 => {
            let content = expect(c, tag::SEQUENCE)?;
            cx.within(&AUTHORITY, content, |cx| authority(cx, content))?;
        }
        37 => each(cx, &PURPOSES, expect(c, tag::SEQUENCE)?, |cx, tag, id| {
            if tag == tag::OID {
                cx.add(&PURPOSE, id, 0, id.len(), 0);
            }
            Ok(())
        }),
        _ => {}
    }
    Ok(())
}

/// What the key may be used for, one bit each.
fn usage(cx: &mut Context<'_>, bits: Data<'_>) {
    let open = cx.open(&USAGE, bits, 0, 0);
    let (first, second) = (bits.u8(0).unwrap_or(0), bits.u8(1).unwrap_or(0));
    let of_first: [&'static FieldDef; 8] =
        [&SIGNS, &COMMITS, &WRAPS, &SEALS, &AGREES, &SIGNS_CERTIFICATES, &SIGNS_LISTS, &ENCIPHERS_ONLY];
    for def in of_first {
        cx.add(def, bits, 0, 1, u64::from(u64::from(first) & def.mask != 0));
    }
    // The ninth bit is left out where it is not set.
    let at = bits.len().saturating_sub(1).min(1);
    cx.add(&DECIPHERS_ONLY, bits, at, 1, u64::from(second & 0x80 != 0));
    cx.close(open, bits.len());
}

/// Where lists of certificates that were revoked are found.
fn distribution_point(cx: &mut Context<'_>, one: Data<'_>) -> Read {
    let (tag, name) = next(&mut one.cursor())?;
    if tag != 0xA0 {
        return Ok(());
    }
    let (choice, names) = next(&mut name.cursor())?;
    let open = cx.open(&POINT_NAME, name, 0, u64::from(choice & 0x1F));
    if choice == 0xA0 {
        general_names(cx, &FULL_NAME, names);
    }
    cx.close(open, name.len());
    Ok(())
}

fn policy(cx: &mut Context<'_>, one: Data<'_>) -> Read {
    let mut c = one.cursor();
    oid(cx, &POLICY_ID, &mut c)?;
    if c.is_done() {
        return Ok(());
    }
    each(cx, &QUALIFIERS, expect(&mut c, tag::SEQUENCE)?, |cx, _, one| {
        cx.within(&QUALIFIER, one, |cx| oid(cx, &QUALIFIER_ID, &mut one.cursor()))
    });
    Ok(())
}

/// Which key has signed: by its own name, or by the certificate that it is in.
fn authority(cx: &mut Context<'_>, content: Data<'_>) -> Read {
    let mut c = content.cursor();
    while !c.is_done() {
        let (tag, value) = next(&mut c)?;
        match tag {
            0x80 => cx.add(&AUTHORITY_KEY, value, 0, value.len(), 0),
            0xA1 => general_names(cx, &AUTHORITY_ISSUER, value),
            0x82 => cx.add(&AUTHORITY_SERIAL, value, 0, value.len(), 0),
            _ => {}
        }
    }
    Ok(())
}

fn general_names(cx: &mut Context<'_>, heading: &'static FieldDef, list: Data<'_>) {
    each(cx, heading, list, |cx, tag, content| {
        general_name(cx, &GENERAL_NAME, tag, content);
        Ok(())
    });
}

fn general_name(cx: &mut Context<'_>, heading: &'static FieldDef, tag: u8, content: Data<'_>) {
    let open = cx.open(heading, content, 0, u64::from(tag & 0x1F));
    let len = content.len();
    match (tag, content.bytes) {
        (0x81, _) => cx.add(&MAIL, content, 0, len, 0),
        (0x82, _) => cx.add(&DNS_NAME, content, 0, len, 0),
        (0x86, _) => cx.add(&URI, content, 0, len, 0),
        (0x87, [a, b, c, d]) => {
            let address = u32::from_be_bytes([*a, *b, *c, *d]);
            cx.add(&IPV4, content, 0, len, u64::from(address));
        }
        (0x87, bytes) if bytes.len() == 16 => cx.add(&IPV6, content, 0, len, 0),
        (0xA4, _) => {
            if let Ok(name) = expect(&mut content.cursor(), tag::SEQUENCE) {
                let open = cx.open(&DIRECTORY_NAME, content, 0, 0);
                sets(cx, &NAMES, name);
                cx.close(open, len);
            }
        }
        _ => {}
    }
    cx.close(open, len);
}

fn basic_constraints(cx: &mut Context<'_>, content: Data<'_>) -> Read {
    let mut c = content.cursor();
    while !c.is_done() {
        let (tag, value) = next(&mut c)?;
        match tag {
            tag::BOOLEAN => cx.add(&CA, value, 0, value.len(), u64::from(value.u8(0)? != 0)),
            tag::INTEGER => cx.add(&PATH_LENGTH, value, 0, value.len(), integer(value)),
            _ => {}
        }
    }
    Ok(())
}
