//! What this crate makes of bytes that a guest may have chosen, for those who choose the
//! worst ones (`hostile`). Nothing here makes a call that changes anything outside of the
//! process.
//!
//! Each function panics when what it looks at breaks its promise.

use crate::abi::{epoll, semaphore, sigaction};
use crate::path::{Intent, Sysroot};
use crate::procfs::{Place, listing};
use crate::program::{self, Kind};
use crate::row::Args;
use crate::seccomp::bpf::{Data, Program};
use crate::seccomp::{ARCHITECTURE, action};
use crate::signals::frame;
use crate::signals::stack::SignalStack;
use crate::strace::Pending;
use rvrun_hart::Hart;
use std::path::Path;

/// Checks a seccomp filter, and has it judge a call. What it says, if it is one.
pub fn filter(bytes: &[u8], number: u64, pc: u64, args: &Args) -> Option<u32> {
    let program = Program::new(bytes).ok()?;
    let whole = bytes.len() - bytes.len() % crate::seccomp::bpf::SIZE;
    assert_eq!(program.bytes(), bytes[..whole], "a filter is handed on as another one");
    assert_eq!(program.len() * crate::seccomp::bpf::SIZE, whole);
    let value = program.run(&Data::new(number, ARCHITECTURE, pc, args));
    let again = program.run(&Data::new(number, ARCHITECTURE, pc, args));
    assert_eq!(value, again, "a filter is of two minds");
    Some(value & action::MASK)
}

/// The line of `--strace` for a call that returned `result`.
pub fn trace(number: u64, args: Args, result: u64) -> String {
    let line = Pending::new(crate::dispatch::row(number), number, args).finished(result);
    assert!(!line.contains(char::is_control), "{line:?} is not one line");
    line
}

/// Looks up a guest's path below a sysroot, in each of the ways that calls have.
///
/// What is found below the sysroot must not be a link out of it.
pub fn path(root: &Path, path: &[u8]) {
    let sysroot = Sysroot::new(root);
    for intent in
        [Intent::Follow, Intent::NoFollow, Intent::Create, Intent::CreateFollow, Intent::Replace]
    {
        let Ok(Some(host)) = sysroot.resolve(path, intent) else { continue };
        assert!(host.is_absolute(), "{} is relative", host.display());
        let place = if intent.follows() { Some(&*host) } else { host.parent() };
        let real = place.and_then(|place| place.canonicalize().ok());
        if let Some(real) = real.filter(|_| host.starts_with(root)) {
            assert!(real.starts_with(root), "{intent:?}: {} is {}", host.display(), real.display());
        }
    }
    // What `/proc` has of the VM is recognised before the sysroot is looked at.
    let _ = Place::of(path).is_some_and(|place| place.is_hidden());
}

/// The interpreter that a file names: a script's, or a program's dynamic linker.
pub fn interpreter(file: &[u8]) -> Option<Vec<u8>> {
    let head = &file[..file.len().min(program::HEAD)];
    let read_at = |buffer: &mut [u8], offset: u64| {
        let rest = usize::try_from(offset).ok().and_then(|at| file.get(at..)).unwrap_or(&[]);
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    };
    match program::kind(head) {
        Ok(Kind::Guest) => program::interpreter(head, read_at).ok().flatten(),
        Ok(Kind::Script { interpreter, argument }) => {
            for part in [Some(&interpreter), argument.as_ref()].into_iter().flatten() {
                assert!(!part.contains(&0) && !part.contains(&b'\n'), "{part:?}");
            }
            Some(interpreter)
        }
        _ => None,
    }
}

/// Leaves threads out of what `getdents64` gave; `hidden` is the lowest bit of those that go.
pub fn listing(entries: &[u8], hidden: u32) {
    let kept = listing::without_vm_threads(entries, |thread| thread & 1 == hidden);
    assert!(kept.len() <= entries.len());
    let all = listing::without_vm_threads(entries, |_| false);
    assert!(entries.starts_with(&all), "what nobody hides is changed");
}

/// Converts structures there and back.
pub fn structures(bytes: &[u8]) {
    if let Some(event) = bytes.first_chunk::<{ epoll::HOST_SIZE }>() {
        assert_eq!(epoll::to_host(&epoll::to_guest(event)), *event);
    }
    if let Some(set) = bytes.first_chunk::<{ semaphore::GUEST_SIZE }>() {
        assert_eq!(semaphore::to_guest(&semaphore::to_host(set)), *set);
    }
    if let Some(action) = bytes.first_chunk::<{ sigaction::SIZE }>() {
        let action = sigaction::Action::from_guest(action);
        assert_eq!(sigaction::Action::from_guest(&action.to_guest()), action);
    }
}

/// Has a signal's frame written below the hart's stack pointer, and returns from it.
///
/// The 2 KiB below the stack pointer are written.
pub fn signal_frame(before: &Hart, info: &[u64; 16], mask: u64) {
    let saved = SignalStack::default();
    let call = frame::Call {
        handler: 0x1000,
        signal: info[0] as i32,
        info,
        stack: None,
        mask,
        trampoline: 0x2000,
    };
    let mut hart = before.clone();
    if frame::enter(&mut hart, &saved, &call).is_err() {
        assert!(hart.x == before.x && hart.pc == before.pc, "a failure changed the hart");
        return;
    }
    assert_eq!(hart.x[2] % 16, 0, "the stack pointer is not aligned");
    let left = frame::leave(&mut hart);
    assert_eq!(left, Ok((mask, Some(saved))), "mask and stack");
    assert!(hart.x == before.x && hart.f == before.f, "registers do not survive a signal");
    assert_eq!((hart.frm, hart.fflags), (before.frm, before.fflags));
    assert_eq!(hart.pc, before.pc & !1);
}

/// Returns from whatever lies at the stack pointer.
pub fn any_frame(hart: &mut Hart) {
    if frame::leave(hart).is_ok() {
        assert!(hart.x[0] == 0 && hart.frm < 8 && hart.fflags < 32 && hart.pc.is_multiple_of(2));
    }
}
