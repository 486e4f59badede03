//! NetFlow 1, 5, 7 and 9 (RFC 3954) and IPFIX (RFC 7011): flows, in the form that a template said before.

mod elements;

pub(crate) use elements::ELEMENTS;

use crate::context::Context;
use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::protocol;
use crate::table::{Step::*, walk};

protocol! { CFLOW "cflow" "CFLOW" "Cisco NetFlow/IPFIX";
    VERSION: u16 "cflow.version" "Version";
    LEN: u16 "cflow.len" "Length";
    COUNT: u16 "cflow.count" "Count";
    UPTIME: relative "cflow.sysuptime" "SysUptime";
    TIMESTAMP: absolute "cflow.timestamp" "Timestamp";
    UNIX_SECS: u32 "cflow.unix_secs" "CurrentSecs";
    UNIX_NSECS: u32 "cflow.unix_nsecs" "CurrentNSecs";
    EXPORT_TIME: u32 "cflow.exporttime" "ExportTime";
    SEQUENCE: u32 "cflow.sequence" "FlowSequence";
    ENGINE_TYPE: u8 "cflow.engine_type" "EngineType";
    ENGINE_ID: u8 "cflow.engine_id" "EngineId";
    SAMPLING_MODE: u16 "cflow.samplingmode" "SamplingMode", mask(0xC000);
    SAMPLE_RATE: u16 "cflow.samplerate" "SampleRate", mask(0x3FFF);
    SOURCE: u32 "cflow.source_id" "SourceId";
    DOMAIN: u32 "cflow.od_id" "Observation Domain Id";
    SET: u16 "cflow.flowset_id" "FlowSet Id";
    SET_LENGTH: u16 "cflow.flowset_length" "FlowSet Length";
    TEMPLATE_FRAME: frame "cflow.template_frame" "Template Frame";
    TEMPLATE: u16 "cflow.template_id" "Template Id";
    FIELD_COUNT: u16 "cflow.template_field_count" "Field Count";
    FIELD_TYPE: u16 "cflow.template_field_type" "Type";
    FIELD_LENGTH: u16 "cflow.template_field_length" "Length";
    FIELD_PEN: bool "cflow.template_ipfix_pen_provided" "Pen provided", mask(0x8000);
    FIELD_TYPE10: u16 "cflow.template_ipfix_field_type" "Type", mask(0x7FFF);
    SCOPE_LENGTH: u16 "cflow.option_scope_length" "Option Scope Length";
    OPTION_LENGTH: u16 "cflow.option_length" "Option Length";
    SCOPE_TYPE: u16 "cflow.scope_field_type" "Scope Type";
    TOTAL_COUNT: u16 "cflow.template_ipfix_total_field_count" "Total Field Count";
    SCOPE_COUNT: u16 "cflow.template_ipfix_scope_field_count" "Scope Field Count";
    FIELD_TYPE_OWN: u16 "cflow.template_ipfix_field_type_enterprise" "Type", mask(0x7FFF);
    FIELD_OWNER: u32 "cflow.template_ipfix_field_pen" "PEN";
    PADDING: bytes "cflow.padding" "Padding";
    RESERVED: bytes "cflow.reserved" "Reserved";
}

/// A template's fields: type, length, and whether it is a scope.
#[derive(Debug)]
pub(crate) struct Template {
    frame: u64,
    fields: Vec<(u16, u16, bool)>,
}

/// A template has no more fields.
const FIELDS_MAX: usize = 512;

pub(crate) fn dissect(cx: &mut Context<'_>, message: Data<'_>) {
    cx.layer(&CFLOW, message, |cx, c| match c.u16(cx, &VERSION)? {
        old @ (1 | 5 | 7) => without_templates(cx, c, old),
        9 => version9(cx, c),
        10 => ipfix(cx, c),
        _ => Ok(()),
    });
}

/// Milliseconds as a duration.
fn uptime(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let millis = u64::from(c.data.u32(c.pos)?);
    cx.add(&UPTIME, c.data, c.pos, 4, millis * 1_000_000);
    c.skip(4)
}

/// The versions whose records have one form. Version 1 counts nothing, version 7 comes from a switch, not an engine.
fn without_templates(cx: &mut Context<'_>, c: &mut Cursor<'_>, version: u16) -> Read {
    let count = c.u16(cx, &COUNT)?;
    uptime(cx, c)?;
    let (seconds, nanos) = (u64::from(c.data.u32(c.pos)?), u64::from(c.data.u32(c.pos + 4)?));
    cx.add(&TIMESTAMP, c.data, c.pos, 8, seconds * 1_000_000_000 + nanos);
    cx.depth += 1;
    walk(cx, c, &[Is(&UNIX_SECS), Is(&UNIX_NSECS)])?;
    cx.depth -= 1;
    let parts: &[_] = &[&SAMPLING_MODE, &SAMPLE_RATE];
    match version {
        1 => {}
        5 => walk(cx, c, &[Is(&SEQUENCE), Is(&ENGINE_TYPE), Is(&ENGINE_ID), Parts(2, parts)])?,
        _ => walk(cx, c, &[Is(&SEQUENCE), Bytes(&RESERVED, 4)])?,
    }
    let size = if version == 5 { 48 } else { 52 };
    for _ in 0..count {
        elements::without_template(cx, &mut c.take(size)?.cursor(), version)?;
    }
    Ok(())
}

fn version9(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    c.u16(cx, &COUNT)?;
    uptime(cx, c)?;
    let seconds = u64::from(c.data.u32(c.pos)?);
    cx.add(&TIMESTAMP, c.data, c.pos, 4, seconds * 1_000_000_000);
    cx.depth += 1;
    c.u32(cx, &UNIX_SECS)?;
    cx.depth -= 1;
    c.u32(cx, &SEQUENCE)?;
    let domain = c.u32(cx, &SOURCE)?;
    sets(cx, c, domain, false)
}

fn ipfix(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let len = usize::from(c.u16(cx, &LEN)?);
    let seconds = u64::from(c.data.u32(c.pos)?);
    cx.add(&TIMESTAMP, c.data, c.pos, 4, seconds * 1_000_000_000);
    cx.depth += 1;
    c.u32(cx, &EXPORT_TIME)?;
    cx.depth -= 1;
    c.u32(cx, &SEQUENCE)?;
    let domain = c.u32(cx, &DOMAIN)?;
    let mut inside = c.data.first(len).cursor();
    inside.pos = c.pos.min(inside.data.len());
    let result = sets(cx, &mut inside, domain, true);
    c.pos = inside.pos;
    result
}

fn sets(cx: &mut Context<'_>, c: &mut Cursor<'_>, domain: u32, is_ipfix: bool) -> Read {
    while c.left() >= 4 {
        let id = c.u16(cx, &SET)?;
        let len = usize::from(c.u16(cx, &SET_LENGTH)?);
        let mut body = c.take(len.checked_sub(4).ok_or(Short)?)?.cursor();
        match (id, is_ipfix) {
            (0, false) | (2, true) => {
                while body.left() >= 4 {
                    template(cx, &mut body, domain, is_ipfix)?;
                }
            }
            (1, false) | (3, true) => options(cx, &mut body, domain, is_ipfix)?,
            (256.., _) => flows(cx, &mut body, domain, id)?,
            _ => {}
        }
        padding(cx, &mut body);
    }
    Ok(())
}

fn padding(cx: &mut Context<'_>, c: &mut Cursor<'_>) {
    if !c.is_done() && c.left() < 4 {
        c.all(cx, &PADDING);
    }
}

/// One field of a template. A number with the highest bit is its owner's (RFC 7011 3.2).
fn field(cx: &mut Context<'_>, c: &mut Cursor<'_>, is_ipfix: bool, scope: bool) -> Read<(u16, u16, bool)> {
    let raw = c.peek_u16()?;
    let is_own = is_ipfix && raw & 0x8000 != 0;
    if is_ipfix {
        c.parts(cx, 2, &[&FIELD_PEN, if is_own { &FIELD_TYPE_OWN } else { &FIELD_TYPE10 }])?;
    } else {
        c.u16(cx, if scope { &SCOPE_TYPE } else { &FIELD_TYPE })?;
    }
    let len = c.u16(cx, &FIELD_LENGTH)?;
    if is_own {
        c.u32(cx, &FIELD_OWNER)?;
    }
    // What a scope is has numbers of its own in version 9 only.
    Ok((raw, len, scope && !is_ipfix))
}

fn template(cx: &mut Context<'_>, c: &mut Cursor<'_>, domain: u32, is_ipfix: bool) -> Read {
    let id = c.u16(cx, &TEMPLATE)?;
    let count = c.u16(cx, &FIELD_COUNT)?;
    let mut fields = Vec::new();
    for _ in 0..count {
        let field = field(cx, c, is_ipfix, false)?;
        if fields.len() < FIELDS_MAX {
            fields.push(field);
        }
    }
    remember(cx, domain, id, fields, is_ipfix);
    Ok(())
}

fn options(cx: &mut Context<'_>, c: &mut Cursor<'_>, domain: u32, is_ipfix: bool) -> Read {
    while c.left() >= 6 {
        let id = c.u16(cx, &TEMPLATE)?;
        let (total, scopes) = if is_ipfix {
            let total = c.u16(cx, &TOTAL_COUNT)?;
            (total, c.u16(cx, &SCOPE_COUNT)?)
        } else {
            let scopes = c.u16(cx, &SCOPE_LENGTH)? / 4;
            (scopes.saturating_add(c.u16(cx, &OPTION_LENGTH)? / 4), scopes)
        };
        let mut fields = Vec::new();
        for place in 0..total {
            let field = field(cx, c, is_ipfix, place < scopes)?;
            if fields.len() < FIELDS_MAX {
                fields.push(field);
            }
        }
        remember(cx, domain, id, fields, is_ipfix);
    }
    Ok(())
}

fn remember(cx: &mut Context<'_>, domain: u32, id: u16, fields: Vec<(u16, u16, bool)>, is_ipfix: bool) {
    let key = (cx.src, domain, id);
    // The same again changes nothing.
    if is_ipfix && cx.state.templates.get_mut(&key).is_some_and(|known| known.fields == fields) {
        return;
    }
    cx.state.templates.insert(key, Template { frame: cx.number, fields });
}

fn flows(cx: &mut Context<'_>, c: &mut Cursor<'_>, domain: u32, id: u16) -> Read {
    let key = (cx.src, domain, id);
    let Some(template) = cx.state.templates.remove(&key) else { return c.skip(c.left()) };
    cx.conclude(&TEMPLATE_FRAME, template.frame);
    let smallest: usize =
        template.fields.iter().map(|(_, len, _)| if *len == 0xFFFF { 1 } else { usize::from(*len) }).sum();
    let mut result = Ok(());
    cx.depth += 1;
    while smallest > 0 && c.left() >= smallest && result.is_ok() {
        result = elements::record(cx, c, &template.fields);
    }
    cx.depth -= 1;
    cx.state.templates.insert(key, template);
    result
}
