//! Lines to vectors.

use crate::vector::{After, ExpectedTrap};
use crate::{AccessCause, AccessKind, Assignment, Code, Place, Trap, Value, Vector};
use rvrun_isa::{AssembleError, F_NAMES, ROUNDING_NAMES, X_NAMES, assemble, encode};
use std::str::FromStr;
use thiserror::Error;

/// Names of the exception flags by their bit.
pub(crate) const FLAG_NAMES: [&str; 5] = ["nx", "uf", "of", "dz", "nv"];

/// Letters of the widths of memory places, with their bytes.
pub(crate) const WIDTHS: [(char, u8); 4] = [('b', 1), ('h', 2), ('w', 4), ('d', 8)];

/// Why a line is not a vector.
#[derive(Debug, Error)]
pub enum ParseError {
    /// An instruction that the assembler does not accept.
    #[error("{0:?}: {1}")]
    Code(String, AssembleError),
    /// Not `PLACE=VALUE`, or not a place or value.
    #[error("{0:?} is not PLACE=VALUE")]
    Assignment(String),
    /// BEFORE names `pc` or `trap`, or has `*` for a value.
    #[error("{0:?} can only be expected")]
    NotBefore(String),
    /// Not an exception.
    #[error("{0:?} is not an exception")]
    Trap(String),
}

impl FromStr for Vector {
    type Err = ParseError;

    fn from_str(line: &str) -> Result<Self, ParseError> {
        let line = line.trim();
        let (by_manual, line) = match line.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        let (left, after) = match line.split_once("=>") {
            Some((left, after)) => (left, Some(after)),
            None => (line, None),
        };
        let (code, before) = left.split_once('|').unwrap_or((left, "-"));
        let code = code.split(';').map(|c| parse_code(c.trim())).collect::<Result<_, _>>()?;
        let before = words(before).map(parse_before).collect::<Result<_, _>>()?;
        let after = after.map(parse_after).transpose()?;
        Ok(Self { code, before, after, by_manual })
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace().filter(|word| *word != "-")
}

fn parse_code(text: &str) -> Result<Code, ParseError> {
    let raw = |len: u8, number: &str| {
        let bits = number.trim().strip_prefix("0x").and_then(|n| u32::from_str_radix(n, 16).ok());
        bits.map(|bits| Code { text: text.into(), bits, len, opcode: None })
            .ok_or_else(|| ParseError::Code(text.into(), AssembleError::BadOperand))
    };
    if let Some(number) = text.strip_prefix(".word") {
        return raw(4, number);
    }
    if let Some(number) = text.strip_prefix(".half") {
        return raw(2, number);
    }
    let instruction = assemble(text).map_err(|e| ParseError::Code(text.into(), e))?;
    let bits = encode(&instruction)
        .ok_or_else(|| ParseError::Code(text.into(), AssembleError::OutOfRange))?;
    Ok(Code { text: text.into(), bits, len: instruction.len, opcode: Some(instruction.opcode) })
}

fn parse_before(word: &str) -> Result<Assignment, ParseError> {
    let assignment = parse_assignment(word)?;
    if assignment.place == Place::Pc || assignment.value.is_none() {
        return Err(ParseError::NotBefore(word.into()));
    }
    Ok(assignment)
}

fn parse_after(text: &str) -> Result<After, ParseError> {
    let mut after = After::default();
    for word in words(text) {
        match word.strip_prefix("trap=") {
            Some(trap) => after.trap = Some(parse_trap(trap)?),
            None => after.changes.push(parse_assignment(word)?),
        }
    }
    Ok(after)
}

fn parse_trap(text: &str) -> Result<ExpectedTrap, ParseError> {
    let access = |text: &str| {
        let (what, addr) = text.split_once('@')?;
        let (kind, cause) = what.split_once('-')?;
        let kind = AccessKind::NAMES.iter().find(|(_, name)| *name == kind)?.0;
        let cause = AccessCause::NAMES.iter().find(|(_, name)| *name == cause)?.0;
        Some(ExpectedTrap::Access(kind, cause, Value::parse(addr)?))
    };
    match text {
        "illegal" => Ok(ExpectedTrap::Plain(Trap::Illegal)),
        "breakpoint" => Ok(ExpectedTrap::Plain(Trap::Breakpoint)),
        "ecall" => Ok(ExpectedTrap::Plain(Trap::Ecall)),
        _ => access(text).ok_or_else(|| ParseError::Trap(text.into())),
    }
}

fn parse_assignment(word: &str) -> Result<Assignment, ParseError> {
    let parse = || {
        let (place, value) = word.split_once('=')?;
        let place = parse_place(place)?;
        let value = match value {
            "*" => None,
            _ => Some(parse_value(place, value)?),
        };
        Some(Assignment { place, value })
    };
    parse().ok_or_else(|| ParseError::Assignment(word.into()))
}

fn parse_value(place: Place, text: &str) -> Option<Value> {
    let named = match place {
        Place::Frm => ROUNDING_NAMES[..5].iter().position(|n| *n == text).map(|n| n as u64),
        Place::Fflags => text.split('+').try_fold(0, |flags, name| {
            Some(flags | 1 << FLAG_NAMES.iter().position(|n| *n == name)?)
        }),
        _ => None,
    };
    named.map(Value::from).or_else(|| Value::parse(text))
}

fn parse_place(text: &str) -> Option<Place> {
    match text {
        "frm" => return Some(Place::Frm),
        "fflags" => return Some(Place::Fflags),
        "pc" => return Some(Place::Pc),
        _ => {}
    }
    if let Some((width, addr)) = text.strip_suffix(']').and_then(|t| t.split_once('[')) {
        let (_, bytes) = WIDTHS.iter().find(|(letter, _)| width == letter.to_string())?;
        return Some(Place::Memory(*bytes, Value::parse(addr)?));
    }
    let register = |names: &[&str; 32], letter| {
        let by_number = || text.strip_prefix(letter)?.parse().ok().filter(|n| *n < 32);
        names.iter().position(|n| *n == text).or_else(by_number).map(|n| n as u8)
    };
    register(&X_NAMES, 'x').map(Place::X).or_else(|| register(&F_NAMES, 'f').map(Place::F))
}
