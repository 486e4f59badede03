//! Addresses and prefixes as text.
#![no_main]

use core::net::IpAddr;
use libfuzzer_sys::fuzz_target;
use thru_wire::address::{self, MacAddr};
use thru_wire::{Cidr, IpPrefix};

fuzz_target!(|text: &str| {
    if let Ok(mac) = text.parse::<MacAddr>() {
        assert_eq!(mac.to_string().parse(), Ok(mac));
        assert!(mac.link_local().is_unicast_link_local());
    }
    if let Ok(cidr) = text.parse::<Cidr>() {
        assert_eq!(cidr.to_string().parse(), Ok(cidr));
        assert!(cidr.contains(cidr.address()));
    }
    if let Ok(prefix) = text.parse::<IpPrefix>() {
        assert_eq!(prefix.to_string().parse(), Ok(prefix));
        assert!(prefix.covers(prefix) && prefix.contains(prefix.network()));
        let _ = (prefix.broadcast(), prefix.nth(1));
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        let _ = (address::category(address), MacAddr::of_group(address));
    }
});
