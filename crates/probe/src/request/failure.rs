//! From the libraries' errors to the stable words of the trace.

use std::io;

use h3::error::{ConnectionError, StreamError};
use h3::quic::ConnectionErrorIncoming;

use super::Problem;
use crate::secure::{alert, quic};

/// `began`: a part of the answer had come.
pub(super) fn of_hyper(error: &hyper::Error, began: bool) -> Problem {
    if let Some(error) = alert::find::<rustls::Error>(error) {
        let (code, text) = alert::of_tls(error);
        return Problem::new(code, text);
    }
    if let Some(error) = alert::find::<h2::Error>(error) {
        return match error.get_io() {
            Some(error) => of_io(error, began),
            None => of_http2(error),
        };
    }
    if let Some(error) = alert::find::<io::Error>(error) {
        return of_io(error, began);
    }
    if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        return closed(began);
    }
    Problem::new("http.protocol", format!("the answer breaks the rules of HTTP: {}", describe(error)))
}

/// What came cannot be read: `head` is its beginning. Is it HTTP at all?
pub(super) fn with_head(problem: Problem, head: &[u8], http2: bool) -> Problem {
    let http1 = head.starts_with(b"HTTP/");
    match head.first() {
        // A TLS record (RFC 8446 5.1).
        Some(20..=23) if head.get(1) == Some(&3) => problem.with("http.head_tls", true),
        Some(_) if http2 && http1 => problem.with("http2.spoke_http1", true),
        Some(first) if !http2 && !http1 && (first.is_ascii_graphic() || *first == b' ') => {
            let line = head.iter().take_while(|byte| byte.is_ascii_graphic() || **byte == b' ');
            problem.with("http.head", line.map(|byte| char::from(*byte)).collect::<String>())
        }
        _ => problem,
    }
}

fn of_http2(error: &h2::Error) -> Problem {
    let problem = http2_words(error);
    match error.reason() {
        Some(reason) => problem
            .with("http2.error", u32::from(reason))
            .with("http2.goaway", error.is_go_away())
            .with("http2.remote", error.is_remote()),
        None => problem,
    }
}

fn http2_words(error: &h2::Error) -> Problem {
    let reason = error.reason().map_or_else(String::new, |reason| format!(" ({reason:?})"));
    if error.is_go_away() && error.is_remote() {
        Problem::new("http.closed", format!("the server is closing the connection{reason}"))
    } else if error.is_reset() && error.is_remote() {
        Problem::new("http.reset", format!("the server reset the stream{reason}"))
    } else {
        Problem::new("http.protocol", format!("the answer breaks the rules of HTTP/2: {error}"))
    }
}

fn of_io(error: &io::Error, began: bool) -> Problem {
    if let Some(error) = alert::find::<rustls::Error>(error) {
        let (code, text) = alert::of_tls(error);
        return Problem::new(code, text);
    }
    // h2 keeps only the words of an error below it.
    if let Some((_, alert)) = error.to_string().split_once("received fatal alert: ") {
        let name: String = alert.chars().take_while(char::is_ascii_alphanumeric).collect();
        let code = alert::name_of(&name);
        return Problem::new(
            format!("tls.alert.{code}"),
            format!("the server ended the connection with the alert {code}"),
        );
    }
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
            let when = if began { "in the middle of the answer" } else { "before an answer came" };
            Problem::new("http.reset", format!("the connection was reset {when}"))
        }
        // A broken pipe is how h2 calls the end of the connection, and what writing after that end gives.
        io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => closed(began),
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            Problem::new("http.protocol", format!("the answer breaks the rules of HTTP: {error}"))
        }
        io::ErrorKind::TimedOut if began => {
            Problem::new("http.stalled", "the connection timed out in the answer")
        }
        io::ErrorKind::TimedOut => {
            Problem::new("http.timeout", "the connection timed out before an answer came")
        }
        _ => Problem::new("http.closed", format!("the connection failed: {error}")),
    }
}

fn closed(began: bool) -> Problem {
    if began {
        Problem::new("http.truncated", "the server closed the connection in the middle of the answer")
    } else {
        Problem::new("http.closed", "the server closed the connection before it answered")
    }
}

/// hyper's errors say what in one line and why in their source.
fn describe(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// `began`: a part of the answer had come.
pub(super) fn of_http3(error: &StreamError, began: bool) -> Problem {
    match error {
        StreamError::RemoteTerminate { code, .. } => {
            Problem::new("http.reset", format!("the server reset the stream ({code})"))
                .with("http3.error", i64::try_from(code.value()).unwrap_or(i64::MAX))
        }
        StreamError::StreamError { code, reason, .. } => {
            Problem::new("http.protocol", format!("the answer breaks the rules of HTTP/3: {code} {reason}"))
        }
        StreamError::HeaderTooBig { actual_size, max_size, .. } => Problem::new(
            "http.protocol",
            format!("the answer's head has {actual_size} bytes, more than the {max_size} allowed"),
        ),
        StreamError::RemoteClosing { .. } => {
            Problem::new("http.closed", "the server is closing the connection")
        }
        StreamError::ConnectionError { 0: error, .. } => of_http3_connection(error, began),
        other => match alert::find::<quinn::ConnectionError>(other) {
            Some(error) => of_quinn(error, began),
            None => Problem::new("http.closed", other.to_string()),
        },
    }
}

pub(super) fn of_http3_connection(error: &ConnectionError, began: bool) -> Problem {
    match error {
        ConnectionError::Timeout { .. } => of_quinn(&quinn::ConnectionError::TimedOut, began),
        ConnectionError::Remote { 0: ConnectionErrorIncoming::Timeout, .. } => {
            of_quinn(&quinn::ConnectionError::TimedOut, began)
        }
        ConnectionError::Remote { 0: ConnectionErrorIncoming::Undefined(error), .. } => {
            match error.downcast_ref::<quinn::ConnectionError>() {
                Some(error) => of_quinn(error, began),
                None => Problem::new("http.closed", error.to_string()),
            }
        }
        ConnectionError::Local { .. } => {
            Problem::new("http.protocol", format!("the server breaks the rules of HTTP/3: {error}"))
        }
        error if error.is_h3_no_error() => closed(began),
        error => Problem::new("http.closed", format!("the server closed the connection: {error}")),
    }
}

fn of_quinn(error: &quinn::ConnectionError, began: bool) -> Problem {
    if matches!(error, quinn::ConnectionError::TimedOut) {
        return of_io(&io::ErrorKind::TimedOut.into(), began);
    }
    let (code, text) = quic::of_connection(error);
    Problem::new(code, text)
}
