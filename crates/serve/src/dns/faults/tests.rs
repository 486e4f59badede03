use super::*;

/// One zone, `lab`, with `www.lab`.
struct One;

impl Zones for One {
    fn has(&self, name: &Name) -> bool {
        *name == www()
    }

    fn soa(&self, _: &Name) -> Option<RawRecord> {
        Some(record("lab.", RecordType::SOA, vec![0; 22]))
    }
}

fn www() -> Name {
    Name::from_ascii("www.lab.").expect("a legal name")
}

fn record(name: &str, rtype: RecordType, data: Vec<u8>) -> RawRecord {
    let name = Name::from_ascii(name).expect("a legal name");
    RawRecord { name, rtype, class: CLASS_IN, ttl: 60, data: data.into() }
}

fn query(name: &str, rtype: RecordType) -> Packet {
    let name = Name::from_ascii(name).expect("a legal name");
    let mut packet =
        Packet { questions: vec![thru_names::wire::Question::new(name, rtype)], ..Packet::default() };
    packet.header.id = 7;
    packet.opt = Some(Opt { payload: 1232, options: vec![(COOKIE, vec![1; 8])], ..Opt::default() });
    packet
}

/// The answer to this query by a server that does this wrong.
fn answer(fault: Fault, asked: &Packet, records: Vec<RawRecord>, number: u64) -> Option<Result<Packet, ()>> {
    let faults = Faults::from_iter([fault]);
    let octets = written(asked);
    let heard = match faults.before(octets.clone(), true, number) {
        Before::Drop => return None,
        Before::Answer(answer) => answer,
        Before::Pass(passed) => {
            let mut right = begin(&Packet::read(&passed).expect("a message"));
            right.header.authoritative = true;
            right.authorities =
                if records.is_empty() { One.soa(&www()).into_iter().collect() } else { Vec::new() };
            right.answers = records;
            faults.after(&octets, written(&right), true, Some(&One))
        }
    };
    Some(Packet::read(&heard).map_err(|_| ()))
}

#[test]
fn each_fault_does_what_it_says() {
    let (a, aaaa, https) = (RecordType::A, RecordType::AAAA, RecordType::HTTPS);
    let good = || vec![record("www.lab.", RecordType::A, vec![192, 0, 2, 1])];
    for (word, fault) in Fault::WORDS {
        let on = |asked: &Packet, records| answer(*fault, asked, records, 1);
        let plain = query("wWw.lab.", a);
        let rcode = |heard: Option<Result<Packet, ()>>| heard.map(|heard| heard.map(|packet| packet.rcode()));
        let found = |heard: &Option<Result<Packet, ()>>| match heard {
            Some(Ok(packet)) => packet.clone(),
            other => panic!("{word}: {other:?}"),
        };
        match fault {
            Fault::EdnsDropped | Fault::UdpDropped | Fault::CaseDropped => {
                assert_eq!(on(&plain, good()), None)
            }
            Fault::EdnsFormErr => assert_eq!(rcode(on(&plain, good())), Some(Ok(1))),
            Fault::EdnsIgnored => assert_eq!(found(&on(&plain, good())).opt, None),
            Fault::DnssecStripped => {
                let signed = vec![good().remove(0), record("www.lab.", RecordType::RRSIG, vec![0; 30])];
                assert_eq!(found(&on(&plain, signed)).answers, good());
            }
            Fault::Truncates => {
                let heard = found(&on(&plain, good()));
                assert!(heard.header.truncated && heard.answers.is_empty());
            }
            Fault::RateLimited => {
                let heard: Vec<_> = (1..=3).map(|number| answer(*fault, &plain, good(), number)).collect();
                assert_eq!(found(&heard[0]).answers, good());
                assert!(heard[1].is_none() && found(&heard[2]).header.truncated);
            }
            Fault::WrongId => assert_eq!(found(&on(&plain, good())).header.id, 8),
            Fault::OtherQuestion => assert_ne!(found(&on(&plain, good())).questions, plain.questions),
            Fault::CaseLost => {
                let name = found(&on(&plain, good())).questions[0].name.to_string();
                assert_eq!(name, "www.lab.");
            }
            Fault::NotAuthoritative => assert!(!found(&on(&plain, good())).header.authoritative),
            Fault::UpwardReferral => assert!(found(&on(&plain, good())).authorities[0].name.is_root()),
            Fault::BadCookie => assert_eq!(rcode(on(&plain, good())), Some(Ok(BAD_COOKIE))),
            Fault::WrongCookie => {
                let heard = found(&on(&plain, good()));
                let cookie = heard.opt.as_ref().and_then(|opt| opt.option(COOKIE)).expect("a cookie");
                assert!(cookie.len() == 16 && cookie[..8] != [1; 8]);
            }
            Fault::EmptyNonTerminal => assert_eq!(rcode(on(&query("lab.", a), Vec::new())), Some(Ok(3))),
            Fault::NoWildcards => {
                assert_eq!(rcode(on(&query("any.lab.", a), good())), Some(Ok(3)));
                assert_eq!(rcode(on(&query("www.lab.", a), good())), Some(Ok(0)));
            }
            Fault::NoSoa => assert!(found(&on(&plain, Vec::new())).authorities.is_empty()),
            Fault::AaaaDropped => assert_eq!(on(&query("www.lab.", aaaa), Vec::new()), None),
            Fault::AaaaNxDomain => assert_eq!(rcode(on(&query("www.lab.", aaaa), Vec::new())), Some(Ok(3))),
            Fault::AaaaServFail => assert_eq!(rcode(on(&query("www.lab.", aaaa), Vec::new())), Some(Ok(2))),
            Fault::HttpsDropped => assert_eq!(on(&query("www.lab.", https), Vec::new()), None),
            Fault::HttpsRefused => assert_eq!(rcode(on(&query("www.lab.", https), Vec::new())), Some(Ok(4))),
            Fault::Malformed => assert_eq!(on(&plain, good()), Some(Err(()))),
            // These are of the sockets.
            Fault::TcpClosed | Fault::TcpSilent | Fault::OtherPort => {
                assert_eq!(found(&on(&plain, good())).answers, good());
            }
        }
        assert_eq!(
            Fault::WORDS.iter().find(|(known, _)| known == word).map(|(_, fault)| fault.word()),
            Some(*word)
        );
    }
}

#[test]
fn no_octets_make_a_faulty_server_panic() {
    let all: Faults = Fault::WORDS.iter().map(|(_, fault)| *fault).collect();
    let octets = written(&query("www.lab.", RecordType::A));
    for end in 0..=octets.len() {
        let cut = octets[..end].to_vec();
        let _ = all.before(cut.clone(), true, 1);
        let _ = all.after(&octets, cut.clone(), true, Some(&One));
        let _ = all.after(&cut, octets.clone(), false, None);
    }
}
