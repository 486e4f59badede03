//! A zone on its way to other keys, as a word in a lab: caught at one step of a roll (RFC 6781 section 4.1).

use thru_names::dnssec::signing::live::{Roll, Stage};

/// How far a roll is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It has not begun.
    Before,
    /// It is at this stage.
    At(Stage),
    /// It is over.
    Over,
}

/// A zone caught in a roll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rolling {
    /// What is rolled.
    pub roll: Roll,
    /// How far it is.
    pub place: Place,
    /// Whether the zone above vouches for the new entry point, and no more for the old one.
    pub told: bool,
}

const fn at(roll: Roll, place: Place, told: bool) -> Rolling {
    Rolling { roll, place, told }
}

/// The words, and what each means. All but the two about a DS that is changed at the wrong time leave every name good.
pub const WORDS: [(&str, Rolling); 16] = [
    ("zone-key-spreading", at(Roll::ZoneKey, Place::At(Stage::Spreading), false)),
    ("zone-key-draining", at(Roll::ZoneKey, Place::At(Stage::Draining), false)),
    ("zone-key-rolled", at(Roll::ZoneKey, Place::Over, false)),
    ("entry-point-spreading", at(Roll::EntryPoint, Place::At(Stage::Spreading), false)),
    ("entry-point-awaiting-parent", at(Roll::EntryPoint, Place::At(Stage::AwaitingParent), false)),
    ("entry-point-parent-spreading", at(Roll::EntryPoint, Place::At(Stage::ParentSpreading), true)),
    ("entry-point-rolled", at(Roll::EntryPoint, Place::Over, true)),
    ("algorithm-before", at(Roll::Algorithm, Place::Before, false)),
    ("algorithm-presigned", at(Roll::Algorithm, Place::At(Stage::Presigned), false)),
    ("algorithm-spreading", at(Roll::Algorithm, Place::At(Stage::Spreading), false)),
    ("algorithm-awaiting-parent", at(Roll::Algorithm, Place::At(Stage::AwaitingParent), false)),
    ("algorithm-parent-spreading", at(Roll::Algorithm, Place::At(Stage::ParentSpreading), true)),
    ("algorithm-unpublished", at(Roll::Algorithm, Place::At(Stage::Unpublished), true)),
    ("algorithm-rolled", at(Roll::Algorithm, Place::Over, true)),
    ("ds-too-early", at(Roll::EntryPoint, Place::Before, true)),
    ("ds-too-late", at(Roll::EntryPoint, Place::Over, false)),
];

impl Rolling {
    /// The roll that a word means.
    pub fn of_word(word: &str) -> Option<Rolling> {
        WORDS.iter().find(|(other, _)| *other == word).map(|(_, rolling)| *rolling)
    }

    /// The word.
    pub fn word(self) -> &'static str {
        WORDS.iter().find(|(_, other)| *other == self).map_or("", |(word, _)| word)
    }
}
