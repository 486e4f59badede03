//! The language of links: `"home -- isp : dsl { loss=1%, delay=10ms/12ms }"`.
//!
//! A value with a slash states both directions, *down* first: towards the node on the left, as providers
//! write their offers. `rate=100Mbit/20Mbit` between `home` and `isp` brings `home` 100 Mbit/s. One value
//! means both directions. Words and the order of the pipeline are netem's.

mod loss;
mod queue;
mod text;

use std::time::Duration;

use thru_sim::link::{Chance, LinkConfig, Loss, Pipe};

use crate::source::{Error, suggest};
use crate::units;
use loss::{loss, show_loss};
use queue::queue;
pub use queue::{Limit, QueueSpec};
pub(crate) use text::Text;

/// Presets for links, by the names people use: name and settings.
pub const PROFILES: &[(&str, &str)] = &[
    ("lan", "rate=1Gbit, delay=100us, queue=droptail(512kB)"),
    ("wifi", "rate=200Mbit, delay=1ms, jitter=1ms, queue=fq_codel"),
    ("dsl", "rate=50Mbit/10Mbit, delay=8ms, queue=droptail(200ms)"),
    ("cable", "rate=250Mbit/25Mbit, delay=6ms, jitter=500us, queue=fq_codel"),
    ("fiber", "rate=1Gbit/500Mbit, delay=2ms, queue=fq_codel"),
    ("lte", "rate=40Mbit/15Mbit, delay=22ms, jitter=6ms, queue=droptail(500ms)"),
    ("5g", "rate=300Mbit/60Mbit, delay=8ms, jitter=2ms, queue=droptail(200ms)"),
    ("geo-sat", "rate=50Mbit/5Mbit, delay=275ms, jitter=2ms, loss=0.1%, queue=droptail(500ms)"),
    ("leo-sat", "rate=150Mbit/20Mbit, delay=14ms, jitter=4ms, loss=0.1%, queue=droptail(200ms)"),
    ("modem", "rate=56kbit/33.6kbit, delay=60ms, queue=droptail(2s)"),
    ("datacenter", "rate=25Gbit, delay=20us, queue=droptail(4MB)"),
    ("metro", "rate=10Gbit, delay=1ms, queue=droptail(8MB)"),
    ("transit", "rate=100Gbit, delay=5ms, queue=droptail(64MB)"),
    ("transatlantic", "rate=100Gbit, delay=38ms, queue=droptail(64MB)"),
];

/// Keys that both directions have; with `_up` or `_down` they set one.
const PIPE_KEYS: [&str; 10] =
    ["rate", "delay", "jitter", "loss", "duplicate", "corrupt", "reorder", "reorder_by", "queue", "burst"];
/// A silent size limit per direction: what is larger is lost without a word, as behind a broken tunnel.
const SILENT_MTU: &str = "mtu_silent";

/// One direction of a link as it is written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PipeSpec {
    /// Bits per second; `None`: infinitely fast.
    pub rate: Option<u64>,
    /// Token bucket depth in bytes.
    pub burst: usize,
    /// Propagation.
    pub delay: Duration,
    /// Uniform on top of the delay, keeping order.
    pub jitter: Duration,
    /// Which frames are lost.
    pub loss: Loss,
    /// Chance that a frame arrives twice.
    pub duplicate: Chance,
    /// Chance that one bit of a frame is flipped.
    pub corrupt: Chance,
    /// Chance that a frame overtakes.
    pub reorder: Chance,
    /// By how much it overtakes; `None`: by the whole delay.
    pub reorder_by: Option<Duration>,
    /// Where frames wait.
    pub queue: QueueSpec,
    /// Larger IP packets are lost without a word.
    pub mtu_silent: Option<usize>,
}

/// A link as it is written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinkSpec {
    /// Towards the node on the left.
    pub down: PipeSpec,
    /// Towards the node on the right.
    pub up: PipeSpec,
    /// MTU of the interfaces at both ends, in bytes: routers answer what is larger with "packet too big".
    pub mtu: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Both,
    Up,
    Down,
}

impl LinkSpec {
    /// What the simulator is told: left to right is "up".
    pub fn config(&self) -> LinkConfig {
        LinkConfig { a_to_b: self.up.pipe(), b_to_a: self.down.pipe() }
    }

    /// Reads `key=value, key=value`, as in `delay=20ms, loss=1%`.
    pub fn parse(text: &str) -> Result<LinkSpec, Error> {
        let mut spec = LinkSpec::default();
        spec.apply(&Text::new(text, None))?;
        Ok(spec)
    }

    /// The preset of that name.
    pub fn profile(name: &str) -> Option<LinkSpec> {
        let (_, text) = PROFILES.iter().find(|(known, _)| *known == name)?;
        let mut spec = LinkSpec::default();
        spec.apply(&Text::new(text, None)).ok()?;
        Some(spec)
    }

    /// All keys that can be set, for suggestions.
    pub fn keys() -> Vec<String> {
        let mut keys: Vec<String> = vec!["mtu".into()];
        for key in PIPE_KEYS.iter().chain([&SILENT_MTU]) {
            keys.push((*key).to_string());
            keys.push(format!("{key}_up"));
            keys.push(format!("{key}_down"));
        }
        keys
    }

    /// Applies `key=value, key=value`.
    pub(crate) fn apply(&mut self, options: &Text<'_>) -> Result<(), Error> {
        for option in options.split(',') {
            if option.text.is_empty() {
                continue;
            }
            match option.split_once('=') {
                Some((key, value)) => self.set(&key, &value)?,
                None => {
                    return Err(option.error(
                        format!("`{}` has no value", option.text),
                        "write `key=value`, as in `delay=10ms`",
                    ));
                }
            }
        }
        Ok(())
    }

    /// Sets one key, in the direction its suffix names.
    pub(crate) fn set(&mut self, key: &Text<'_>, value: &Text<'_>) -> Result<(), Error> {
        if value.text.is_empty() {
            return Err(
                key.error(format!("`{}` has no value", key.text), "write `key=value`, as in `delay=10ms`")
            );
        }
        if key.text == "mtu" {
            self.mtu = Some(mtu(value)?);
            return Ok(());
        }
        let (base, way) = match (key.text.strip_suffix("_up"), key.text.strip_suffix("_down")) {
            (Some(base), _) => (base, Way::Up),
            (_, Some(base)) => (base, Way::Down),
            _ => (key.text, Way::Both),
        };
        if !PIPE_KEYS.contains(&base) && base != SILENT_MTU {
            let keys = LinkSpec::keys();
            let plain = PIPE_KEYS.iter().copied().chain(["mtu", SILENT_MTU]);
            let hint = match crate::source::nearest(key.text, keys.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("{} (each but `mtu` also with _up or _down)", suggest(key.text, plain)),
            };
            return Err(key.error(format!("unknown link setting `{}`", key.text), hint));
        }
        let sides = value.split('/');
        // `20Mbit/s` is a rate per second, not two directions.
        let per_second = base == "rate" && sides.last().is_some_and(|side| side.text == "s");
        match (way, sides.as_slice()) {
            (Way::Both, [down, up]) if !per_second => {
                self.down.set(base, down)?;
                self.up.set(base, up)
            }
            (_, [_]) => self.set_way(base, way, value),
            _ if per_second && sides.len() == 2 => self.set_way(base, way, value),
            (Way::Both, _) => Err(value.error(
                format!("`{}` has more than two directions", value.text),
                "write one value for both, or `down/up`",
            )),
            _ => Err(value.error(
                format!("`{}` takes one value", key.text),
                format!("for both directions write `{base}=DOWN/UP`"),
            )),
        }
    }

    fn set_way(&mut self, base: &str, way: Way, value: &Text<'_>) -> Result<(), Error> {
        if way != Way::Up {
            self.down.set(base, value)?;
        }
        if way != Way::Down {
            self.up.set(base, value)?;
        }
        Ok(())
    }

    /// All settings that differ from "nothing", in the order of the pipeline: reads back to the same link.
    pub fn show(&self) -> String {
        let settings: Vec<String> =
            self.properties().into_iter().map(|(key, value)| format!("{key}={value}")).collect();
        settings.join(", ")
    }

    /// Keys and values of [`LinkSpec::show`].
    pub fn properties(&self) -> Vec<(String, String)> {
        let mut all: Vec<(String, String)> =
            self.mtu.map(|mtu| ("mtu".to_string(), mtu.to_string())).into_iter().collect();
        for ((key, down), (_, up)) in self.down.show().into_iter().zip(self.up.show()) {
            match (down, up) {
                (None, None) => {}
                (Some(down), Some(up)) if down == up => all.push((key.to_string(), down)),
                (Some(down), Some(up)) => all.push((key.to_string(), format!("{down}/{up}"))),
                (Some(down), None) => all.push((format!("{key}_down"), down)),
                (None, Some(up)) => all.push((format!("{key}_up"), up)),
            }
        }
        all
    }
}

impl PipeSpec {
    fn pipe(&self) -> Pipe {
        Pipe {
            mtu: self.mtu_silent,
            loss: self.loss.clone(),
            duplicate: self.duplicate,
            corrupt: self.corrupt,
            rate: self.rate,
            burst: self.burst,
            queue: self.queue.config(self.rate),
            delay: self.delay,
            jitter: self.jitter,
            reorder: self.reorder,
            reorder_by: self.reorder_by.unwrap_or(self.delay),
        }
    }

    fn set(&mut self, key: &str, value: &Text<'_>) -> Result<(), Error> {
        match key {
            "rate" if value.text == "unlimited" => self.rate = None,
            "rate" => self.rate = Some(value.quantity(units::rate)?),
            "burst" => self.burst = value.quantity(units::size)?,
            "delay" => self.delay = value.quantity(units::duration)?,
            "jitter" => self.jitter = value.quantity(units::duration)?,
            "loss" => self.loss = loss(value)?,
            "duplicate" => self.duplicate = value.quantity(units::chance)?,
            "corrupt" => self.corrupt = value.quantity(units::chance)?,
            "reorder" => self.reorder = value.quantity(units::chance)?,
            "reorder_by" => self.reorder_by = Some(value.quantity(units::duration)?),
            "queue" => self.queue = queue(value)?,
            _ => self.mtu_silent = if value.text == "none" { None } else { Some(mtu(value)?) },
        }
        Ok(())
    }

    /// Key and value of each setting; `None` where it is the default.
    fn show(&self) -> Vec<(&'static str, Option<String>)> {
        let PipeSpec {
            rate,
            burst,
            delay,
            jitter,
            loss,
            duplicate,
            corrupt,
            reorder,
            reorder_by,
            queue,
            mtu_silent,
        } = self;
        let chance = |chance: &Chance| (chance.0 > 0).then(|| units::show_chance(*chance));
        let time = |time: &Duration| (!time.is_zero()).then(|| units::show_duration(*time));
        vec![
            ("mtu_silent", mtu_silent.map(|mtu| mtu.to_string())),
            ("loss", show_loss(loss)),
            ("duplicate", chance(duplicate)),
            ("corrupt", chance(corrupt)),
            ("rate", rate.map(units::show_rate)),
            ("burst", (*burst > 0).then(|| units::show_size(*burst))),
            ("queue", rate.map(|_| queue.show())),
            ("delay", time(delay)),
            ("jitter", time(jitter)),
            ("reorder", chance(reorder)),
            ("reorder_by", reorder_by.as_ref().map(|by| units::show_duration(*by))),
        ]
    }
}

fn mtu(value: &Text<'_>) -> Result<usize, Error> {
    let digits = value.text.strip_suffix('B').unwrap_or(value.text).trim();
    match digits.parse::<usize>() {
        Ok(mtu @ 576..=65_535) => Ok(mtu),
        _ => Err(value.error(
            format!("`{}` is not an MTU", value.text),
            "write the largest IP packet in bytes, 576 to 65535, as in `mtu=1400`",
        )),
    }
}

/// The two nodes and the settings of a link string.
pub(crate) struct LinkText<'a> {
    pub(crate) a: Text<'a>,
    pub(crate) b: Text<'a>,
    pub(crate) profile: Option<Text<'a>>,
    pub(crate) options: Option<Text<'a>>,
}

/// Takes `"a -- b : profile { options }"` apart.
pub(crate) fn parse<'a>(whole: &Text<'a>) -> Result<LinkText<'a>, Error> {
    const FORM: &str = "write `left -- right`, `left -- right : profile` or `left -- right { delay=10ms, rate=20Mbit/5Mbit }`";
    let (head, options) = match whole.text.find('{') {
        Some(open) => {
            let rest = whole.part(open + 1, whole.text.len());
            let Some(inside) = rest.text.strip_suffix('}') else {
                return Err(whole
                    .part(open, whole.text.len())
                    .error("the link's settings have no closing brace", "end them with `}`"));
            };
            (whole.part(0, open), Some(rest.part(0, inside.len())))
        }
        None => (whole.trimmed(), None),
    };
    let (ends, profile) = match head.split_once(':') {
        Some((ends, profile)) => (ends, Some(profile)),
        None => (head, None),
    };
    if let Some(arrow) = ends.text.find("->") {
        return Err(ends.part(arrow, arrow + 2).error(
            "one-way links are not supported",
            "write `--`, and give each direction its own value: `loss=0%/100%` (down/up)",
        ));
    }
    let Some(dashes) = ends.text.find("--") else {
        return Err(ends.error(format!("`{}` is not a link", ends.text), FORM));
    };
    let (a, b) = (ends.part(0, dashes), ends.part(dashes + 2, ends.text.len()));
    if a.text.is_empty() || b.text.is_empty() {
        return Err(ends.error("a link needs a node on both sides", FORM));
    }
    Ok(LinkText { a, b, profile, options })
}

#[cfg(test)]
mod tests;
