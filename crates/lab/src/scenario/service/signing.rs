//! How zones are signed, and what is wrong with it.

use thru_names::dnssec::signing::flaw::Flaw;
use thru_names::dnssec::signing::zone::Chain;

use super::roll::{self, Rolling};
use crate::item::Str;
use crate::source::{Error, suggest};

/// How a zone proves what it has not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Denials {
    /// NSEC (RFC 4034 section 4).
    #[default]
    Nsec,
    /// NSEC3 (RFC 5155), without iterations and salt (RFC 9276).
    Nsec3,
    /// NSEC3 that leaves out unsigned delegations.
    Nsec3OptOut,
}

impl Denials {
    const NAMES: [(&'static str, Denials); 3] =
        [("nsec", Denials::Nsec), ("nsec3", Denials::Nsec3), ("nsec3-opt-out", Denials::Nsec3OptOut)];

    /// As the signer takes it.
    pub(crate) fn chain(self) -> Chain {
        match self {
            Denials::Nsec => Chain::Nsec,
            Denials::Nsec3 | Denials::Nsec3OptOut => {
                Chain::Nsec3 { iterations: 0, salt: Vec::new(), opt_out: self == Denials::Nsec3OptOut }
            }
        }
    }
}

/// How a zone is signed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signing {
    /// Whether at all.
    pub signed: bool,
    /// How it proves what it has not.
    pub denials: Denials,
    /// What is wrong with it, each once, in the order of [`Flaw::WORDS`].
    pub flaws: Vec<Flaw>,
    /// The step of a roll to other keys that it is at.
    pub rolling: Option<Rolling>,
}

impl Signing {
    /// Takes over one word: `signed`, `unsigned`, a way of denying, a step of a roll, or a flaw (which imply `signed`).
    pub(super) fn apply(&mut self, text: &Str) -> Result<(), Error> {
        match text.text.as_str() {
            "signed" => self.signed = true,
            "unsigned" => self.signed = false,
            other => {
                self.signed = true;
                if let Some((_, denials)) = Denials::NAMES.iter().find(|(name, _)| *name == other) {
                    self.denials = *denials;
                    return Ok(());
                }
                if let Some(rolling) = Rolling::of_word(other) {
                    self.rolling = Some(rolling);
                    return Ok(());
                }
                let Some((_, flaw)) = Flaw::WORDS.iter().find(|(word, _)| *word == other) else {
                    let known = Denials::NAMES.iter().map(|(name, _)| *name);
                    let known = known.chain(Flaw::WORDS.iter().map(|(word, _)| *word));
                    let known = known.chain(roll::WORDS.iter().map(|(word, _)| *word));
                    let message = format!("unknown word about signing `{other}`");
                    return Err(text.error(message, suggest(other, known.chain(["signed", "unsigned"]))));
                };
                self.flaws.push(*flaw);
                self.flaws.sort_unstable();
                self.flaws.dedup();
            }
        }
        Ok(())
    }

    /// The words that make it.
    pub fn words(&self) -> Vec<&'static str> {
        if !self.signed {
            return vec!["unsigned"];
        }
        let denials =
            Denials::NAMES.iter().filter(|(_, known)| *known == self.denials).map(|(name, _)| *name);
        let rolling = self.rolling.iter().map(|rolling| rolling.word());
        denials.chain(rolling).chain(self.flaws.iter().map(|flaw| flaw.word())).collect()
    }
}
