//! SMTP (RFC 5321): lines of text, and the mail between them.

use super::ports::App;
use super::spoken::{Length, Spoken, Talk};
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read};
use crate::field::protocol;
use crate::table::{digits, line, line_or_rest};

protocol! { SMTP "smtp" "SMTP" "Simple Mail Transfer Protocol";
    REQUEST: bool "smtp.req" "Request";
    RESPONSE: bool "smtp.rsp" "Response";
    COMMAND_LINE: text "smtp.command_line" "Command Line";
    COMMAND: text "smtp.req.command" "Command";
    PARAMETER: text "smtp.req.parameter" "Request parameter";
    RESPONSE_LINE: text "smtp.response" "Response";
    CODE: u32 "smtp.response.code" "Response code";
    RESPONSE_PARAMETER: text "smtp.rsp.parameter" "Response parameter";
    MESSAGE: text "smtp.message" "Message";
    USER: text "smtp.auth.username" "Username";
    PASSWORD: text "smtp.auth.password" "Password";
    USER_PASSWORD: text "smtp.auth.username_password" "Username/Password";
    EOM: none "smtp.eom" "EOM";
    FRAGMENTS: none "smtp.data.fragments" "DATA fragments";
    FRAGMENT: frame "smtp.data.fragment" "DATA fragment";
    FRAGMENT_COUNT: u32 "smtp.data.fragment.count" "DATA fragment count";
    REASSEMBLED: u32 "smtp.data.reassembled.length" "Reassembled DATA length";
}

/// `phase` of the client's side: what it sends next.
pub(crate) static SPOKEN: Spoken = Spoken { protocol: &SMTP, ports: &[25, 587], begins: None, length, show };

const COMMANDS: u32 = 0;
/// DATA was asked for; the server's 354 lets the mail follow.
const ASKED: u32 = 1;
const MAIL: u32 = 2;
/// AUTH LOGIN: the next lines are name and password.
const NAME: u32 = 3;
const SECRET: u32 = 4;
/// STARTTLS was asked for.
const TLS_ASKED: u32 = 5;

fn is_client(cx: &Context<'_>) -> bool {
    SPOKEN.ports.contains(&cx.dst_port)
}

fn length(cx: &Context<'_>, talk: &Talk, side: usize, bytes: &[u8]) -> Length {
    if is_client(cx) {
        if talk.phase[side] == MAIL {
            let end = bytes.windows(5).position(|end| end == b"\r\n.\r\n").map(|at| at + 5);
            let empty = bytes.starts_with(b".\r\n").then_some(3);
            return empty.or(end).map_or(Length::More, Length::Whole);
        }
        // Commands that were sent together are one message, unless the mail begins.
        return match bytes.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => Length::Whole(end + 1),
            None => Length::More,
        };
    }
    // A response goes on as long as a hyphen follows the code.
    let mut at = 0;
    while let Some(end) = bytes[at..].iter().position(|byte| *byte == b'\n') {
        let goes_on = bytes.get(at + 3) == Some(&b'-');
        at += end + 1;
        if !goes_on {
            return Length::Whole(at);
        }
    }
    Length::More
}

fn show(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &mut Talk, side: usize) -> Read {
    let whole = c.take_most(usize::MAX);
    if is_client(cx) {
        if talk.phase[side] == MAIL {
            talk.phase[side] = COMMANDS;
            mail(cx, whole);
        } else {
            requests(cx, whole, talk, side);
        }
    } else {
        response(cx, whole, talk, 1 - side);
    }
    Ok(())
}

fn requests(cx: &mut Context<'_>, whole: Data<'_>, talk: &mut Talk, side: usize) {
    cx.hide(&REQUEST, whole, 0, 0, 1);
    let mut rest = whole;
    while !rest.is_empty() {
        let (text, used) = line_or_rest(&rest);
        let line = rest.first(used);
        rest = rest.from(used);
        match talk.phase[side] {
            NAME => {
                cx.add(&USER, text, 0, text.len(), 0);
                talk.phase[side] = SECRET;
                continue;
            }
            SECRET => {
                cx.add(&PASSWORD, text, 0, text.len(), 0);
                talk.phase[side] = COMMANDS;
                continue;
            }
            _ => {}
        }
        cx.add(&COMMAND_LINE, line, 0, line.len(), 0);
        cx.depth += 1;
        command(cx, text, talk, side);
        cx.depth -= 1;
    }
}

fn command(cx: &mut Context<'_>, text: Data<'_>, talk: &mut Talk, side: usize) {
    // A command has four letters, or is one of those that are longer.
    let long =
        |word: &[u8]| text.bytes.len() >= word.len() && text.bytes[..word.len()].eq_ignore_ascii_case(word);
    let len = if long(b"STARTTLS") {
        8
    } else {
        text.bytes.iter().position(|byte| *byte == b' ').unwrap_or(text.len())
    };
    let name = text.first(len);
    cx.add(&COMMAND, name, 0, name.len(), 0);
    let parameter = text.from(len + 1);
    if !parameter.is_empty() {
        cx.add(&PARAMETER, parameter, 0, parameter.len(), 0);
    }
    if long(b"DATA") {
        talk.phase[side] = ASKED;
    } else if long(b"STARTTLS") {
        talk.phase[side] = TLS_ASKED;
    } else if long(b"AUTH LOGIN") {
        if text.len() > 11 {
            let user = text.from(11);
            cx.add(&USER, user, 0, user.len(), 0);
            talk.phase[side] = SECRET;
        } else {
            talk.phase[side] = NAME;
        }
    } else if long(b"AUTH PLAIN ") {
        let both = text.from(11);
        cx.add(&USER_PASSWORD, both, 0, both.len(), 0);
    }
}

fn response(cx: &mut Context<'_>, whole: Data<'_>, talk: &mut Talk, client: usize) {
    cx.hide(&RESPONSE, whole, 0, 0, 1);
    let (_, first) = line_or_rest(&whole);
    cx.add(&RESPONSE_LINE, whole, 0, first, 0);
    cx.depth += 1;
    let code = digits(whole.first(3).bytes);
    cx.add(&CODE, whole, 0, 3.min(whole.len()), code);
    let mut rest = whole;
    while let Some((text, used)) = line(&rest) {
        let parameter = text.from(4);
        if !parameter.is_empty() {
            cx.add(&RESPONSE_PARAMETER, parameter, 0, parameter.len(), 0);
        }
        rest = rest.from(used);
    }
    cx.depth -= 1;
    match (talk.phase[client], code) {
        (ASKED, 354) => talk.phase[client] = MAIL,
        (TLS_ASKED, 220) => talk.inner = App::Tls(Box::default()),
        (ASKED | TLS_ASKED, _) => talk.phase[client] = COMMANDS,
        _ => {}
    }
}

/// The mail with the line that ends it.
fn mail(cx: &mut Context<'_>, whole: Data<'_>) {
    let text = whole.first(whole.len().saturating_sub(3));
    cx.add(&EOM, whole, text.len(), whole.len() - text.len(), 0);
    let open = cx.open(&FRAGMENTS, text, 0, 0);
    cx.conclude(&FRAGMENT, cx.number);
    cx.conclude(&FRAGMENT_COUNT, 1);
    cx.conclude(&REASSEMBLED, text.len() as u64);
    cx.close(open, text.len());
    super::imf::dissect(cx, text);
}
