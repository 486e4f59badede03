//! Labels, and how far jumps reach.

use super::{Compiler, error};
use crate::filter::FilterError;
use crate::filter::bpf::{Insn, LENGTH_MAX, Program, code};

/// A place in the program that is not known yet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Label(usize);

#[derive(Clone, Copy)]
pub(super) enum Step {
    Insn(u16, u32),
    /// A comparison and where to go.
    Jump(u16, u32, Label, Label),
}

impl Compiler {
    pub(super) fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    pub(super) fn place(&mut self, label: Label) {
        self.labels[label.0] = Some(self.steps.len());
    }

    pub(super) fn push(&mut self, code: u16, k: u32) {
        self.steps.push(Step::Insn(code, k));
    }

    pub(super) fn jump(&mut self, code: u16, k: u32, yes: Label, no: Label) {
        self.steps.push(Step::Jump(code::JMP | code, k, yes, no));
    }

    /// Whether more may follow.
    pub(super) fn fits(&self) -> Result<(), FilterError> {
        match self.steps.len() > LENGTH_MAX {
            true => Err(error("the filter is too large for the kernel")),
            false => Ok(()),
        }
    }

    /// Resolves the labels. Conditional jumps reach 255 instructions far; longer ones get help.
    pub(super) fn finish(self) -> Result<Program, FilterError> {
        let mut long = vec![false; self.steps.len()];
        let at = loop {
            let mut at = Vec::with_capacity(self.steps.len() + 1);
            let mut position = 0;
            for is_long in &long {
                at.push(position);
                position += if *is_long { 3 } else { 1 };
            }
            at.push(position);
            let target = |label: Label| at[self.labels[label.0].expect("every label was placed")];
            let mut grew = false;
            for (place, step) in self.steps.iter().enumerate() {
                if let Step::Jump(_, _, yes, no) = step
                    && !long[place]
                    && target(*yes).max(target(*no)) - at[place] - 1 > 255
                {
                    long[place] = true;
                    grew = true;
                }
            }
            if !grew {
                break at;
            }
        };
        let target = |label: Label| at[self.labels[label.0].expect("every label was placed")];
        let mut insns = Vec::new();
        for (place, step) in self.steps.iter().enumerate() {
            let here = at[place];
            match *step {
                Step::Insn(code, k) => insns.push(Insn { code, jt: 0, jf: 0, k }),
                Step::Jump(code, k, yes, no) if long[place] => {
                    insns.push(Insn { code, jt: 0, jf: 1, k });
                    insns.push(Insn { code: code::JMP, jt: 0, jf: 0, k: (target(yes) - here - 2) as u32 });
                    insns.push(Insn { code: code::JMP, jt: 0, jf: 0, k: (target(no) - here - 3) as u32 });
                }
                Step::Jump(code, k, yes, no) => {
                    let (jt, jf) = ((target(yes) - here - 1) as u8, (target(no) - here - 1) as u8);
                    insns.push(Insn { code, jt, jf, k });
                }
            }
        }
        if insns.len() > LENGTH_MAX {
            return Err(error("the filter is too large for the kernel"));
        }
        Program::new(insns).ok_or_else(|| error("the filter cannot be compiled"))
    }

    /// Goes on at a label, whatever was found.
    pub(super) fn always(&mut self, yes: Label, no: Label) {
        self.jump(code::JEQ, 0, yes, no);
    }

    /// Compares the word of `size` bytes at an offset.
    pub(super) fn equals(&mut self, size: u16, at: u32, value: u32, yes: Label, no: Label) {
        self.push(code::LD | size | code::ABS, at);
        self.jump(code::JEQ, value, yes, no);
    }
}
