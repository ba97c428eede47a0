//! Numbers that are read byte by byte.
//!
//! Compilers for processors that may be slow where an access is not aligned, as those of
//! distributions do, read a number that may lie anywhere by a load for each byte, shifts and `or`.
//! The host reads it at once. A [`Window`] is a stretch of a run that does this for one number or
//! two; it ends with the same registers, those included that have parts of a number only.
//!
//! The numbers are read before anything else of the window: where a read faults, nothing has
//! happened yet, and handlers execute the window's first op, and go on with the next. What is
//! between the window's ops stays where it is: it has to do with other registers, and does not look
//! at memory nor at what handlers do.
//!
//! Or the bytes are stored one by one, and then read at once, for which the host would have to
//! wait: such a [`Move`] stores the number at once, in place of the first byte's store. The bytes' places
//! may be given by two registers: whether these give the same one is looked at then.
//!
//! The translator's `words.rs` does the same for regions, of which it knows more.

use super::Ops;
use super::templates::{Binary, Load, Store, Template, Unary};
use crate::slot::{Op, Slot};
use rvrun_hart::SINK;

/// Bytes of a register.
const BYTES: usize = 8;
/// Numbers of a window: as many as there are host registers for.
pub const MOST_NUMBERS: usize = 2;
/// Ops of a window at most.
const MOST_OPS: usize = 64;
/// Registers that a window sets at most.
const MOST_RESULTS: usize = 12;
/// How many host instructions fewer are worth it.
const WORTH_IT: usize = 1;
/// Within how many ops the second byte is read.
const SOON: usize = 5;

/// A number in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    /// The register with an address.
    pub base: u8,
    /// Where the first byte is from there.
    pub first: i32,
    /// 2, 4 or 8.
    pub bytes: u8,
    /// Whether the first byte is the highest one.
    pub is_big_endian: bool,
}

/// What a register gets: some bytes of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub register: u8,
    /// Index of the number.
    pub number: usize,
    /// The lowest byte of the number that it gets, and how many.
    pub from: u8,
    pub bytes: u8,
    /// Which byte of the register that becomes.
    pub to: u8,
    /// Whether it is extended by its sign, not by zeros.
    pub is_signed: bool,
}

/// A place in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The register with an address.
    pub base: u8,
    /// Where the first byte is from there.
    pub first: i32,
}

/// Where a window's number is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// How many ops behind the window's first one.
    pub at: usize,
    pub to: Place,
    /// The same place by another register, by which other bytes are stored.
    pub also: Option<Place>,
    pub bytes: u8,
}

/// See the module's documentation.
#[derive(Debug, PartialEq, Eq)]
pub struct Window {
    pub numbers: Vec<Number>,
    pub parts: Vec<Part>,
    /// Of the only one.
    pub moved: Option<Move>,
    /// A bit for each op from the first one on: whether the window stands for it.
    pub ops: u64,
}

/// What is known of a register: where in memory its bytes are from.
#[derive(Clone, Copy)]
struct Known {
    register: u8,
    number: usize,
    /// From the number's base; none for a byte that is 0.
    bytes: [Option<i32>; BYTES],
    is_signed: bool,
}

impl Known {
    /// The index of the lowest byte that is not 0, and that behind the highest one.
    fn bounds(&self) -> (usize, usize) {
        let is_some = |byte: &Option<i32>| byte.is_some();
        let from = self.bytes.iter().position(is_some).unwrap_or(0);
        (from, self.bytes.iter().rposition(is_some).map_or(0, |last| last + 1))
    }

    fn shifted(self, register: u8, bits: i32, is_word: bool) -> Option<Self> {
        let by = usize::try_from(bits).ok()? / BYTES;
        let width = if is_word { BYTES / 2 } else { BYTES };
        let (_, end) = self.bounds();
        // What is shifted out would be lost, and a sign would be another one.
        if bits % 8 != 0 || end + by > width || self.is_signed {
            return None;
        }
        let mut bytes = [None; BYTES];
        bytes[by..end + by].copy_from_slice(&self.bytes[..end]);
        let is_signed = is_word && end + by == width;
        Some(Self { register, bytes, is_signed, ..self })
    }

    fn joined(self, register: u8, other: Self) -> Option<Self> {
        let mut bytes = self.bytes;
        for (byte, other) in bytes.iter_mut().zip(other.bytes) {
            *byte = match (*byte, other) {
                (Some(_), Some(_)) => return None,
                (one, another) => one.or(another),
            };
        }
        let joined = Self { register, bytes, is_signed: self.is_signed || other.is_signed, ..self };
        let fits = !joined.is_signed || joined.bounds().1 == BYTES / 2;
        (self.number == other.number && fits).then_some(joined)
    }
}

/// A number, as far as its bytes have been read.
#[derive(Clone, Copy)]
struct Reading {
    base: u8,
    first: i32,
    /// A bit for each byte from the first one on.
    read: u64,
}

impl Reading {
    /// The same with another byte, if that may be of the same number.
    fn with(&self, base: u8, offset: i32) -> Option<Self> {
        let first = self.first.min(offset);
        let [before, after] = [self.first, offset].map(|place| u64::from(place.abs_diff(first)));
        let span = (after + 1).max(before + u64::from(u64::BITS - self.read.leading_zeros()));
        let read = || self.read << before | 1 << after;
        (self.base == base && span <= BYTES as u64).then(|| Self { base, first, read: read() })
    }
}

/// What the ops from one on do, as far as they belong to a window.
#[derive(Default)]
struct Scan {
    readings: Vec<Reading>,
    known: Vec<Known>,
    /// Registers that what is between has to do with, and those that it sets.
    others: u64,
    others_set: u64,
    ops: u64,
}

fn bit(register: u8) -> u64 {
    1 << register
}

impl Scan {
    fn known(&self, register: u8) -> Option<Known> {
        self.known.iter().find(|known| known.register == register).copied()
    }

    /// Goes on with an op; gives whether it may be in the window.
    fn step(&mut self, at: usize, op: Op, template: Template) -> bool {
        let known = match template {
            Template::Load(Load::UnsignedByte) => return self.load(at, op),
            Template::Unary(Unary::Slli) => {
                self.known(op.rs1).and_then(|known| known.shifted(op.rd, op.imm, false))
            }
            Template::Unary(Unary::Slliw) => {
                self.known(op.rs1).and_then(|known| known.shifted(op.rd, op.imm, true))
            }
            Template::Binary(Binary::Or) => {
                let both = self.known(op.rs1).zip(self.known(op.rs2));
                both.and_then(|(one, other)| one.joined(op.rd, other))
            }
            _ => None,
        };
        match known {
            Some(known) => self.set(at, known),
            None => self.pass(op, template),
        }
    }

    /// A byte from memory.
    fn load(&mut self, at: usize, op: Op) -> bool {
        if self.known(op.rs1).is_some() || self.others_set & bit(op.rs1) != 0 {
            return false;
        }
        let new = Reading { base: op.rs1, first: op.imm, read: 0 };
        let joined = |reading: &Reading| reading.with(op.rs1, op.imm);
        let number = self.readings.iter().position(|reading| joined(reading).is_some());
        let number = number.unwrap_or(self.readings.len());
        let Some(reading) = joined(self.readings.get(number).unwrap_or(&new)) else { return false };
        match self.readings.get_mut(number) {
            Some(place) => *place = reading,
            None if number == MOST_NUMBERS => return false,
            None => self.readings.push(reading),
        }
        let mut bytes = [None; BYTES];
        bytes[0] = Some(op.imm);
        self.set(at, Known { register: op.rd, number, bytes, is_signed: false })
    }

    /// Says that the op belongs to the window, unless what is between had to do with what it sets.
    fn set(&mut self, at: usize, known: Known) -> bool {
        self.known.retain(|other| other.register != known.register);
        self.known.push(known);
        self.ops |= 1 << at;
        self.others & bit(known.register) == 0
            && known.register != SINK
            && self.known.len() <= MOST_RESULTS
    }

    /// Whether an op that does not belong to the window may be between those that do.
    fn pass(&mut self, op: Op, template: Template) -> bool {
        let reads = match template {
            Template::Unary(_) => bit(op.rs1),
            Template::Binary(binary) if !binary.divides() => bit(op.rs1) | bit(op.rs2),
            Template::Constant | Template::Address => 0,
            _ => return false,
        };
        self.others |= reads | bit(op.rd);
        self.others_set |= bit(op.rd);
        self.known.iter().all(|known| self.others & bit(known.register) == 0)
    }

    /// What the window gives so far, and how many instructions fewer that is.
    fn window(&self) -> Option<(Window, usize)> {
        let window = self.with_endianness(false).or_else(|| self.with_endianness(true))?;
        let costs = window.parts.iter().map(|part| if part.is_low() { 1 } else { 3 });
        let cost = window.numbers.len() + costs.sum::<usize>();
        let saved = (window.ops.count_ones() as usize).checked_sub(cost)?;
        (saved >= WORTH_IT).then_some((window, saved))
    }

    fn with_endianness(&self, is_big_endian: bool) -> Option<Window> {
        let number = |reading: &Reading| {
            let Reading { base, first, read } = *reading;
            let bytes = read.trailing_ones();
            let is_whole = read.count_ones() == bytes && matches!(bytes, 2 | 4 | 8);
            is_whole.then_some(Number { base, first, bytes: bytes as u8, is_big_endian })
        };
        let numbers: Vec<Number> = self.readings.iter().map(number).collect::<Option<_>>()?;
        let parts = self.known.iter().map(|known| part(known, &numbers));
        let parts = parts.collect::<Option<_>>()?;
        Some(Window { numbers, parts, moved: None, ops: self.ops })
    }
}

impl Part {
    /// Whether it is the low bytes of its number at their place, as many as the host has
    /// instructions for.
    pub fn is_low(&self) -> bool {
        self.from == 0 && self.to == 0 && self.bytes.is_power_of_two()
    }
}

/// What is known of a register as a part of a number, if that is possible.
fn part(known: &Known, numbers: &[Number]) -> Option<Part> {
    let Number { first, bytes, is_big_endian, .. } = numbers[known.number];
    let place = |offset: i32| {
        let place = (offset - first) as u8;
        if is_big_endian { bytes - 1 - place } else { place }
    };
    let (to, end) = known.bounds();
    let from = place(known.bytes[to]?);
    for (n, byte) in (0..).zip(&known.bytes[to..end]) {
        if place((*byte)?) != from.checked_add(n)? {
            return None;
        }
    }
    let (to, count) = (to as u8, (end - to) as u8);
    let Known { register, number, is_signed, .. } = *known;
    Some(Part { register, number, from, bytes: count, to, is_signed })
}

/// The op of that index.
fn op(slots: &[Slot], index: usize) -> Option<Op> {
    // SAFETY: the indices that are asked for are those of ops.
    slots.get(index).map(|slot| unsafe { slot.op })
}

/// The same window with the stores of all of its bytes, which are among the ops from that place on, if
/// they are.
fn move_of(mut window: Window, from: usize, ops: &Ops, slots: &[Slot]) -> Option<Window> {
    let [Number { bytes, .. }] = window.numbers[..] else { return None };
    if window.parts.iter().any(|part| part.to != 0 || part.bytes != 1) {
        return None;
    }
    let part = |register: u8| window.parts.iter().find(|part| part.register == register);
    let mut stored = 0u8;
    for (at, (index, template)) in ops.iter().enumerate().take(MOST_OPS).skip(from) {
        let op = op(slots, *index)?;
        match (template.as_ref()?, part(op.rs2)) {
            (Template::Store(Store::Byte), Some(part)) => {
                let to = Place { base: op.rs1, first: op.imm.checked_sub(part.from.into())? };
                let moved = window.moved.get_or_insert(Move { at, to, also: None, bytes });
                stored |= 1 << part.from;
                if to != moved.to && *moved.also.get_or_insert(to) != to {
                    return None;
                }
                window.ops |= u64::from(at != moved.at) << at;
                if stored.count_ones() == bytes.into() {
                    return Some(window);
                }
            }
            // They have to follow one another.
            _ if window.moved.is_some() => return None,
            (Template::Store(_), _) => {}
            (Template::Unary(_) | Template::Binary(_) | Template::Load(_), _)
            | (Template::Constant | Template::Address, _)
                if part(op.rd).is_none() => {}
            _ => return None,
        }
    }
    None
}

/// The window that begins with the first of these ops, which loads a byte.
#[inline(never)]
pub fn window(ops: &Ops, slots: &[Slot]) -> Option<Window> {
    let is_load = |(_, template): &(usize, Option<Template>)| {
        matches!(template, Some(Template::Load(Load::UnsignedByte)))
    };
    if !ops.iter().take(SOON).skip(1).any(is_load) {
        return None;
    }
    let mut scan = Scan::default();
    let (mut best, mut moving) = (None, None);
    for (at, (index, template)) in ops.iter().take(MOST_OPS).enumerate() {
        let op = op(slots, *index)?;
        if !template.is_some_and(|template| scan.step(at, op, template)) {
            break;
        }
        match template {
            Some(Template::Binary(Binary::Or)) => {
                let most = best.as_ref().map_or(0, |(_, saved)| *saved);
                best = scan.window().filter(|(_, saved)| *saved > most).or(best);
            }
            Some(Template::Load(_)) => {
                // As many bytes as possible.
                let bytes = scan.with_endianness(false);
                moving = bytes.and_then(|window| move_of(window, at + 1, ops, slots)).or(moving);
            }
            _ => {}
        }
    }
    moving.or_else(|| best.map(|(window, _)| window))
}
