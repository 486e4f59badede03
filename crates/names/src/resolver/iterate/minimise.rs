//! QNAME minimisation (RFC 9156): a server learns no more of the name than it needs to refer us on.

use std::sync::Arc;

use hickory_proto::rr::RecordType;

use super::super::delegation::Delegation;
use super::super::jobs::{Cx, Kind};
use super::super::message::{Msg, rcode};
use crate::rrset::Security;
use crate::wire::Question;

/// Steps before the rest of a long name is told at once.
const STEPS_MAX: usize = 10;
/// Steps of one label each; after them, several at a time.
const ONE_LABEL: usize = 4;

/// How far to go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Minimise {
    /// Ask for the whole name at once.
    Off,
    /// Ask label by label, and for the whole name when that meets an error.
    #[default]
    Relaxed,
    /// Ask label by label, whatever happens.
    Strict,
}

/// What to ask next.
pub(super) enum Step {
    Ask(Question),
    /// The answer to the shorter name is known already.
    Known(Arc<Msg>),
}

pub(super) struct Minimiser {
    question: Question,
    mode: Minimise,
    /// Labels of the name asked for last.
    labels: usize,
    steps: usize,
    whole: bool,
    advance: bool,
}

impl Minimiser {
    pub(super) fn new(cx: &Cx, question: &Question, delegation: &Delegation) -> Minimiser {
        let mode = cx.core().config.minimise;
        let whole = mode == Minimise::Off || delegation.forward;
        Minimiser {
            question: question.clone(),
            mode,
            labels: delegation.zone.iter().len(),
            steps: 0,
            whole,
            advance: true,
        }
    }

    /// The question is asked as it is.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    pub(super) fn strict(&self) -> bool {
        self.mode == Minimise::Strict
    }

    /// From now on, the whole name.
    pub(super) fn give_up(&mut self) {
        self.whole = true;
    }

    pub(super) fn next(&mut self, cx: &Cx) -> Step {
        if self.whole {
            return Step::Ask(self.question.clone());
        }
        let all = self.question.name.iter().len();
        let fresh = self.advance;
        if self.advance {
            self.advance = false;
            let left = all.saturating_sub(self.labels);
            self.steps += 1;
            let step = if self.steps > STEPS_MAX {
                left
            } else if self.steps <= ONE_LABEL {
                1
            } else {
                // Spread what is left over the steps that are left.
                (left / (STEPS_MAX - self.steps + 1)).max(1)
            };
            self.labels += step.min(left);
            // The last label tells nothing new when the type is the one we ask with.
            let hidden = matches!(self.question.rtype, RecordType::A | RecordType::DS);
            if left == 0 || (self.labels == all && hidden) {
                self.whole = true;
                return Step::Ask(self.question.clone());
            }
        }
        let asked = Question::new(self.question.name.trim_to(self.labels), RecordType::A);
        if fresh {
            let core = cx.core();
            if let Some(msg) = core.cache.message(core.now, &asked) {
                return Step::Known(msg);
            }
        }
        Step::Ask(asked)
    }

    /// What an answer about a shorter name means. `Some`: it answers for the whole name.
    pub(super) async fn learn(&mut self, cx: &Cx, msg: &Arc<Msg>) -> Option<Arc<Msg>> {
        if msg.answer.iter().any(|set| matches!(set.rtype, RecordType::CNAME)) {
            self.whole = true;
            return None;
        }
        match msg.rcode {
            rcode::NOERROR => self.advance = true,
            rcode::NXDOMAIN => {
                // Servers exist that deny the names between; a signed "no such name" can be believed (RFC 8020).
                let harden = cx.core().config.nothing_below_nxdomain;
                let signed = msg.authority.iter().any(|set| {
                    matches!(set.rtype, RecordType::NSEC | RecordType::NSEC3) && !set.sigs.is_empty()
                });
                if harden && (signed || self.strict()) {
                    if self.strict() {
                        return Some(self.denied(msg));
                    }
                    let checked = cx.fetch(Kind::Checked, msg.question.clone()).await;
                    if let Ok(checked) = checked
                        && checked.rcode == rcode::NXDOMAIN
                        && checked.security == Security::Secure
                    {
                        return Some(self.denied(&checked));
                    }
                }
                self.whole = true;
            }
            _ => self.whole = true,
        }
        None
    }

    fn denied(&self, msg: &Arc<Msg>) -> Arc<Msg> {
        let mut msg = (**msg).clone();
        msg.question = self.question.clone();
        Arc::new(msg)
    }
}
