//! Small guest programs as text: an instruction a line, labels for addresses, and
//! in lines that begin with `#!` what is known of the program:
//!
//! - `#! cold LABEL`: the code there has never run.
//! - `#! jumps LABEL…`: where jumps through registers have gone.
//! - `#! entry LABEL`: another region is entered there.
//! - `#! inline N`, `#! counting`, `#! precise`: how to translate.

use rustc_hash::FxHashMap;
use rvrun_decoder::region::{self, Limits, Region};
use rvrun_decoder::{Block, lift};
use rvrun_isa::{Extensions, Instruction, assemble, decode, encode};
use rvrun_jit::{Guest, Job, Mode, copy_parts};
use std::ops::Range;

/// Where programs begin.
const START: u64 = 0x1000;

/// See the module's documentation.
#[derive(Default)]
pub struct Program {
    bytes: Vec<u8>,
    labels: FxHashMap<String, u64>,
    cold: Vec<u64>,
    entries: Vec<u64>,
    targets: Vec<u64>,
    divisors: Vec<(u8, u64)>,
    limits: Limits,
    mode: Mode,
}

impl Program {
    /// Reads a program.
    pub fn parse(text: &str) -> Self {
        let mut program = Self::default();
        let mut lines: Vec<(u64, &str)> = Vec::new();
        let mut known: Vec<Vec<&str>> = Vec::new();
        let mut pc = START;
        for line in text.lines() {
            let (line, comment) = line.split_once('#').unwrap_or((line, ""));
            if let Some(words) = comment.strip_prefix('!') {
                known.push(words.split_whitespace().collect());
            }
            let line = line.trim();
            if let Some(label) = line.strip_suffix(':') {
                program.labels.insert(label.into(), pc);
            } else if !line.is_empty() {
                lines.push((pc, line));
                pc += if line.starts_with("c.") { 2 } else { 4 };
            }
        }
        for (pc, line) in lines {
            let line = program.without_labels(pc, line);
            let instruction = assemble(&line).unwrap_or_else(|error| panic!("{line}: {error:?}"));
            program.add(&instruction);
        }
        for words in known {
            program.know(&words);
        }
        program
    }

    /// A line's last operand may be a label.
    fn without_labels(&self, pc: u64, line: &str) -> String {
        let (head, last) = line.rsplit_once(' ').unwrap_or(("", line));
        match self.labels.get(last) {
            Some(target) => format!("{head} .{:+}", target.wrapping_sub(pc) as i64),
            None => line.into(),
        }
    }

    fn add(&mut self, instruction: &Instruction) {
        let bits = encode(instruction).unwrap_or_else(|| panic!("no encoding of {instruction}"));
        self.bytes.extend(&bits.to_le_bytes()[..instruction.len.into()]);
    }

    fn know(&mut self, words: &[&str]) {
        let labels = |words: &[&str]| words.iter().map(|word| self.labels[*word]).collect();
        match words {
            ["cold", words @ ..] => self.cold = labels(words),
            ["jumps", words @ ..] => self.targets = labels(words),
            ["entry", words @ ..] => self.entries = labels(words),
            ["inline", number] => self.limits.inlined = number.parse().unwrap(),
            ["divisor", register, value] => {
                self.divisors.push((register.parse().unwrap(), value.parse().unwrap()));
            }
            ["counting"] => self.mode.counting = true,
            ["precise"] => self.mode.precise = true,
            other => panic!("what is {other:?}?"),
        }
    }

    fn fetch(&self, pc: u64) -> Option<u32> {
        let rest = self.bytes.get(usize::try_from(pc.checked_sub(START)?).ok()?..)?;
        let mut bits = [0; 4];
        let len = rest.len().min(4);
        bits[..len].copy_from_slice(&rest[..len]);
        (len > 0).then(|| u32::from_le_bytes(bits))
    }

    /// The region at the program's beginning.
    pub fn region(&self) -> Region {
        region::region(START, self.limits, self)
    }

    /// The same, to be compiled.
    pub fn job(&self) -> Job {
        let mut region = self.region();
        copy_parts(&mut region);
        let divisors = self.divisors.clone();
        Job { region, divisors, mode: self.mode, base: None, hash: 0, generation: 0 }
    }
}

impl region::Code for Program {
    fn block(&self, pc: u64) -> Block {
        lift(pc, Extensions::ALL, Vec::new(), |at| self.fetch(at))
    }

    fn reached(&self, pc: u64) -> bool {
        !self.cold.contains(&pc) && self.fetch(pc).is_some()
    }

    fn is_entry(&self, pc: u64) -> bool {
        self.entries.contains(&pc)
    }

    fn is_fragment(&self, _pc: u64) -> bool {
        false
    }

    fn jump_targets(&self, range: Range<u64>) -> Vec<u64> {
        self.targets.iter().copied().filter(|target| range.contains(target)).collect()
    }
}

impl Guest for Program {
    fn instruction(&self, pc: u64) -> Option<Instruction> {
        decode(self.fetch(pc)?, Extensions::ALL)
    }

    fn name(&self, pc: u64) -> String {
        match self.labels.iter().find(|(_, address)| **address == pc) {
            Some((label, _)) => format!("{pc:#x} <{label}>"),
            None => format!("{pc:#x}"),
        }
    }
}
