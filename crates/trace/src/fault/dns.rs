//! Names.

use super::{Fault, fault};

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "DNS01",
        "no usable resolver configured",
        "This machine is not told which server to ask for names, or is told a wrong one.",
    ),
    fault("DNS02", "resolver silent", "The server this machine asks for names does not answer."),
    fault("DNS03", "name lookups over UDP blocked", "Questions about names pass over TCP but not over UDP."),
    fault(
        "DNS04",
        "name lookups over TCP blocked",
        "An answer is too large for UDP, and asking again over TCP is blocked.",
    ),
    fault("DNS05", "name does not exist", "Nobody has registered this name, or it is misspelled."),
    fault(
        "DNS06",
        "name has no such record",
        "The name exists but has no address of the kind that was asked for.",
    ),
    fault(
        "DNS07",
        "resolver refuses to answer",
        "The server that was asked for names does not serve this machine or this name.",
    ),
    fault(
        "DNS08",
        "server trips over DNS extensions",
        "The name server returns an error when asked in the modern way, and answers the old way.",
    ),
    fault(
        "DNS09",
        "signature check of the name failed",
        "The name's signatures do not check out, so the resolver withholds the answer.",
    ),
    fault(
        "DNS10",
        "the name's own servers are unreachable",
        "The resolver works, but the servers that hold this name do not answer it.",
    ),
    fault(
        "DNS11",
        "resolver overloaded",
        "The server that is asked for names answers some questions and gives up on others.",
    ),
    fault("DNS12", "name filtered on purpose", "The resolver hides this name because of a rule."),
    fault("DNS13", "forged answer", "Somebody on the way answers the question before the real server does."),
    fault(
        "DNS14",
        "answer is an impossible address",
        "The name leads to an address that cannot be a public server.",
    ),
    fault(
        "DNS15",
        "answer does not match the question",
        "An answer arrives with the wrong number or from the wrong server, so it is thrown away.",
    ),
    fault("DNS16", "answer cannot be read", "The name server's answer is damaged or against the rules."),
    fault("DNS17", "large answers are lost", "Answers above a certain size do not arrive, smaller ones do."),
    fault(
        "DNS18",
        "one of the name's servers is dead",
        "One of several servers that hold the name does not answer, which makes some lookups slow.",
    ),
    fault(
        "DNS19",
        "lookups are silently redirected",
        "Something on the way answers in place of the chosen name server.",
    ),
    fault(
        "DNS20",
        "login page answers every name",
        "Every name leads to the same private address, as before a login to a guest network.",
    ),
    fault(
        "DNS21",
        "old answer still in use",
        "The name was changed, but the resolver still gives the old address.",
    ),
    fault(
        "DNS22",
        "the name's servers disagree",
        "A secondary name server has not copied the latest version.",
    ),
    fault(
        "DNS23",
        "name delegated to the wrong server",
        "The name is said to be held by a server that knows nothing of it.",
    ),
    fault(
        "DNS24",
        "name server's address missing or wrong",
        "The zone above does not give the right address of the name's servers.",
    ),
    fault(
        "DNS25",
        "zone above lists other servers",
        "The list of name servers differs between the zone and the zone above it.",
    ),
    fault(
        "DNS26",
        "alias leads in a circle",
        "The name is an alias of an alias that leads back, or stands beside records it must not stand beside.",
    ),
    fault("DNS27", "name's signature expired", "The signatures of the name were not renewed in time."),
    fault("DNS28", "name's signature not yet valid", "The signatures of the name begin in the future."),
    fault(
        "DNS29",
        "key of the zone does not match the zone above",
        "The zone changed its signing key, but the zone above still vouches for the old one.",
    ),
    fault(
        "DNS30",
        "zone should be signed but is not",
        "The zone above says the zone is signed, yet it gives no signatures.",
    ),
    fault(
        "DNS31",
        "signatures are stripped on the way",
        "The zone's servers send signatures, but a helper in between removes them.",
    ),
    fault("DNS32", "signature is wrong", "The signature of the name does not fit the data."),
    fault(
        "DNS33",
        "proof that the name does not exist is missing",
        "The zone is signed, but the proof for what does not exist is missing or wrong.",
    ),
    fault(
        "DNS34",
        "signing method not supported",
        "The zone is signed with a method this resolver does not know or does not accept.",
    ),
    fault(
        "DNS35",
        "resolver's root key is outdated",
        "The resolver still trusts an old root key, so every signed name fails there.",
    ),
    fault("DNS36", "domain expired or suspended", "The name's registration has run out or is on hold."),
    fault(
        "DNS37",
        "search suffixes tried first",
        "This machine tries the name with local endings first, which costs time or finds the wrong host.",
    ),
    fault(
        "DNS38",
        "IPv6 lookups swallowed",
        "The question for the IPv4 address is answered, the one for the IPv6 address never is.",
    ),
    fault("DNS39", "encrypted lookups blocked", "Ordinary name lookups pass, encrypted ones are blocked."),
    fault("DNS40", "ordinary lookups blocked", "Encrypted name lookups pass, ordinary ones are blocked."),
    fault(
        "DNS41",
        "internal name asked outside",
        "The name only exists inside a company or home network, but an outside resolver was asked.",
    ),
    fault(
        "DNS42",
        "service record promises too much",
        "The name's service record announces a protocol or key that the server does not serve.",
    ),
    fault(
        "DNS43",
        "name server limits repeated questions",
        "The name server holds back answers because it sees too many questions.",
    ),
    fault(
        "DNS44",
        "name server changes the letters' case",
        "The name server does not return the name in the same capitals as asked.",
    ),
    fault(
        "DNS45",
        "slow lookup",
        "The first lookup of the name is slow because its own servers are slow or far away.",
    ),
    fault("DNS46", "not a valid name", "The name breaks the rules for names, so it cannot be looked up."),
];
