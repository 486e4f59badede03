//! One file per command.

pub mod compare;
pub mod dig;
pub mod lab;
pub mod ping;
pub mod route;
pub mod url;
