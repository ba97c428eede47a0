//! Loops of random instructions with branches in them: translated as interpreted.
//!
//! `RVRUN_RANDOM_SEED` and `RVRUN_RANDOM_PROGRAMS` say where to begin and how many to run.

mod support;

use rvrun_hart::Hart;
use rvrun_isa::field::{Class, Slot};
use rvrun_isa::{Extensions, Instruction, Kind, Opcode, csr, decode, encode};
use rvrun_jit::Mode;
use support::Guest;

/// Registers that programs compute with. Beside them, `s0` is the address of the data,
/// `s1` counts passes, `s2` walks over the data and beyond.
const INTEGERS: [u8; 9] = [0, 5, 6, 10, 11, 12, 13, 14, 15];
const FLOATS: u64 = 6;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 32) % bound
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn integer(&mut self) -> u64 {
        match self.below(6) {
            0 => self.below(4).wrapping_sub(2),
            1 => 1 << self.below(64),
            2 => (1u64 << self.below(64)).wrapping_sub(1),
            3 => self.next() >> 32,
            4 => self.next() as i32 as u64,
            _ => self.next(),
        }
    }

    /// A floating-point register: mostly numbers that often make exact results.
    fn float(&mut self) -> u64 {
        let numbers = [0.0, 1.0, 1.5, 3.0, -2.5, 0.1, 4e9, 1e19, -1e300, 1e-310, 5e-324, f64::MAX];
        let nans = [
            0x7ff8_0000_0000_0000,
            0xfff8_0000_0000_0001,
            0x7ff0_0000_0000_0001,
            0xfff7_ffff_ffff_ffff,
        ];
        let sign = u64::from(self.one_in(3)) << 63;
        match self.below(16) {
            0 => self.next(),
            1 => self.of(&nans),
            2 => f64::INFINITY.to_bits() | sign,
            3..9 => self.of(&numbers).to_bits() ^ sign,
            9 => 0xffff_ffff_0000_0000 | self.next() >> 32,
            10 => 0xffff_ffff_7f80_0001 ^ self.below(4) << 22,
            11 => 0xffff_ffff_ffff_0000 | self.below(1 << 16),
            _ => {
                let number = self.of(&numbers) as f32;
                0xffff_ffff_0000_0000 | u64::from(number.to_bits()) ^ sign >> 32
            }
        }
    }
}

/// A random instruction of one of these opcodes that accesses no memory beyond the data.
fn instruction(random: &mut Random, opcodes: &[Opcode]) -> Instruction {
    loop {
        let mut i = Instruction::new(random.of(opcodes));
        for field in i.row().fields {
            let register = match field.class {
                Class::F => random.below(FLOATS) as u8,
                Class::Base => 8,
                _ => random.of(&INTEGERS),
            };
            match field.slot {
                Slot::Rd => i.rd = register,
                Slot::Rs1 => i.rs1 = register,
                Slot::Rs2 => i.rs2 = register,
                Slot::Rs3 => i.rs3 = register,
                Slot::Rm if field.class == Class::Rounding => {
                    i.rm = if random.one_in(8) { random.below(5) as u8 } else { 7 };
                }
                Slot::Imm => i.imm = random.below(32) as i32,
                Slot::RdRs1 | Slot::Rm => {}
            }
        }
        match i.row().kind {
            Kind::Load | Kind::Store if i.row().fields.iter().any(|f| f.slot == Slot::Imm) => {
                i.imm = 8 * random.below(8) as i32;
                if random.one_in(16) {
                    i.rs1 = 18;
                    i.imm -= 2048;
                }
            }
            Kind::Csr => {
                i.imm = random.of(&[csr::FFLAGS, csr::FRM, csr::FCSR]).into();
                i.rs1 = random.of(&[0, 0, 0, 1, 3, 10]);
            }
            _ => {}
        }
        let decoded = encode(&i).and_then(|bits| decode(bits, Extensions::ALL));
        if decoded.is_some_and(|d| d.opcode == i.opcode && d == i) {
            return i;
        }
    }
}

/// What a program is made of.
struct Palette {
    integer: Vec<Opcode>,
    float: Vec<Opcode>,
    memory: Vec<Opcode>,
    csr: Vec<Opcode>,
}

impl Palette {
    fn new() -> Self {
        let rows = |kinds: &[Kind]| -> Vec<Opcode> {
            let is_one = |o: &Opcode| {
                let row = o.row();
                row.len == 4 && row.stands_for == *o && kinds.contains(&row.kind)
            };
            Opcode::all().filter(is_one).collect()
        };
        Self {
            integer: rows(&[Kind::Alu]),
            float: rows(&[Kind::Float]),
            memory: rows(&[Kind::Load, Kind::Store, Kind::Atomic]),
            csr: rows(&[Kind::Csr]),
        }
    }

    fn instruction(&self, random: &mut Random) -> Instruction {
        let opcodes = match random.below(32) {
            0..8 => &self.integer,
            8..24 => &self.float,
            24..31 => &self.memory,
            _ => &self.csr,
        };
        instruction(random, opcodes)
    }
}

fn branch(opcode: Opcode, rs1: u8, rs2: u8, instructions: i32) -> Instruction {
    Instruction { rs1, rs2, imm: 4 * instructions, ..Instruction::new(opcode) }
}

/// Two nested loops around pieces of which branches skip some.
fn program(random: &mut Random, palette: &Palette) -> Vec<Instruction> {
    use Opcode::{Addi, Beq, Bge, Blt, Bltu, Bne};
    let addi = |rd: u8, imm| Instruction { rd, rs1: rd, imm, ..Instruction::new(Addi) };
    let mut code: Vec<Instruction> = Vec::new();
    for _ in 0..random.below(4) {
        code.push(palette.instruction(random));
    }
    let outer = code.len();
    let inner_at = random.below(4);
    for piece in 0..4 {
        let mut body: Vec<Instruction> =
            (0..1 + random.below(5)).map(|_| palette.instruction(random)).collect();
        if piece == inner_at {
            body.push(addi(9, -1));
            let back = -(body.len() as i32);
            // Leaves the loop at multiples of four.
            body.insert(
                body.len() - 1,
                Instruction { rd: 28, rs1: 9, imm: 3, ..Instruction::new(Opcode::Andi) },
            );
            body.push(branch(Bne, 28, 0, back - 1));
        }
        if random.one_in(2) {
            let opcode = random.of(&[Beq, Bne, Blt, Bge, Bltu]);
            let (rs1, rs2) = (random.of(&INTEGERS), random.of(&INTEGERS));
            code.push(branch(opcode, rs1, rs2, body.len() as i32 + 1));
        }
        code.extend(body);
    }
    code.push(addi(18, 512));
    code.push(addi(9, -1));
    let back = outer as i32 - code.len() as i32;
    code.push(branch(Blt, 0, 9, back));
    code
}

fn hart(random: &mut Random, guest: &Guest) -> Hart {
    let mut hart: Hart = guest.hart();
    for register in &INTEGERS[1..] {
        hart.x[usize::from(*register)] = random.integer();
    }
    for register in 0..FLOATS as usize {
        hart.f[register] = random.float();
    }
    hart.x[9] = 12;
    hart.x[18] = guest.data + if random.one_in(3) { 2048 } else { 0 };
    hart.frm = random.of(&[0, 0, 0, 1, 2, 3]);
    hart
}

#[test]
fn random_loops() {
    let number =
        |name, default| std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default);
    let first: u64 = number("RVRUN_RANDOM_SEED", 1);
    let palette = Palette::new();
    let (mut translated, mut faults) = (0, 0);
    for seed in first..first + number("RVRUN_RANDOM_PROGRAMS", 400) {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..4 {
            random.next();
        }
        let code = program(&mut random, &palette);
        let mut guest = Guest::new(&code);
        for byte in &mut guest.before {
            *byte = random.next() as u8;
        }
        let hart = hart(&mut random, &guest);
        for precise in [false, true] {
            let mode = Mode { precise, counting: random.one_in(2) };
            match guest.compare(&hart, mode) {
                Ok((_, stats, _)) => {
                    translated += stats.translated;
                    faults += stats.faults;
                    assert_eq!(stats.refused, 0, "seed {seed}");
                }
                Err(wrong) => {
                    let listing: Vec<String> = code.iter().map(ToString::to_string).collect();
                    panic!("seed {seed}, {mode:?}:\n{wrong}\n{}", listing.join("\n"));
                }
            }
        }
    }
    assert!(translated > 0 && faults > 0, "{translated} {faults}");
}
