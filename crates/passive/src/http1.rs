//! HTTP/1 on one direction of a stream (RFC 9112): heads, and how much of each body came.

use std::collections::VecDeque;

use crate::coding::Coding;

/// A head is not longer.
const HEAD_MAX: usize = 64 << 10;
/// Lines of a head that are kept.
const HEADERS_MAX: usize = 128;

/// What happened on a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Request(Request),
    Response(Response),
    /// So many bytes of a body.
    Body(u64),
    /// The body that waits may be sent (RFC 9110 15.2.1).
    Permission,
    /// The body is not packed as its head says: why.
    Spoiled(&'static str),
    /// The message is whole.
    End,
    /// So many bytes behind the end of an answer that belong to nothing.
    Excess(u64),
    /// What was sent is no HTTP.
    Garbage,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) host: Option<String>,
    /// The body is to wait for a permission (RFC 9110 10.1.1).
    pub(crate) expects: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) version: String,
    /// The length that was announced.
    pub(crate) length: Option<u64>,
    pub(crate) chunked: bool,
    /// Lengths are announced that differ.
    pub(crate) two_lengths: bool,
    /// A line of the head is no header.
    pub(crate) odd_header: bool,
    pub(crate) location: Option<String>,
    pub(crate) server: Option<String>,
    pub(crate) retry_after: Option<String>,
    pub(crate) date: Option<String>,
    /// Nothing but the end of the connection tells where the answer ends (RFC 9112 6.3, number 8).
    pub(crate) until_close: bool,
    /// It is a stream of events, which has no end that anybody waits for.
    pub(crate) streams: bool,
    /// Headers that are told as they are, by the names of spans' values.
    pub(crate) noted: Vec<(&'static str, String)>,
}

/// Headers that a diagnosis looks at, and the values of spans that they become.
const NOTED: [(&str, &str); 5] = [
    ("alt-svc", "http.alt_svc"),
    ("server-timing", "http.server_timing"),
    ("x-envoy-upstream-service-time", "http.upstream_ms"),
    ("age", "http.age"),
    ("cache-control", "http.cache_control"),
];

/// Those of them that are there.
pub(crate) fn noted(headers: &[(String, String)]) -> Vec<(&'static str, String)> {
    NOTED.iter().filter_map(|(header, key)| Some((*key, get(headers, header)?))).collect()
}

/// What of a request's method decides where its answer ends (RFC 9112 6.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Method {
    /// The answer has no body.
    Head,
    /// A good answer is followed by another protocol.
    Connect,
    #[default]
    Other,
}

impl Method {
    fn of(word: &str) -> Method {
        match word {
            "HEAD" => Method::Head,
            "CONNECT" => Method::Connect,
            _ => Method::Other,
        }
    }
}

/// Whether a body of this type goes on for as long as somebody listens: events (HTML 9.2), pictures one after the other
/// (multipart/x-mixed-replace), calls that stream (gRPC).
pub(crate) fn is_stream(kind: &str) -> bool {
    const STREAMS: [&str; 3] = ["text/event-stream", "multipart/x-mixed-replace", "application/grpc"];
    let kind = kind.to_ascii_lowercase();
    STREAMS.iter().any(|stream| kind.starts_with(stream))
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Head,
    Length(u64),
    ChunkSize,
    Chunk(u64),
    Trailer,
    UntilClose,
    /// A proxy passes another protocol on; HTTP may be within, as it is or deciphered.
    Tunnel,
    /// A part was not captured, or it is no HTTP: what follows is read again when it begins like a message.
    Lost,
}

/// Reads one direction.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    state: State,
    buffer: Vec<u8>,
    began: bool,
    coding: Coding,
    answers: bool,
    odd_header: bool,
}

fn begins_request(bytes: &[u8]) -> bool {
    const METHODS: [&[u8]; 7] = [b"GET ", b"POST ", b"HEAD ", b"PUT ", b"DELETE ", b"PATCH ", b"CONNECT "];
    // RTSP, SIP and ICAP have this one as well.
    const OPTIONS: [&[u8]; 3] = [b"OPTIONS /", b"OPTIONS http", b"OPTIONS * HTTP/"];
    METHODS.iter().any(|method| bytes.starts_with(method))
        || OPTIONS
            .iter()
            .any(|begin| bytes.len() >= 8 && begin.starts_with(&bytes[..bytes.len().min(begin.len())]))
}

impl Reader {
    /// Takes the next bytes. `asked`: the methods of the requests under way.
    pub(crate) fn feed(&mut self, bytes: &[u8], asked: &mut VecDeque<Method>) -> Vec<Event> {
        let mut events = Vec::new();
        if matches!(self.state, State::Lost | State::Tunnel) {
            if !(begins_request(bytes) || bytes.starts_with(b"HTTP/1.")) {
                return events;
            }
            self.state = State::Head;
        }
        self.buffer.extend_from_slice(bytes);
        while !self.buffer.is_empty() {
            let before = (self.buffer.len(), self.state.clone());
            self.step(&mut events, asked);
            if (self.buffer.len(), self.state.clone()) == before {
                break;
            }
        }
        events
    }

    fn step(&mut self, events: &mut Vec<Event>, asked: &mut VecDeque<Method>) {
        match self.state {
            State::Head => self.head(events, asked),
            State::Length(left) => {
                let took = self.take(left, events);
                self.state = State::Length(left - took);
                if left == took {
                    self.end(events);
                }
            }
            State::ChunkSize => {
                let Some(line) = self.line() else { return };
                let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
                let size = std::str::from_utf8(digits)
                    .ok()
                    .and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
                self.state = match size {
                    Some(0) => State::Trailer,
                    Some(size) => State::Chunk(size),
                    None => State::Lost,
                };
            }
            State::Chunk(left) => {
                let took = self.take(left, events);
                self.state = State::Chunk(left - took);
                if left == took {
                    // The line end behind the chunk reads as an empty line.
                    if self.buffer.len() >= 2 {
                        self.buffer.drain(..2);
                        self.state = State::ChunkSize;
                    } else {
                        self.state = State::Chunk(0);
                    }
                }
            }
            State::Trailer => {
                let Some(line) = self.line() else { return };
                if line.is_empty() {
                    self.end(events);
                }
            }
            State::UntilClose => {
                self.take(u64::MAX, events);
            }
            State::Tunnel | State::Lost => self.buffer.clear(),
        }
    }

    fn take(&mut self, most: u64, events: &mut Vec<Event>) -> u64 {
        let count = usize::try_from(most).unwrap_or(usize::MAX).min(self.buffer.len());
        let part: Vec<u8> = self.buffer.drain(..count).collect();
        self.coding.feed(&part);
        if count > 0 {
            events.push(Event::Body(count as u64));
        }
        count as u64
    }

    fn line(&mut self) -> Option<Vec<u8>> {
        let end = self.buffer.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<u8> = self.buffer.drain(..=end).collect();
        Some(line.trim_ascii_end().to_vec())
    }

    fn end(&mut self, events: &mut Vec<Event>) {
        events.extend(self.coding.objection().map(Event::Spoiled));
        self.coding = Coding::default();
        events.push(Event::End);
        self.state = State::Head;
    }

    fn head(&mut self, events: &mut Vec<Event>, asked: &mut VecDeque<Method>) {
        let response = self.buffer.starts_with(b"HTTP/");
        let plausible = response
            || begins_request(&self.buffer)
            || (self.buffer.len() < 8 && (b"HTTP/1.".starts_with(&self.buffer) || self.buffer.is_ascii()));
        if !plausible {
            // An empty line behind a message is an old habit (RFC 9112 2.2).
            match (self.began, self.answers) {
                (false, _) => events.push(Event::Garbage),
                (true, true) if !self.buffer.starts_with(b"\r\n") => {
                    events.push(Event::Excess(self.buffer.len() as u64));
                }
                _ => {}
            }
            self.state = State::Lost;
            self.buffer.clear();
            return;
        }
        let Some(end) = self.buffer.windows(4).position(|end| end == b"\r\n\r\n") else {
            if self.buffer.len() > HEAD_MAX {
                self.state = State::Lost;
                self.buffer.clear();
            }
            return;
        };
        let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
        self.began = true;
        let text = String::from_utf8_lossy(&head);
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default().to_owned();
        // What begins with a space goes on with the line before (RFC 9112 5.2).
        let odd = |line: &str| {
            !line.starts_with([' ', '\t']) && line.split_once(':').is_none_or(|(name, _)| name.is_empty())
        };
        self.odd_header = lines.clone().any(|line| !line.is_empty() && odd(line));
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .take(HEADERS_MAX)
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().chars().take(512).collect()))
            .collect();
        if response {
            self.answer(&first, &headers, events, asked)
        } else {
            self.request(&first, &headers, events, asked)
        }
    }

    fn request(
        &mut self,
        line: &str,
        headers: &[(String, String)],
        events: &mut Vec<Event>,
        asked: &mut VecDeque<Method>,
    ) {
        let mut words = line.split(' ');
        let method = words.next().unwrap_or_default().to_owned();
        let path: String = words.next().unwrap_or_default().chars().take(512).collect();
        if asked.len() < 1024 {
            asked.push_back(Method::of(&method));
        }
        let host = get(headers, "host");
        let expects = get(headers, "expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"));
        events.push(Event::Request(Request { method, path, host, expects }));
        self.body(get(headers, "content-length"), is_chunked(headers), Some(0), events);
    }

    fn answer(
        &mut self,
        line: &str,
        headers: &[(String, String)],
        events: &mut Vec<Event>,
        asked: &mut VecDeque<Method>,
    ) {
        let mut words = line.split(' ');
        let version = words.next().unwrap_or_default().to_owned();
        let status = words.next().filter(|word| word.len() == 3).and_then(|word| word.parse().ok());
        // RFC 9112 4: a version of two digits, three digits of status.
        let (Some(status), true) = (status, is_version(&version)) else {
            events.push(Event::Garbage);
            self.state = State::Lost;
            self.buffer.clear();
            return;
        };
        let status: u16 = status;
        if (100..200).contains(&status) && status != 101 {
            // The real answer follows.
            if status == 100 {
                events.push(Event::Permission);
            }
            return;
        }
        let method = asked.pop_front().unwrap_or_default();
        let tunnel = method == Method::Connect && (200..300).contains(&status);
        let head_only = method == Method::Head || tunnel || matches!(status, 204 | 304);
        let (length, chunked) = (get(headers, "content-length"), is_chunked(headers));
        events.push(Event::Response(Response {
            status,
            version,
            length: length.as_ref().and_then(|length| length.parse().ok()),
            chunked,
            two_lengths: chunked && length.is_some() || differing_lengths(headers),
            odd_header: self.odd_header,
            location: get(headers, "location"),
            server: get(headers, "server"),
            retry_after: get(headers, "retry-after"),
            date: get(headers, "date"),
            until_close: !head_only && !chunked && length.is_none() && status != 101,
            streams: get(headers, "content-type").is_some_and(|kind| is_stream(&kind)),
            noted: noted(headers),
        }));
        self.coding = Coding::named(get(headers, "content-encoding").as_deref());
        self.answers = true;
        if head_only {
            self.coding = Coding::default();
            self.end(events);
            if tunnel {
                self.state = State::Tunnel;
            }
        } else if status == 101 {
            self.state = State::UntilClose;
        } else {
            self.body(length, chunked, None, events);
        }
    }

    fn body(
        &mut self,
        length: Option<String>,
        chunked: bool,
        otherwise: Option<u64>,
        events: &mut Vec<Event>,
    ) {
        let length = length.and_then(|length| length.parse().ok()).or(otherwise);
        self.state = match (chunked, length) {
            (true, _) => State::ChunkSize,
            (false, Some(0)) => return self.end(events),
            (false, Some(length)) => State::Length(length),
            (false, None) => State::UntilClose,
        };
    }

    /// So many bytes were not captured.
    pub(crate) fn skip(&mut self, count: u64) -> Vec<Event> {
        let mut events = Vec::new();
        self.coding = Coding::default();
        match self.state {
            State::Length(left) | State::Chunk(left) if count <= left && self.buffer.is_empty() => {
                events.push(Event::Body(count));
                let is_length = matches!(self.state, State::Length(_));
                self.state = if is_length { State::Length(left - count) } else { State::Chunk(left - count) };
                if is_length && left == count {
                    self.end(&mut events);
                }
            }
            State::UntilClose => events.push(Event::Body(count)),
            State::Tunnel => {}
            _ => {
                self.state = State::Lost;
                self.buffer.clear();
            }
        }
        events
    }

    /// The stream has ended: whether it ended where it may.
    pub(crate) fn close(&mut self) -> Vec<Event> {
        if self.state == State::UntilClose {
            self.state = State::Head;
            return vec![Event::End];
        }
        Vec::new()
    }

    /// Whether a part was not captured, so that nothing can be said of where messages end.
    pub(crate) fn is_lost(&self) -> bool {
        self.state == State::Lost
    }
}

fn is_version(word: &str) -> bool {
    matches!(word.strip_prefix("HTTP/").map(str::as_bytes), Some([major, b'.', minor]) if major.is_ascii_digit() && minor.is_ascii_digit())
}

fn get(headers: &[(String, String)], name: &str) -> Option<String> {
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
}

fn differing_lengths(headers: &[(String, String)]) -> bool {
    let mut lengths = headers.iter().filter(|(name, _)| name == "content-length").map(|(_, value)| value);
    lengths.next().is_some_and(|first| lengths.any(|other| other != first))
}

fn is_chunked(headers: &[(String, String)]) -> bool {
    get(headers, "transfer-encoding").is_some_and(|value| value.to_ascii_lowercase().contains("chunked"))
}
