//! Routing between networks.

use super::{Fault, fault};

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "BGP01",
        "address range withdrawn",
        "The network that owns the address no longer announces it, so no other network knows the way.",
    ),
    fault(
        "BGP02",
        "address range announced by a stranger",
        "Another network announces the address range as its own and attracts the traffic.",
    ),
    fault(
        "BGP03",
        "part of a range announced by a stranger",
        "Another network announces a smaller piece of the range, which wins over the rightful announcement.",
    ),
    fault(
        "BGP04",
        "route leak",
        "A network passes on routes it should have kept to itself, so traffic takes a wrong way.",
    ),
    fault(
        "BGP05",
        "own route authorisation is wrong",
        "The owner's signed statement about its routes does not fit its own announcement, so careful networks reject it.",
    ),
    fault(
        "BGP06",
        "route authorisation expired",
        "The owner's signed statement about its routes has expired or is gone.",
    ),
    fault(
        "BGP07",
        "traffic to the address is discarded on request",
        "The address was marked to be thrown away by transit networks, usually because of an attack.",
    ),
    fault("BGP08", "route flapping", "The route comes and goes so often that other networks hold it back."),
    fault(
        "BGP09",
        "stale route",
        "Some networks still hold a route that was withdrawn, and the traffic ends nowhere.",
    ),
    fault(
        "BGP10",
        "BGP session lost by timeout",
        "Two routers heard nothing from each other for too long and gave up their session.",
    ),
    fault(
        "BGP11",
        "BGP session fails on large messages",
        "Small messages between two routers pass, large ones do not, so the session dies when routes are sent.",
    ),
    fault(
        "BGP12",
        "BGP session refused at opening",
        "Two routers disagree on numbers or abilities and refuse to start a session.",
    ),
    fault(
        "BGP13",
        "BGP session closed by policy",
        "A router closed the session because of too many routes, an operator or a collision.",
    ),
    fault(
        "BGP14",
        "BGP session password differs",
        "Two routers do not share the same session key, so they ignore each other's packets.",
    ),
    fault(
        "BGP15",
        "BGP session too many hops away",
        "A router's session packets arrive with a hop count the other does not accept.",
    ),
    fault(
        "BGP16",
        "address family not agreed",
        "The session is up, but the routers did not agree to exchange this kind of address.",
    ),
    fault(
        "BGP17",
        "malformed route announcement",
        "A router received an announcement it cannot understand and dropped the route or the session.",
    ),
];
