//! Queue disciplines and their settings: `fq_codel(target=3ms)`.

use std::time::Duration;

use thru_sim::link::Chance;
use thru_sim::queue::QueueConfig;

use super::text::{Text, call};
use crate::source::{Error, suggest};
use crate::units;

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

const DISCIPLINES: [&str; 6] = ["droptail", "drophead", "red", "codel", "fq_codel", "pie"];

pub(super) fn queue(value: &Text<'_>) -> Result<QueueSpec, Error> {
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
    pub(super) fn config(&self, rate: Option<u64>) -> QueueConfig {
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

    pub(super) fn show(&self) -> String {
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
