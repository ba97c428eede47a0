//! The RISC-V program that executes vectors: a static executable of one loop and
//! one signal handler.
//!
//! It reads a record from standard input, fills in the code and the data page, loads
//! all registers, and jumps. Every vector ends with a signal, whose handler writes
//! what the kernel saved of the hart, and the data page, to standard output.

use anyhow::{Context, Result};
use rvrun_isa::{assemble, encode};
use rvrun_isa_tests::{Layout, State, Symbol};

/// Where the harness has the memory of a vector. Numbers near it are in no vector.
pub const LAYOUT: Layout = Layout { base: 0x3456_0000 };

/// Longest code of a vector in bytes.
pub const CODE_MAX: usize = 64;

const PAGE: u64 = Layout::PAGE;
/// The harness's own code; within reach of a jump from the vector's.
const TEXT: u64 = LAYOUT.base + 0x1_0000;
/// Its variables, and what is read and written.
const VARIABLES: u64 = TEXT + PAGE;
const IN_LIST: u64 = VARIABLES;
const OUT_LIST: u64 = VARIABLES + 0x40;
const SCRATCH: u64 = VARIABLES + 0x80;
const ACTION: u64 = VARIABLES + 0xc0;
const SIGNAL_STACK: u64 = VARIABLES + 0x100;
const RECORD: u64 = VARIABLES + PAGE;
const STACK: u64 = VARIABLES + 2 * PAGE;
const STACK_BYTES: u64 = 4 * PAGE;

/// Layout of the record: integer registers, floating-point registers, fcsr, code.
const RECORD_F: u64 = 256;
const RECORD_FCSR: u64 = 512;
const RECORD_CODE: u64 = 520;
const RECORD_BYTES: u64 = RECORD_CODE + CODE_MAX as u64;

/// Bytes of `siginfo_t` that are written: up to and with `si_addr`.
const INFO_BYTES: u64 = 24;
/// Where the kernel's signal frame has the registers (`ucontext_t`, `uc_mcontext`).
const CONTEXT_OFFSET: u64 = 176;
/// pc, 31 integer registers, 32 floating-point registers, fcsr.
const CONTEXT_BYTES: u64 = 8 * 32 + 8 * 32 + 4;

/// What the harness writes for a vector.
pub const DUMP_BYTES: usize = (INFO_BYTES + CONTEXT_BYTES + PAGE) as usize;

const SIGNALS: [u32; 5] = [4, 5, 7, 8, 11];

/// The record for a vector's code and the state before.
pub fn record(code: &[u8], before: &State) -> Vec<u8> {
    let mut bytes = Vec::with_capacity((RECORD_BYTES + PAGE) as usize);
    for word in before.x.iter().chain(&before.f) {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend((u64::from(before.frm) << 5 | u64::from(before.fflags)).to_le_bytes());
    bytes.extend(code);
    while bytes.len() < RECORD_BYTES as usize {
        bytes.extend(Layout::LANDING.to_le_bytes());
    }
    bytes.extend(&before.data);
    bytes
}

/// What a dump says.
pub struct Dump {
    /// The signal's number.
    pub signal: u32,
    /// Its `si_code`.
    pub code: i32,
    /// Its `si_addr`.
    pub addr: u64,
    /// The hart and the data page; no trap.
    pub state: State,
}

/// Reads a dump of [`DUMP_BYTES`] bytes.
pub fn parse_dump(bytes: &[u8]) -> Dump {
    let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
    let context = INFO_BYTES as usize;
    let mut x = std::array::from_fn(|n| word(context + 8 * n));
    let pc = std::mem::take(&mut x[0]);
    let f = std::array::from_fn(|n| word(context + 256 + 8 * n));
    let fcsr = bytes[context + 512];
    let data = bytes[context + CONTEXT_BYTES as usize..].to_vec();
    Dump {
        signal: word(0) as u32,
        code: word(8) as i32,
        addr: word(16),
        state: State { x, f, frm: fcsr >> 5, fflags: fcsr & 31, pc, data, trap: None },
    }
}

/// The executable.
pub fn executable() -> Result<Vec<u8>> {
    let (text, entry) = text()?;
    let landing = Layout::LANDING.to_le_bytes().repeat(Layout::CODE_BYTES as usize / 2);
    let segments = [
        (LAYOUT.code_area(), 7, landing),
        (LAYOUT.address(Symbol::Rom), 4, vec![Layout::FILL; PAGE as usize]),
        (LAYOUT.address(Symbol::Data), 6, vec![Layout::FILL; PAGE as usize]),
        (TEXT, 5, text),
        (VARIABLES, 6, variables()),
    ];
    let mut headers = Vec::new();
    let mut contents = Vec::new();
    for (address, flags, bytes) in &segments {
        contents.resize(contents.len().next_multiple_of(PAGE as usize), 0);
        let offset = PAGE + contents.len() as u64;
        headers.extend(1u32.to_le_bytes()); // PT_LOAD
        headers.extend(u32::to_le_bytes(*flags));
        for word in [offset, *address, *address, bytes.len() as u64, bytes.len() as u64, PAGE] {
            headers.extend(word.to_le_bytes());
        }
        contents.extend(bytes);
    }
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    file.extend([2, 0, 0xf3, 0, 1, 0, 0, 0]); // ET_EXEC, EM_RISCV, EV_CURRENT
    for word in [entry, 64, 0] {
        file.extend(word.to_le_bytes());
    }
    file.extend(5u32.to_le_bytes()); // RVC, double-float ABI
    for half in [64, 56, segments.len() as u16, 64, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    file.extend(headers);
    file.resize(PAGE as usize, 0);
    file.extend(contents);
    Ok(file)
}

fn variables() -> Vec<u8> {
    let mut bytes = vec![0; (STACK + STACK_BYTES - VARIABLES) as usize];
    let mut put = |at: u64, words: &[u64]| {
        let at = (at - VARIABLES) as usize;
        for (i, word) in words.iter().enumerate() {
            bytes[at + 8 * i..at + 8 * i + 8].copy_from_slice(&word.to_le_bytes());
        }
    };
    let data = LAYOUT.address(Symbol::Data);
    put(IN_LIST, &[RECORD, RECORD_BYTES, data, PAGE]);
    put(OUT_LIST, &[0, INFO_BYTES, 0, CONTEXT_BYTES, data, PAGE]);
    const SA_SIGINFO_ONSTACK_NODEFER: u64 = 4 | 0x0800_0000 | 0x4000_0000;
    put(ACTION, &[0, SA_SIGINFO_ONSTACK_NODEFER, 0]);
    put(SIGNAL_STACK, &[STACK, 0, STACK_BYTES]);
    bytes
}

/// Assembly with the address of the next instruction.
struct Text(Vec<u8>);

impl Text {
    fn here(&self) -> u64 {
        TEXT + self.0.len() as u64
    }

    fn put(&mut self, line: &str) -> Result<()> {
        let instruction = assemble(line).with_context(|| line.to_string())?;
        let bits = encode(&instruction).context("encodable")?.to_le_bytes();
        self.0.extend(&bits[..instruction.len.into()]);
        Ok(())
    }

    /// Loads an address below 2^31.
    fn load_address(&mut self, register: &str, address: u64) -> Result<()> {
        let low = (address as i64) << 52 >> 52;
        self.put(&format!("lui {register}, {:#x}", (address as i64 - low) >> 12))?;
        self.put(&format!("addi {register}, {register}, {low}"))
    }

    fn jump(&mut self, address: u64) -> Result<()> {
        let distance = address.wrapping_sub(self.here()) as i64;
        self.put(&format!("jal zero, .{distance:+}"))
    }

    fn call(&mut self, number: u32) -> Result<()> {
        self.put(&format!("addi a7, zero, {number}"))?;
        self.put("ecall")
    }
}

/// The harness's code, and its entry.
fn text() -> Result<(Vec<u8>, u64)> {
    const RT_SIGACTION: u32 = 134;
    const SIGALTSTACK: u32 = 132;
    let handler = TEXT;
    let mut text = Text(Vec::new());
    put_handler(&mut text)?;
    let next_vector = text.here();
    put_next_vector(&mut text)?;
    let entry = text.here();
    text.load_address("a0", SIGNAL_STACK)?;
    text.put("addi a1, zero, 0")?;
    text.call(SIGALTSTACK)?;
    text.load_address("s1", ACTION)?;
    text.load_address("a5", handler)?;
    text.put("sd a5, 0(s1)")?;
    for signal in SIGNALS {
        text.put(&format!("addi a0, zero, {signal}"))?;
        text.put("addi a1, s1, 0")?;
        text.put("addi a2, zero, 0")?;
        text.put("addi a3, zero, 8")?;
        text.call(RT_SIGACTION)?;
    }
    text.jump(next_vector)?;
    Ok((text.0, entry))
}

/// The signal handler: writes the dump, and goes on with what follows it.
fn put_handler(text: &mut Text) -> Result<()> {
    const WRITEV: u32 = 66;
    text.load_address("a4", OUT_LIST)?;
    text.put("sd a1, 0(a4)")?;
    text.put(&format!("addi a2, a2, {CONTEXT_OFFSET}"))?;
    text.put("sd a2, 16(a4)")?;
    text.put("addi a0, zero, 1")?;
    text.put("addi a1, a4, 0")?;
    text.put("addi a2, zero, 3")?;
    text.call(WRITEV)
}

/// Reads a record and executes it; exits where there is none.
fn put_next_vector(text: &mut Text) -> Result<()> {
    const READV: u32 = 65;
    const EXIT: u32 = 93;
    text.put("addi a0, zero, 0")?;
    text.load_address("a1", IN_LIST)?;
    text.put("addi a2, zero, 2")?;
    text.call(READV)?;
    text.put("bne a0, zero, .+16")?;
    text.put("addi a0, zero, 0")?;
    text.call(EXIT)?;
    text.load_address("t0", SCRATCH)?;
    text.put("sc.d zero, zero, (t0)")?; // no reservation is left
    text.load_address("t0", LAYOUT.address(Symbol::Code))?;
    text.load_address("t6", RECORD)?;
    for offset in (0..CODE_MAX).step_by(8) {
        text.put(&format!("ld t1, {}(t6)", RECORD_CODE as usize + offset))?;
        text.put(&format!("sd t1, {offset}(t0)"))?;
    }
    text.put("fence.i")?;
    for n in 0..32 {
        text.put(&format!("fld f{n}, {}(t6)", RECORD_F + 8 * n))?;
    }
    text.put(&format!("ld t1, {RECORD_FCSR}(t6)"))?;
    text.put("csrrw zero, fcsr, t1")?;
    for n in 1..32 {
        text.put(&format!("ld x{n}, {}(t6)", 8 * n))?;
    }
    text.jump(LAYOUT.address(Symbol::Code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_harness_is_an_executable_whose_entry_is_in_its_code() {
        let file = executable().unwrap();
        assert_eq!(&file[..4], b"\x7fELF");
        let entry = u64::from_le_bytes(file[24..32].try_into().unwrap());
        assert!((TEXT..TEXT + PAGE).contains(&entry));
        let (text, _) = text().unwrap();
        assert!(text.len() <= PAGE as usize, "the variables follow");
    }

    #[test]
    fn a_record_fills_what_the_harness_reads() {
        let before = State::unset(LAYOUT);
        assert_eq!(record(&[1, 0], &before).len() as u64, RECORD_BYTES + PAGE);
    }
}
