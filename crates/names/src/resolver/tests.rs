//! Scripted name servers in virtual time.

mod basics;
mod chain;
mod hostile;
mod net;
mod trouble;
mod work;
