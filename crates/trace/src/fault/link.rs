//! Link, neighbours and this host's own configuration.

use super::{Fault, fault};

pub(super) const FAULTS: &[Fault] = &[
    fault("LNK01", "link down", "The network cable or Wi-Fi of this machine is not connected."),
    fault(
        "LNK02",
        "no address from DHCP",
        "This machine asked the local network for an address and nobody answered.",
    ),
    fault(
        "LNK03",
        "DHCP refused or out of addresses",
        "The local network refused to give this machine an address or had none left.",
    ),
    fault(
        "LNK04",
        "local gateway does not answer",
        "The first device on the way does not answer when this machine looks for it on the local network.",
    ),
    fault(
        "LNK05",
        "last router cannot find the server",
        "Packets reach the server's own network, but the last router there finds no machine with this address.",
    ),
    fault(
        "LNK06",
        "two machines share one address",
        "Two machines on the same network use the same address, so answers go to the wrong one now and then.",
    ),
    fault(
        "LNK07",
        "bad cable or duplex mismatch",
        "The cable or its settings damage frames, and more so the busier the line is.",
    ),
    fault(
        "LNK08",
        "network card overrun",
        "This machine receives packets faster than it takes them from its network card, so some are lost on arrival.",
    ),
    fault(
        "LNK09",
        "local send queue drops",
        "This machine drops packets in its own sending queue before they reach the wire.",
    ),
    fault(
        "LNK10",
        "wrong VLAN or port not admitted",
        "The switch port is up but leads to the wrong network or to none, for example because the machine has not logged in.",
    ),
    fault(
        "LNK11",
        "loop between switches",
        "Switches are wired in a ring, so the same frame goes round and round and fills the network.",
    ),
    fault(
        "LNK12",
        "weak Wi-Fi",
        "The radio link to the access point is poor, so everything is slow and lossy from the first hop on.",
    ),
    fault(
        "LNK13",
        "rogue router or DHCP server",
        "Another device on the local network hands out wrong addresses, routes or name servers.",
    ),
    fault(
        "HST01",
        "wrong clock",
        "This machine's clock is wrong, so it takes valid certificates and signatures for expired or not yet valid.",
    ),
    fault(
        "HST02",
        "out of local ports or descriptors",
        "This machine has used up the local ports or open files it may have, so it cannot open another connection.",
    ),
    fault(
        "HST03",
        "local firewall forbids it",
        "Software on this machine forbids the connection, and no packet leaves.",
    ),
    fault(
        "HST04",
        "hosts file overrides the name",
        "A file on this machine gives the name another address than the name system does.",
    ),
    fault(
        "HST05",
        "wrong source address or interface",
        "Packets leave with a source address that does not belong to the way they take, so answers do not come back.",
    ),
    fault(
        "HST06",
        "receive buffer too small",
        "This machine drops datagrams because the program's receive buffer is full.",
    ),
    fault(
        "HST07",
        "connection table full",
        "A device or this machine cannot remember more connections, so only new ones fail, at random.",
    ),
];
