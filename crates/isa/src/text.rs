//! Assembly text: [`Instruction`]'s `Display`, and [`assemble`], its inverse.
//!
//! The syntax is the assembler's own, without pseudo-instructions, so that one
//! line of text stands for one pattern of bits: compressed forms keep their
//! `c.` mnemonics, branch targets are relative to the instruction (`.+8`).

use crate::field::{Class, Field};
use crate::register::{F_NAMES, FLI_NAMES, ROUNDING_NAMES, X_NAMES, csr};
use crate::{Instruction, ROWS, Row, encode};
use core::fmt::{self, Write};

const ORDERINGS: [&str; 4] = ["", ".rl", ".aq", ".aqrl"];
const FENCE_LETTERS: [(u8, char); 4] = [(8, 'i'), (4, 'o'), (2, 'r'), (1, 'w')];

impl fmt::Display for Instruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = self.row();
        write_mnemonic(f, row)?;
        for field in row.fields.iter().filter(|field| is_suffix(field)) {
            let value = field.get(self).unwrap_or(0);
            match field.class {
                Class::Ordering => f.write_str(ORDERINGS[value as usize & 3])?,
                _ => write!(f, ".{value}")?,
            }
        }
        let mut separator = " ";
        for field in row.fields.iter().filter(|field| is_operand(field)) {
            let value = field.get(self).unwrap_or(0);
            if field.class == Class::Rounding && ROUNDING_NAMES[value as usize & 7] == "dyn" {
                continue;
            }
            f.write_str(separator)?;
            write_operand(f, field.class, value)?;
            separator = if field.class == Class::Displacement { "" } else { ", " };
        }
        Ok(())
    }
}

fn is_suffix(field: &Field) -> bool {
    matches!(field.class, Class::Ordering | Class::Suffix)
}

fn is_operand(field: &Field) -> bool {
    !is_suffix(field) && field.class != Class::Implied
}

fn write_mnemonic(f: &mut fmt::Formatter<'_>, row: &Row) -> fmt::Result {
    row.name.chars().try_for_each(|c| f.write_char(if c == '_' { '.' } else { c }))
}

fn write_operand(f: &mut fmt::Formatter<'_>, class: Class, value: i32) -> fmt::Result {
    let index = value as usize & 31;
    match class {
        Class::X => f.write_str(X_NAMES[index]),
        Class::F => f.write_str(F_NAMES[index]),
        Class::Base => write!(f, "({})", X_NAMES[index]),
        Class::Number | Class::Displacement => write!(f, "{value}"),
        Class::Upper => write!(f, "{:#x}", value as u32 >> 12),
        Class::Target => write!(f, ".{value:+}"),
        Class::Rounding => f.write_str(ROUNDING_NAMES[value as usize & 7]),
        Class::FliConstant => f.write_str(FLI_NAMES[index]),
        Class::Csr => write_csr(f, value as u16),
        Class::FenceSets => {
            write_fence_set(f, value as u8 >> 4)?;
            f.write_str(", ")?;
            write_fence_set(f, value as u8 & 15)
        }
        Class::Ordering | Class::Suffix | Class::Implied => Ok(()),
    }
}

fn write_csr(f: &mut fmt::Formatter<'_>, number: u16) -> fmt::Result {
    if let Some((name, _)) = csr::NAMES.iter().find(|(_, n)| *n == number) {
        return f.write_str(name);
    }
    match number {
        csr::HPMCOUNTER3..=csr::HPMCOUNTER31 => write!(f, "hpmcounter{}", number & 31),
        _ => write!(f, "{number:#x}"),
    }
}

fn write_fence_set(f: &mut fmt::Formatter<'_>, set: u8) -> fmt::Result {
    if set == 0 {
        return f.write_str("0");
    }
    FENCE_LETTERS
        .iter()
        .filter(|(bit, _)| set & bit != 0)
        .try_for_each(|(_, letter)| f.write_char(*letter))
}

/// Why a line is not an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssembleError {
    /// No row has that mnemonic.
    UnknownMnemonic,
    /// An operand is missing, superfluous or not of the kind that the row wants.
    BadOperand,
    /// An operand does not fit its field, or is reserved.
    OutOfRange,
}

impl fmt::Display for AssembleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownMnemonic => "no instruction has this mnemonic",
            Self::BadOperand => "the operands do not match the instruction's",
            Self::OutOfRange => "an operand does not fit its field",
        })
    }
}

impl core::error::Error for AssembleError {}

/// Parses a line such as `addi sp, sp, -16`.
///
/// Registers go by their ABI names or as `x0`–`x31`, `f0`–`f31`; numbers are
/// decimal or hexadecimal.
///
/// # Errors
/// See [`AssembleError`].
pub fn assemble(line: &str) -> Result<Instruction, AssembleError> {
    let line = line.trim();
    let (mnemonic, operands) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let (row, suffix) = find_row(mnemonic).ok_or(AssembleError::UnknownMnemonic)?;
    let mut instruction = Instruction::new(row.opcode);
    let mut rest = operands.trim();
    let mut first = true;
    for field in row.fields {
        let value = match field.class {
            Class::Implied => field.bias,
            Class::Ordering | Class::Suffix => suffix,
            _ => {
                if !first && field.class != Class::Base {
                    rest = match rest.strip_prefix(',') {
                        Some(rest) => rest.trim_start(),
                        None if field.class == Class::Rounding && rest.is_empty() => "dyn",
                        None => return Err(AssembleError::BadOperand),
                    };
                }
                let (value, after) =
                    parse_operand(field.class, rest).ok_or(AssembleError::BadOperand)?;
                rest = after.trim_start();
                first = false;
                value
            }
        };
        field.put(&mut instruction, value);
    }
    if !rest.is_empty() {
        return Err(AssembleError::BadOperand);
    }
    encode(&instruction).map(|_| instruction).ok_or(AssembleError::OutOfRange)
}

/// The row of a mnemonic, and the value of the suffix behind it.
fn find_row(mnemonic: &str) -> Option<(&'static Row, i32)> {
    ROWS.iter().find_map(|row| {
        let suffix = strip_mnemonic(mnemonic, row.name)?;
        let class = row.fields.iter().find(|field| is_suffix(field)).map(|field| field.class);
        let value = match class {
            None => suffix.is_empty().then_some(0),
            Some(Class::Ordering) => ORDERINGS.iter().position(|o| *o == suffix).map(|i| i as i32),
            Some(_) => suffix.strip_prefix('.')?.parse().ok(),
        };
        value.map(|value| (row, value))
    })
}

fn strip_mnemonic<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (head, tail) = text.split_at_checked(name.len())?;
    let same = head.bytes().zip(name.bytes()).all(|(a, b)| a == if b == b'_' { b'.' } else { b });
    same.then_some(tail)
}

/// An operand's value, and the text behind it.
fn parse_operand(class: Class, text: &str) -> Option<(i32, &str)> {
    if class == Class::Base {
        let text = text.strip_prefix(',').unwrap_or(text).trim_start();
        let (name, rest) = text.strip_prefix('(')?.split_once(')')?;
        return Some((register(name.trim(), 'x', &X_NAMES)?, rest));
    }
    if class == Class::FenceSets {
        let (predecessor, rest) = text.split_once(',')?;
        let (predecessor, successor) = (predecessor.trim(), rest.trim());
        return Some((fence_set(predecessor)? << 4 | fence_set(successor)?, ""));
    }
    let end = text.find([',', '(', ' ']).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let value = match class {
        Class::X => register(word, 'x', &X_NAMES)?,
        Class::F => register(word, 'f', &F_NAMES)?,
        Class::Number | Class::Displacement => number(word)?,
        Class::Upper => number(word).filter(|n| (0..1 << 20).contains(n))? << 12,
        Class::Target => number(word.strip_prefix('.')?)?,
        Class::Csr => csr_number(word)?,
        Class::Rounding => ROUNDING_NAMES.iter().position(|n| *n == word)? as i32,
        Class::FliConstant => FLI_NAMES.iter().position(|n| *n == word)? as i32,
        _ => return None,
    };
    Some((value, rest))
}

fn register(word: &str, prefix: char, names: &[&str; 32]) -> Option<i32> {
    if let Some(index) = names.iter().position(|n| *n == word) {
        return Some(index as i32);
    }
    if word == "fp" && prefix == 'x' {
        return Some(8);
    }
    word.strip_prefix(prefix)?.parse().ok().filter(|n| (0..32).contains(n))
}

fn number(word: &str) -> Option<i32> {
    let (negative, digits) = match word.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, word.strip_prefix('+').unwrap_or(word)),
    };
    // The standard library would take another sign.
    if digits.trim_start_matches("0x").starts_with(['+', '-']) {
        return None;
    }
    let magnitude = match digits.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok()?,
        None => digits.parse::<u32>().ok()?.into(),
    };
    i32::try_from(if negative { -magnitude } else { magnitude }).ok()
}

fn csr_number(word: &str) -> Option<i32> {
    if let Some((_, number)) = csr::NAMES.iter().find(|(name, _)| *name == word) {
        return Some((*number).into());
    }
    match word.strip_prefix("hpmcounter") {
        Some(digits) => {
            let n: u16 = digits.parse().ok()?;
            (3..=31).contains(&n).then_some(i32::from(csr::CYCLE + n))
        }
        None => number(word),
    }
}

fn fence_set(word: &str) -> Option<i32> {
    if word == "0" {
        return Some(0);
    }
    word.chars().try_fold(0, |set, c| {
        let (bit, _) = FENCE_LETTERS.iter().find(|(_, letter)| *letter == c)?;
        Some(set | i32::from(*bit))
    })
}
