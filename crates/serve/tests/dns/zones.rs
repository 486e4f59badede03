//! A root, a top-level domain and a shop.

use std::net::IpAddr;

use thru_names::resolver::ResolverConfig;
use thru_names::responder::Responder;
use thru_names::text::parse_name;
use thru_names::zone::Zone;

/// Where the servers of the three zones are.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    pub(crate) root: Vec<IpAddr>,
    pub(crate) lab: Vec<IpAddr>,
    pub(crate) shop: Vec<IpAddr>,
}

impl Places {
    fn glue(name: &str, addresses: &[IpAddr]) -> String {
        let kind = |address: &IpAddr| if address.is_ipv4() { "A" } else { "AAAA" };
        addresses.iter().map(|address| format!("{name} {} {address}\n", kind(address))).collect()
    }

    pub(crate) fn root_text(&self) -> String {
        format!(
            ". 86400 SOA a.root. admin.root. 1 1h 15m 7d 60\n. NS a.root.\nlab. NS ns.nic.lab.\n{}{}",
            Self::glue("a.root.", &self.root),
            Self::glue("ns.nic.lab.", &self.lab)
        )
    }

    pub(crate) fn lab_text(&self) -> String {
        format!(
            "$ORIGIN lab.\n$TTL 3600\n@ SOA ns.nic admin 1 1h 15m 7d 60\n@ NS ns.nic\nshop NS ns1.shop\n{}{}",
            Self::glue("ns.nic", &self.lab),
            Self::glue("ns1.shop", &self.shop)
        )
    }

    pub(crate) fn shop_text(&self) -> String {
        let long: String = (0..8).map(|i| format!("big TXT \"{i}{}\"\n", "x".repeat(220))).collect();
        format!(
            "$ORIGIN shop.lab.\n$TTL 300\n@ SOA ns1 admin 7 1h 15m 7d 60\n@ NS ns1\n@ MX 10 www\n{}\
             www A 192.0.2.80\nwww AAAA 2001:db8::80\nfour A 192.0.2.84\nalias CNAME www\n*.wild A 192.0.2.99\n{long}",
            Self::glue("ns1", &self.shop)
        )
    }

    pub(crate) fn config(&self) -> ResolverConfig {
        ResolverConfig::new(vec![(parse_name("a.root").expect("a name"), self.root.clone())])
    }
}

pub(crate) fn responder(text: &str) -> Responder {
    Responder::new([Zone::parse(text, None).unwrap_or_else(|error| panic!("{error} in\n{text}"))])
}
