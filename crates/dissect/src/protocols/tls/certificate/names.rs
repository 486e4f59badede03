//! Distinguished names (X.520): who a certificate is of, and by whom it was signed.

use super::{X509CE, each, expect, next, tag};
use crate::context::Context;
use crate::cursor::{Data, Read};
use crate::field::{FieldDef, Names, protocol};

/// Wireshark's order.
static KINDS: Names = &[
    (0, "teletexString"),
    (1, "printableString"),
    (2, "universalString"),
    (3, "bmpString"),
    (4, "uTF8String"),
];

protocol! { X509SAT "x509sat" "X509SAT" "X.509 Selected Attribute Types";
    NAMES: u32 "x509if.rdnSequence" "rdnSequence";
    SET: u32 "x509if.RDNSequence_item" "RDNSequence item";
    ATTRIBUTE: none "x509if.RelativeDistinguishedName_item_element" "RelativeDistinguishedName item";
    OID: oid "x509if.oid" "Object Id";
    COUNTRY: text "x509sat.CountryName" "CountryName";
    DIRECTORY_STRING: u32 "x509sat.DirectoryString" "DirectoryString", names(KINDS);
    UTF8: text "x509sat.uTF8String" "uTF8String";
    PRINTABLE: text "x509sat.printableString" "printableString";
    TELETEX: text "x509sat.teletexString" "teletexString";
    ONLY_PRINTABLE: text "x509sat.PrintableString" "PrintableString";
    IA5: text "x509sat.IA5String" "IA5String";
}

/// Shows a distinguished name that stands for itself, such as an authority's.
pub(in crate::protocols::tls) fn distinguished(cx: &mut Context<'_>, def: &'static FieldDef, der: Data<'_>) {
    let depth = cx.depth;
    // No heading counts its sets, as in Wireshark.
    let _ended_early = expect(&mut der.cursor(), tag::SEQUENCE)
        .and_then(|inner| cx.within(def, inner, |cx| own_sets(cx, inner)));
    cx.depth = depth;
}

fn own_sets(cx: &mut Context<'_>, name: Data<'_>) -> Read {
    let mut c = name.cursor();
    while let Ok((_, one)) = next(&mut c) {
        set(cx, one);
    }
    Ok(())
}

/// A distinguished name: sets of attributes. `names` is the heading that counts them.
pub(super) fn name(
    cx: &mut Context<'_>,
    def: &'static FieldDef,
    names: &'static FieldDef,
    name: Data<'_>,
) -> Read {
    cx.within(def, name, |cx| {
        sets(cx, names, name);
        Ok(())
    })
}

/// The sets of a name.
pub(super) fn sets(cx: &mut Context<'_>, names: &'static FieldDef, name: Data<'_>) {
    each(cx, names, name, |cx, _, one| {
        set(cx, one);
        Ok(())
    });
}

fn set(cx: &mut Context<'_>, set: Data<'_>) {
    each(cx, &SET, set, |cx, _, one| cx.within(&ATTRIBUTE, one, |cx| attribute(cx, one)));
}

fn attribute(cx: &mut Context<'_>, one: Data<'_>) -> Read {
    let mut c = one.cursor();
    let id = expect(&mut c, tag::OID)?;
    cx.add(&OID, id, 0, id.len(), 0);
    let value = c.rest();
    let (tag, words) = next(&mut c)?;
    let direct = match (id.bytes, tag) {
        // An extension among the attributes, which some put there.
        ([0x55, 0x1D, ..], _) => {
            cx.arena.layers.push(&X509CE);
            return Ok(());
        }
        // id-at-countryName, and where a company is registered.
        ([0x55, 4, 6] | [0x2B, 6, 1, 4, 1, 0x82, 0x37, 0x3C, 2, 1, 3], _) => Some(&COUNTRY),
        // id-at-serialNumber, id-at-dnQualifier.
        ([0x55, 4, 5 | 46], tag::PRINTABLE) => Some(&ONLY_PRINTABLE),
        (_, tag::IA5) => Some(&IA5),
        _ => None,
    };
    if let Some(def) = direct {
        cx.arena.layers.push(&X509SAT);
        cx.add(def, words, 0, words.len(), 0);
        return Ok(());
    }
    let (choice, def) = match tag {
        tag::TELETEX => (0, Some(&TELETEX)),
        tag::PRINTABLE => (1, Some(&PRINTABLE)),
        tag::UNIVERSAL => (2, None),
        tag::BMP => (3, None),
        tag::UTF8 => (4, Some(&UTF8)),
        _ => return Ok(()),
    };
    cx.arena.layers.push(&X509SAT);
    let open = cx.open(&DIRECTORY_STRING, value, 0, choice);
    if let Some(def) = def {
        cx.add(def, words, 0, words.len(), 0);
    }
    cx.close(open, value.len());
    Ok(())
}
