//! The initial stack of a guest program: argument and environment strings, the
//! auxiliary vector, `argv` and `envp` (psABI and kernel: `create_elf_tables`).

use rvrun_memory::{GuestAddr, access};
use std::ffi::OsString;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;

/// `AT_*` keys of the auxiliary vector (`linux/auxvec.h`).
pub mod key {
    pub const NULL: u64 = 0;
    pub const PHDR: u64 = 3;
    pub const PHENT: u64 = 4;
    pub const PHNUM: u64 = 5;
    pub const PAGESZ: u64 = 6;
    pub const BASE: u64 = 7;
    pub const FLAGS: u64 = 8;
    pub const ENTRY: u64 = 9;
    pub const UID: u64 = 11;
    pub const EUID: u64 = 12;
    pub const GID: u64 = 13;
    pub const EGID: u64 = 14;
    pub const HWCAP: u64 = 16;
    pub const CLKTCK: u64 = 17;
    pub const SECURE: u64 = 23;
    pub const RANDOM: u64 = 25;
    pub const EXECFN: u64 = 31;
    pub const SYSINFO_EHDR: u64 = 33;
    /// Size of a level's cache; one more is the key of its geometry.
    pub const CACHES: [u64; 4] = [40, 42, 44, 46];
    pub const MINSIGSTKSZ: u64 = 51;
}

/// What goes onto the stack.
pub struct Contents<'a> {
    /// The guest's arguments, `argv[0]` first.
    pub args: &'a [OsString],
    /// The environment: variables' names and values.
    pub env: &'a [(OsString, OsString)],
    /// Value of `AT_EXECFN`.
    pub execfn: &'a [u8],
    /// What `AT_RANDOM` points to.
    pub random: [u8; 16],
    /// Entries of the auxiliary vector besides `AT_RANDOM`, `AT_EXECFN` and the end.
    pub auxv: Vec<(u64, u64)>,
}

/// A laid-out stack.
pub struct Stack {
    /// The program's first stack pointer: a multiple of 16.
    pub pointer: GuestAddr,
    /// The auxiliary vector's bytes.
    pub auxv: Vec<u8>,
    /// Where the arguments' strings are.
    pub args: Range<GuestAddr>,
    /// Where the environment's strings are.
    pub env: Range<GuestAddr>,
}

/// What is above the tables, from its lowest address on.
struct Strings {
    start: GuestAddr,
    bytes: Vec<u8>,
}

impl Strings {
    fn end(&self) -> GuestAddr {
        self.start + self.bytes.len() as u64
    }

    /// Appends a string that consists of these, and gives its address.
    fn push(&mut self, pieces: &[&[u8]]) -> GuestAddr {
        let address = self.end();
        pieces.iter().for_each(|piece| self.bytes.extend_from_slice(piece));
        self.bytes.push(0);
        address
    }
}

/// Lays out the stack that ends at `top`, within `size` bytes.
///
/// Returns `None` if it takes more than a quarter of `size`, the kernel's own
/// limit for arguments and environment.
pub fn lay_out(top: GuestAddr, size: u64, contents: &Contents) -> Option<Stack> {
    const END: [u8; 8] = [0; 8];
    let Contents { args, env, execfn, random, auxv } = contents;
    let args_len: usize = args.iter().map(|arg| arg.len() + 1).sum();
    let env_len: usize = env.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
    let len = random.len() + args_len + env_len + execfn.len() + 1 + END.len();
    let start = top.checked_sub(len as u64)?;
    let mut strings = Strings { start, bytes: Vec::with_capacity(len) };
    strings.bytes.extend_from_slice(random);

    let mut tables = Vec::with_capacity(8 * (args.len() + env.len() + 2 * auxv.len() + 9));
    push_words(&mut tables, &[args.len() as u64]);
    // Programs that set their title rely on the arguments being directly below the environment.
    let args_start = strings.end();
    for arg in *args {
        push_words(&mut tables, &[strings.push(&[arg.as_bytes()])]);
    }
    push_words(&mut tables, &[0]);
    let env_start = strings.end();
    for (name, value) in *env {
        let variable = strings.push(&[name.as_bytes(), b"=", value.as_bytes()]);
        push_words(&mut tables, &[variable]);
    }
    push_words(&mut tables, &[0]);
    let execfn = strings.push(&[execfn]);
    strings.bytes.extend_from_slice(&END);
    let auxv_start = tables.len();
    for (key, value) in auxv {
        push_words(&mut tables, &[*key, *value]);
    }
    push_words(&mut tables, &[key::RANDOM, start, key::EXECFN, execfn, key::NULL, 0]);

    let pointer = start.checked_sub(tables.len() as u64)? & !15;
    if top - pointer > size / 4 {
        return None;
    }
    access::copy_out(pointer, &tables).ok()?;
    access::copy_out(start, &strings.bytes).ok()?;
    let auxv = tables.split_off(auxv_start);
    Some(Stack { pointer, auxv, args: args_start..env_start, env: env_start..execfn })
}

fn push_words(bytes: &mut Vec<u8>, words: &[u64]) {
    words.iter().for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(address: u64) -> u64 {
        let mut value = 0;
        access::load_u64(address, &mut value).unwrap();
        value
    }

    fn string(address: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            let mut byte = 0;
            access::load_u8(address + bytes.len() as u64, &mut byte).unwrap();
            if byte == 0 {
                return bytes;
            }
            bytes.push(byte as u8);
        }
    }

    /// Has `check` look at a stack with these arguments and an environment of two variables.
    fn with_stack(args: &[OsString], check: impl FnOnce(Option<Stack>)) {
        let memory = vec![0u8; 65536];
        let top = memory.as_ptr_range().end as u64 & !15;
        let contents = Contents {
            args,
            env: &[("A".into(), "1".into()), ("B".into(), "".into())],
            execfn: b"/bin/prog",
            random: *b"0123456789abcdef",
            auxv: vec![(key::PAGESZ, 4096)],
        };
        check(lay_out(top, 65520, &contents));
    }

    #[test]
    fn a_program_finds_its_arguments_environment_and_auxiliary_vector() {
        with_stack(&["prog".into(), "one".into(), "".into()], |stack| {
            let stack = stack.unwrap();
            let sp = stack.pointer;
            assert_eq!(sp % 16, 0);
            assert_eq!(word(sp), 3);
            let argv: Vec<_> = (0..3).map(|i| string(word(sp + 8 + 8 * i))).collect();
            assert_eq!(argv, [&b"prog"[..], b"one", b""]);
            assert_eq!(word(sp + 32), 0);
            let env: Vec<_> = (0..2).map(|i| string(word(sp + 40 + 8 * i))).collect();
            assert_eq!(env, [&b"A=1"[..], b"B="]);
            assert_eq!(word(sp + 56), 0);
            let auxv: Vec<_> =
                (0..4).map(|i| (word(sp + 64 + 16 * i), word(sp + 72 + 16 * i))).collect();
            assert_eq!(auxv[0], (key::PAGESZ, 4096));
            assert_eq!(auxv[1].0, key::RANDOM);
            assert_eq!(word(auxv[1].1), u64::from_le_bytes(*b"01234567"));
            assert_eq!((auxv[2].0, string(auxv[2].1)), (key::EXECFN, b"/bin/prog".to_vec()));
            assert_eq!(auxv[3], (key::NULL, 0));
            assert_eq!(stack.auxv.len(), 64);
            assert_eq!(stack.auxv[..8], key::PAGESZ.to_le_bytes());
            // The arguments end where the environment begins, and that ends before the name.
            assert_eq!(word(sp + 8 + 16) + 1, word(sp + 40));
            assert_eq!(stack.args, word(sp + 8)..word(sp + 40));
            assert_eq!(stack.env, word(sp + 40)..auxv[2].1);
        });
    }

    #[test]
    fn arguments_that_leave_too_little_stack_are_refused() {
        let args: [OsString; 2] = ["prog".into(), "x".repeat(16_000).into()];
        with_stack(&args, |stack| assert!(stack.is_some()));
        let args: [OsString; 2] = ["prog".into(), "x".repeat(20_000).into()];
        with_stack(&args, |stack| assert!(stack.is_none()));
    }
}
