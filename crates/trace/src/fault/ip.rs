//! IP, packet sizes and forwarding.

use super::{Fault, fault};

pub(super) const FAULTS: &[Fault] = &[
    fault("IP01", "no route", "This machine knows no way to the address, so no packet leaves."),
    fault(
        "IP02",
        "wrong default gateway",
        "Packets are handed to a device that does not forward them, so everything outside the local network fails.",
    ),
    fault(
        "IP03",
        "a specific route leads astray",
        "A route for just this address, often from a VPN, sends packets another way than everything else.",
    ),
    fault(
        "IP04",
        "router says unreachable",
        "A router on the way answered that it has no way to the address.",
    ),
    fault(
        "IP05",
        "packets vanish at a router",
        "A router on the way throws packets for this address away without saying so.",
    ),
    fault("IP06", "routing loop", "Routers pass the packets in a circle until they expire."),
    fault(
        "IP07",
        "answers come back another way",
        "Packets arrive, but the answers take another way where a device drops them because it never saw the question.",
    ),
    fault(
        "IP08",
        "one of several parallel paths is bad",
        "Traffic is spread over several paths and one of them loses everything, so some connections always fail.",
    ),
    fault(
        "IP09",
        "large packets to you are lost",
        "Packets from the server above a certain size are lost on the way, and the server is not told to send smaller ones.",
    ),
    fault(
        "IP10",
        "large packets to the server are lost",
        "Packets to the server above a certain size are lost on the way, and nobody says so.",
    ),
    fault(
        "IP11",
        "large TLS answer is lost",
        "The server's certificate travels in packets too large for the path, so the handshake never completes.",
    ),
    fault(
        "IP12",
        "IPv6 too-big messages are filtered",
        "Over IPv6, large packets are lost because the message that asks for smaller ones is filtered.",
    ),
    fault(
        "IP13",
        "IPv6 broken, IPv4 works",
        "The server is reachable over IPv4 but not over IPv6, although both are offered.",
    ),
    fault(
        "IP14",
        "IPv4 broken, IPv6 works",
        "The server is reachable over IPv6 but not over IPv4, although both are offered.",
    ),
    fault(
        "IP15",
        "jumbo frames not agreed",
        "Two machines on one network disagree on the largest frame, so large ones vanish between them.",
    ),
    fault(
        "IP16",
        "fragments are dropped",
        "A device on the way drops packets that were split into fragments.",
    ),
    fault("IP17", "rate limit by dropping", "Something on the way drops every packet above a fixed rate."),
    fault(
        "IP18",
        "queue too long, bufferbloat",
        "A slow link on the way has a very long queue, so every packet waits as soon as the link is busy.",
    ),
    fault(
        "IP19",
        "random packet loss",
        "A link on the way loses packets now and then, whatever the traffic is.",
    ),
    fault("IP20", "short outage", "Everything on the way was silent for a moment, then went on."),
    fault(
        "IP21",
        "packets out of order",
        "Packets arrive in another order than they were sent, but none is missing.",
    ),
    fault("IP22", "packets duplicated", "Something on the way sends the same packet twice."),
    fault(
        "IP23",
        "packets damaged",
        "Packets arrive with wrong contents, are recognised as damaged and thrown away.",
    ),
    fault(
        "IP24",
        "congested hop",
        "From one router on, the delay is high and uneven, at busy hours above all.",
    ),
    fault(
        "IP25",
        "route changes back and forth",
        "The way through the network keeps changing, with a little loss at every change.",
    ),
    fault(
        "IP26",
        "far away site answers",
        "The answer comes from a copy of the service far away although a nearer one exists.",
    ),
    fault(
        "IP27",
        "host rejects packets by their source",
        "The machine drops packets because it would not send to their source over the same interface.",
    ),
    fault(
        "IP28",
        "congestion marking is blocked",
        "Connections that offer congestion marks (ECN) are dropped, those that do not are let through.",
    ),
    fault(
        "IP29",
        "address that cannot be on the internet",
        "The name leads to an address that only means something inside a private network.",
    ),
    fault(
        "IP30",
        "no translation to the old internet",
        "This network has IPv6 only, and the translator to IPv4-only servers is missing.",
    ),
    fault(
        "IP31",
        "one of several addresses is dead",
        "The server has several addresses, and one of them does not answer.",
    ),
];
