//! The reliable connection.

use super::{Fault, fault};

pub(super) const FAULTS: &[Fault] = &[
    fault("TCP01", "port closed", "The server is there, but no program listens on this port."),
    fault(
        "TCP02",
        "service bound to another address",
        "The service runs, but only listens on another address of its machine.",
    ),
    fault(
        "TCP03",
        "server's queue of new connections is full",
        "The server's program takes new connections too slowly, so some attempts are dropped.",
    ),
    fault(
        "TCP04",
        "connection dropped after the handshake",
        "The server forgot the connection right after opening it because its queue was full.",
    ),
    fault(
        "TCP05",
        "server in flood protection",
        "The server opens connections in a reduced mode because it sees too many attempts.",
    ),
    fault("TCP06", "server down", "The server's machine is switched off or disconnected."),
    fault(
        "TCP07",
        "first attempt lost, retry worked",
        "The first packet of the connection was lost, and a retry a second or more later got through.",
    ),
    fault(
        "TCP08",
        "reset right after the handshake",
        "The server accepted the connection and closed it hard at once.",
    ),
    fault(
        "TCP09",
        "reset in the middle",
        "The server closed the connection hard in the middle of the answer.",
    ),
    fault(
        "TCP10",
        "server restarted",
        "The server no longer knows this connection because it was restarted.",
    ),
    fault("TCP11", "server vanished", "The server stopped answering in the middle of the connection."),
    fault(
        "TCP12",
        "receiver not reading",
        "The receiving program does not take the data, so the sender has to wait.",
    ),
    fault(
        "TCP13",
        "receive window too small",
        "The receiver only allows little data on the way, which limits the speed on long paths.",
    ),
    fault(
        "TCP14",
        "window scaling removed on the way",
        "A device removes an option from the connection, which limits its speed.",
    ),
    fault("TCP15", "sender has nothing to send", "The sending program pauses; the network could carry more."),
    fault(
        "TCP16",
        "transfer ends before full speed",
        "The transfer is so short that the connection never reaches its full speed.",
    ),
    fault(
        "TCP17",
        "two waiting rules block each other",
        "Sender and receiver wait for each other for a moment after each small message.",
    ),
    fault(
        "TCP18",
        "last packet lost",
        "The last packet of a burst was lost, and nothing followed that would have shown it sooner.",
    ),
    fault(
        "TCP19",
        "needless retransmission",
        "The sender repeats data that had arrived, because the acknowledgement was slow.",
    ),
    fault(
        "TCP20",
        "repair information damaged on the way",
        "A device rewrites sequence numbers but not the lists that tell what is missing.",
    ),
    fault(
        "TCP21",
        "segment size missing or tiny",
        "The connection was opened without a sensible maximum packet size.",
    ),
    fault(
        "TCP22",
        "early data in the first packet is blocked",
        "First packets that already carry data are dropped on the way.",
    ),
    fault(
        "TCP23",
        "clock stamps of several users clash",
        "Several machines behind one address confuse the server with their packet time stamps.",
    ),
    fault(
        "TCP24",
        "port reused too soon",
        "A new connection uses the numbers of an old one the server has not forgotten yet.",
    ),
    fault(
        "TCP25",
        "closed after idling",
        "The other side closed the connection because nothing was sent for a while.",
    ),
    fault("TCP26", "another service on this port", "A program of another kind answers on this port."),
    fault(
        "TCP27",
        "server sends bad checksums",
        "The server's packets carry wrong checksums, so they are thrown away on arrival.",
    ),
    fault(
        "TCP28",
        "multipath fell back to one path",
        "The connection was meant to use several paths but a device on the way prevents it.",
    ),
    fault(
        "TCP29",
        "all connections reset at once",
        "A load balancer took a server out of service and cut its connections.",
    ),
];
