//! The initial stack of a guest program: argument and environment strings, the
//! auxiliary vector, `argv` and `envp` (psABI and kernel: `create_elf_tables`).

use rvrun_memory::{GuestAddr, access};
use std::ops::Range;

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
pub struct Contents {
    /// The guest's arguments, `argv[0]` first, without their NULs.
    pub args: Vec<Vec<u8>>,
    /// `KEY=VALUE` strings.
    pub env: Vec<Vec<u8>>,
    /// Value of `AT_EXECFN`.
    pub execfn: Vec<u8>,
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

/// Bytes of one downward-growing image, and the address that its end will have.
struct Image {
    top: GuestAddr,
    /// In reverse order of addresses.
    pieces: Vec<Vec<u8>>,
    len: u64,
}

impl Image {
    fn push(&mut self, piece: Vec<u8>) -> GuestAddr {
        self.len += piece.len() as u64;
        self.pieces.push(piece);
        self.top - self.len
    }

    fn push_string(&mut self, string: &[u8]) -> GuestAddr {
        self.push([string, b"\0"].concat())
    }
}

/// Lays out the stack that ends at `top`, within `size` bytes.
///
/// Returns `None` if it takes more than a quarter of `size`, the kernel's own
/// limit for arguments and environment.
pub fn lay_out(top: GuestAddr, size: u64, contents: &Contents) -> Option<Stack> {
    let mut image = Image { top, pieces: Vec::new(), len: 0 };
    image.push(vec![0; 8]);
    let execfn = image.push_string(&contents.execfn);
    // Programs that set their title rely on the arguments being directly below the environment.
    let mut place = |strings: &[Vec<u8>]| -> Vec<u64> {
        let mut addresses: Vec<u64> =
            strings.iter().rev().map(|string| image.push_string(string)).collect();
        addresses.reverse();
        addresses
    };
    let env = place(&contents.env);
    let args = place(&contents.args);
    let env_start = env.first().copied().unwrap_or(execfn);
    let args_start = args.first().copied().unwrap_or(env_start);
    let random = image.push(contents.random.to_vec());

    let mut auxv = contents.auxv.clone();
    auxv.extend([(key::RANDOM, random), (key::EXECFN, execfn), (key::NULL, 0)]);
    let auxv = words(auxv.into_iter().flat_map(|(key, value)| [key, value]));
    let argc = args.len() as u64;
    let vectors = words([argc].into_iter().chain(args).chain([0]).chain(env).chain([0]));
    let tables = [vectors, auxv.clone()].concat();
    let unaligned = top - image.len - tables.len() as u64;
    image.push(vec![0; (unaligned % 16) as usize]);
    let pointer = image.push(tables);
    if image.len > size / 4 {
        return None;
    }
    image.pieces.reverse();
    access::copy_out(pointer, &image.pieces.concat()).ok()?;
    Some(Stack { pointer, auxv, args: args_start..env_start, env: env_start..execfn })
}

fn words(values: impl Iterator<Item = u64>) -> Vec<u8> {
    values.flat_map(u64::to_le_bytes).collect()
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

    fn contents() -> Contents {
        Contents {
            args: vec![b"prog".to_vec(), b"one".to_vec(), Vec::new()],
            env: vec![b"A=1".to_vec(), b"B=".to_vec()],
            execfn: b"/bin/prog".to_vec(),
            random: *b"0123456789abcdef",
            auxv: vec![(key::PAGESZ, 4096)],
        }
    }

    #[test]
    fn a_program_finds_its_arguments_environment_and_auxiliary_vector() {
        let memory = vec![0u8; 65536];
        let top = memory.as_ptr_range().end as u64 & !15;
        let stack = lay_out(top, 65520, &contents()).unwrap();
        let sp = stack.pointer;
        assert_eq!(sp % 16, 0);
        assert_eq!(word(sp), 3);
        let argv: Vec<_> = (0..3).map(|i| string(word(sp + 8 + 8 * i))).collect();
        assert_eq!(argv, contents().args);
        assert_eq!(word(sp + 32), 0);
        let env: Vec<_> = (0..2).map(|i| string(word(sp + 40 + 8 * i))).collect();
        assert_eq!(env, contents().env);
        assert_eq!(word(sp + 56), 0);
        let auxv: Vec<_> =
            (0..4).map(|i| (word(sp + 64 + 16 * i), word(sp + 72 + 16 * i))).collect();
        assert_eq!(auxv[0], (key::PAGESZ, 4096));
        assert_eq!(auxv[1].0, key::RANDOM);
        assert_eq!(word(auxv[1].1), u64::from_le_bytes(*b"01234567"));
        assert_eq!((auxv[2].0, string(auxv[2].1)), (key::EXECFN, b"/bin/prog".to_vec()));
        assert_eq!(auxv[3], (key::NULL, 0));
        assert_eq!(stack.auxv.len(), 64);
        // The arguments end where the environment begins.
        assert_eq!(word(sp + 8 + 16) + 1, word(sp + 40));
    }

    #[test]
    fn arguments_that_leave_too_little_stack_are_refused() {
        let memory = vec![0u8; 65536];
        let top = memory.as_ptr_range().end as u64 & !15;
        let mut contents = contents();
        contents.args.push(vec![b'x'; 20_000]);
        assert!(lay_out(top, 65520, &contents).is_none());
    }
}
