//! Requests and answers, HTTP/1.1.

use super::{Fault, fault};

pub(super) const FAULTS: &[Fault] = &[
    fault("H101", "request refused (4xx)", "The server understood the request and refuses it."),
    fault(
        "H102",
        "bad gateway (502)",
        "The front server could not get a proper answer from the server behind it.",
    ),
    fault("H103", "service unavailable (503)", "The server says it is overloaded or down for maintenance."),
    fault("H104", "gateway timeout (504)", "The front server waited for the server behind it and gave up."),
    fault(
        "H105",
        "internal server error (500)",
        "The server's program failed while it worked on the request.",
    ),
    fault("H106", "too many requests (429)", "The server limits how often this visitor may ask."),
    fault(
        "H107",
        "redirect loop",
        "The site keeps sending the visitor from one address to another in a circle.",
    ),
    fault("H108", "broken redirect", "The site sends the visitor to an address that is wrong."),
    fault(
        "H109",
        "wrong site answers",
        "Another site of the same server answers, or the server says it is not responsible.",
    ),
    fault(
        "H110",
        "answer shorter than announced",
        "The connection ended before the announced length had arrived.",
    ),
    fault("H111", "answer in pieces never ended", "The last piece of the answer never came."),
    fault("H112", "empty reply", "The server closed the connection without answering."),
    fault(
        "H113",
        "server closed while we asked",
        "The server closed an idle connection at the very moment the request was sent.",
    ),
    fault("H114", "two lengths in one message", "The message states its length in two ways that may differ."),
    fault("H115", "answer is not HTTP", "What the server sent is not a valid HTTP answer."),
    fault("H116", "headers too large", "The headers of the request or the answer are larger than allowed."),
    fault(
        "H117",
        "wait before sending the body",
        "The client waited for the server's permission to send, which never came.",
    ),
    fault("H118", "answer cannot be unpacked", "The compressed answer is damaged."),
    fault(
        "H119",
        "server answered and closed during an upload",
        "The server refused an upload midway and cut the connection, which hides its reason.",
    ),
    fault(
        "H120",
        "protocol switch blocked",
        "A device on the way prevents the switch to another protocol such as WebSocket.",
    ),
    fault(
        "H121",
        "requests wait in the client",
        "The client allows only a few requests at once, so others wait before they are sent.",
    ),
    fault("H122", "outdated copy", "A cache gives an old copy of the answer."),
    fault("H123", "extra data after the answer", "The server sends more than the answer's announced length."),
];
