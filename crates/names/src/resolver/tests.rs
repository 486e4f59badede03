//! Scripted name servers in virtual time.

mod basics;
mod hostile;
mod net;
mod trouble;
mod work;
