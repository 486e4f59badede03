//! One file per command.

pub(crate) mod bench;
pub(crate) mod bridge;
pub(crate) mod capture;
pub(crate) mod compare;
pub(crate) mod craft;
pub(crate) mod dig;
pub(crate) mod dns;
pub(crate) mod doctor;
pub(crate) mod drill;
pub(crate) mod explain;
pub(crate) mod impair;
pub(crate) mod lab;
pub(crate) mod masters;
pub(crate) mod ping;
pub(crate) mod read;
pub(crate) mod route;
pub(crate) mod send;
pub(crate) mod serve;
pub(crate) mod shell;
pub(crate) mod shown;
pub(crate) mod up;
pub(crate) mod url;
