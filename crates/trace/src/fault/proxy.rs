//! Proxies.

use super::{Fault, fault};

pub(super) const FAULTS: &[Fault] = &[
    fault("PX01", "proxy's name not found", "The name of the proxy cannot be looked up."),
    fault("PX02", "proxy unreachable", "The proxy refuses connections or does not answer."),
    fault("PX03", "proxy wants a login", "The proxy asks for a user name and password."),
    fault("PX04", "proxy forbids the target", "The proxy does not allow connections to this target."),
    fault("PX05", "proxy cannot reach the target", "The proxy works but cannot reach the server behind it."),
    fault(
        "PX06",
        "proxy setting not as meant",
        "The proxy is used where it should not be, or not used where it should.",
    ),
    fault(
        "PX07",
        "automatic proxy setup fails",
        "The file with the proxy settings cannot be fetched or is wrong.",
    ),
    fault(
        "PX08",
        "SOCKS proxy reports an error",
        "The SOCKS proxy could not make the connection and says why.",
    ),
    fault(
        "PX09",
        "name looked up on the wrong side",
        "The name is looked up here instead of at the proxy, or the other way round.",
    ),
    fault(
        "PX10",
        "proxy preamble mismatch",
        "One side sends or expects an extra line about the original sender, the other does not.",
    ),
    fault(
        "PX11",
        "redirect loop through a load balancer",
        "The server thinks the visitor came unencrypted and redirects again and again.",
    ),
    fault(
        "PX12",
        "proxy reuses closed connections",
        "The proxy keeps connections open longer than the server behind it does.",
    ),
    fault(
        "PX13",
        "invisible proxy alters requests",
        "A device on the way changes or answers requests without being asked.",
    ),
    fault(
        "PX14",
        "proxy holds back the answer",
        "The proxy collects the whole answer before it passes anything on.",
    ),
];
