//! What is told of a session: what changed in it, the attributes of a login.

use super::*;

protocol! { SESSION "mysql" "MySQL" "MySQL Protocol";
    PREFIX: u8 "mariadb.prefix" "Prefix";
    LENGTH: u64 "mariadb.length" "Length";
    METADATA: u8 "mysql.metadata_follows" "Metadata follows";
    TRACK_DATA: none "mysql.session_track.data" "Session tracking data";
    TRACK_DATA_LENGTH: u64 "mysql.session_track.data.length" "Session tracking data length";
    TRACK: none "mysql.session_track" "Session Track";
    TRACK_TYPE: u8 "mysql.session_track.type" "Session tracking type";
    TRACK_LENGTH: u64 "mysql.session_track.length" "Session tracking length";
    TRACK_SYSVAR_LENGTH: u64 "mysql.session_track.sysvar.length" "System variable change Length";
    TRACK_SYSVAR: text "mysql.session_track.sysvar.name" "System variable change Name";
    TRACK_SYSVAR_VALUE: text "mysql.session_track.sysvar.value" "System variable change Value";
    TRACK_SCHEMA_LENGTH: u64 "mysql.session_track.schema.length" "Schema change length";
    TRACK_SCHEMA: text "mysql.session_track.schema" "Schema change";
    TRACK_GTIDS_ENCODING: u8 "mysql.session_track.gtids.encoding" "GTIDs encoding";
    TRACK_GTIDS_LENGTH: u64 "mysql.session_track.gtids.length" "GTIDs length";
    TRACK_GTIDS: text "mysql.session_track.gtids" "GTIDs";
    TRACK_TRAITS_LENGTH: u64 "mysql.session_track.transaction_characteristics.length" "Transaction characteristics length";
    TRACK_TRAITS: text "mysql.session_track.transaction_characteristics" "Transaction characteristics";
    TRACK_TRANSACTION_LENGTH: u64 "mysql.session_track.transaction_state.length" "Transaction state length";
    TRACK_TRANSACTION: text "mysql.session_track.transaction_state" "Transaction state";
    TRACK_STATE: text "mysql.session_track.state_change" "State change";
    EXTMETA: none "mysql.extmeta_data" "Extended metadata";
    EXTMETA_ENTRY: none "mysql.extmeta" "Extended metadata";
    EXTMETA_LENGTH: u64 "mysql.extmeta.length" "Length";
    EXTMETA_KEY: u64 "mysql.extmeta.key" "Extended metadata key";
    EXTMETA_TYPE: text "mysql.extmeta.type" "Extended metadata type";
    EXTMETA_FORMAT: text "mysql.extmeta.format" "Extended metadata format";
    FLAG_NOT_NULL: bool "mysql.field.flags.not_null" "Not null", mask(0x0001);
    FLAG_PRIMARY: bool "mysql.field.flags.primary_key" "Primary key", mask(0x0002);
    FLAG_UNIQUE: bool "mysql.field.flags.unique_key" "Unique key", mask(0x0004);
    FLAG_MULTIPLE: bool "mysql.field.flags.multiple_key" "Multiple key", mask(0x0008);
    FLAG_BLOB: bool "mysql.field.flags.blob" "Blob", mask(0x0010);
    FLAG_UNSIGNED: bool "mysql.field.flags.unsigned" "Unsigned", mask(0x0020);
    FLAG_ZERO_FILL: bool "mysql.field.flags.zero_fill" "Zero fill", mask(0x0040);
    FLAG_ENUM: bool "mysql.field.flags.enum" "Enum", mask(0x0100);
    FLAG_AUTO: bool "mysql.field.flags.auto_increment" "Auto increment", mask(0x0200);
    FLAG_TIMESTAMP: bool "mysql.field.flags.timestamp" "Timestamp", mask(0x0400);
    FLAG_SET: bool "mysql.field.flags.set" "Set", mask(0x0800);
}

pub(super) static FLAGS: [&FieldDef; 11] = [
    &FLAG_NOT_NULL,
    &FLAG_PRIMARY,
    &FLAG_UNIQUE,
    &FLAG_MULTIPLE,
    &FLAG_BLOB,
    &FLAG_UNSIGNED,
    &FLAG_ZERO_FILL,
    &FLAG_ENUM,
    &FLAG_AUTO,
    &FLAG_TIMESTAMP,
    &FLAG_SET,
];

pub(super) fn tracked(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let begins = c.pos;
    let total = lenenc(cx, c)?.unwrap_or(0);
    let whole = c.data.from(begins).first(c.pos - begins + total as usize);
    let inside = c.take(usize::try_from(total).map_err(|_| Short)?)?;
    cx.within(&TRACK_DATA, whole, |cx| {
        cx.add(&TRACK_DATA_LENGTH, whole, 0, whole.len() - inside.len(), total);
        let mut c = inside.cursor();
        while !c.is_done() {
            let rest = c.rest();
            let open = cx.open(&TRACK, rest, 0, 0);
            let depth = cx.depth;
            let before = c.pos;
            let result = track(cx, &mut c);
            cx.depth = depth;
            cx.close(open, c.pos - before);
            result?;
        }
        Ok(())
    })
}

fn track(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let kind = c.u8(cx, &TRACK_TYPE)?;
    let len = counted(cx, c, &TRACK_LENGTH)?;
    let mut inside = c.take(usize::try_from(len).map_err(|_| Short)?)?.cursor();
    let c = &mut inside;
    let pairs: &[(&'static FieldDef, &'static FieldDef)] = match kind {
        0 => &[(&TRACK_SYSVAR_LENGTH, &TRACK_SYSVAR), (&TRACK_SYSVAR_LENGTH, &TRACK_SYSVAR_VALUE)],
        1 => &[(&TRACK_SCHEMA_LENGTH, &TRACK_SCHEMA)],
        2 => {
            c.all(cx, &TRACK_STATE);
            &[]
        }
        3 => {
            c.u8(cx, &TRACK_GTIDS_ENCODING)?;
            &[(&TRACK_GTIDS_LENGTH, &TRACK_GTIDS)]
        }
        4 => &[(&TRACK_TRAITS_LENGTH, &TRACK_TRAITS)],
        5 => &[(&TRACK_TRANSACTION_LENGTH, &TRACK_TRANSACTION)],
        _ => {
            c.all(cx, &PAYLOAD);
            &[]
        }
    };
    for (length, def) in pairs {
        let len = counted(cx, c, length)?;
        let taken = c.take(usize::try_from(len).map_err(|_| Short)?)?;
        cx.add(def, taken, 0, taken.len(), 0);
    }
    Ok(())
}

/// What a client tells of itself: names and values.
pub(super) fn attributes(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let begins = c.pos;
    let total = lenenc(cx, c)?.unwrap_or(0);
    let inside = c.take(usize::try_from(total).map_err(|_| Short)?)?;
    cx.within(&ATTRS, inside, |cx| {
        cx.add(&ATTRS_LENGTH, c.data, begins, 1, total);
        let mut c = inside.cursor();
        while !c.is_done() {
            let rest = c.rest();
            let open = cx.open(&ATTR, rest, 0, 0);
            let (depth, before) = (cx.depth, c.pos);
            let result = attribute(cx, &mut c);
            cx.depth = depth;
            cx.close(open, c.pos - before);
            result?;
        }
        Ok(())
    })
}

fn attribute(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    for (length, def) in [(&ATTR_NAME_LENGTH, &ATTR_NAME), (&ATTR_VALUE_LENGTH, &ATTR_VALUE)] {
        let len = counted(cx, c, length)?;
        let taken = c.take(usize::try_from(len).map_err(|_| Short)?)?;
        cx.add(def, taken, 0, taken.len(), 0);
    }
    Ok(())
}
