//! Taking packets apart and, in bounded memory, together again.
//!
//! - [`split`]: IPv4 by hosts and routers (RFC 791 3.2), IPv6 by the source only (RFC 8200 4.5).
//! - [`reassemble`]: the fragments that have arrived, their deadlines and their memory.

pub(crate) mod reassemble;
pub(crate) mod split;

pub(crate) use crate::header::set_ipv4_checksum;
