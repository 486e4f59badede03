//! Encryption and certificates.

use super::{Fault, fault};

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "TLS01",
        "the port does not speak TLS",
        "The server answers unencrypted on a port where encryption was expected.",
    ),
    fault("TLS02", "the port wants TLS", "The request was sent unencrypted to a port that wants encryption."),
    fault(
        "TLS03",
        "no common TLS version",
        "Client and server know no version of the encryption protocol in common.",
    ),
    fault("TLS04", "no common cipher", "Client and server know no encryption method in common."),
    fault(
        "TLS05",
        "extra round trip for the key",
        "The server asked for another kind of key, which costs a round trip, or asks again and again.",
    ),
    fault("TLS06", "server does not know the name", "The server has no site by this name."),
    fault("TLS07", "certificate expired", "The server's certificate has run out and was not renewed."),
    fault("TLS08", "certificate not yet valid", "The server's certificate only becomes valid in the future."),
    fault(
        "TLS09",
        "certificate is for another name",
        "The server's certificate does not name the site that was asked for.",
    ),
    fault(
        "TLS10",
        "self-signed certificate",
        "The server vouches for itself; no authority has signed its certificate.",
    ),
    fault(
        "TLS11",
        "unknown certificate authority",
        "The certificate was signed by an authority this machine does not trust.",
    ),
    fault(
        "TLS12",
        "intermediate certificate missing",
        "The server does not send the certificate that links its own to a trusted authority.",
    ),
    fault(
        "TLS13",
        "certificates in the wrong order",
        "The server sends its certificates in the wrong order or sends needless ones.",
    ),
    fault(
        "TLS14",
        "expired certificate in the chain",
        "The site's certificate is valid, but one above it has expired.",
    ),
    fault(
        "TLS15",
        "encryption intercepted",
        "A device or program on the way opens the encryption and puts in its own certificate.",
    ),
    fault("TLS16", "certificate revoked", "The authority has withdrawn the certificate."),
    fault(
        "TLS17",
        "proof of validity missing",
        "The certificate demands a fresh proof of validity, and the server does not send it.",
    ),
    fault("TLS18", "client certificate needed", "The server wants the visitor to show a certificate."),
    fault(
        "TLS19",
        "client certificate rejected",
        "The server does not accept the certificate the visitor showed.",
    ),
    fault(
        "TLS20",
        "no common application protocol",
        "Client and server could not agree on the protocol to speak inside the encryption.",
    ),
    fault(
        "TLS21",
        "large hello dropped",
        "The first message of the handshake is too large for a device on the way or the server.",
    ),
    fault(
        "TLS22",
        "split hello refused",
        "The server or a device refuses a first message that comes in two packets.",
    ),
    fault(
        "TLS23",
        "server stalls after the hello",
        "The server received the first message of the handshake and never answered it.",
    ),
    fault(
        "TLS24",
        "server closes after the hello",
        "The server closes the connection upon the first message of the handshake.",
    ),
    fault(
        "TLS25",
        "downgrade detected",
        "Somebody made client and server use an older version than both know.",
    ),
    fault(
        "TLS26",
        "weak key refused",
        "This machine refuses the server's key or signature because it is too weak.",
    ),
    fault("TLS27", "certificate not meant for this use", "The certificate's own limits forbid this use."),
    fault(
        "TLS28",
        "encrypted hello rejected",
        "The server does not accept the encrypted form of the first message.",
    ),
    fault(
        "TLS29",
        "resumption refused",
        "The server does not accept the shortcut for returning visitors, so every visit is a full handshake.",
    ),
    fault("TLS30", "damaged encrypted record", "An encrypted record did not decrypt correctly."),
    fault(
        "TLS31",
        "closed without a goodbye",
        "The encrypted connection ended without the closing message, so the end may be missing.",
    ),
    fault(
        "TLS32",
        "servers of one site differ",
        "One of several servers of the site has another certificate or version.",
    ),
    fault(
        "TLS33",
        "certificate chain slows the handshake",
        "The server's certificates are so large that they cost an extra round trip.",
    ),
    fault(
        "TLS34",
        "slow cryptography at the server",
        "The server takes long to compute its part of the handshake.",
    ),
    fault(
        "TLS35",
        "validity check slows the handshake",
        "This machine first asks the authority about the certificate and waits for it.",
    ),
    fault("TLS36", "encryption offer removed", "The server's offer to encrypt is missing on this path."),
    fault(
        "TLS37",
        "key is not the pinned one",
        "The server's key differs from the one that was fixed in advance.",
    ),
];
