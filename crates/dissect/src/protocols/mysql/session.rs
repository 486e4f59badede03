//! What answers a command: OK with what changed in the session, columns, rows; and the attributes of a login.

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
    TRACK_STATE: text "mysql.session_track.state_change" "State change";
    EXTMETA: none "mysql.extmeta_data" "Extended metadata";
    EXTMETA_LENGTH: u64 "mysql.extmeta.length" "Length";
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

static FLAGS: [&FieldDef; 11] = [
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

/// The client's capability to hear what changed in the session.
const TRACKS: u64 = 1 << 23;

pub(super) fn ok(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &mut Talk) -> Read {
    c.u8(cx, &RESPONSE_CODE)?;
    lenenc(cx, c, Some(&AFFECTED), talk)?;
    let id = lenenc(cx, c, None, talk)?;
    if id > 0 {
        cx.add(&INSERT_ID, c.data, c.pos - 1, 1, id);
    }
    let mut status = 0;
    if c.left() >= 2 {
        status = little_bits(cx, c, &STATUS, 2, &STATS)?;
    }
    talk.phase[0] = if status & 8 != 0 { RESPONSE } else { REQUESTS };
    if c.left() >= 2 {
        little(cx, c, &WARNINGS, 2)?;
    }
    if talk.notes[0] & TRACKS == 0 {
        c.all(cx, &MESSAGE);
        return Ok(());
    }
    if c.is_done() {
        return Ok(());
    }
    let len = lenenc(cx, c, None, talk)?;
    if len > 0 {
        c.bytes(cx, &MESSAGE, usize::try_from(len).map_err(|_| Short)?)?;
    }
    if status & 0x4000 != 0 && !c.is_done() { tracked(cx, c, talk) } else { Ok(()) }
}

fn tracked(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &Talk) -> Read {
    let begins = c.pos;
    let total = lenenc(cx, c, None, talk)?;
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
            let result = track(cx, &mut c, talk);
            cx.depth = depth;
            cx.close(open, c.pos - before);
            result?;
        }
        Ok(())
    })
}

fn track(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &Talk) -> Read {
    let kind = c.u8(cx, &TRACK_TYPE)?;
    let len = lenenc(cx, c, Some(&TRACK_LENGTH), talk)?;
    let mut inside = c.take(usize::try_from(len).map_err(|_| Short)?)?.cursor();
    let c = &mut inside;
    let pairs: &[(&'static FieldDef, &'static FieldDef)] = match kind {
        0 => &[(&TRACK_SYSVAR_LENGTH, &TRACK_SYSVAR), (&TRACK_SYSVAR_LENGTH, &TRACK_SYSVAR_VALUE)],
        1 => &[(&TRACK_SCHEMA_LENGTH, &TRACK_SCHEMA)],
        2 => {
            c.all(cx, &TRACK_STATE);
            &[]
        }
        _ => &[],
    };
    for (length, def) in pairs {
        let len = lenenc(cx, c, Some(length), talk)?;
        let taken = c.take(usize::try_from(len).map_err(|_| Short)?)?;
        cx.add(def, taken, 0, taken.len(), 0);
    }
    Ok(())
}

/// What a column is.
pub(super) fn column(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &mut Talk) -> Read {
    for def in [&CATALOG, &DATABASE, &TABLE, &ORG_TABLE, &NAME, &ORG_NAME] {
        string(cx, c, def, talk)?;
    }
    let ahead = c.pos;
    // MariaDB may say more of the type here; the fixed part is 12 bytes long, and says so.
    if talk.notes[1] != 0 && c.left() > 13 {
        let len = lenenc(cx, c, None, talk)?;
        let whole = c.data.from(ahead).first(c.pos - ahead + len as usize);
        cx.within(&EXTMETA, whole, |cx| {
            cx.add(&EXTMETA_LENGTH, whole, 0, 1, len);
            Ok(())
        })?;
        c.skip(usize::try_from(len).map_err(|_| Short)?)?;
    }
    c.skip(1)?;
    little(cx, c, &FIELD_CHARSET, 2)?;
    little(cx, c, &FIELD_LENGTH, 4)?;
    c.u8(cx, &FIELD_TYPE)?;
    little_bits(cx, c, &FIELD_FLAGS, 2, &FLAGS)?;
    c.u8(cx, &DECIMALS)?;
    talk.notes[2] = talk.notes[2].saturating_sub(1);
    if talk.notes[2] == 0 {
        const NO_EOF: u64 = 1 << 24;
        talk.phase[0] = if talk.notes[0] & NO_EOF != 0 { ROWS } else { COLUMNS_END };
    }
    Ok(())
}

pub(super) fn row(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let maria = Talk { notes: [0, 1, 0, 0], ..Talk::default() };
    while !c.is_done() {
        if c.peek()? == 251 {
            lenenc(cx, c, None, &maria)?;
            cx.conclude_words(&ROW, b"NULL");
        } else {
            string(cx, c, &ROW, &maria)?;
        }
    }
    Ok(())
}

/// What a client tells of itself: names and values.
pub(super) fn attributes(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &Talk) -> Read {
    let begins = c.pos;
    let total = lenenc(cx, c, None, talk)?;
    let inside = c.take(usize::try_from(total).map_err(|_| Short)?)?;
    cx.within(&ATTRS, inside, |cx| {
        cx.add(&ATTRS_LENGTH, c.data, begins, 1, total);
        let mut c = inside.cursor();
        while !c.is_done() {
            let rest = c.rest();
            let open = cx.open(&ATTR, rest, 0, 0);
            let (depth, before) = (cx.depth, c.pos);
            let result = attribute(cx, &mut c, talk);
            cx.depth = depth;
            cx.close(open, c.pos - before);
            result?;
        }
        Ok(())
    })
}

fn attribute(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &Talk) -> Read {
    for (length, def) in [(&ATTR_NAME_LENGTH, &ATTR_NAME), (&ATTR_VALUE_LENGTH, &ATTR_VALUE)] {
        let len = lenenc(cx, c, Some(length), talk)?;
        let taken = c.take(usize::try_from(len).map_err(|_| Short)?)?;
        cx.add(def, taken, 0, taken.len(), 0);
    }
    Ok(())
}
