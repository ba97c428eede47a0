//! Random programs that end: what they consist of, and how one is made from a seed.

use rvrun_hostile::Random;
use rvrun_isa::effect::{Registers, integer};
use rvrun_isa::field::Class;
use rvrun_isa::{Extensions, Instruction, Kind, Opcode, ROWS, csr, decode, encode};

/// Functions of a program; each calls only those behind it.
const FUNCTIONS: usize = 5;
/// Nested loops of a function.
const DEPTH: usize = 2;

/// Registers that have a purpose: ra, sp, gp (data), tp (an address), loop counters, a
/// scratch register, rounds.
const RESERVED: [u8; 8] = [1, 2, 3, TP, COUNTERS[0], COUNTERS[1], SCRATCH, ROUNDS];
/// Holds the address of the access that follows.
pub const TP: u8 = 4;
/// Counters of loops, by depth.
pub const COUNTERS: [u8; DEPTH] = [24, 25];
/// For what takes more than one instruction.
pub const SCRATCH: u8 = 26;
/// Counts the rounds of the program.
pub const ROUNDS: u8 = 27;

/// A program.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its functions, all of which are called in each round.
    pub functions: Vec<Vec<Item>>,
    /// Rounds.
    pub rounds: i32,
    /// Seed of what is in memory and in registers at the beginning.
    pub data: u64,
}

/// A part of a function.
#[derive(Clone, Debug)]
pub enum Item {
    /// An instruction that accesses no memory, by its bits.
    Plain(u32),
    /// An access to the data, at an address that a register's value decides.
    Access {
        /// With [`TP`] as base.
        instruction: Instruction,
        /// Whose value decides.
        by: u8,
        /// Bits of the value that do.
        mask: i32,
    },
    /// A word that is read in pieces, at an address that a register's value decides.
    Pieces(Pieces),
    /// An access to where nothing is.
    Fault(Instruction),
    /// What is left out if a branch is taken.
    Skip(Instruction, Vec<Item>),
    /// What is done so often.
    Loop(i32, Vec<Item>),
    /// A call of a function.
    Call(usize),
    /// A call of one of four functions, which a register's value decides.
    CallOneOf([usize; 4], u8),
    /// Puts another first instruction into a function.
    Rewrite(usize, u32),
}

/// What unaligned accesses are where a processor has none.
#[derive(Clone, Copy, Debug)]
pub struct Pieces {
    /// Whose value decides, and bits of it that do.
    pub by: (u8, i32),
    /// For the pieces; one may be there more than once.
    pub registers: [u8; 4],
    /// A piece is so many bytes: 1 or 2.
    pub bytes: u8,
    /// In which order they are read, and in which they are written.
    pub orders: [[u8; 4]; 2],
    /// How far from there they are, and if they are written elsewhere, how far that is. Else
    /// they are put together.
    pub at: (i32, Option<i32>),
    /// Whether they are put together with the first one as the most significant.
    pub reversed: bool,
}

/// Makes a program.
pub fn program(random: &mut Random) -> Program {
    let functions =
        (0..FUNCTIONS).map(|index| items(random, index, 0, 4 + 20 / (index + 1))).collect();
    Program { functions, rounds: 10 + random.below(40) as i32, data: random.number() }
}

/// Parts of function `index`, at this depth of loops.
fn items(random: &mut Random, index: usize, depth: usize, most: usize) -> Vec<Item> {
    (0..1 + random.below(most)).map(|_| item(random, index, depth)).collect()
}

fn item(random: &mut Random, index: usize, depth: usize) -> Item {
    let behind = FUNCTIONS - 1 - index;
    let later = |random: &mut Random| index + 1 + random.below(behind);
    match random.below(40) {
        0..8 => access(random),
        8..12 => Item::Skip(branch(random), items(random, index, depth, 6)),
        12 | 13 if depth < DEPTH => {
            Item::Loop(1 + random.below(9) as i32, items(random, index, depth + 1, 8))
        }
        14 if behind > 0 && depth == 0 => Item::Call(later(random)),
        15 if behind > 0 && depth == 0 => {
            let targets = [0; 4].map(|_| later(random));
            Item::CallOneOf(targets, free(random))
        }
        16 if depth == 0 && random.once_in(3) => {
            Item::Rewrite(random.below(FUNCTIONS), plain(random, true))
        }
        17 if depth == 0 && random.once_in(3) => {
            Item::Fault(memory(random, |kind| kind != Kind::Atomic))
        }
        18 if random.once_in(2) => Item::Plain(rounding_mode(random)),
        19 => Item::Pieces(pieces(random)),
        _ => Item::Plain(plain(random, false)),
    }
}

/// A register that nothing else needs, or `x0`.
fn free(random: &mut Random) -> u8 {
    loop {
        let register = random.below(32) as u8;
        if !RESERVED.contains(&register) {
            return register;
        }
    }
}

fn reserved() -> Registers {
    RESERVED.iter().fold(0, |set, register| set | integer(*register))
}

/// An instruction of the table with random operands that `takes` takes.
fn instruction(random: &mut Random, takes: impl Fn(&Instruction) -> bool) -> (Instruction, u32) {
    loop {
        let row = &ROWS[random.below(ROWS.len())];
        let bits = random.number() as u32 & !row.mask | row.value;
        let bits = if row.len == 2 { bits & 0xffff } else { bits };
        let Some(instruction) = decode(bits, Extensions::ALL) else { continue };
        let expanded = instruction.expanded();
        if expanded.writes() & reserved() == 0 && takes(&expanded) {
            return (instruction, bits);
        }
    }
}

fn has_base(instruction: &Instruction) -> bool {
    instruction.row().fields.iter().any(|field| field.class == Class::Base)
}

fn plain(random: &mut Random, whole: bool) -> u32 {
    let takes = |i: &Instruction| {
        let computes = matches!(i.row().kind, Kind::Alu | Kind::Float) && !has_base(i);
        // Its own address is different where code is.
        computes && i.opcode != Opcode::Auipc && (!whole || i.len == 4)
    };
    instruction(random, takes).1
}

/// `csrrwi zero, frm, MODE`, or a look at the flags.
fn rounding_mode(random: &mut Random) -> u32 {
    let mut instruction = Instruction::new(Opcode::Csrrwi);
    (instruction.rs1, instruction.imm) = (random.below(5) as u8, csr::FRM.into());
    if random.once_in(3) {
        instruction = Instruction::new(Opcode::Csrrs);
        (instruction.rd, instruction.imm) = (free(random), csr::FFLAGS.into());
    }
    encode(&instruction).unwrap_or_default()
}

fn branch(random: &mut Random) -> Instruction {
    let takes = |i: &Instruction| i.row().kind == Kind::Branch && i.len == 4;
    instruction(random, takes).0
}

/// A load or store of four bytes' length whose base is [`TP`].
fn memory(random: &mut Random, takes: impl Fn(Kind) -> bool) -> Instruction {
    let is_access = |i: &Instruction| {
        let kind = i.row().kind;
        // What depends on the processor: reservations, and its cache.
        let other = ["lr_", "sc_", "cbo_", "prefetch_"];
        let other = other.iter().any(|prefix| i.row().name.starts_with(prefix));
        let access = matches!(kind, Kind::Load | Kind::Store | Kind::Atomic) || kind == Kind::Float;
        // QEMU 10.0 forgets instructions behind it, unless it translates each by itself.
        let forgotten = i.row().name.starts_with("amocas") && i.rd == 0;
        access && !forgotten && i.len == 4 && has_base(i) && !other && takes(kind)
    };
    let (mut instruction, _) = instruction(random, is_access);
    instruction.rs1 = TP;
    instruction.imm = match instruction.row().kind {
        Kind::Atomic => instruction.imm,
        _ => random.below(48) as i32 - 16,
    };
    instruction
}

/// Bits of a register that an address depends on.
const MASKS: [i32; 4] = [0x7f0, 0x3f0, 0x70, 0x10];

fn access(random: &mut Random) -> Item {
    let instruction = memory(random, |_| true);
    let mask = random.of(&MASKS);
    Item::Access { instruction, by: free(random), mask }
}

fn pieces(random: &mut Random) -> Pieces {
    let by = (free(random), random.of(&MASKS));
    let registers = [0; 4].map(|_| free(random));
    let order = |random: &mut Random| {
        let mut order = [0, 1, 2, 3];
        (1..4).for_each(|last| order.swap(last, random.below(last + 1)));
        order
    };
    let orders = [order(random), order(random)];
    let distance = |random: &mut Random| random.below(48) as i32 - 16;
    let at = (distance(random), random.once_in(2).then(|| distance(random)));
    let bytes = random.of(&[1, 1, 1, 2]);
    Pieces { by, registers, bytes, orders, at, reversed: bytes == 1 && random.once_in(2) }
}
