//! The language of links: `"home -- isp : dsl { loss=1%, delay=10ms/12ms }"`.
//!
//! A value with a slash states both directions, *down* first: towards the node on the left, as providers
//! write their offers. `rate=100Mbit/20Mbit` between `home` and `isp` brings `home` 100 Mbit/s. One value
//! means both directions. Words and the order of the pipeline are netem's.

use std::time::Duration;

use thru_sim::link::{Chance, LinkConfig, Loss, Pipe};
use thru_sim::queue::QueueConfig;

use crate::source::{Error, Span, suggest};
use crate::units::{self, BadQuantity};

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

/// A piece of text with its place, so that what is wrong inside can be pointed at.
#[derive(Clone, Debug)]
pub(crate) struct Text<'a> {
    pub(crate) text: &'a str,
    /// Where the text stands; `None` if it came from the command line.
    pub(crate) span: Option<Span>,
}

impl<'a> Text<'a> {
    pub(crate) fn new(text: &'a str, span: Option<Span>) -> Text<'a> {
        Text { text, span }
    }

    /// The part from byte `from` to `to`, without surrounding blanks.
    pub(crate) fn part(&self, from: usize, to: usize) -> Text<'a> {
        let raw = &self.text[from..to];
        let trimmed = raw.trim();
        let from = from + (raw.len() - raw.trim_start().len());
        let span = self.span.as_ref().map(|span| span.part(from, trimmed.len()));
        Text { text: trimmed, span }
    }

    pub(crate) fn trimmed(&self) -> Text<'a> {
        self.part(0, self.text.len())
    }

    pub(crate) fn error(&self, message: impl Into<String>, hint: impl Into<String>) -> Error {
        Error { span: self.span.clone(), message: message.into(), hint: hint.into() }
    }

    pub(crate) fn quantity<T>(&self, read: impl FnOnce(&str) -> Result<T, BadQuantity>) -> Result<T, Error> {
        read(self.text).map_err(|bad| self.error(bad.message, bad.hint))
    }

    /// Splits at `separator` outside parentheses.
    pub(crate) fn split(&self, separator: char) -> Vec<Text<'a>> {
        let mut parts = Vec::new();
        let (mut depth, mut from) = (0i32, 0);
        for (at, c) in self.text.char_indices() {
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                c if c == separator && depth <= 0 => {
                    parts.push(self.part(from, at));
                    from = at + c.len_utf8();
                }
                _ => {}
            }
        }
        parts.push(self.part(from, self.text.len()));
        parts
    }

    /// Splits once at the first `separator`.
    pub(crate) fn split_once(&self, separator: char) -> Option<(Text<'a>, Text<'a>)> {
        let at = self.text.find(separator)?;
        Some((self.part(0, at), self.part(at + separator.len_utf8(), self.text.len())))
    }
}

/// How much a queue holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Bytes.
    Bytes(usize),
    /// As many bytes as the link sends in this time.
    Time(Duration),
}

impl Limit {
    /// In bytes at `rate`; never less than ten full frames, so that a slow link still works.
    fn bytes(self, rate: Option<u64>) -> usize {
        match (self, rate) {
            (Limit::Bytes(bytes), _) => bytes,
            (Limit::Time(time), Some(rate)) => {
                let bytes = u128::from(rate) * time.as_nanos() / 8_000_000_000;
                usize::try_from(bytes).unwrap_or(usize::MAX).clamp(15_140, 1 << 30)
            }
            (Limit::Time(_), None) => 1 << 20,
        }
    }

    fn show(self) -> String {
        match self {
            Limit::Bytes(bytes) => units::show_size(bytes),
            Limit::Time(time) => units::show_duration(time),
        }
    }
}

/// A queue discipline as it is written; the limit may be a time.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueSpec {
    /// How much it holds.
    pub limit: Limit,
    /// Discipline and its settings. Its own `limit` is not used.
    pub discipline: QueueConfig,
}

impl Default for QueueSpec {
    fn default() -> QueueSpec {
        QueueSpec {
            limit: Limit::Time(Duration::from_millis(100)),
            discipline: QueueConfig::DropTail { limit: 0 },
        }
    }
}

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

/// Name and arguments of `name` or `name(arguments)`.
fn call<'a>(value: &Text<'a>) -> Result<(Text<'a>, Vec<Text<'a>>), Error> {
    let Some(open) = value.text.find('(') else {
        return Ok((value.clone(), Vec::new()));
    };
    if !value.text.ends_with(')') {
        return Err(value.error(format!("`{}` has no closing parenthesis", value.text), "end it with `)`"));
    }
    let inside = value.part(open + 1, value.text.len() - 1);
    let arguments = if inside.text.is_empty() { Vec::new() } else { inside.split(',') };
    Ok((value.part(0, open), arguments))
}

fn loss(value: &Text<'_>) -> Result<Loss, Error> {
    let (name, arguments) = call(value)?;
    match (name.text, arguments.as_slice()) {
        ("none", []) => Ok(Loss::None),
        ("every", [n]) => match n.text.parse::<u32>() {
            Ok(n) if n > 0 => Ok(Loss::Every(n)),
            _ => Err(
                n.error(format!("`{}` is not a count", n.text), "write `every(10)` to lose each tenth frame")
            ),
        },
        ("pattern", [bits]) => {
            let known = !bits.text.is_empty()
                && bits.text.len() <= 4096
                && bits.text.bytes().all(|b| matches!(b, b'0' | b'1'));
            if !known {
                return Err(bits.error(
                    format!("`{}` is not a pattern", bits.text),
                    "write 1 for each lost frame and 0 for each that passes, as in `pattern(0010)`",
                ));
            }
            Ok(Loss::Pattern(bits.text.bytes().map(|b| b == b'1').collect()))
        }
        ("ge", [enter, leave, rest @ ..]) if rest.len() <= 2 => {
            let enter_bad = enter.quantity(units::chance)?;
            let leave_bad = leave.quantity(units::chance)?;
            let loss_bad =
                rest.first().map_or(Ok(Chance(1_000_000_000)), |chance| chance.quantity(units::chance))?;
            let loss_good = rest.get(1).map_or(Ok(Chance(0)), |chance| chance.quantity(units::chance))?;
            Ok(Loss::GilbertElliott { enter_bad, leave_bad, loss_bad, loss_good })
        }
        (_, []) if value.text.starts_with(|c: char| c.is_ascii_digit()) => {
            let chance = value.quantity(units::chance)?;
            Ok(if chance.0 == 0 { Loss::None } else { Loss::Random(chance) })
        }
        _ => Err(value.error(
            format!("`{}` is not a loss", value.text),
            "write `1%`, `ge(1%, 20%)` (into bursts, out of them), `every(10)` or `pattern(0010)`",
        )),
    }
}

fn show_loss(loss: &Loss) -> Option<String> {
    match loss {
        Loss::None => None,
        Loss::Random(chance) => Some(units::show_chance(*chance)),
        Loss::GilbertElliott { enter_bad, leave_bad, loss_bad, loss_good } => {
            let all = [enter_bad, leave_bad, loss_bad, loss_good].map(|chance| units::show_chance(*chance));
            Some(format!("ge({})", all.join(", ")))
        }
        Loss::Every(n) => Some(format!("every({n})")),
        Loss::Pattern(bits) => {
            let bits: String = bits.iter().map(|lost| if *lost { '1' } else { '0' }).collect();
            Some(format!("pattern({bits})"))
        }
    }
}

const DISCIPLINES: [&str; 6] = ["droptail", "drophead", "red", "codel", "fq_codel", "pie"];

fn queue(value: &Text<'_>) -> Result<QueueSpec, Error> {
    let ms = Duration::from_millis;
    let (name, arguments) = call(value)?;
    let (mut limit, mut discipline) = match name.text {
        "droptail" => (QueueSpec::default().limit, QueueConfig::DropTail { limit: 0 }),
        "drophead" => (QueueSpec::default().limit, QueueConfig::DropHead { limit: 0 }),
        "red" => (
            Limit::Bytes(400_000),
            QueueConfig::Red {
                limit: 0,
                min: 30_000,
                max: 90_000,
                max_probability: Chance(20_000_000),
                ecn: false,
            },
        ),
        // RFC 8289 4.2 and RFC 8290 5.2: the recommended settings.
        "codel" => (
            Limit::Bytes(1_500_000),
            QueueConfig::Codel { limit: 0, target: ms(5), interval: ms(100), ecn: false },
        ),
        "fq_codel" => (
            Limit::Bytes(10_000_000),
            QueueConfig::FqCodel {
                limit: 0,
                flows: 1024,
                quantum: 1514,
                target: ms(5),
                interval: ms(100),
                ecn: true,
            },
        ),
        "pie" => (
            Limit::Bytes(1_500_000),
            QueueConfig::Pie { limit: 0, target: ms(15), update: ms(15), ecn: false },
        ),
        other => {
            return Err(name.error(format!("unknown queue `{other}`"), suggest(other, DISCIPLINES)));
        }
    };
    for argument in &arguments {
        let (key, setting) = match argument.split_once('=') {
            Some((key, setting)) => (key, setting),
            None => (Text::new("limit", argument.span.clone()), argument.clone()),
        };
        if key.text == "limit" {
            limit = if units::duration(setting.text).is_ok() {
                Limit::Time(setting.quantity(units::duration)?)
            } else {
                match units::size(setting.text) {
                    Ok(size) => Limit::Bytes(size),
                    Err(_) => {
                        return Err(setting.error(
                            format!("`{}` is not a queue limit", setting.text),
                            "write a size or a time, as in `droptail(64kB)` or `droptail(100ms)`",
                        ));
                    }
                }
            };
        } else {
            set_discipline(&mut discipline, name.text, &key, &setting)?;
        }
    }
    Ok(QueueSpec { limit, discipline })
}

fn set_discipline(
    discipline: &mut QueueConfig,
    name: &str,
    key: &Text<'_>,
    value: &Text<'_>,
) -> Result<(), Error> {
    let known: &[&str] =
        match (discipline, key.text) {
            (QueueConfig::Red { min, .. }, "min") => {
                return value.quantity(units::size).map(|size| *min = size);
            }
            (QueueConfig::Red { max, .. }, "max") => {
                return value.quantity(units::size).map(|size| *max = size);
            }
            (QueueConfig::Red { max_probability, .. }, "probability") => {
                return value.quantity(units::chance).map(|chance| *max_probability = chance);
            }
            (
                QueueConfig::Codel { target, .. }
                | QueueConfig::FqCodel { target, .. }
                | QueueConfig::Pie { target, .. },
                "target",
            ) => {
                return value.quantity(units::duration).map(|time| *target = time);
            }
            (QueueConfig::Codel { interval, .. } | QueueConfig::FqCodel { interval, .. }, "interval") => {
                return value.quantity(units::duration).map(|time| *interval = time);
            }
            (QueueConfig::Pie { update, .. }, "update") => {
                return value.quantity(units::duration).map(|time| *update = time);
            }
            (QueueConfig::FqCodel { quantum, .. }, "quantum") => {
                return value.quantity(units::size).map(|size| *quantum = size.max(1));
            }
            (QueueConfig::FqCodel { flows, .. }, "flows") => {
                return match value.text.parse::<u32>() {
                    Ok(n @ 1..=65_536) => {
                        *flows = n;
                        Ok(())
                    }
                    _ => Err(value.error(
                        format!("`{}` is not a number of flows", value.text),
                        "write a count from 1 to 65536",
                    )),
                };
            }
            (
                QueueConfig::Red { ecn, .. }
                | QueueConfig::Codel { ecn, .. }
                | QueueConfig::FqCodel { ecn, .. }
                | QueueConfig::Pie { ecn, .. },
                "ecn",
            ) => {
                return match value.text {
                    "on" => {
                        *ecn = true;
                        Ok(())
                    }
                    "off" => {
                        *ecn = false;
                        Ok(())
                    }
                    other => Err(value
                        .error(format!("`{other}` is neither on nor off"), "write `ecn=on` or `ecn=off`")),
                };
            }
            (QueueConfig::DropTail { .. } | QueueConfig::DropHead { .. }, _) => &["limit"],
            (QueueConfig::Red { .. }, _) => &["limit", "min", "max", "probability", "ecn"],
            (QueueConfig::Codel { .. }, _) => &["limit", "target", "interval", "ecn"],
            (QueueConfig::FqCodel { .. }, _) => &["limit", "flows", "quantum", "target", "interval", "ecn"],
            (QueueConfig::Pie { .. }, _) => &["limit", "target", "update", "ecn"],
        };
    Err(key.error(
        format!("unknown setting `{}` of queue `{name}`", key.text),
        suggest(key.text, known.iter().copied()),
    ))
}

impl QueueSpec {
    fn config(&self, rate: Option<u64>) -> QueueConfig {
        let bytes = self.limit.bytes(rate);
        let mut config = self.discipline.clone();
        match &mut config {
            QueueConfig::DropTail { limit }
            | QueueConfig::DropHead { limit }
            | QueueConfig::Red { limit, .. }
            | QueueConfig::Codel { limit, .. }
            | QueueConfig::FqCodel { limit, .. }
            | QueueConfig::Pie { limit, .. } => *limit = bytes,
        }
        config
    }

    fn show(&self) -> String {
        let limit = self.limit.show();
        let (time, size) = (units::show_duration, units::show_size);
        let onoff = |ecn: bool| if ecn { "on" } else { "off" };
        match &self.discipline {
            QueueConfig::DropTail { .. } => format!("droptail({limit})"),
            QueueConfig::DropHead { .. } => format!("drophead({limit})"),
            QueueConfig::Red { min, max, max_probability, ecn, .. } => format!(
                "red({limit}, min={}, max={}, probability={}, ecn={})",
                size(*min),
                size(*max),
                units::show_chance(*max_probability),
                onoff(*ecn)
            ),
            QueueConfig::Codel { target, interval, ecn, .. } => {
                format!(
                    "codel({limit}, target={}, interval={}, ecn={})",
                    time(*target),
                    time(*interval),
                    onoff(*ecn)
                )
            }
            QueueConfig::FqCodel { flows, quantum, target, interval, ecn, .. } => format!(
                "fq_codel({limit}, flows={flows}, quantum={}, target={}, interval={}, ecn={})",
                size(*quantum),
                time(*target),
                time(*interval),
                onoff(*ecn)
            ),
            QueueConfig::Pie { target, update, ecn, .. } => {
                format!(
                    "pie({limit}, target={}, update={}, ecn={})",
                    time(*target),
                    time(*update),
                    onoff(*ecn)
                )
            }
        }
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
