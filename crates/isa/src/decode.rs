//! Bits to [`Instruction`].

use crate::row::{Kind, ROW_TABLE, Row};
use crate::{Extensions, Instruction, Opcode, ROWS};

/// Bytes of the instruction whose first 16 bits are `parcel`: 2 or 4.
///
/// Longer formats are reserved (unprivileged manual, "Expanded Instruction-Length
/// Encoding"); they count as 4 here and decode to nothing.
pub const fn length(parcel: u16) -> u8 {
    if parcel & 3 == 3 { 4 } else { 2 }
}

/// Decodes `word`; a compressed instruction stands in its low half, the rest is ignored.
///
/// Returns `None` for bits that are reserved, or that need an extension that
/// `enabled` does not have.
pub fn decode(word: u32, enabled: Extensions) -> Option<Instruction> {
    candidates(word, enabled).find_map(|opcode| operands_of(opcode, word))
}

/// The opcodes of `enabled` whose fixed bits `word` has, in decoding order: the
/// instruction is the first for which [`operands`] gives something.
#[inline]
pub fn candidates(word: u32, enabled: Extensions) -> impl Iterator<Item = Opcode> {
    let word = if length(word as u16) == 2 { word & 0xffff } else { word };
    let bucket = bucket(word);
    let range = usize::from(INDEX.starts[bucket])..usize::from(INDEX.starts[bucket + 1]);
    INDEX.opcodes[range].iter().copied().filter(move |opcode| {
        let key = &KEYS[*opcode as usize];
        word & key.mask == key.value && key.extensions.intersects(enabled)
    })
}

macro_rules! operands_by_row {
    (
        base { $($op:ident $name:ident $($ext:ident)|+ $kind:ident [$($field:ident)*] $pattern:literal;)* }
        alias { $($alias:ident $aname:ident $($aext:ident)|+ [$($afield:ident)*] $apattern:literal => $target:ident;)* }
    ) => {
        /// The operands that `word` has as an instruction of the row `opcode`, unless they are reserved.
        ///
        /// Each row has its own copy of [`operands`], in which the compiler knows all
        /// of the plan: most code of a short program is decoded more often than executed.
        fn operands_of(opcode: Opcode, word: u32) -> Option<Instruction> {
            match opcode {
                $(Opcode::$op => operands::<{ Opcode::$op as usize }>(word),)*
                $(Opcode::$alias => operands::<{ Opcode::$alias as usize }>(word),)*
            }
        }
    };
}

crate::for_each_instruction!(operands_by_row);

/// What `word` is as an instruction of the row with the number `ROW`, an opcode's;
/// nothing where the row's operands are reserved.
///
/// With the row known to the compiler, this is a few shifts.
#[inline]
pub fn operands<const ROW: usize>(word: u32) -> Option<Instruction> {
    let row: &Row = &ROWS[ROW];
    let plan = &row.plan;
    if plan.has_rules && row.fields.iter().any(|field| field.value(word).is_none()) {
        return None;
    }
    let mut imm = plan.imm.iter().fold(0, |imm, segment| imm | segment.place(word)) as i32;
    if let Some(sign) = plan.imm_sign {
        let shift = 31 - u32::from(sign);
        imm = (imm << shift) >> shift;
    }
    let [rd, rs1, rs2, rs3, rm] = plan.registers.map(|register| register.value(word));
    let (opcode, len, imm) = (row.opcode, row.len, imm + plan.imm_bias);
    Some(Instruction { opcode, len, rd, rs1, rs2, rs3, rm, imm })
}

/// Rows are looked up by the bits that tell most of them apart: for 32-bit
/// words the major opcode, funct3 and the top three bits, for 16-bit ones the
/// quadrant, the top six bits and those that tell arithmetic apart. These are the bits of a bucket's
/// number, the lowest one first; a word's two lowest, which say what it is, count from bit 8 on.
const BUCKET_BITS: [&[u32]; 2] =
    [&[10, 11, 12, 13, 14, 15, 5, 6, 0, 1], &[29, 30, 31, 12, 13, 14, 2, 3, 4, 5, 6]];
const COMPRESSED_BUCKETS: usize = 3 << 8;
/// How many buckets there are.
pub const BUCKETS: usize = COMPRESSED_BUCKETS + (1 << BUCKET_BITS[1].len());

/// What brings the bits of [`BUCKET_BITS`] together at the top of a product: each run of them is where
/// it belongs in one of the products that the sum consists of, and in the others below or gone, where it
/// meets none.
#[derive(Clone, Copy)]
struct Gather {
    mask: u64,
    factor: u64,
}

/// By a word's two lowest bits. What kind of word comes next nobody can predict, so this is no branch.
const GATHERS: [Gather; 4] = {
    let compressed = Gather { mask: 0xfc60, factor: 1 << 43 | 1 << 54 };
    let whole = Gather { mask: 0xe000_707c, factor: 1 << 24 | 1 << 44 | 1 << 57 };
    [compressed, compressed, compressed, whole]
};
const GATHERED_FROM: u32 = u64::BITS - BUCKET_BITS[1].len() as u32;

/// The bucket of `word`, below [`BUCKETS`]: words in one have most of the bits in common that tell
/// opcodes apart.
#[inline]
pub const fn bucket(word: u32) -> usize {
    let quadrant = (word & 3) as usize;
    let Gather { mask, factor } = GATHERS[quadrant];
    (quadrant << 8) + ((word as u64 & mask).wrapping_mul(factor) >> GATHERED_FROM) as usize
}

/// The opcodes that words in this bucket are most likely to have, in decoding order: the one with this
/// number; nothing if there are not so many. Hints that do nothing are left out where what they are a
/// form of does the same for their words: they would be the first, and hardly any word is one.
///
/// # Panics
/// If there is no such bucket.
pub const fn likely(bucket: usize, number: usize) -> Option<Opcode> {
    let (mut at, mut left) = (INDEX.starts[bucket] as usize, number);
    let end = INDEX.starts[bucket + 1] as usize;
    while at < end {
        if !is_covered_hint(at, end) {
            if left == 0 {
                return Some(INDEX.opcodes[at]);
            }
            left -= 1;
        }
        at += 1;
    }
    None
}

/// Whether the opcode there computes nothing, and one behind it, before `end`, stands for the same and has
/// all of its words.
const fn is_covered_hint(at: usize, end: usize) -> bool {
    let hint = INDEX.opcodes[at].row();
    let mut other = at + 1;
    while other < end && matches!(hint.kind, Kind::Alu) && !hint.writes_integer {
        let row = INDEX.opcodes[other].row();
        if row.stands_for as usize == hint.stands_for as usize
            && hint.mask & row.mask == row.mask
            && hint.value & row.mask == row.value
        {
            return true;
        }
        other += 1;
    }
    false
}

struct Index {
    /// Where each bucket's rows begin in `opcodes`; one more for the end.
    starts: [u16; BUCKETS + 1],
    opcodes: [Opcode; INDEX_LEN],
}

/// What decides whether a word is an instruction of a row, close together: of a short
/// program's time much is spent fetching what is looked at here for the first time.
#[derive(Clone, Copy)]
struct Key {
    mask: u32,
    value: u32,
    extensions: Extensions,
}

impl Key {
    const fn of(row: &Row) -> Self {
        let &Row { mask, value, extensions, .. } = row;
        Self { mask, value, extensions }
    }
}

/// By opcode.
static KEYS: [Key; ROW_TABLE.len()] = {
    let mut keys = [Key::of(&ROW_TABLE[0]); ROW_TABLE.len()];
    let mut i = 0;
    while i < ROW_TABLE.len() {
        keys[ROW_TABLE[i].opcode as usize] = Key::of(&ROW_TABLE[i]);
        i += 1;
    }
    keys
};

/// A row's key bits: which are fixed, and their values.
const fn key(row: &Row) -> (usize, usize) {
    let bits = BUCKET_BITS[(row.len / 4) as usize];
    let (mut mask, mut value, mut i) = (0, 0, 0);
    while i < bits.len() {
        mask |= ((row.mask >> bits[i] & 1) as usize) << i;
        value |= ((row.value >> bits[i] & 1) as usize) << i;
        i += 1;
    }
    (mask, value)
}

/// The bucket after `current` that the row belongs to, counting up through its free key bits.
const fn next_free(current: usize, fixed: usize, all: usize) -> Option<usize> {
    let free = all & !fixed;
    let next = (current | fixed).wrapping_add(1) & free;
    if next == 0 { None } else { Some(next) }
}

const fn base_and_all(row: &Row) -> (usize, usize) {
    if row.len == 2 {
        (0, COMPRESSED_BUCKETS - 1)
    } else {
        (COMPRESSED_BUCKETS, BUCKETS - COMPRESSED_BUCKETS - 1)
    }
}

/// How many rows each bucket has.
const COUNTS: [u16; BUCKETS] = {
    let mut counts = [0; BUCKETS];
    let mut i = 0;
    while i < ROW_TABLE.len() {
        let (base, all) = base_and_all(&ROW_TABLE[i]);
        let (fixed, value) = key(&ROW_TABLE[i]);
        let mut free = Some(0);
        while let Some(bits) = free {
            counts[base + (value | bits)] += 1;
            free = next_free(bits, fixed, all);
        }
        i += 1;
    }
    counts
};

const INDEX_LEN: usize = {
    let (mut sum, mut i) = (0, 0);
    while i < BUCKETS {
        sum += COUNTS[i] as usize;
        i += 1;
    }
    sum
};

/// The rows in decoding order: more fixed bits first, so that nested rows win.
const ORDER: [u16; ROW_TABLE.len()] = {
    let mut order = [0; ROW_TABLE.len()];
    let mut filled = 0;
    let mut ones = 33;
    while ones > 0 {
        ones -= 1;
        let mut i = 0;
        while i < ROW_TABLE.len() {
            if ROW_TABLE[i].mask.count_ones() == ones {
                order[filled] = i as u16;
                filled += 1;
            }
            i += 1;
        }
    }
    order
};

#[allow(long_running_const_eval)]
static INDEX: Index = {
    let mut index = Index { starts: [0; BUCKETS + 1], opcodes: [ROW_TABLE[0].opcode; INDEX_LEN] };
    let mut i = 0;
    while i < BUCKETS {
        index.starts[i + 1] = index.starts[i] + COUNTS[i];
        i += 1;
    }
    let mut used = [0u16; BUCKETS];
    i = 0;
    while i < ORDER.len() {
        let row = &ROW_TABLE[ORDER[i] as usize];
        let (base, all) = base_and_all(row);
        let (fixed, value) = key(row);
        let mut free = Some(0);
        while let Some(bits) = free {
            let bucket = base + (value | bits);
            index.opcodes[(index.starts[bucket] + used[bucket]) as usize] = row.opcode;
            used[bucket] += 1;
            free = next_free(bits, fixed, all);
        }
        i += 1;
    }
    index
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether both do the same.
    fn are_equal(a: &Instruction, b: &Instruction) -> bool {
        let does_nothing = |i: &Instruction| i.row().kind == Kind::Alu && i.rd == 0;
        a == b || does_nothing(a) && does_nothing(b)
    }

    #[test]
    fn what_is_likely_does_what_it_decodes_to() {
        let (mut random, mut found) = (1u32, 0);
        for row in &ROWS {
            for _ in 0..200 {
                random = random.wrapping_mul(0x0019_660d).wrapping_add(0x3c6e_f35f);
                let word = row.value | random.rotate_left(16) & !row.mask;
                let likely = (0..2).filter_map(|number| likely(bucket(word), number));
                let one = likely
                    .filter(|opcode| word & opcode.row().mask == opcode.row().value)
                    .find_map(|opcode| operands_of(opcode, word));
                let decoded = decode(word, Extensions::ALL);
                if let (Some(one), Some(decoded)) = (one, decoded) {
                    let [one, decoded] = [one, decoded].map(|instruction| instruction.expanded());
                    assert!(are_equal(&one, &decoded), "{word:#x}: {one:?}, {decoded:?}");
                    found += 1;
                }
            }
        }
        assert!(found > 100 * ROWS.len());
    }

    #[test]
    fn hints_are_not_likely() {
        let is_likely =
            |opcode: Opcode, number| likely(bucket(opcode.row().value), number) == Some(opcode);
        assert!(is_likely(Opcode::Add, 0) && is_likely(Opcode::Ori, 0));
        assert!(!is_likely(Opcode::NtlP1, 0) && !is_likely(Opcode::NtlP1, 1));
    }
}
