//! Words that a block reads in pieces and puts together by shifts.
//!
//! Where a processor may not have unaligned accesses, compilers read what may be unaligned byte
//! by byte: eight loads, seven shifts and seven `or` for a doubleword. The host reads it at once,
//! in either order of its bytes, where the first piece is read; the other pieces are taken from
//! that.
//!
//! That is a read of each byte that is somewhat earlier than the program's. RVWMO (the manual's
//! "Preserved Program Order") minds only if something else in between orders them: an access that
//! is no load, or a load of the same byte (rule 2). So nothing but loads may be in between, and of
//! those only what is elsewhere, by the same base, or is a byte itself: two words that are read in
//! turn, to compare them, say. That these are the same place, and somebody else writes there just
//! now, is all that is not ruled out.
//!
//! A word of which a part cannot be read is a fault at its first piece. Up to the last one is
//! nothing that must not be done again, so in precise mode the interpreter finds the piece.

use crate::effects::{self, Way};
use rvrun_isa::{Instruction, Kind, Opcode};
use std::ops::Range;

/// A word that is read in pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The register that the pieces' addresses are computed from.
    pub base: u8,
    /// The distance of the word from that.
    pub at: i32,
    /// Bytes: 2, 4 or 8.
    pub bytes: u8,
    /// Whether the byte at the lowest address is the most significant one.
    pub reversed: bool,
    /// The pieces, by index in the block, in ascending order.
    pub loads: Vec<usize>,
}

/// A result that is bytes of a word, and zeros but for its sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Which word.
    pub word: usize,
    /// The first of the word's bytes, counted from the least significant one.
    pub from: u8,
    /// How many they are.
    pub bytes: u8,
    /// Bytes of 0 below them.
    pub to: u8,
    /// Whether what is above them is their highest bit.
    pub signed: bool,
}

/// What becomes of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// It does what those behind it do, too.
    First {
        /// What is written.
        what: Slice,
        /// How far from the base.
        at: i32,
        /// The last store that it makes superfluous, by index in the block.
        last: usize,
    },
    /// One before has done it.
    Done,
}

/// The words of a block.
#[derive(Default)]
pub struct Words {
    /// All of them.
    pub words: Vec<Word>,
    /// By index in the block; empty if there are no words.
    slices: Vec<Option<Slice>>,
    /// Likewise.
    stores: Vec<Option<Store>>,
}

impl Words {
    /// The words that are read in `body`.
    pub fn of(body: &[Instruction]) -> Self {
        if body.iter().filter(|i| piece(i).is_some()).count() < 2 {
            return Self::default();
        }
        let mut finder = Finder { body, ..Finder::default() };
        let results: Vec<_> =
            body.iter().enumerate().map(|(index, i)| finder.instruction(index, i)).collect();
        finder.group_stores();
        if finder.words.is_empty() {
            return Self::default();
        }
        let slices = results.iter().map(|result| finder.slice(result.as_ref()?)).collect();
        let mut stores = vec![None; body.len()];
        for Group { stores: all, at, value } in &finder.groups {
            let ([first, .., last], Some(what)) = (&all[..], finder.slice(value)) else { continue };
            all.iter().for_each(|index| stores[*index] = Some(Store::Done));
            stores[*first] = Some(Store::First { what, at: *at, last: *last });
        }
        Self { words: finder.words, slices, stores }
    }

    /// The bytes of a word that are the result of the instruction at this index.
    pub fn slice(&self, index: usize) -> Option<Slice> {
        self.slices.get(index).copied().flatten()
    }

    /// What becomes of the store at this index, if it is not done by itself.
    pub fn store(&self, index: usize) -> Option<Store> {
        self.stores.get(index).copied().flatten()
    }
}

/// The first of `stored` as a group of so many bytes, if they are one.
fn group(stored: &[Stored], bytes: usize) -> Option<Group> {
    let mut count = 0;
    let all = stored.iter().take_while(|store| {
        let is_in = count < bytes;
        count += if is_in { store.bytes.len() } else { 0 };
        is_in
    });
    let stores: Vec<&Stored> = all.collect();
    let at = stores.iter().map(|store| store.at).min()?;
    let mut value = Value::default();
    for store in &stores {
        let to = store.at.checked_sub(at)? as usize;
        for (place, byte) in value.bytes[..bytes].get_mut(to..)?.iter_mut().zip(&store.bytes) {
            *place = Some(*byte);
        }
    }
    let is_all = count == bytes && value.bytes[..bytes].iter().all(Option::is_some);
    let stores: Vec<usize> = stores.iter().map(|store| store.index).collect();
    (is_all && stores.len() > 1).then_some(Group { stores, at, value })
}

/// Bytes that the instruction reads if it may read a piece, and whether it extends the sign.
fn piece(instruction: &Instruction) -> Option<(u8, bool)> {
    match instruction.opcode {
        Opcode::Lbu => Some((1, false)),
        Opcode::Lb => Some((1, true)),
        Opcode::Lhu => Some((2, false)),
        Opcode::Lh => Some((2, true)),
        Opcode::Lwu => Some((4, false)),
        Opcode::Lw => Some((4, true)),
        _ => None,
    }
}

/// A byte in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Byte {
    /// The number of the load that reads it.
    load: usize,
    /// Its distance from that load's base.
    at: i32,
}

/// What is known of a register: where each byte is from, or that it is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Value {
    bytes: [Option<Byte>; 8],
    /// The byte whose highest bit all bytes above have.
    sign: Option<u8>,
}

impl Value {
    /// The value whose lowest `bytes` are those of this one, and nothing above.
    fn low(mut self, bytes: u8) -> Option<Self> {
        if self.sign.is_some_and(|sign| sign + 1 < bytes) {
            return None;
        }
        self.bytes[usize::from(bytes)..].fill(None);
        Some(Self { sign: None, ..self })
    }

    /// The same with the sign of byte 3 above that.
    fn sign_extended(self) -> Option<Self> {
        let low = self.low(4)?;
        Some(Self { sign: low.bytes[3].map(|_| 3), ..low })
    }

    fn shifted_left(self, bits: i32) -> Option<Self> {
        let by = whole_bytes(bits)?;
        let mut shifted = Self::default();
        shifted.bytes[by..].copy_from_slice(&self.bytes[..8 - by]);
        shifted.sign = self.sign.map(|sign| sign + by as u8).filter(|sign| *sign < 7);
        Some(shifted)
    }

    fn shifted_right(self, bits: i32) -> Option<Self> {
        let by = whole_bytes(bits)?;
        if self.sign.is_some() {
            return None;
        }
        let mut shifted = Self::default();
        shifted.bytes[..8 - by].copy_from_slice(&self.bytes[by..]);
        Some(shifted)
    }

    /// Both, if no byte is of both.
    fn with(self, other: Self) -> Option<Self> {
        let mut both = self;
        for (at, byte) in other.bytes.iter().enumerate().filter(|(_, byte)| byte.is_some()) {
            if both.bytes[at].is_some() {
                return None;
            }
            both.bytes[at] = *byte;
        }
        // What extends a sign has to be all that there is above.
        let is_top = |sign: u8| both.bytes[usize::from(sign) + 1..].iter().all(Option::is_none);
        both.sign = match (self.sign, other.sign) {
            (None, None) => None,
            (Some(sign), None) | (None, Some(sign)) if is_top(sign) => Some(sign),
            _ => return None,
        };
        Some(both)
    }
}

/// How many bytes so many bits are.
fn whole_bytes(bits: i32) -> Option<usize> {
    (bits % 8 == 0).then_some(bits as usize / 8)
}

/// A load that may be a piece.
#[derive(Clone, Copy)]
struct Load {
    index: usize,
    base: u8,
    /// How often the base had been written.
    version: u32,
    /// How often there had been what pieces may not be read across.
    epoch: u32,
}

/// A store whose value is of known bytes.
struct Stored {
    index: usize,
    at: i32,
    /// As many as it stores.
    bytes: Vec<Byte>,
}

/// Stores, by index in the block and in ascending order, that write `value` to the address `at`
/// from their base.
struct Group {
    stores: Vec<usize>,
    at: i32,
    value: Value,
}

#[derive(Default)]
struct Finder<'a> {
    body: &'a [Instruction],
    registers: [Option<Value>; 32],
    /// How often each register was written.
    versions: [u32; 32],
    epoch: u32,
    loads: Vec<Load>,
    words: Vec<Word>,
    /// Stores by one base, with no other access since the first of them.
    stored: Vec<Stored>,
    /// That base, and how often it had been written.
    stored_by: (u8, u32),
    groups: Vec<Group>,
}

impl Finder<'_> {
    /// Goes on by an instruction; gives what is known of its result.
    fn instruction(&mut self, index: usize, i: &Instruction) -> Option<Value> {
        let lowered = effects::way(i) == Way::Lowered;
        if !lowered || !matches!(i.row().kind, Kind::Alu | Kind::Load) {
            self.epoch += 1;
        }
        if !lowered || i.row().kind != Kind::Alu {
            self.stored(index, i);
        }
        let result = if lowered { self.result(index, i) } else { None };
        if let Some(value) = &result {
            self.put_together(value);
        }
        for register in 1..32u8 {
            if i.writes() >> register & 1 != 0 {
                self.versions[usize::from(register)] += 1;
                self.registers[usize::from(register)] = result;
            }
        }
        result
    }

    /// What is known of the result.
    fn result(&mut self, index: usize, i: &Instruction) -> Option<Value> {
        let of = |register: u8| self.registers[usize::from(register)];
        match i.opcode {
            Opcode::Slli => of(i.rs1)?.shifted_left(i.imm),
            Opcode::Slliw => of(i.rs1)?.shifted_left(i.imm)?.sign_extended(),
            Opcode::Srli => of(i.rs1)?.shifted_right(i.imm),
            Opcode::Addi if i.imm == 0 => of(i.rs1),
            Opcode::Addiw if i.imm == 0 => of(i.rs1)?.sign_extended(),
            Opcode::AddUw if i.rs2 == 0 => of(i.rs1)?.low(4),
            Opcode::Packw if i.rs2 == 0 => of(i.rs1)?.low(2),
            Opcode::Andi if i.imm == 0xff => of(i.rs1)?.low(1),
            Opcode::Add if i.rs1 == 0 => of(i.rs2),
            Opcode::Or | Opcode::Xor => of(i.rs1)?.with(of(i.rs2)?),
            // Bytes of 0 have no carry, but those above a sign may be 255.
            Opcode::Add => {
                let (a, b) = (of(i.rs1)?, of(i.rs2)?);
                (a.sign.is_none() && b.sign.is_none()).then(|| a.with(b))?
            }
            _ => {
                let (bytes, signed) = piece(i)?;
                let load = self.loads.len();
                let (base, epoch) = (i.rs1, self.epoch);
                let version = self.versions[usize::from(base)];
                self.loads.push(Load { index, base, version, epoch });
                let mut value = Value::default();
                for byte in 0..bytes {
                    let at = i.imm.checked_add(byte.into())?;
                    value.bytes[usize::from(byte)] = Some(Byte { load, at });
                }
                value.sign = signed.then_some(bytes - 1);
                Some(value)
            }
        }
    }

    /// Takes note of an instruction that is or may be an access.
    fn stored(&mut self, index: usize, i: &Instruction) {
        let bytes = match i.opcode {
            Opcode::Sb => 1,
            Opcode::Sh => 2,
            Opcode::Sw => 4,
            _ => 0,
        };
        let by = (i.rs1, self.versions[usize::from(i.rs1)]);
        if bytes == 0 || by != self.stored_by {
            self.group_stores();
        }
        let value = self.registers[usize::from(i.rs2)];
        let known = value.map(|value| value.bytes[..bytes].iter().flatten().copied().collect());
        match known {
            Some(known) if bytes > 0 && Vec::len(&known) == bytes => {
                self.stored_by = by;
                self.stored.push(Stored { index, at: i.imm, bytes: known });
            }
            _ => self.group_stores(),
        }
    }

    /// Makes groups of the stores that there are.
    fn group_stores(&mut self) {
        let stored = std::mem::take(&mut self.stored);
        let mut rest = &stored[..];
        while let Some((_, behind)) = rest.split_first() {
            match [8, 4, 2].iter().find_map(|bytes| group(rest, *bytes)) {
                Some(group) => {
                    self.put_together(&group.value);
                    rest = &rest[group.stores.len()..];
                    self.groups.push(group);
                }
                None => rest = behind,
            }
        }
    }

    /// Notes the word that `value` is, if it is one.
    fn put_together(&mut self, value: &Value) {
        let Some(word) = self.word(value) else { return };
        let is_part = |other: &Word| other.loads.iter().all(|load| word.loads.contains(load));
        let shares = |other: &Word| other.loads.iter().any(|load| word.loads.contains(load));
        // What was put together first of the same bytes stays.
        let is_new = |other: &Word| is_part(other) && other.loads.len() < word.loads.len();
        if self.words.iter().all(|other| is_new(other) || !shares(other)) {
            self.words.retain(|other| !shares(other));
            self.words.push(word);
        }
    }

    fn word(&self, value: &Value) -> Option<Word> {
        let bytes = value.bytes.iter().take_while(|byte| byte.is_some()).count();
        let is_all = value.bytes[bytes..].iter().all(Option::is_none);
        let extends = value.sign.is_none_or(|sign| usize::from(sign) + 1 == bytes);
        if !matches!(bytes, 2 | 4 | 8) || !is_all || !extends {
            return None;
        }
        let [first, second] = [value.bytes[0]?, value.bytes[1]?];
        let step = second.at.checked_sub(first.at).filter(|step| matches!(step, 1 | -1))?;
        let Load { base, version, epoch, .. } = self.loads[first.load];
        let mut loads = Vec::new();
        for (distance, byte) in (0..).zip(value.bytes.iter().flatten()) {
            let load = self.loads[byte.load];
            let fits = (load.base, load.version, load.epoch) == (base, version, epoch)
                && Some(byte.at) == first.at.checked_add(step * distance);
            if !fits {
                return None;
            }
            loads.push(load.index);
        }
        loads.sort_unstable();
        loads.dedup();
        let read = loads.iter().filter_map(|load| piece(&self.body[*load]));
        let is_exact = read.map(|(bytes, _)| usize::from(bytes)).sum::<usize>() == bytes;
        let at = first.at.min(first.at + step * (bytes as i32 - 1));
        let all = i64::from(at)..i64::from(at) + bytes as i64;
        let is_word = loads.len() > 1 && is_exact && self.is_quiet(&loads, base, version, all);
        is_word.then_some(Word { base, at, bytes: bytes as u8, reversed: step < 0, loads })
    }

    /// Whether no load between the pieces but them is one that has to be in order with them.
    fn is_quiet(&self, loads: &[usize], base: u8, version: u32, all: Range<i64>) -> bool {
        let [first, .., last] = loads else { return true };
        let is_fine = |index: usize| {
            let i = &self.body[index];
            if i.row().kind != Kind::Load || loads.contains(&index) {
                return true;
            }
            let load = self.loads.iter().find(|load| load.index == index);
            let is_same_base = load.is_some_and(|l| (l.base, l.version) == (base, version));
            match piece(i) {
                Some((bytes, _)) if is_same_base => {
                    let at = i64::from(i.imm);
                    at + i64::from(bytes) <= all.start || all.end <= at
                }
                Some((bytes, _)) => bytes == 1,
                None => false,
            }
        };
        (*first..*last).all(is_fine)
    }

    /// Which bytes of a word `value` is, if it is nothing else.
    fn slice(&self, value: &Value) -> Option<Slice> {
        let to = value.bytes.iter().position(Option::is_some)?;
        let bytes = value.bytes[to..].iter().take_while(|byte| byte.is_some()).count();
        let load = |byte: &Byte| self.loads[byte.load].index;
        let first = value.bytes[to]?;
        let is_of = |word: &Word| word.loads.contains(&load(&first));
        let number = self.words.iter().position(is_of)?;
        let word = &self.words[number];
        let place = |byte: &Byte| {
            let up = byte.at - word.at;
            if word.reversed { i32::from(word.bytes) - 1 - up } else { up }
        };
        let from = place(&first);
        let in_order = |(distance, byte): (i32, &Byte)| {
            word.loads.contains(&load(byte)) && place(byte) == from + distance
        };
        let is_slice = value.bytes[to + bytes..].iter().all(Option::is_none)
            && (0..).zip(value.bytes.iter().flatten()).all(in_order)
            && value.sign.is_none_or(|sign| usize::from(sign) + 1 == to + bytes);
        is_slice.then_some(Slice {
            word: number,
            from: from as u8,
            bytes: bytes as u8,
            to: to as u8,
            signed: value.sign.is_some(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rvrun_isa::assemble;

    fn words(lines: &[&str]) -> Words {
        let body: Vec<_> = lines.iter().map(|line| assemble(line).expect(line)).collect();
        Words::of(&body)
    }

    /// The words, each as its base, how far it is from there, its bytes, and whether it is
    /// reversed.
    fn found(lines: &[&str]) -> Vec<(u8, i32, u8, bool)> {
        words(lines).words.iter().map(|w| (w.base, w.at, w.bytes, w.reversed)).collect()
    }

    /// Two bytes by `a0` that are put together, with `between` between their loads.
    fn half(between: &[&'static str]) -> Vec<&'static str> {
        let mut lines = vec!["lbu a1, 4(a0)"];
        lines.extend(between);
        lines.extend(["lbu a2, 5(a0)", "slli a2, a2, 8", "or a3, a1, a2"]);
        lines
    }

    #[test]
    fn words_are_found_in_both_orders() {
        assert_eq!(found(&half(&[])), [(10, 4, 2, false)]);
        let reversed = ["lbu a1, 1(a0)", "lbu a2, 0(a0)", "slli a2, a2, 8", "or a3, a1, a2"];
        assert_eq!(found(&reversed), [(10, 0, 2, true)]);
        let halves = ["lhu a1, -4(s0)", "lh a2, -2(s0)", "slli a2, a2, 16", "or a1, a1, a2"];
        assert_eq!(found(&halves), [(8, -4, 4, false)]);
    }

    #[test]
    fn what_may_order_pieces_keeps_them_apart() {
        let fine: [&[&str]; 5] = [
            &["lbu a4, 0(s1)"],
            &["lw a4, 0(a0)"],
            &["ld a4, 8(s1)", "lbu a1, 4(a0)"],
            &["addi a5, a5, 1", "xor a6, a6, a5"],
            &["addi a1, a1, 0"],
        ];
        for between in fine {
            assert_eq!(found(&half(between)).len(), 1, "{between:?}");
        }
        let not: [&[&str]; 8] = [
            &["sb a4, 0(s1)"],
            &["fence rw, rw"],
            &["amoadd.w a4, a5, (s1)"],
            &["ld a4, 0(s1)"],
            &["lw a4, 4(a0)"],
            &["lhu a4, 5(a0)"],
            &["addi a0, a0, 0"],
            &["addi a1, a1, 1"],
        ];
        for between in not {
            assert_eq!(found(&half(between)), [], "{between:?}");
        }
    }

    #[test]
    fn what_is_no_word_is_none() {
        let not: [&[&str]; 5] = [
            // Not beside each other.
            &["lbu a1, 0(a0)", "lbu a2, 2(a0)", "slli a2, a2, 8", "or a1, a1, a2"],
            // By other registers.
            &["lbu a1, 0(a0)", "lbu a2, 1(s0)", "slli a2, a2, 8", "or a1, a1, a2"],
            // In each other's way.
            &["lhu a1, 0(a0)", "lbu a2, 2(a0)", "slli a2, a2, 8", "or a1, a1, a2"],
            // With the sign of the lower one.
            &["lb a1, 0(a0)", "lbu a2, 1(a0)", "slli a2, a2, 8", "or a1, a1, a2"],
            // Three bytes.
            &["lbu a1, 0(a0)", "lhu a2, 1(a0)", "slli a2, a2, 8", "or a1, a1, a2"],
        ];
        for lines in not {
            assert_eq!(found(lines), [], "{lines:?}");
        }
    }

    #[test]
    fn each_result_is_known_as_bytes_of_its_word() {
        let lines = [
            "lbu a1, 0(a0)",
            "lbu a2, 1(a0)",
            "lbu a3, 2(a0)",
            "slli a2, a2, 8",
            "or a1, a1, a2",
            "lbu a4, 3(a0)",
            "slli a3, a3, 16",
            "slliw a4, a4, 24",
            "or a1, a1, a3",
            "or a1, a4, a1",
            "srli a5, a1, 8",
        ];
        let words = words(&lines);
        assert_eq!(words.words.len(), 1);
        let slices = [
            (0, 1, 0, false),
            (1, 1, 0, false),
            (2, 1, 0, false),
            (1, 1, 1, false),
            (0, 2, 0, false),
            (3, 1, 0, false),
            (2, 1, 2, false),
            (3, 1, 3, true),
            (0, 3, 0, false),
            (0, 4, 0, true),
        ];
        for (index, (from, bytes, to, signed)) in slices.into_iter().enumerate() {
            let slice = Slice { word: 0, from, bytes, to, signed };
            assert_eq!(words.slice(index), Some(slice), "{}", lines[index]);
        }
        assert_eq!(words.slice(10), None, "it has copies of a sign that it loses");
    }

    #[test]
    fn bytes_that_are_copied_are_stored_at_once() {
        let loads = ["lbu a1, 0(a0)", "lbu a2, 1(a0)"];
        let both = |stores: &[&'static str]| words(&[&loads[..], stores].concat());
        let stored = both(&["sb a2, 9(s0)", "addi a5, a5, 1", "sb a1, 8(s0)"]);
        let what = Slice { word: 0, from: 0, bytes: 2, to: 0, signed: false };
        assert_eq!(stored.store(2), Some(Store::First { what, at: 8, last: 4 }));
        assert_eq!((stored.store(3), stored.store(4)), (None, Some(Store::Done)));
        let not: [&[&str]; 6] = [
            &["sb a1, 8(s0)", "sb a2, 10(s0)"],
            &["sb a1, 8(s0)", "sb a1, 9(s0)"],
            &["sb a1, 8(s0)", "lw a3, 0(s1)", "sb a2, 9(s0)"],
            &["sb a1, 8(s0)", "addi s0, s0, 0", "sb a2, 9(s0)"],
            &["sb a1, 8(s0)", "sb a2, 9(s1)"],
            &["sb a1, 8(s0)", "fence rw, rw", "sb a2, 9(s0)"],
        ];
        for stores in not {
            let words = both(stores);
            assert!((2..5).all(|index| words.store(index).is_none()), "{stores:?}");
        }
    }
}
