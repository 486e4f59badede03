//! From the host a user writes to an address, with the errors that belong to it.

use std::net::IpAddr;

use thru_probe::Recorder;
use thru_probe::resolve::{Families, ResolveOptions, resolve};
use thru_trace::Family;

use crate::failure::{FAULT, Failure};
use crate::session::Session;

/// The address of `host` to use: the first of the family asked for.
pub(crate) async fn host(
    session: &Session,
    recorder: &Recorder,
    host: &str,
    family: Option<Family>,
) -> Result<IpAddr, Failure> {
    let families = match family {
        Some(Family::V4) => Families::V4,
        Some(Family::V6) => Families::V6,
        None => Families::Any,
    };
    let options = ResolveOptions { families, hosts: session.hosts(), ..ResolveOptions::default() };
    let found = match resolve(recorder, None, host, &options).await {
        Ok(found) => found.addresses,
        Err(failure) => {
            return Err(Failure {
                code: FAULT,
                message: failure.text,
                hint: format!("`thru https://{host}/` finds out why"),
                excerpt: None,
            });
        }
    };
    let wanted = |address: &&IpAddr| match family {
        Some(Family::V4) => address.is_ipv4(),
        Some(Family::V6) => address.is_ipv6(),
        None => true,
    };
    found.iter().find(wanted).copied().ok_or_else(|| {
        Failure::usage(format!("`{host}` has no address of that family"), "leave out -4 or -6")
    })
}
