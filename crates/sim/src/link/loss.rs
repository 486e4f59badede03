//! The loss stage: which frames are lost.

use thru_stack::random::Random;

use super::Loss;

/// Where a loss model stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct LossState {
    /// Gilbert-Elliott: in the bad state.
    bad: bool,
    /// Frames judged since the model was set.
    judged: u64,
}

impl LossState {
    /// Whether the next frame is lost.
    pub(crate) fn judge(&mut self, loss: &Loss, random: &mut Random) -> bool {
        self.judged += 1;
        match loss {
            Loss::None => false,
            Loss::Random(chance) => chance.draw(random),
            Loss::GilbertElliott { enter_bad, leave_bad, loss_bad, loss_good } => {
                // Two draws per frame whatever the state, so that the states of two runs with different loss
                // chances stay the same.
                let turn = if self.bad { leave_bad } else { enter_bad };
                self.bad ^= turn.draw(random);
                let loss = if self.bad { loss_bad } else { loss_good };
                loss.draw(random)
            }
            Loss::Every(n) => *n != 0 && self.judged.is_multiple_of(u64::from(*n)),
            Loss::Pattern(pattern) => {
                let length = pattern.len() as u64;
                length != 0 && pattern[((self.judged - 1) % length) as usize]
            }
        }
    }
}
