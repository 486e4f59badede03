use std::cell::Cell;

use hickory_proto::rr::RecordType;
use thru_names::dnssec::algorithm::Algorithms;
use thru_names::dnssec::keys::{Trusted, keys_by_ds};
use thru_names::dnssec::verify::{Context, verify_set};
use thru_names::rdata::master_records;
use thru_names::text::parse_name;

use super::*;
use crate::scenario::service::roll::WORDS;

const DATE: u64 = 1_772_442_000;
const ZONE: &str = "shop.lab. 3600 SOA ns.shop.lab. hostmaster.shop.lab. 7 7200 900 604800 300\n\
                    shop.lab. 3600 NS ns.shop.lab.\nns.shop.lab. 3600 A 192.0.2.1\nwww.shop.lab. 300 A 192.0.2.80\n";

/// Whether somebody who validates from the zone above on believes the zone's data.
fn holds(rolling: Rolling) -> Result<(), String> {
    let origin = parse_name("shop.lab").expect("a name");
    let records = master_records(ZONE, &Name::root()).expect("legal records");
    let zone = zone(&origin, &records, rolling, Chain::Nsec, DATE)?;
    let ds = entry_point(&origin, rolling).ds(&origin, SHA256).expect("SHA-256 is known");
    let operations = Cell::new(100);
    let context = Context {
        algorithms: Algorithms::default(),
        now: DATE as u32,
        ignore_times: false,
        every_algorithm: false,
        operations: &operations,
    };
    let set = |name: &str, rtype| zone.set(&parse_name(name).expect("a name"), rtype).expect("it is there");
    let Trusted::Keys(keys, _) =
        keys_by_ds(context, &origin, &[ds.into()], set("shop.lab", RecordType::DNSKEY))
    else {
        return Err("the keys are not those that the zone above vouches for".to_owned());
    };
    let www = set("www.shop.lab", RecordType::A);
    verify_set(context, www, &origin, &keys).map(drop).map_err(|why| why.why)?;
    let cds = zone.set(&origin, RecordType::CDS).map_or(0, |set| set.data.len());
    if cds == 1 { Ok(()) } else { Err(format!("{cds} CDS records")) }
}

#[test]
fn every_step_is_good_but_where_the_ds_changes_at_the_wrong_time() {
    for (word, rolling) in WORDS {
        let wrong = word.starts_with("ds-too-");
        assert_eq!(holds(rolling).is_err(), wrong, "{word}: {:?}", holds(rolling));
        assert_eq!(Rolling::of_word(word), Some(rolling), "each word is of one step");
        assert_eq!(rolling.word(), word);
    }
}
