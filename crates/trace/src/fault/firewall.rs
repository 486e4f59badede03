//! Firewalls, address translation, filters.

use super::{Fault, fault};

pub(super) const FAULTS: &[Fault] = &[
    fault("FW01", "port silently blocked", "A firewall throws packets to this port away without saying so."),
    fault("FW02", "blocked with a reset", "A firewall answers in the server's name that the port is closed."),
    fault("FW03", "blocked with a message", "A firewall answers that the connection is forbidden."),
    fault(
        "FW04",
        "only some ports allowed out",
        "The local network lets only a few kinds of traffic out, to any server.",
    ),
    fault(
        "FW05",
        "idle connection forgotten",
        "A device on the way forgot the connection after a pause and now drops its packets.",
    ),
    fault(
        "FW06",
        "idle connection reset",
        "A device on the way forgot the connection after a pause and answers with a reset.",
    ),
    fault(
        "FW07",
        "gateway's connection table full",
        "The gateway cannot remember more connections, so new ones fail at random.",
    ),
    fault(
        "FW08",
        "site name blocked with a reset",
        "A filter on the way reads the site's name in the handshake and resets the connection.",
    ),
    fault(
        "FW09",
        "forged reset in the middle",
        "Something on the way cuts the connection by pretending to be the server.",
    ),
    fault(
        "FW10",
        "site name silently blocked",
        "A filter on the way reads the site's name in the handshake and drops it.",
    ),
    fault(
        "FW11",
        "site slowed down on purpose",
        "A device on the way slows down this site, but not others at the same address.",
    ),
    fault(
        "FW12",
        "request blocked by its words",
        "A filter on the way blocks the request because of what it says.",
    ),
    fault(
        "FW13",
        "blocked for a while after a trigger",
        "After one blocked request everything to that server is dropped for some time.",
    ),
    fault(
        "FW14",
        "protection answers for every port",
        "A protective device answers on all ports in the server's name, but no data follows.",
    ),
    fault("FW15", "UDP blocked", "No UDP traffic passes except name lookups."),
    fault(
        "FW16",
        "provider's shared address is out of ports",
        "Many customers share one address, and no free port is left for new connections.",
    ),
    fault(
        "FW17",
        "own public address unreachable from inside",
        "The router cannot send traffic for its own public address back inside.",
    ),
    fault(
        "FW18",
        "port not forwarded",
        "The router does not pass connections from outside to the machine inside.",
    ),
    fault(
        "FW19",
        "address translation changed in the middle",
        "The router gave the running connection another outside port.",
    ),
    fault(
        "FW20",
        "router rewrites the contents",
        "A helper in the router changes addresses inside the data and breaks it.",
    ),
    fault(
        "FW21",
        "blocked by the site's own protection",
        "The site's protection refuses this visitor, by country or by suspicion.",
    ),
    fault(
        "FW22",
        "login page of the network",
        "The network wants a login or consent in a browser before it lets traffic through.",
    ),
    fault(
        "FW23",
        "tunnel down but still used",
        "Traffic is sent into a VPN or tunnel whose other end does not answer.",
    ),
];
