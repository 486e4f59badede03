//! The application and its load balancer.

use super::{Fault, fault};

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "APP01",
        "slow server program",
        "The server got the request at once and took long to think about the answer.",
    ),
    fault("APP02", "slow under load", "The server is fast alone and slow when many ask at once."),
    fault(
        "APP03",
        "slow backend, named by the server",
        "The server itself tells which part behind it was slow.",
    ),
    fault(
        "APP04",
        "all workers busy",
        "The server takes the request but all its workers are busy with others.",
    ),
    fault("APP05", "server program hangs", "The server got the request and never answers."),
    fault("APP06", "answer drips", "The server sends the answer in small pieces with pauses."),
    fault(
        "APP07",
        "server is slow to produce data",
        "The answer comes in bursts with idle time between, and the network could carry more.",
    ),
    fault("APP08", "client reads slowly", "This machine's own program takes the data slowly."),
    fault(
        "APP09",
        "requests one after the other",
        "Requests wait for each other, each with its own connection.",
    ),
    fault("APP10", "large answer for this line", "The answer is simply large for the speed of the line."),
    fault(
        "APP11",
        "cold start",
        "The first request is slow because the server has to start up, the next is fast.",
    ),
    fault("APP12", "one bad server of many", "One of several servers behind the address answers badly."),
    fault("APP13", "regular pauses", "The server pauses at regular intervals for everybody."),
    fault("APP14", "repeated requests", "A helper on the way sends the same request several times."),
    fault(
        "APP15",
        "wrong contents",
        "The transport works, but the page is an error page or not the right one.",
    ),
];
