//! The zones: a root, `lab.` below it, and below that one zone for each way of getting it wrong. The kinds and their
//! names are those of extended-dns-errors.com (Nosyk et al., IMC 2023).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use hickory_proto::rr::{Name, RecordType};
use thru_names::authority::SignedZone;
use thru_names::dnssec::signing::zone::{Chain, KeyState, Plan, sign};
use thru_names::dnssec::signing::{KEY_SIGNING, SigningKey, Window, ZONE_SIGNING};
use thru_names::rdata::master_records;
use thru_names::text::parse_name;
use thru_names::wire::RawRecord;

/// The date at which all is looked at: 2026-06-01.
pub(crate) const DATE: u32 = 1_780_272_000;
const DAY: u32 = 86_400;
const GOOD: Window = Window { inception: DATE - 30 * DAY, expiration: DATE + 30 * DAY };
const PAST: Window = Window { inception: DATE - 90 * DAY, expiration: DATE - 30 * DAY };
const FUTURE: Window = Window { inception: DATE + 30 * DAY, expiration: DATE + 90 * DAY };
const BACKWARDS: Window = Window { inception: DATE + 10 * DAY, expiration: DATE - 10 * DAY };

pub(crate) const ROOT: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 53, 0, 1));
const LAB: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 53, 0, 2));

/// What listens at an address.
pub(crate) enum Server {
    /// Answers for its zone.
    Zone(SignedZone),
    /// Answers REFUSED to everybody.
    Refuses,
}

/// The servers by address, the root's trust anchor, and what to ask of each kind.
pub(crate) struct World {
    pub(crate) servers: BTreeMap<IpAddr, Server>,
    pub(crate) anchor: RawRecord,
    pub(crate) questions: Vec<(String, Name)>,
}

pub(crate) fn name(text: &str) -> Name {
    parse_name(text).expect("a legal name")
}

/// How a kind of zone comes about: what is done to the signed zone, and to its DS.
struct Kind {
    label: &'static str,
    /// Of the signed records.
    change: fn(&mut Signed),
    /// Of the DS data; no DS when it is empty afterwards.
    ds: fn(&mut Vec<u8>),
    /// Where the parent says its server is, if not where it is.
    glue: Option<&'static str>,
    /// Asked for a name that is not there: the kind is about denials.
    absent: bool,
}

/// A signed zone and all that is needed to sign it otherwise.
struct Signed {
    origin: Name,
    plain: Vec<RawRecord>,
    plan: Plan,
    records: Vec<RawRecord>,
}

impl Signed {
    /// Signs the whole zone anew.
    fn again(&mut self, change: impl Fn(&mut Plan)) {
        change(&mut self.plan);
        self.records = signed(&self.origin, &self.plain, &self.plan);
    }

    /// Takes the signatures over the apex's A set from a zone signed for another time.
    fn other_times_for_a(&mut self, window: Window) {
        let good = std::mem::take(&mut self.records);
        self.again(|plan| plan.window = window);
        let other = std::mem::replace(&mut self.records, good);
        let origin = self.origin.clone();
        let ours = |record: &RawRecord| record.name == origin && covers(record, RecordType::A);
        self.records.retain(|record| !ours(record));
        self.records.extend(other.into_iter().filter(ours));
    }

    fn drop(&mut self, unwanted: impl Fn(&RawRecord) -> bool) {
        self.records.retain(|record| !unwanted(record));
    }

    fn alter(&mut self, which: impl Fn(&RawRecord) -> bool, change: impl Fn(&mut Vec<u8>)) {
        for record in self.records.iter_mut().filter(|record| which(record)) {
            let mut data = record.data.to_vec();
            change(&mut data);
            record.data = data.into();
        }
    }
}

/// An RRSIG over this type.
fn covers(record: &RawRecord, rtype: RecordType) -> bool {
    record.rtype == RecordType::RRSIG && record.data.get(..2) == Some(&u16::from(rtype).to_be_bytes()[..])
}

fn key(record: &RawRecord, low_flags: u8) -> bool {
    record.rtype == RecordType::DNSKEY && record.data[1] == low_flags
}

fn is_ksk(record: &RawRecord) -> bool {
    key(record, 1)
}

fn is_zsk(record: &RawRecord) -> bool {
    key(record, 0)
}

/// The signature over the keys by the key signing key: its tag is the one of the DNSKEY with the SEP flag.
fn by_ksk(records: &[RawRecord]) -> Vec<u8> {
    let key = records.iter().find(|record| is_ksk(record)).expect("there is one");
    thru_names::dnssec::records::key_tag(&key.data).to_be_bytes().to_vec()
}

fn spoil_last(data: &mut [u8]) {
    if let Some(last) = data.last_mut() {
        *last ^= 0x55;
    }
}

/// Signs as BIND's dnssec-signzone does unless told otherwise: the keys also by the zone signing key.
fn signed(origin: &Name, plain: &[RawRecord], plan: &Plan) -> Vec<RawRecord> {
    let mut records = sign(origin, plain, plan).expect("a good zone");
    let zone = SignedZone::new(&records).expect("it has a SOA");
    let keys = zone.set(origin, RecordType::DNSKEY).expect("it has keys");
    let zsk = plan.keys.iter().find(|(key, _)| !key.is_entry_point()).expect("there is one");
    let owner = records.iter().find(|record| record.rtype == RecordType::DNSKEY).expect("a key").clone();
    let data = zsk.0.sign(keys, origin, plan.window).into();
    records.push(RawRecord { rtype: RecordType::RRSIG, data, ..owner });
    records
}

fn plan(number: u8) -> Plan {
    let seed = |kind: u8| {
        let mut seed = [kind; 32];
        seed[0] = number;
        seed
    };
    Plan {
        keys: vec![
            (SigningKey::ed25519(&seed(1), KEY_SIGNING), KeyState::Active),
            (SigningKey::ed25519(&seed(2), ZONE_SIGNING), KeyState::Active),
        ],
        window: GOOD,
        chain: Chain::Nsec3 { iterations: 0, salt: Vec::new(), opt_out: false },
        dnskey_ttl: 3600,
    }
}

fn ds_of(plan: &Plan, zone: &Name) -> Vec<u8> {
    plan.keys[0].0.ds(zone, 2).expect("SHA-256 is known")
}

fn nothing(_: &mut Signed) {}
fn keep(_: &mut Vec<u8>) {}

const PLAIN: Kind = Kind { label: "", change: nothing, ds: keep, glue: None, absent: false };

/// The 63 kinds.
fn kinds() -> Vec<Kind> {
    let zone = |label, change| Kind { label, change, ..PLAIN };
    let ds = |label, ds| Kind { label, ds, ..PLAIN };
    let absent = |label, change| Kind { label, change, absent: true, ..PLAIN };
    let glue = |label, glue| Kind { label, glue: Some(glue), ..PLAIN };
    vec![
        zone("valid", nothing),
        Kind {
            change: |zone| zone.records = zone.plain.clone(),
            ds: Vec::clear,
            ..zone("unsigned", nothing)
        },
        zone("allow-query-none", nothing),
        zone("allow-query-localhost", nothing),
        ds("no-ds", Vec::clear),
        ds("ds-bad-tag", |ds| ds[1] ^= 1),
        ds("ds-bad-key-algo", |ds| ds[2] = 13),
        ds("ds-unassigned-key-algo", |ds| ds[2] = 100),
        ds("ds-reserved-key-algo", |ds| ds[2] = 200),
        ds("ds-unassigned-digest-algo", |ds| ds[3] = 100),
        ds("ds-bogus-digest-value", |ds| spoil_last(ds)),
        zone("rrsig-exp-all", |zone| zone.again(|plan| plan.window = PAST)),
        zone("rrsig-exp-a", |zone| zone.other_times_for_a(PAST)),
        zone("rrsig-not-yet-all", |zone| zone.again(|plan| plan.window = FUTURE)),
        zone("rrsig-not-yet-a", |zone| zone.other_times_for_a(FUTURE)),
        zone("rrsig-exp-before-all", |zone| zone.again(|plan| plan.window = BACKWARDS)),
        zone("rrsig-exp-before-a", |zone| zone.other_times_for_a(BACKWARDS)),
        zone("rrsig-no-all", |zone| zone.drop(|record| record.rtype == RecordType::RRSIG)),
        zone("rrsig-no-a", |zone| zone.drop(|record| covers(record, RecordType::A))),
        zone("no-rrsig-ksk", |zone| {
            let tag = by_ksk(&zone.records);
            zone.drop(|record| covers(record, RecordType::DNSKEY) && record.data[16..18] == tag[..]);
        }),
        zone("no-rrsig-dnskey", |zone| zone.drop(|record| covers(record, RecordType::DNSKEY))),
        absent("bad-nsec3-hash", |zone| {
            for record in &mut zone.records {
                let hashed = record.rtype == RecordType::NSEC3 || covers(record, RecordType::NSEC3);
                if hashed {
                    let mut label = record.name.iter().next().expect("a hash").to_vec();
                    label.reverse();
                    let rest = record.name.iter().skip(1).map(<[u8]>::to_vec).collect::<Vec<_>>();
                    let labels = std::iter::once(&label[..]).chain(rest.iter().map(Vec::as_slice));
                    record.name = Name::from_labels(labels).expect("as long as before");
                }
            }
        }),
        absent("bad-nsec3-next", |zone| {
            zone.alter(|record| record.rtype == RecordType::NSEC3, |data| data[6..26].reverse());
        }),
        absent("bad-nsec3param-salt", |zone| {
            zone.alter(
                |record| record.rtype == RecordType::NSEC3PARAM,
                |data| {
                    data[4] = 2;
                    data.extend_from_slice(&[0xab, 0xcd]);
                },
            );
        }),
        absent("bad-nsec3-rrsig", |zone| {
            zone.alter(|record| covers(record, RecordType::NSEC3), |data| spoil_last(data))
        }),
        absent("nsec3-missing", |zone| {
            zone.drop(|record| record.rtype == RecordType::NSEC3 || covers(record, RecordType::NSEC3));
        }),
        absent("nsec3-rrsig-missing", |zone| zone.drop(|record| covers(record, RecordType::NSEC3))),
        absent("nsec3param-missing", |zone| zone.drop(|record| record.rtype == RecordType::NSEC3PARAM)),
        absent("no-nsec3param-nsec3", |zone| {
            zone.drop(|record| {
                matches!(record.rtype, RecordType::NSEC3 | RecordType::NSEC3PARAM)
                    || covers(record, RecordType::NSEC3)
            });
        }),
        zone("no-zsk", |zone| zone.drop(is_zsk)),
        zone("bad-zsk", |zone| zone.alter(is_zsk, |data| spoil_last(data))),
        zone("no-ksk", |zone| zone.drop(is_ksk)),
        zone("bad-rrsig-ksk", |zone| {
            let tag = by_ksk(&zone.records);
            zone.alter(
                |record| covers(record, RecordType::DNSKEY) && record.data[16..18] == tag[..],
                |data| spoil_last(data),
            );
        }),
        zone("bad-ksk", |zone| zone.alter(is_ksk, |data| spoil_last(data))),
        zone("bad-rrsig-dnskey", |zone| {
            zone.alter(|record| covers(record, RecordType::DNSKEY), |data| spoil_last(data))
        }),
        zone("no-dnskey-256", |zone| zone.alter(is_zsk, |data| data[0] &= !1)),
        zone("no-dnskey-257", |zone| zone.alter(is_ksk, |data| data[0] &= !1)),
        zone("no-dnskey-256-257", |zone| {
            zone.alter(|record| record.rtype == RecordType::DNSKEY, |data| data[0] &= !1);
        }),
        zone("bad-zsk-algo", |zone| zone.alter(is_zsk, |data| data[3] = 13)),
        zone("unassigned-zsk-algo", |zone| zone.alter(is_zsk, |data| data[3] = 100)),
        zone("reserved-zsk-algo", |zone| zone.alter(is_zsk, |data| data[3] = 200)),
        Kind { change: ed448, ds: ed448_ds, ..zone("ed448", nothing) },
        glue("v6-mapped", "::ffff:192.0.2.1"),
        glue("v6-unspecified", "::"),
        glue("v4-hex", "::102:304"),
        glue("v6-link-local", "fe80::1"),
        glue("v6-localhost", "::1"),
        glue("v6-mapped-dep", "::192.0.2.1"),
        glue("v6-doc", "2001:db8::1"),
        glue("v6-unique-local", "fd00::1"),
        glue("v6-nat64", "64:ff9b::c000:201"),
        glue("v6-multicast", "ff02::1"),
        glue("v4-private-10", "10.0.0.1"),
        glue("v4-private-172", "172.16.0.1"),
        glue("v4-private-192", "192.168.0.1"),
        glue("v4-this-host", "0.0.0.0"),
        glue("v4-loopback", "127.0.0.9"),
        glue("v4-link-local", "169.254.0.1"),
        glue("v4-doc", "192.0.2.1"),
        glue("v4-reserved", "240.0.0.1"),
        Kind { ds: |ds| ds[2] = 1, ..zone("rsamd5", |zone| other_algorithm(zone, 1)) },
        Kind { ds: |ds| ds[2] = 3, ..zone("dsa", |zone| other_algorithm(zone, 3)) },
        absent("nsec3-iter-200", |zone| {
            zone.again(|plan| {
                plan.chain = Chain::Nsec3 { iterations: 200, salt: Vec::new(), opt_out: false };
            });
        }),
    ]
}

/// Keys and signatures under another algorithm's number. That nobody can check them is the point: the algorithm is
/// one that must not be used (RFC 8624 section 3.1), so no validator looks.
fn other_algorithm(zone: &mut Signed, number: u8) {
    zone.alter(|record| record.rtype == RecordType::DNSKEY, |data| data[3] = number);
    zone.alter(|record| record.rtype == RecordType::RRSIG, |data| data[2] = number);
}

/// Signed by a program that knows Ed448 (see the file's head).
const ED448: &str = include_str!("ed448.zone");

fn ed448(zone: &mut Signed) {
    let records = master_records(ED448, &Name::root()).expect("a good file");
    zone.records = records.into_iter().filter(|record| record.rtype != RecordType::DS).collect();
}

fn ed448_ds(ds: &mut Vec<u8>) {
    let records = master_records(ED448, &Name::root()).expect("a good file");
    let found = records.iter().find(|record| record.rtype == RecordType::DS).expect("it has a DS");
    *ds = found.data.to_vec();
}

fn record(owner: &Name, rtype: RecordType, data: Vec<u8>) -> RawRecord {
    RawRecord { name: owner.clone(), rtype, class: 1, ttl: 3600, data: data.into() }
}

fn address(owner: &Name, address: IpAddr) -> RawRecord {
    match address {
        IpAddr::V4(v4) => record(owner, RecordType::A, v4.octets().to_vec()),
        IpAddr::V6(v6) => record(owner, RecordType::AAAA, v6.octets().to_vec()),
    }
}

/// Builds it all.
pub(crate) fn world() -> World {
    let lab = name("lab");
    let mut servers = BTreeMap::new();
    let mut questions = Vec::new();
    let soa = |zone: &str| format!("{zone} 3600 IN SOA ns.{zone} nobody.invalid. 1 3600 900 604800 300\n");
    let parse = |text: &str| master_records(text, &Name::root()).expect("legal records");
    let mut parent = parse(&format!("{}lab. 3600 IN NS ns.lab.\nns.lab. 3600 IN A {LAB}\n", soa("lab.")));
    for (number, kind) in kinds().into_iter().enumerate() {
        let number = u8::try_from(number).expect("there are 63");
        let zone = format!("{}.lab.", kind.label);
        let origin = name(&zone);
        let own = IpAddr::V4(Ipv4Addr::new(127, 53, 1, number + 1));
        let plain = parse(&format!(
            "{}{zone} 3600 IN NS ns.{zone}\nns.{zone} 3600 IN A {own}\n{zone} 300 IN A 192.0.2.80\n{}",
            soa(&zone),
            // Enough names that a chain of denials has more links than one answer holds.
            (0..12).map(|at| format!("host{at}.{zone} 300 IN A 192.0.2.{at}\n")).collect::<String>(),
        ));
        let plan = plan(number + 1);
        let mut ds = ds_of(&plan, &origin);
        (kind.ds)(&mut ds);
        let records = signed(&origin, &plain, &plan);
        let mut zone = Signed { origin: origin.clone(), plain, plan, records };
        (kind.change)(&mut zone);
        let refuses = kind.label.starts_with("allow-query");
        let server = match refuses {
            true => Server::Refuses,
            false => Server::Zone(SignedZone::new(&zone.records).expect("it has a SOA")),
        };
        servers.insert(own, server);
        let ns = name(&format!("ns.{}.lab", kind.label));
        parent.push(record(&origin, RecordType::NS, thru_names::wire::name_to_wire(&ns)));
        let place = kind.glue.map_or(own, |text| text.parse().expect("an address"));
        parent.push(address(&ns, place));
        if !ds.is_empty() {
            parent.push(record(&origin, RecordType::DS, ds));
        }
        let asked = if kind.absent { name(&format!("nope.{}.lab", kind.label)) } else { origin };
        questions.push((kind.label.to_owned(), asked));
    }
    let lab_plan = plan(200);
    let mut root = parse(&format!(
        "{}. 3600 IN NS ns.root.\nns.root. 3600 IN A {ROOT}\nlab. 3600 IN NS ns.lab.\nns.lab. 3600 IN A {LAB}\n",
        ". 3600 IN SOA ns.root. nobody.invalid. 1 3600 900 604800 300\n"
    ));
    root.push(record(&lab, RecordType::DS, ds_of(&lab_plan, &lab)));
    servers.insert(LAB, Server::Zone(SignedZone::new(&signed(&lab, &parent, &lab_plan)).expect("a SOA")));
    let root_plan = plan(201);
    let anchor = record(&Name::root(), RecordType::DS, ds_of(&root_plan, &Name::root()));
    let root = signed(&Name::root(), &root, &root_plan);
    servers.insert(ROOT, Server::Zone(SignedZone::new(&root).expect("a SOA")));
    World { servers, anchor, questions }
}
