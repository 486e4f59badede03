//! Which frames are lost: `1%`, `ge(1%, 20%)`, `every(10)`, `pattern(0010)`.

use thru_sim::link::{Chance, Loss};

use super::text::{Text, call};
use crate::source::Error;
use crate::units;

pub(super) fn loss(value: &Text<'_>) -> Result<Loss, Error> {
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

pub(super) fn show_loss(loss: &Loss) -> Option<String> {
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
