//! Rules of a policy zone and zones with digests out of any text: read, compared and asked, and never a panic.
#![no_main]

use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use thru_names::authority::SignedZone;
use thru_names::authority::digest;
use thru_names::proto::rr::Name;
use thru_names::rdata::master_records;
use thru_names::resolver::ResolverConfig;
use thru_names::service::policy::PolicyZone;
use thru_names::service::responses::AddressRules;
use thru_names::service::{Service, ServiceConfig};
use thru_wire::Instant;

/// A question for `a.` of type A.
const QUESTION: &[u8] = b"\0\x01\x01\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01";

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let origin = Name::root();
    let Ok(records) = master_records(&text, &origin) else { return };
    if let Ok(zone) = SignedZone::new(&records) {
        let _ = digest::check(&zone);
    }
    let (zone, unused) = PolicyZone::read(&origin, &records);
    assert!(unused.len() <= records.len());
    let mut rules = AddressRules::default();
    for line in text.lines().take(8) {
        let _ = rules.add_data(IpAddr::from([192, 0, 2, 1]), 24, line);
    }
    let mut config = ServiceConfig::new(ResolverConfig::new(Vec::new()));
    config.policies.push(zone);
    config.responses = rules;
    let mut service = Service::new(config, [1; 32]);
    service.query(Instant::START, 1, IpAddr::from([127, 0, 0, 1]), false, QUESTION);
    while service.poll().is_some() {}
});
