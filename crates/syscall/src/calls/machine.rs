//! The machine that the guest sees: its name, its harts' extensions, its caches.

use crate::procfs::online_cpus;
use crate::row::{Args, SysResult};
use crate::task::Task;
use crate::{Errno, guest, raw};

const EINVAL: Errno = Errno(libc::EINVAL);
/// Length of each of the six strings of `struct new_utsname`.
const FIELD: usize = 65;

/// `uname(buf)`.
pub(crate) fn uname(task: &mut Task, args: Args) -> SysResult {
    let mut names = [0u8; 6 * FIELD];
    raw::call(libc::SYS_uname, &[names.as_mut_ptr() as u64])?;
    let mut set = |index: usize, text: &str| {
        let field = &mut names[index * FIELD..(index + 1) * FIELD];
        let length = text.len().min(FIELD - 1);
        field.fill(0);
        field[..length].copy_from_slice(&text.as_bytes()[..length]);
    };
    set(4, "riscv64");
    if let Some(release) = &task.process.config.uname_release {
        set(2, release);
    }
    guest::write(args[0], &names)?;
    Ok(0)
}

/// `riscv_flush_icache(start, end, flags)`: the guest has written code.
pub(crate) fn riscv_flush_icache(task: &mut Task, args: Args) -> SysResult {
    /// `SYS_RISCV_FLUSH_ICACHE_LOCAL`: this thread's instruction fetches only.
    const LOCAL: u64 = 1;
    if args[2] & !LOCAL != 0 {
        return Err(EINVAL);
    }
    task.process.space.invalidate_code(args[0], args[1]);
    Ok(0)
}

/// `riscv_hwprobe`'s flag that asks for the CPUs that have some values.
const WHICH_CPUS: u64 = 1;
/// Bytes of a CPU mask that are looked at; larger masks are cut, as by the kernel.
const CPU_MASK: usize = 128;
/// Keys whose values are sets of bits (`riscv_hwprobe_key_is_bitmask`).
const BITMASK_KEYS: [i64; 3] = [3, 4, 5];

/// `riscv_hwprobe(pairs, count, cpusetsize, cpus, flags)`
/// (kernel: `arch/riscv/kernel/sys_hwprobe.c`).
pub(crate) fn riscv_hwprobe(task: &mut Task, args: Args) -> SysResult {
    let [pairs, count, size, cpus, flags, _] = args;
    match flags & 0xffff_ffff {
        0 => values(task, pairs, count, size, cpus),
        WHICH_CPUS => which_cpus(task, pairs, count, size, cpus),
        _ => Err(EINVAL),
    }
}

/// Fills in the values of the keys that are asked for.
fn values(task: &Task, pairs: u64, count: u64, size: u64, cpus: u64) -> SysResult {
    if size != 0 || cpus != 0 {
        let mut mask = read_mask(cpus, size)?;
        keep_online(&mut mask);
        if mask.iter().all(|byte| *byte == 0) {
            return Err(EINVAL);
        }
    }
    for index in 0..count {
        let (at, key) = read_key(pairs, index)?;
        match value(task, key) {
            Some(value) => guest::write(at.wrapping_add(8), &value.to_le_bytes())?,
            None => write_pair(at, -1, 0)?,
        }
    }
    Ok(0)
}

/// Reduces a CPU mask to those that have all these values: all or none, since harts are alike.
fn which_cpus(task: &Task, pairs: u64, count: u64, size: u64, cpus: u64) -> SysResult {
    if size == 0 || cpus == 0 {
        return Err(EINVAL);
    }
    let mut mask = read_mask(cpus, size)?;
    if mask.iter().all(|byte| *byte == 0) {
        mask.fill(0xff);
    }
    keep_online(&mut mask);
    let mut all_match = true;
    for index in 0..count {
        let (at, key) = read_key(pairs, index)?;
        let wanted = guest::read_u64(at.wrapping_add(8))?;
        match value(task, key) {
            None => {
                write_pair(at, -1, 0)?;
                all_match = false;
            }
            Some(value) if BITMASK_KEYS.contains(&key) => all_match &= value & wanted == wanted,
            Some(value) => all_match &= value == wanted,
        }
    }
    if !all_match {
        mask.fill(0);
    }
    guest::write(cpus, &mask[..(size as usize).min(CPU_MASK)])?;
    Ok(0)
}

/// The address and the key of a pair.
fn read_key(pairs: u64, index: u64) -> Result<(u64, i64), Errno> {
    let offset = index.checked_mul(16).ok_or(Errno(libc::EFAULT))?;
    let at = pairs.checked_add(offset).ok_or(Errno(libc::EFAULT))?;
    Ok((at, guest::read_u64(at)? as i64))
}

fn write_pair(at: u64, key: i64, value: u64) -> Result<(), Errno> {
    guest::write(at, &key.to_le_bytes())?;
    guest::write(at.wrapping_add(8), &value.to_le_bytes())
}

fn value(task: &Task, key: i64) -> Option<u64> {
    task.process.config.cpu.hwprobe.iter().find(|(known, _)| *known == key).map(|(_, value)| *value)
}

fn read_mask(cpus: u64, size: u64) -> Result<[u8; CPU_MASK], Errno> {
    let mut mask = [0; CPU_MASK];
    guest::read(cpus, &mut mask[..size.min(CPU_MASK as u64) as usize])?;
    Ok(mask)
}

fn keep_online(mask: &mut [u8; CPU_MASK]) {
    let online = online_cpus();
    for (index, byte) in mask.iter_mut().enumerate() {
        let running = online.saturating_sub(index * 8).min(8) as u32;
        *byte &= ((1u16 << running) - 1) as u8;
    }
}
