//! The processor that the guest sees, all of it from one set of extensions.

use crate::stack::key;
use rvrun_host::process;
use rvrun_isa::{Extensions, ROWS};
use rvrun_syscall::Cpu;
use std::fmt::Write;

/// `AT_HWCAP`: a bit for each single-letter extension (kernel: `arch/riscv/include/uapi/asm/hwcap.h`).
pub fn hwcap(extensions: Extensions) -> u64 {
    extensions
        .names()
        .filter(|name| name.len() == 1)
        .filter_map(|name| name.bytes().next())
        .fold(0, |bits, letter| bits | 1 << (letter - b'a'))
}

/// What the auxiliary vector says of the machine before anything else (kernel: `ARCH_DLINFO`
/// of `arch/riscv/include/asm/elf.h`): the host's caches, and the room for a signal's frame.
pub fn auxv() -> impl Iterator<Item = (u64, u64)> {
    let caches = key::CACHES
        .into_iter()
        .zip(process::caches())
        .flat_map(|(key, cache)| [(key, cache.size), (key + 1, cache.ways << 16 | cache.line)]);
    caches.chain([(key::MINSIGSTKSZ, rvrun_syscall::SIGNAL_FRAME)])
}

/// The ISA line of `/proc/cpuinfo`: the extensions that Linux 6.12 knows, in its order
/// (kernel: `riscv_isa_ext` of `arch/riscv/kernel/cpufeature.c`).
fn isa(extensions: Extensions) -> String {
    use Extensions as E;
    let known = [
        (E::I, "i"),
        (E::M, "m"),
        (E::A, "a"),
        (E::F, "f"),
        (E::D, "d"),
        (E::C, "c"),
        (E::ZICBOM, "_zicbom"),
        (E::ZICBOZ, "_zicboz"),
        (E::ZICNTR, "_zicntr"),
        (E::ZICOND, "_zicond"),
        (E::ZICSR, "_zicsr"),
        (E::ZIFENCEI, "_zifencei"),
        (E::ZIHINTNTL, "_zihintntl"),
        (E::ZIHINTPAUSE, "_zihintpause"),
        (E::ZIHPM, "_zihpm"),
        (E::ZIMOP, "_zimop"),
        (E::ZACAS, "_zacas"),
        (E::ZAWRS, "_zawrs"),
        (E::ZFA, "_zfa"),
        (E::ZFH, "_zfh"),
        (E::ZFHMIN, "_zfhmin"),
        (E::C, "_zca"),
        (E::ZCB, "_zcb"),
        (E::C.with(E::D), "_zcd"),
        (E::ZCMOP, "_zcmop"),
        (E::ZBA, "_zba"),
        (E::ZBB, "_zbb"),
        (E::ZBC, "_zbc"),
        (E::ZBKB, "_zbkb"),
        (E::ZBS, "_zbs"),
    ];
    let names = known.iter().filter(|(needed, _)| extensions.contains(*needed));
    names.fold("rv64".into(), |line, (_, name)| line + name)
}

/// Keys and bits of `riscv_hwprobe` (kernel: `arch/riscv/include/uapi/asm/hwprobe.h`).
mod hwprobe {
    pub const MVENDORID: i64 = 0;
    pub const MARCHID: i64 = 1;
    pub const MIMPID: i64 = 2;
    pub const BASE_BEHAVIOR: i64 = 3;
    pub const IMA_EXT_0: i64 = 4;
    pub const CPUPERF_0: i64 = 5;
    pub const ZICBOZ_BLOCK_SIZE: i64 = 6;
    pub const HIGHEST_VIRT_ADDRESS: i64 = 7;
    pub const TIME_CSR_FREQ: i64 = 8;
    pub const MISALIGNED_SCALAR_PERF: i64 = 9;

    pub const BASE_BEHAVIOR_IMA: u64 = 1;
    pub const MISALIGNED_FAST: u64 = 3;
    pub const CACHE_BLOCK: u64 = 64;
    /// What sv48's kernel gives: the first address that no program has.
    pub const HIGHEST_ADDRESS: u64 = 1 << 47;
    /// The `time` CSR counts nanoseconds.
    pub const TIME_FREQUENCY: u64 = 1_000_000_000;
}

/// What `riscv_hwprobe` and `/proc/cpuinfo` say of the extensions.
pub fn describe(extensions: Extensions) -> Cpu {
    use Extensions as E;
    let bits = [
        (E::F.with(E::D), 0),
        (E::C, 1),
        (E::ZBA, 3),
        (E::ZBB, 4),
        (E::ZBS, 5),
        (E::ZICBOZ, 6),
        (E::ZBC, 7),
        (E::ZBKB, 8),
        (E::ZFH, 27),
        (E::ZFHMIN, 28),
        (E::ZIHINTNTL, 29),
        (E::ZFA, 32),
        (E::ZACAS, 34),
        (E::ZICOND, 35),
        (E::ZIHINTPAUSE, 36),
        (E::ZIMOP, 42),
        (E::C, 43), // Zca
        (E::ZCB, 44),
        (E::C.with(E::D), 45), // Zcd
        (E::ZCMOP, 47),
        (E::ZAWRS, 48),
        (E::A, 56), // Zaamo
        (E::A, 57), // Zalrsc
        (E::ZABHA, 58),
        (E::ZICNTR, 50),
        (E::ZIHPM, 51),
    ];
    let ima = bits
        .iter()
        .filter(|(needed, _)| extensions.contains(*needed))
        .fold(0u64, |all, (_, bit)| all | 1 << bit);
    let base = E::I.with(E::M).with(E::A);
    let behavior = if extensions.contains(base) { hwprobe::BASE_BEHAVIOR_IMA } else { 0 };
    let block = if extensions.contains(E::ZICBOZ) { hwprobe::CACHE_BLOCK } else { 0 };
    Cpu {
        isa: isa(extensions),
        hwprobe: vec![
            (hwprobe::MVENDORID, 0),
            (hwprobe::MARCHID, 0),
            (hwprobe::MIMPID, 0),
            (hwprobe::BASE_BEHAVIOR, behavior),
            (hwprobe::IMA_EXT_0, ima),
            (hwprobe::CPUPERF_0, hwprobe::MISALIGNED_FAST),
            (hwprobe::ZICBOZ_BLOCK_SIZE, block),
            (hwprobe::HIGHEST_VIRT_ADDRESS, hwprobe::HIGHEST_ADDRESS),
            (hwprobe::TIME_CSR_FREQ, hwprobe::TIME_FREQUENCY),
            (hwprobe::MISALIGNED_SCALAR_PERF, hwprobe::MISALIGNED_FAST),
        ],
    }
}

/// The page of `rvrun --list-isa`: each extension with its instructions.
pub fn isa_listing() -> String {
    let mut page = format!("{}\n", Extensions::ALL);
    for (extension, name, what) in Extensions::NAMED {
        let _ = write!(page, "\n{name}: {what}\n");
        let mut line = String::from(" ");
        for row in ROWS.iter().filter(|row| row.extensions.contains(*extension)) {
            let mnemonic = row.name.replace('_', ".");
            if line.len() + mnemonic.len() > 78 {
                let _ = writeln!(page, "{line}");
                line = String::from(" ");
            }
            let _ = write!(line, " {mnemonic}");
        }
        if line.len() > 1 {
            let _ = writeln!(page, "{line}");
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hwcap_has_the_bits_of_the_letters() {
        let imafdc = 1 << 8 | 1 << 12 | 1 | 1 << 5 | 1 << 3 | 1 << 2;
        assert_eq!(hwcap(Extensions::ALL), imafdc);
        assert_eq!(hwcap(Extensions::I | Extensions::ZBA), 1 << 8);
    }

    #[test]
    fn the_isa_line_is_the_kernels() {
        let line = isa(Extensions::ALL);
        assert!(line.starts_with("rv64imafdc_zicbom_zicboz_zicntr_"), "{line}");
        // No kernel before 6.13 knows these.
        assert!(!line.contains("zicbop") && !line.contains("zabha"), "{line}");
        assert_eq!(isa(Extensions::I | Extensions::C), "rv64ic_zca");
    }

    #[test]
    fn the_listing_names_every_extension_and_instruction() {
        let page = isa_listing();
        for (_, name, _) in Extensions::NAMED {
            assert!(page.contains(&format!("\n{name}: ")), "{name}");
        }
        for row in &ROWS {
            let mnemonic = row.name.replace('_', ".");
            assert!(page.split_whitespace().any(|word| word == mnemonic), "{mnemonic}");
        }
        assert!(page.lines().all(|line| line.len() <= 120 || line.starts_with("rv64")));
    }
}
