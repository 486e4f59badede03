//! Proxies.

use super::set;
use crate::item::Reader;
use crate::source::Error;

/// A proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxySpec {
    /// It speaks SOCKS 5 instead of HTTP.
    pub socks: bool,
    /// Its port.
    pub port: u16,
    /// What it answers everybody: a status (HTTP) or a reply code (SOCKS); `None`: it connects and passes on.
    pub answer: Option<u16>,
    /// It takes connections and says nothing.
    pub silent: bool,
    /// Whether it runs at all.
    pub up: bool,
}

impl Default for ProxySpec {
    fn default() -> ProxySpec {
        ProxySpec { socks: false, port: 3128, answer: None, silent: false, up: true }
    }
}

impl ProxySpec {
    pub(super) fn apply(&mut self, reader: &Reader<'_>) -> Result<(), Error> {
        set(&mut self.socks, reader.bool("socks")?);
        if let Some(port) = reader.integer("port", 1, 65_535)? {
            self.port = port as u16;
        }
        for (key, from) in [("status", 300), ("reply", 1)] {
            if let Some(answer) = reader.integer(key, from, 599)? {
                self.answer = Some(answer as u16);
            }
        }
        set(&mut self.silent, reader.bool("silent")?);
        set(&mut self.up, reader.bool("up")?);
        Ok(())
    }

    /// Lines of the expanded file.
    pub(in crate::scenario) fn show(&self) -> Vec<String> {
        let mut lines = vec![format!("socks = {}", self.socks), format!("port = {}", self.port)];
        let key = if self.socks { "reply" } else { "status" };
        lines.extend(self.answer.map(|answer| format!("{key} = {answer}")));
        lines.extend(self.silent.then(|| "silent = true".to_string()));
        lines.push(format!("up = {}", self.up));
        lines
    }
}
