//! Random programs as ELF files.
//!
//! A program fills its registers from its data, runs its rounds, stores its registers
//! behind the data and writes all of it to standard output. A handler of SIGSEGV counts
//! faults there and goes on behind the instruction.

use super::program::{COUNTERS, Item, Pieces, Program, ROUNDS, SCRATCH, TP};
use rvrun_hostile::Random;
use rvrun_isa::{Instruction, Opcode, assemble, encode};

/// Where the file is loaded, and its code in it.
const BASE: u64 = 0x10000;
const CODE: usize = 0x1000;
/// Where the data is, which `gp` points into the midst of.
const DATA: u64 = 0x100_0000;
const DATA_BYTES: usize = 0x3000;
const GP: u64 = DATA + 0x400;
/// In the data: what is read at the beginning, the count of faults, final registers, what
/// rt_sigaction(2) takes. The stack grows down from the end.
const FAULTS: i32 = 0x700;
const REGISTERS: i32 = -0x400;
const ACTION: i32 = 0x7c0;
/// What is written at the end.
const SHOWN_BYTES: i32 = 0xc20;

const SYS_RT_SIGACTION: i32 = 134;
const SYS_WRITE: i32 = 64;
const SYS_EXIT_GROUP: i32 = 94;
const SIGSEGV: i32 = 11;
/// `SA_SIGINFO | SA_NODEFER`.
const FLAGS: u64 = 0x4000_0004;
/// The pc in the third argument of a handler (`ucontext_t` of riscv64: flags, link, stack,
/// mask with room for more, alignment).
const CONTEXT_PC: i32 = 176;

struct Emitter {
    code: Vec<u8>,
    /// Where functions begin, once known.
    functions: Vec<usize>,
    /// Where `lui` and `addi` want the address of a function.
    wanted: Vec<(usize, usize)>,
}

/// The code of `program`, of 32-bit instructions only.
pub fn code(program: &Program) -> Vec<u8> {
    let mut emitter = Emitter { code: Vec::new(), functions: Vec::new(), wanted: Vec::new() };
    emitter.program(program);
    emitter.code
}

/// The file of `program`.
pub fn executable(program: &Program) -> Vec<u8> {
    let mut random = Random::of_case(program.data, 0);
    let mut data: Vec<u8> =
        (0..DATA_BYTES / 8).flat_map(|_| interesting(&mut random).to_le_bytes()).collect();
    let handler = BASE + CODE as u64;
    let at = (GP - DATA) as usize + ACTION as usize;
    for (index, word) in [handler, FLAGS, 0].into_iter().enumerate() {
        data[at + 8 * index..at + 8 * index + 8].copy_from_slice(&word.to_le_bytes());
    }
    file(&code(program), &data)
}

/// Integers and floating-point numbers of all sizes.
fn interesting(random: &mut Random) -> u64 {
    let number = random.number();
    match random.below(8) {
        0 => random.of(&[0, 1, u64::MAX, i64::MIN as u64, i64::MAX as u64, 1 << 31, 1 << 32]),
        1 => number as i8 as u64,
        2 => number as i32 as u64,
        3 => (number as i32 as f64 / 256.0).to_bits(),
        4 => 0xffff_ffff_0000_0000 | u64::from((number as i16 as f32 / 16.0).to_bits()),
        5 => 0xffff_ffff_ffff_0000 | number & 0xffff,
        6 => 0xffff_ffff_0000_0000 | number,
        _ => number,
    }
}

impl Emitter {
    fn text(&mut self, line: &str) {
        let instruction = assemble(line).unwrap_or_else(|error| panic!("{line}: {error:?}"));
        self.put(&instruction);
    }

    fn put(&mut self, instruction: &Instruction) {
        let bits = encode(instruction).unwrap_or_else(|| panic!("{instruction:?}"));
        self.code.extend(bits.to_le_bytes());
    }

    /// `li`, for a number of 32 bits.
    fn set(&mut self, register: &str, value: i64) {
        let low = (value << 52 >> 52) as i32;
        self.text(&format!("lui {register}, {:#x}", (value - i64::from(low)) >> 12 & 0xf_ffff));
        self.text(&format!("addiw {register}, {register}, {low}"));
    }

    fn program(&mut self, program: &Program) {
        // The handler.
        self.text(&format!("ld t0, {CONTEXT_PC}(a2)"));
        self.text("addi t0, t0, 4");
        self.text(&format!("sd t0, {CONTEXT_PC}(a2)"));
        self.text(&format!("ld t0, {FAULTS}(gp)"));
        self.text("addi t0, t0, 1");
        self.text(&format!("sd t0, {FAULTS}(gp)"));
        self.text("jalr zero, 0(ra)");
        let start = self.code.len();
        self.set("gp", GP as i64);
        self.set("sp", (DATA as usize + DATA_BYTES) as i64);
        self.set("a0", SIGSEGV.into());
        self.text(&format!("addi a1, gp, {ACTION}"));
        self.text("addi a2, zero, 0");
        self.text("addi a3, zero, 8");
        self.set("a7", SYS_RT_SIGACTION.into());
        self.text("ecall");
        for register in (5..32).filter(|r| ![COUNTERS[0], COUNTERS[1], SCRATCH, ROUNDS].contains(r))
        {
            self.text(&format!("ld x{register}, {}(gp)", 8 * register));
        }
        for register in 0..32 {
            self.text(&format!("fld f{register}, {}(gp)", 256 + 8 * i32::from(register as u8)));
        }
        self.text(&format!("addi x{ROUNDS}, zero, {}", program.rounds));
        let round = self.code.len();
        for function in 0..program.functions.len() {
            self.call(function);
        }
        self.text(&format!("addi x{ROUNDS}, x{ROUNDS}, -1"));
        self.back_unless_zero(ROUNDS, round);
        self.finish();
        for items in &program.functions {
            self.functions.push(self.code.len());
            // What rewriting replaces.
            self.text("addi zero, zero, 0");
            self.text("addi sp, sp, -32");
            self.text("sd ra, 0(sp)");
            self.text(&format!("sd x{}, 8(sp)", COUNTERS[0]));
            self.text(&format!("sd x{}, 16(sp)", COUNTERS[1]));
            self.items(items, 0);
            self.text("ld ra, 0(sp)");
            self.text(&format!("ld x{}, 8(sp)", COUNTERS[0]));
            self.text(&format!("ld x{}, 16(sp)", COUNTERS[1]));
            self.text("addi sp, sp, 32");
            self.text("jalr zero, 0(ra)");
        }
        for (at, function) in std::mem::take(&mut self.wanted) {
            let rest = self.code.split_off(at + 8);
            self.code.truncate(at);
            let address = BASE + CODE as u64 + self.functions[function] as u64;
            self.set(&format!("x{SCRATCH}"), address as i64);
            self.code.extend(rest);
        }
        // `_start` is not at the beginning.
        debug_assert_eq!(start, START);
    }

    /// Stores all registers, writes the data and exits.
    fn finish(&mut self) {
        for register in (5..32).filter(|register| *register != SCRATCH) {
            self.text(&format!("sd x{register}, {}(gp)", REGISTERS + 8 * i32::from(register)));
        }
        for register in 0..32 {
            self.text(&format!("fsd f{register}, {}(gp)", REGISTERS + 256 + 8 * register));
        }
        self.text("csrrs a0, fcsr, zero");
        self.text(&format!("sd a0, {}(gp)", REGISTERS + 512));
        self.text("addi a0, zero, 1");
        self.set("a1", DATA as i64);
        self.set("a2", SHOWN_BYTES.into());
        self.set("a7", SYS_WRITE.into());
        self.text("ecall");
        self.text("addi a0, zero, 0");
        self.set("a7", SYS_EXIT_GROUP.into());
        self.text("ecall");
    }

    /// Puts the address of a function into [`SCRATCH`].
    fn address(&mut self, function: usize) {
        self.wanted.push((self.code.len(), function));
        self.code.extend([0; 8]);
    }

    fn call(&mut self, function: usize) {
        self.address(function);
        self.text(&format!("jalr ra, 0(x{SCRATCH})"));
    }

    /// Jumps back to `to` unless a register is zero.
    fn back_unless_zero(&mut self, register: u8, to: usize) {
        self.text(&format!("beq x{register}, zero, .+8"));
        self.text(&format!("jal zero, .-{}", self.code.len() - to));
    }

    /// Has [`TP`] be an address of the data that a register's value decides.
    fn data_address(&mut self, by: u8, mask: i32) {
        self.text(&format!("andi x{TP}, x{by}, {mask}"));
        self.text(&format!("add x{TP}, x{TP}, gp"));
        if mask == 0x10 {
            self.text(&format!("addi x{TP}, x{TP}, -48"));
        }
    }

    fn pieces(&mut self, pieces: &Pieces) {
        let Pieces { by, registers, bytes, orders, at, reversed } = *pieces;
        self.data_address(by.0, by.1);
        let [load, store] = if bytes == 1 { ["lbu", "sb"] } else { ["lhu", "sh"] };
        let register = |piece: u8| registers[usize::from(piece)];
        let far = |piece: u8| i32::from(piece * bytes);
        for piece in orders[0] {
            self.text(&format!("{load} x{}, {}(x{TP})", register(piece), at.0 + far(piece)));
        }
        if let Some(to) = at.1 {
            for piece in orders[1] {
                self.text(&format!("{store} x{}, {}(x{TP})", register(piece), to + far(piece)));
            }
            return;
        }
        for piece in orders[1] {
            let r = register(piece);
            let place = if reversed { 3 - piece } else { piece };
            self.text(&format!("slli x{r}, x{r}, {}", 8 * far(place)));
        }
        let whole = register(orders[1][0]);
        for piece in &orders[1][1..] {
            self.text(&format!("or x{whole}, x{whole}, x{}", register(*piece)));
        }
        if reversed {
            self.text(&format!("addiw x{whole}, x{whole}, 0"));
        }
    }

    fn items(&mut self, items: &[Item], depth: usize) {
        for item in items {
            self.item(item, depth);
        }
    }

    fn item(&mut self, item: &Item, depth: usize) {
        match item {
            Item::Plain(bits) => {
                let len = usize::from(rvrun_isa::length(*bits as u16));
                self.code.extend(&bits.to_le_bytes()[..len]);
            }
            Item::Access { instruction, by, mask } => {
                self.data_address(*by, *mask);
                self.put(instruction);
            }
            Item::Pieces(pieces) => self.pieces(pieces),
            Item::Fault(instruction) => {
                self.text(&format!("addi x{TP}, zero, 64"));
                self.put(instruction);
            }
            Item::Skip(branch, items) => {
                let at = self.code.len();
                self.code.extend([0; 4]);
                self.items(items, depth);
                let end = self.code.len();
                let branch = Instruction { imm: (end - at) as i32, ..*branch };
                let nothing = Instruction::new(Opcode::Addi);
                // What is too far is not skipped.
                let bits = encode(&branch).or_else(|| encode(&nothing)).unwrap_or_default();
                self.code[at..at + 4].copy_from_slice(&bits.to_le_bytes());
            }
            Item::Loop(rounds, items) => {
                let counter = COUNTERS[depth];
                self.text(&format!("addi x{counter}, zero, {rounds}"));
                let head = self.code.len();
                self.items(items, depth + 1);
                self.text(&format!("addi x{counter}, x{counter}, -1"));
                self.back_unless_zero(counter, head);
            }
            Item::Call(function) => self.call(*function),
            Item::CallOneOf(functions, by) => {
                // Five instructions for each; those that find theirs go to the call.
                for (number, function) in functions.iter().enumerate() {
                    self.address(*function);
                    self.text(&format!("andi x{TP}, x{by}, 3"));
                    self.text(&format!("addi x{TP}, x{TP}, -{number}"));
                    self.text(&format!("beq x{TP}, zero, .+{}", 64 - 20 * number));
                }
                self.text(&format!("jalr ra, 0(x{SCRATCH})"));
            }
            Item::Rewrite(function, bits) => {
                self.address(*function);
                self.text(&format!("addi x{TP}, x{SCRATCH}, 0"));
                self.set(&format!("x{SCRATCH}"), i64::from(*bits as i32));
                self.text(&format!("sw x{SCRATCH}, 0(x{TP})"));
                self.text("fence.i");
            }
        }
    }
}

/// Bytes of the handler.
const START: usize = 28;

fn file(code: &[u8], data: &[u8]) -> Vec<u8> {
    let data_at = (CODE + code.len()).next_multiple_of(0x1000);
    let mut file = vec![0; CODE];
    file.extend(code);
    file.resize(data_at, 0);
    file.extend(data);
    let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"\x7fELF\x02\x01\x01");
    // ET_EXEC, EM_RISCV, EV_CURRENT.
    put(16, &[2, 0, 243, 0, 1]);
    put(24, &(BASE + (CODE + START) as u64).to_le_bytes());
    put(32, &64u64.to_le_bytes());
    // Double-precision ABI and compressed code.
    put(48, &5u32.to_le_bytes());
    put(52, &[64, 0, 56, 0, 2, 0]);
    let mut segment = |number: usize, flags: u32, offset: u64, address: u64, size: u64| {
        let at = 64 + 56 * number;
        put(at, &[1u32.to_le_bytes(), flags.to_le_bytes()].concat());
        let words = [offset, address, address, size, size, 0x1000];
        put(at + 8, &words.map(u64::to_le_bytes).concat());
    };
    // Code can be written, too.
    segment(0, 7, CODE as u64, BASE + CODE as u64, code.len() as u64);
    segment(1, 6, data_at as u64, DATA, data.len() as u64);
    file
}
