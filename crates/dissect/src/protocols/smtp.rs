//! SMTP (RFC 5321): lines of text, and the mail between them.

use super::media;
use super::ports::App;
use super::spoken::{Length, Spoken, Talk};
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read};
use crate::field::protocol;
use crate::table::{digits, line_or_rest};

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
pub(crate) static SPOKEN: Spoken =
    Spoken { protocol: &SMTP, ports: &[25, 587], eager: false, begins: None, length, show };

const COMMANDS: u32 = 0;
/// After DATA: all is mail until a line with nothing but a dot.
const MAIL: u32 = 2;
/// After BDAT: so many bytes of mail.
const CHUNK: u32 = 6;
/// AUTH LOGIN: the next lines are name and password.
const NAME: u32 = 3;
const SECRET: u32 = 4;
/// AUTH PLAIN: the next line is both (RFC 4616).
const BOTH: u32 = 7;
/// The server waits for them (RFC 4954 4); `notes[3]`: it has said so.
const GO_ON: u64 = 334;
/// STARTTLS was asked for.
const TLS_ASKED: u32 = 5;

fn is_client(cx: &Context<'_>) -> bool {
    SPOKEN.ports.contains(&cx.dst_port)
}

/// What a segment brings is read together, as in Wireshark; only its first line has to be whole.
fn length(_: &Context<'_>, talk: &Talk, side: usize, bytes: &[u8]) -> Length {
    if bytes.contains(&b'\n') || matches!(talk.phase[side], CHUNK) {
        Length::Whole(bytes.len())
    } else {
        Length::More
    }
}

fn show(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &mut Talk, side: usize) -> Read {
    let whole = c.take_most(usize::MAX);
    if !is_client(cx) {
        response(cx, whole, talk, 1 - side);
    } else if talk.phase[side] == MAIL {
        mail(cx, whole, talk, side);
    } else if talk.phase[side] == CHUNK {
        chunk(cx, whole, talk, side);
    } else if talk.phase[side] == COMMANDS && !is_command(whole.bytes) {
        // Mail whose beginning was not captured, or what a login goes on with.
        media::lines(cx, whole);
    } else {
        requests(cx, whole, talk, side);
    }
    Ok(())
}

/// Whether a line may be a command: a word of letters.
fn is_command(line: &[u8]) -> bool {
    const LONGEST: usize = 12;
    let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
    end <= LONGEST && line[..end].iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'-')
}

fn requests(cx: &mut Context<'_>, whole: Data<'_>, talk: &mut Talk, side: usize) {
    let mut rest = whole;
    while !rest.is_empty() {
        cx.hide(&REQUEST, rest, 0, 0, 1);
        let (text, used) = line_or_rest(&rest);
        let line = rest.first(used);
        rest = rest.from(used);
        let is_asked = std::mem::take(&mut talk.notes[3]) == 1;
        match talk.phase[side] {
            NAME if is_asked => {
                cx.add(&USER, text, 0, text.len(), 0);
                talk.phase[side] = SECRET;
                continue;
            }
            SECRET if is_asked => {
                cx.add(&PASSWORD, text, 0, text.len(), 0);
                talk.phase[side] = COMMANDS;
                continue;
            }
            BOTH if is_asked => {
                cx.add(&USER_PASSWORD, text, 0, text.len(), 0);
                talk.phase[side] = COMMANDS;
                continue;
            }
            _ => {}
        }
        cx.add(&COMMAND_LINE, line, 0, line.len(), 0);
        cx.depth += 1;
        command(cx, text, talk, side);
        cx.depth -= 1;
        if talk.phase[side] == MAIL && !rest.is_empty() {
            // The mail did not wait for the answer (RFC 2920).
            return mail(cx, rest, talk, side);
        }
        if talk.phase[side] == CHUNK && !rest.is_empty() {
            // A chunk never waits for one (RFC 3030 2).
            let part = rest.first(usize::try_from(talk.notes[1]).unwrap_or(usize::MAX));
            rest = rest.from(part.len());
            chunk(cx, part, talk, side);
        }
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
        talk.phase[side] = MAIL;
    } else if long(b"BDAT ") {
        // A part of so many bytes (RFC 3030).
        let count = digits(text.from(5).bytes.trim_ascii());
        talk.notes[1] = count;
        if count > 0 {
            talk.phase[side] = CHUNK;
        }
        talk.notes[2] = u64::from(text.bytes.trim_ascii_end().to_ascii_uppercase().ends_with(b"LAST"));
        if count == 0 && talk.notes[2] == 1 && !talk.held.is_empty() {
            reassembled(cx, text.from(text.len()), talk);
        }
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
    } else if long(b"AUTH PLAIN") {
        if text.len() > 11 {
            let both = text.from(11);
            cx.add(&USER_PASSWORD, both, 0, both.len(), 0);
        } else {
            talk.phase[side] = BOTH;
        }
    }
}

fn response(cx: &mut Context<'_>, whole: Data<'_>, talk: &mut Talk, client: usize) {
    let mut rest = whole;
    let mut code = 0;
    let mut goes_on = false;
    cx.hide(&RESPONSE, whole, 0, 0, 1);
    while !rest.is_empty() {
        let (text, used) = line_or_rest(&rest);
        let is_code = text.len() >= 3 && text.bytes[..3].iter().all(u8::is_ascii_digit);
        if !goes_on && is_code {
            // A reply ends with the line that has no hyphen behind its code; another may follow (RFC 2920).
            cx.add(&RESPONSE_LINE, rest, 0, used, 0);
            code = digits(&text.bytes[..3]);
            cx.depth += 1;
            cx.add(&CODE, text, 0, 3, code);
            cx.depth -= 1;
        }
        if is_code && text.len() > 4 {
            let parameter = text.from(4);
            cx.depth += 1;
            cx.add(&RESPONSE_PARAMETER, parameter, 0, parameter.len(), 0);
            cx.depth -= 1;
        }
        goes_on = is_code && text.bytes.get(3) == Some(&b'-');
        rest = rest.from(used);
    }
    match (talk.phase[client], code) {
        (TLS_ASKED, 220) => talk.inner = App::Tls(Box::default()),
        // Refused: what comes next is a command, not a secret.
        (NAME | SECRET | BOTH, GO_ON) => talk.notes[3] = 1,
        (NAME | SECRET | BOTH, _) => talk.phase[client] = COMMANDS,
        (TLS_ASKED, _) => talk.phase[client] = COMMANDS,
        _ => {}
    }
}

/// A mail is not longer.
const MAIL_MAX: usize = 1 << 20;
/// So many segments of one are remembered.
const FRAMES_MAX: usize = 2000;

/// A part of a chunk, whose length was told; the last one of the last chunk shows the whole.
fn chunk(cx: &mut Context<'_>, whole: Data<'_>, talk: &mut Talk, side: usize) {
    talk.notes[1] = talk.notes[1].saturating_sub(whole.len() as u64);
    if talk.frames.len() < FRAMES_MAX {
        talk.frames.push(cx.number);
    }
    if talk.held.len() + whole.len() <= MAIL_MAX {
        talk.held.extend_from_slice(whole.bytes);
    }
    media::lines(cx, whole);
    if talk.notes[1] == 0 {
        talk.phase[side] = COMMANDS;
        if talk.notes[2] == 1 {
            reassembled(cx, whole, talk);
        }
    }
}

/// A part of a mail; the one with the line that ends it shows the whole. `notes[0]`: the part before ended with a line.
fn mail(cx: &mut Context<'_>, whole: Data<'_>, talk: &mut Talk, side: usize) {
    let mut at = 0;
    let end = loop {
        let rest = &whole.bytes[at..];
        if talk.notes[0] == 1 && rest.starts_with(b".\r\n") || rest.starts_with(b"\r\n.\r\n") {
            break Some(at);
        }
        talk.notes[0] = u64::from(rest.ends_with(b"\r\n"));
        match rest.iter().position(|byte| *byte == b'\n') {
            Some(line) if at + line + 1 < whole.len() => at += line + 1,
            _ => break None,
        }
    };
    let text = whole.first(end.unwrap_or(whole.len()));
    if (!text.is_empty() || talk.frames.is_empty()) && talk.frames.len() < FRAMES_MAX {
        talk.frames.push(cx.number);
    }
    if talk.held.len() + text.len() <= MAIL_MAX {
        talk.held.extend_from_slice(text.bytes);
    }
    let Some(end) = end else { return media::lines(cx, whole) };
    (talk.phase[side], talk.notes[0]) = (COMMANDS, 0);
    cx.add(&EOM, whole, end, whole.len() - end, 0);
    reassembled(cx, text, talk);
}

/// Shows the mail that its parts make; `text` is the last one.
fn reassembled(cx: &mut Context<'_>, text: Data<'_>, talk: &mut Talk) {
    let (held, frames) = (std::mem::take(&mut talk.held), std::mem::take(&mut talk.frames));
    let open = cx.open(&FRAGMENTS, text, 0, 0);
    for frame in &frames {
        cx.conclude(&FRAGMENT, *frame);
    }
    cx.conclude(&FRAGMENT_COUNT, frames.len() as u64);
    cx.conclude(&REASSEMBLED, held.len() as u64);
    cx.close(open, text.len());
    if text.len() == held.len() {
        super::imf::dissect(cx, text);
    } else {
        cx.with_source("Reassembled SMTP", held, |cx, text| super::imf::dissect(cx, text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::State;
    use crate::tree::Arena;

    #[test]
    fn a_chunk_may_come_with_its_command() {
        let (mut arena, mut state, mut talk) = (Arena::new(), State::default(), Talk::default());
        let mut cx = Context::new(&mut arena, &mut state, 1, 0);
        (cx.src_port, cx.dst_port) = (2000, 25);
        let words = b"BDAT 17 LAST\r\nSubject: x\r\n\r\ny\r\nQUIT\r\n";
        let mut c = Data { bytes: words, at: 0, source: 0 }.cursor();
        show(&mut cx, &mut c, &mut talk, 1).expect("it is shown");
        let commands = cx.arena.fields.iter().filter(|field| field.def.is(&COMMAND)).count();
        assert_eq!((commands, talk.phase[1]), (2, COMMANDS));
        assert_eq!(cx.arena.fields.iter().filter(|field| field.def.is(&REASSEMBLED)).count(), 1);
    }

    #[test]
    fn a_command_behind_a_refused_login_is_no_secret() {
        let (mut arena, mut state, mut talk) = (Arena::new(), State::default(), Talk::default());
        let mut cx = Context::new(&mut arena, &mut state, 1, 0);
        let mut say = |to_server: bool, words: &str| {
            (cx.src_port, cx.dst_port) = if to_server { (2000, 25) } else { (25, 2000) };
            let mut c = Data { bytes: words.as_bytes(), at: 0, source: 0 }.cursor();
            let before = cx.arena.fields.len();
            show(&mut cx, &mut c, &mut talk, usize::from(to_server)).expect("it is shown");
            let secret =
                |def: &crate::field::FieldDef| def.is(&USER_PASSWORD) || def.is(&USER) || def.is(&PASSWORD);
            let told = cx.arena.fields[before..].iter().any(|field| secret(field.def));
            (told, matches!(talk.inner, App::Tls(_)))
        };
        assert_eq!(say(true, "AUTH PLAIN\r\n"), (false, false));
        assert_eq!(say(false, "334 \r\n"), (false, false));
        assert_eq!(say(true, "AGEAYg==\r\n"), (true, false));
        assert_eq!(say(false, "535 5.7.8 no\r\n"), (false, false));
        assert_eq!(say(true, "AUTH LOGIN\r\n"), (false, false));
        assert_eq!(say(false, "530 5.7.0 TLS first\r\n"), (false, false));
        assert_eq!(say(true, "STARTTLS\r\n"), (false, false));
        assert_eq!(say(false, "220 go ahead\r\n"), (false, true));
    }
}
