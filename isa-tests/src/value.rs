//! Values: numbers, addresses relative to a symbol, floating-point numbers.

use crate::{Layout, Symbol};
use std::fmt;

/// A value as a vector writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    /// What `offset` is added to.
    pub symbol: Option<Symbol>,
    /// The number, or the distance from the symbol.
    pub offset: u64,
}

impl From<u64> for Value {
    fn from(offset: u64) -> Self {
        Self { symbol: None, offset }
    }
}

impl Value {
    /// The address `offset` bytes behind `symbol`.
    pub const fn at(symbol: Symbol, offset: i64) -> Self {
        Self { symbol: Some(symbol), offset: offset as u64 }
    }

    /// The value's bits for an engine's layout.
    pub fn resolve(self, layout: Layout) -> u64 {
        let base = self.symbol.map_or(0, |symbol| layout.address(symbol));
        base.wrapping_add(self.offset)
    }

    /// Parses what stands for a value.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some((format, inner)) = text.strip_suffix(')').and_then(|t| t.split_once('(')) {
            return Some(Self::from(parse_float(format, inner)?));
        }
        for (symbol, name) in Symbol::NAMES {
            if let Some(offset) = text.strip_prefix(name) {
                let offset = if offset.is_empty() { 0 } else { parse_number(offset)? };
                return Some(Self { symbol: Some(symbol), offset });
            }
        }
        parse_number(text).map(Self::from)
    }
}

/// A number of up to 64 bits: decimal or hexadecimal, with a sign if there is one.
fn parse_number(text: &str) -> Option<u64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let magnitude = match digits.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok()?,
        None => digits.parse().ok()?,
    };
    Some(if negative { magnitude.wrapping_neg() } else { magnitude })
}

/// The bits of `h(…)`, `s(…)` or `d(…)`, NaN-boxed.
fn parse_float(format: &str, text: &str) -> Option<u64> {
    let bits = match text.strip_prefix("0x") {
        Some(digits) => Some(u64::from_str_radix(digits, 16).ok()?),
        None => None,
    };
    Some(match (format, text) {
        ("h", "nan") => box_half(0x7e00),
        ("s", "nan") => box_single(0x7fc0_0000),
        ("d", "nan") => 0x7ff8_0000_0000_0000,
        ("h", _) => box_half(match bits {
            Some(bits) => u16::try_from(bits).ok()?,
            None => half_from_single(text.parse().ok()?)?,
        }),
        ("s", _) => box_single(match bits {
            Some(bits) => u32::try_from(bits).ok()?,
            None => text.parse::<f32>().ok()?.to_bits(),
        }),
        ("d", _) => match bits {
            Some(bits) => bits,
            None => text.parse::<f64>().ok()?.to_bits(),
        },
        _ => return None,
    })
}

fn box_half(bits: u16) -> u64 {
    0xffff_ffff_ffff_0000 | u64::from(bits)
}

fn box_single(bits: u32) -> u64 {
    0xffff_ffff_0000_0000 | u64::from(bits)
}

/// A half with the single's value, if there is one.
fn half_from_single(single: f32) -> Option<u16> {
    let (mut low, mut high) = (0u16, 0x7c00);
    while low < high {
        let middle = low.midpoint(high);
        if single_from_half(middle) < single.abs() {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    let half = if single.is_sign_negative() { low | 0x8000 } else { low };
    (single_from_half(half).to_bits() == single.to_bits()).then_some(half)
}

fn single_from_half(half: u16) -> f32 {
    let sign = if half & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from(half >> 10 & 31);
    let fraction = f32::from(half & 0x3ff);
    sign * match exponent {
        0 => fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1024.0 + fraction) * 2f32.powi(exponent - 25),
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signed = self.offset as i64;
        match self.symbol {
            Some(symbol) => {
                let name = Symbol::NAMES.iter().find(|n| n.0 == symbol).map_or("", |n| n.1);
                f.write_str(name)?;
                if signed == 0 { Ok(()) } else { write!(f, "{signed:+}") }
            }
            None if (-4096..=4096).contains(&signed) => write!(f, "{signed}"),
            None => write!(f, "{:#x}", self.offset),
        }
    }
}

/// A floating-point register's bits as the widest format in which they are no wrong NaN box.
pub(crate) fn float_text(bits: u64) -> String {
    let (format, value, is_nan, canonical, width) = if bits >> 16 == 0xffff_ffff_ffff {
        let single = single_from_half(bits as u16);
        ('h', format!("{single:?}"), single.is_nan(), 0x7e00, 4)
    } else if bits >> 32 == 0xffff_ffff {
        let single = f32::from_bits(bits as u32);
        ('s', format!("{single:?}"), single.is_nan(), 0x7fc0_0000, 8)
    } else {
        let double = f64::from_bits(bits);
        ('d', format!("{double:?}"), double.is_nan(), 0x7ff8_0000_0000_0000, 16)
    };
    let own = if width == 16 { bits } else { bits & ((1 << (4 * width)) - 1) };
    match is_nan {
        false => format!("{format}({value})"),
        true if own == canonical => format!("{format}(nan)"),
        true => format!("{format}({own:#0$x})", width + 2),
    }
}
