//! Axes and marks of a plot.

use super::WORDS;
use super::markup::{escape, place};
use crate::text::layout::{size, time};
use std::fmt::Write;

pub(super) const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 220.0;
pub(super) const LEFT: f64 = 76.0;
pub(super) const RIGHT: f64 = 16.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 28.0;
/// A line of more points is thinned: the page has fewer columns.
const POINTS_MAX: usize = 1_500;

/// What an axis counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Nanos,
    Bytes,
}

/// How a series is drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A value holds until the next.
    Steps,
    Dots,
    /// Dots of what went wrong.
    Trouble,
}

/// Values over time.
pub(super) struct Series {
    pub(super) name: String,
    pub(super) shape: Shape,
    /// Time in nanoseconds, value in the plot's unit.
    pub(super) points: Vec<(u64, u64)>,
}

/// A plot with its legend; nothing without a point.
pub(super) fn chart(title: &str, unit: Unit, series: &[Series], span: (u64, u64)) -> String {
    let values = || series.iter().flat_map(|series| series.points.iter().map(|point| point.1));
    let Some(most) = values().max().filter(|&most| most > 0) else { return String::new() };
    let step = nice(most);
    let ceiling = most.div_ceil(step).saturating_mul(step);
    let x = |at: u64| {
        LEFT + (WIDTH - LEFT - RIGHT) * (at.saturating_sub(span.0)) as f64
            / span.1.saturating_sub(span.0).max(1) as f64
    };
    let y = |value: u64| TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - value as f64 / ceiling as f64);
    let mut out = format!(
        "<div class=\"plot-box\"><h3>{}</h3>\n<div class=\"scroll\"><svg class=\"plot\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n",
        escape(title),
        place(WIDTH),
        place(HEIGHT),
        escape(title)
    );
    // Counted, not added up: the times of a hostile capture reach to the end of the numbers.
    for value in (0..=ceiling / step).map(|count| count * step) {
        let _ = writeln!(
            out,
            "<line class=\"grid\" x1=\"{}\" y1=\"{y}\" x2=\"{}\" y2=\"{y}\"/><text class=\"soft\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            place(LEFT),
            place(WIDTH - RIGHT),
            place(LEFT - 8.0),
            place(y(value) + 4.0),
            said(value, unit),
            y = place(y(value)),
        );
    }
    ticks(&mut out, span, HEIGHT);
    for (number, series) in series.iter().enumerate() {
        draw(&mut out, series, number, x, y);
    }
    out.push_str("</svg></div>\n<p class=\"soft\">");
    let legend: Vec<String> = series
        .iter()
        .enumerate()
        .filter(|(_, series)| !series.points.is_empty())
        .map(|(number, series)| {
            let class = if series.shape == Shape::Trouble { String::from("trouble") } else { format!("series{number}") };
            format!(
                "<svg style=\"display:inline;width:12px\" viewBox=\"0 0 10 10\"><circle class=\"dot {class}\" cx=\"5\" cy=\"5\" r=\"4\"/></svg> {}",
                escape(&series.name)
            )
        })
        .collect();
    out.push_str(&legend.join(" &nbsp; "));
    out.push_str("</p></div>\n");
    out
}

/// Times below a plot of this height.
pub(super) fn ticks(out: &mut String, span: (u64, u64), height: f64) {
    let length = span.1.saturating_sub(span.0);
    let tick = nice(length.max(1));
    for at in (0..=length / tick).map(|count| count * tick) {
        let _ = writeln!(
            out,
            "<text class=\"soft\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            place(LEFT + (WIDTH - LEFT - RIGHT) * at as f64 / length.max(1) as f64),
            place(height - 8.0),
            time(at, &WORDS)
        );
    }
}

fn draw(out: &mut String, series: &Series, number: usize, x: impl Fn(u64) -> f64, y: impl Fn(u64) -> f64) {
    let thin = series.points.len().div_ceil(POINTS_MAX).max(1);
    // The last point always stands: it is where things ended.
    let last = series.points.len().saturating_sub(1);
    let points = series.points.iter().enumerate().filter(|(place, _)| place % thin == 0 || *place == last);
    match series.shape {
        Shape::Steps => {
            let mut path = String::new();
            for (index, (_, &(at, value))) in points.enumerate() {
                let _ = match index {
                    0 => write!(path, "M{} {}", place(x(at)), place(y(value))),
                    _ => write!(path, "H{}V{}", place(x(at)), place(y(value))),
                };
            }
            if !path.is_empty() {
                let _ = writeln!(out, "<path class=\"line series{number}\" d=\"{path}\"/>");
            }
        }
        Shape::Dots | Shape::Trouble => {
            let class = if series.shape == Shape::Trouble {
                String::from("trouble")
            } else {
                format!("series{number}")
            };
            let radius = if series.shape == Shape::Trouble { "3.5" } else { "2" };
            for (_, &(at, value)) in points {
                let _ = writeln!(
                    out,
                    "<circle class=\"dot {class}\" cx=\"{}\" cy=\"{}\" r=\"{radius}\"/>",
                    place(x(at)),
                    place(y(value))
                );
            }
        }
    }
}

fn said(value: u64, unit: Unit) -> String {
    match unit {
        Unit::Nanos => time(value, &WORDS),
        Unit::Bytes if value == 0 => String::from("0"),
        Unit::Bytes => size(value),
    }
}

/// A step of 1, 2 or 5 times a power of ten that gives four to eight of them.
fn nice(most: u64) -> u64 {
    let mut step: u64 = 1;
    loop {
        for factor in [1, 2, 5] {
            let step = step.saturating_mul(factor);
            if most / step <= 6 {
                return step;
            }
        }
        step = step.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_few() {
        for most in [1, 7, 99, 1_000, 48_128, 3_000_000, u64::MAX / 2] {
            let step = nice(most);
            assert!(most / step <= 6, "{most}");
            let digits = step.to_string();
            assert!(["1", "2", "5"].contains(&digits.trim_end_matches('0')), "{step}");
        }
    }

    #[test]
    fn times_at_the_end_of_the_numbers_end_the_plot_too() {
        let far = Series { name: "x".into(), shape: Shape::Dots, points: vec![(0, 1), (u64::MAX, u64::MAX)] };
        let drawn = chart("t", Unit::Nanos, &[far], (0, u64::MAX));
        assert!(drawn.matches("<text").count() < 20, "{drawn}");
    }

    #[test]
    fn a_plot_without_values_is_not_drawn() {
        let none = Series { name: "x".into(), shape: Shape::Dots, points: vec![] };
        assert!(chart("t", Unit::Bytes, &[none], (0, 10)).is_empty());
        let one = Series { name: "<x>".into(), shape: Shape::Steps, points: vec![(0, 5), (10, 9)] };
        let drawn = chart("t", Unit::Bytes, &[one], (0, 10));
        assert!(drawn.contains("<path") && drawn.contains("&lt;x&gt;") && !drawn.contains("NaN"));
    }
}
