//! What answers a command: OK, errors, columns, rows, what a statement that was prepared needs.

use super::request::STATEMENT;
use super::session::{EXTMETA, EXTMETA_ENTRY, EXTMETA_FORMAT, EXTMETA_KEY, EXTMETA_LENGTH, EXTMETA_TYPE};
use super::session::{FLAGS, METADATA};
use super::value::{self, NULLS, ROW};
use super::*;

pub(super) fn show(cx: &mut Context<'_>, c: &mut Cursor<'_>, session: &mut Session) -> Read {
    match c.peek()? {
        0xFF => {
            c.u8(cx, &RESPONSE_CODE)?;
            session.next = Next::Request;
            error(cx, c)
        }
        0xFE => ends(cx, c, session),
        0 if session.next == Next::Rows && !session.is_binary => rows(cx, c),
        0 => {
            c.u8(cx, &RESPONSE_CODE)?;
            match session.next {
                Next::Prepare => prepared(cx, c, session),
                Next::Rows => value::row(cx, c, session),
                Next::Binlog => request::event(cx, c),
                _ => {
                    let result = ok(cx, c, session);
                    if let Packing::Agreed(frame) = session.packing {
                        session.packing = Packing::Active(frame);
                    }
                    result
                }
            }
        }
        _ => by_state(cx, c, session),
    }
}

fn by_state(cx: &mut Context<'_>, c: &mut Cursor<'_>, session: &mut Session) -> Read {
    let no_eof = session.client.1 & EXT_NO_EOF != 0;
    match session.next {
        Next::Message => {
            session.next = Next::Request;
            c.all(cx, &MESSAGE);
        }
        Next::Tabular | Next::Request => return header(cx, c, session),
        Next::Parameters => {
            column(cx, c, session)?;
            if session.left == 0 && no_eof {
                after_parameters(session);
            }
        }
        Next::Columns | Next::ShownFields => {
            column(cx, c, session)?;
            if session.left == 0 && no_eof {
                session.next = Next::Rows;
            }
        }
        Next::PreparedFields => {
            column(cx, c, session)?;
            if session.left == 0 && no_eof {
                session.next = Next::Request;
            }
        }
        Next::Rows => return rows(cx, c),
        Next::SwitchRequest => switch(cx, c, session)?,
        _ => {
            c.all(cx, &PAYLOAD);
            session.next = Next::Undefined;
        }
    }
    Ok(())
}

fn after_parameters(session: &mut Session) {
    session.next = if session.fields > 0 {
        session.left = session.fields;
        Next::PreparedFields
    } else {
        Next::Request
    };
}

/// The end of columns or rows; without that, OK in another form, or a change of how to log in.
fn ends(cx: &mut Context<'_>, c: &mut Cursor<'_>, session: &mut Session) -> Read {
    c.u8(cx, &RESPONSE_CODE)?;
    cx.add(&EOF, c.data, c.pos - 1, 1, 0xFE);
    if c.left() <= 5 {
        little(cx, c, &WARNINGS, 2)?;
        little_bits(cx, c, &STATUS, 2, &STATS)?;
        c.take_most(usize::MAX);
        match session.next {
            Next::Parameters => after_parameters(session),
            Next::Columns => session.next = Next::Rows,
            _ => session.next = Next::Request,
        }
        return Ok(());
    }
    match session.next {
        Next::SwitchRequest => switch(cx, c, session),
        _ => ok(cx, c, session),
    }
}

pub(super) fn error(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    little(cx, c, &ERROR_CODE, 2)?;
    if c.peek()? == b'#' {
        c.skip(1)?;
        c.bytes(cx, &SQLSTATE, 5)?;
    }
    let rest = c.take_most(usize::MAX);
    cx.add(&ERROR, rest, 0, rest.len(), 0);
    Ok(())
}

fn ok(cx: &mut Context<'_>, c: &mut Cursor<'_>, session: &mut Session) -> Read {
    counted(cx, c, &AFFECTED)?;
    let begins = c.pos;
    let id = lenenc(cx, c)?.unwrap_or(0);
    if id > 0 {
        cx.add(&INSERT_ID, c.data, begins, c.pos - begins, id);
    }
    let mut status = 0;
    if !c.is_done() {
        status = little_bits(cx, c, &STATUS, 2, &STATS)?;
        if session.agreed(CAP_41) {
            little(cx, c, &WARNINGS, 2)?;
        }
    }
    session.next = Next::Request;
    if session.client.1 & EXT_TRACKS == 0 {
        c.all(cx, &MESSAGE);
        return Ok(());
    }
    if c.is_done() {
        return Ok(());
    }
    let len = lenenc(cx, c)?.unwrap_or(0);
    if len > 0 {
        c.bytes(cx, &MESSAGE, usize::try_from(len).map_err(|_| Short)?)?;
    }
    if status & 0x4000 != 0 { session::tracked(cx, c) } else { Ok(()) }
}

/// How to log in otherwise.
fn switch(cx: &mut Context<'_>, c: &mut Cursor<'_>, session: &mut Session) -> Read {
    session.next = Next::SwitchResponse;
    if session.client.1 & EXT_PLUGIN != 0 {
        text_z(cx, c, &SWITCH_NAME);
        text_z(cx, c, &SWITCH_DATA);
    } else {
        c.u8(cx, &SWITCH_STATUS)?;
    }
    c.take_most(usize::MAX);
    Ok(())
}

/// How many columns follow.
fn header(cx: &mut Context<'_>, c: &mut Cursor<'_>, session: &mut Session) -> Read {
    const KEEPS_METADATA: u64 = 0x10;
    let count = counted(cx, c, &FIELDS)?;
    let mut follows = true;
    if session.maria.0 & session.maria.1 & KEEPS_METADATA != 0 && !c.is_done() {
        follows = c.u8(cx, &METADATA)? != 0;
    }
    if count > COLUMNS_MAX {
        c.take_most(usize::MAX);
        return Ok(());
    }
    if follows {
        session.columns = vec![(0, 0); count as usize];
    }
    if !c.is_done() {
        counted(cx, c, &EXTRA)?;
    }
    session.left = if follows { count } else { 0 };
    session.next = match (count, follows) {
        (0, _) => Next::Rows,
        (_, false) if session.client.1 & EXT_NO_EOF != 0 => Next::Rows,
        _ => Next::Columns,
    };
    Ok(())
}

/// What a column is.
fn column(cx: &mut Context<'_>, c: &mut Cursor<'_>, session: &mut Session) -> Read {
    const EXTENDED: u64 = 0x08;
    let left = session.left;
    session.left = left.wrapping_sub(1);
    string(cx, c, &CATALOG)?;
    if c.is_done() {
        return Ok(());
    }
    for def in [&DATABASE, &TABLE, &ORG_TABLE, &NAME, &ORG_NAME] {
        string(cx, c, def)?;
    }
    if session.maria.0 & session.maria.1 & EXTENDED != 0 {
        extended(cx, c)?;
    }
    c.skip(1)?;
    little(cx, c, &FIELD_CHARSET, 2)?;
    little(cx, c, &FIELD_LENGTH, 4)?;
    let kind = c.u8(cx, &FIELD_TYPE)?;
    let flags = little_bits(cx, c, &FIELD_FLAGS, 2, &FLAGS)? as u16;
    c.u8(cx, &DECIMALS)?;
    c.take_most(2);
    if matches!(session.next, Next::Columns | Next::PreparedFields) {
        let count = session.columns.len() as u64;
        if let Some(place) = count.checked_sub(left).and_then(|at| session.columns.get_mut(at as usize)) {
            *place = (kind, flags);
        }
    }
    if c.is_done() { Ok(()) } else { string(cx, c, &DEFAULT) }
}

/// What MariaDB says more of a column's type.
fn extended(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let begins = c.pos;
    let len = lenenc(cx, c)?.unwrap_or(0);
    let head = c.pos - begins;
    let inside = c.take(usize::try_from(len).map_err(|_| Short)?)?;
    cx.within(&EXTMETA, c.data.from(begins).first(head + inside.len()), |cx| {
        cx.add(&EXTMETA_LENGTH, c.data, begins, head, len);
        let mut c = inside.cursor();
        while !c.is_done() {
            let rest = c.rest();
            cx.within(&EXTMETA_ENTRY, rest, |cx| {
                let key = c.u8(cx, &EXTMETA_KEY)?;
                let len = counted(cx, &mut c, &EXTMETA_LENGTH)?;
                let def = match key {
                    0 => &EXTMETA_TYPE,
                    1 => &EXTMETA_FORMAT,
                    _ => &PAYLOAD,
                };
                c.bytes(cx, def, usize::try_from(len).map_err(|_| Short)?).map(drop)
            })?;
        }
        Ok(())
    })
}

/// A row in words.
fn rows(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    while !c.is_done() {
        string(cx, c, &ROW)?;
    }
    Ok(())
}

/// What a prepared statement takes and gives.
fn prepared(cx: &mut Context<'_>, c: &mut Cursor<'_>, session: &mut Session) -> Read {
    let id = little(cx, c, &STATEMENT, 4)? as u32;
    session.last = id;
    session.fields = little(cx, c, &FIELDS, 2)?;
    let parameters = little(cx, c, &request::PARAMETERS, 2)?;
    session.columns = vec![(0, 0); session.fields.min(COLUMNS_MAX) as usize];
    session.statements.retain(|(known, _)| *known != id);
    if session.statements.len() >= STATEMENTS_MAX {
        session.statements.remove(0);
    }
    session.statements.push((id, vec![(0, 0); parameters.min(COLUMNS_MAX) as usize]));
    c.skip(1)?;
    session.left = parameters;
    if parameters > 0 {
        session.next = Next::Parameters;
    } else {
        after_parameters(session);
    }
    little(cx, c, &WARNINGS, 2)?;
    c.take_most(usize::MAX);
    Ok(())
}

/// The bits of which values are null, and the place of the first.
pub(super) fn nulls<'d>(cx: &mut Context<'_>, c: &mut Cursor<'d>, count: usize) -> Read<&'d [u8]> {
    c.bytes(cx, &NULLS, (count + 9) / 8)
}
