//! What translated code works on: the hart, and what it needs beside it.

use crate::jump_cache;
use rvrun_hart::{Hart, float};
use std::mem::offset_of;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

/// Why translated code returned an odd value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Leave {
    /// An environment call; the hart's pc is behind it.
    Syscall = 0,
    /// The instruction at the hart's pc is to be interpreted.
    Interpret = 1,
    /// An instruction that was interpreted on behalf of translated code stopped.
    Stepped = 2,
}

/// What became of an instruction that translated code has interpreted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stepped {
    /// It is done, and translated code goes on.
    On,
    /// Translated code is to be left, with whatever was noted by the one who interpreted it.
    Leave,
    /// The interpreter is busy: it has entered translated code itself. It is to be left for this
    /// instruction.
    Not,
}

impl Stepped {
    /// [`Leave`](Self::Leave) if `leave`, else [`On`](Self::On).
    pub fn leave_if(leave: bool) -> Self {
        if leave { Self::Leave } else { Self::On }
    }
}

/// Interprets the instruction at the hart's pc.
pub type Step = Box<dyn FnMut(&mut Hart) -> Stepped>;

/// A hart with what translated code needs beside it. Translated code addresses
/// all of it from the hart's own address.
#[repr(C)]
pub struct State {
    /// The hart.
    pub hart: Hart,
    /// A [`Leave`].
    pub(crate) leave: u32,
    /// Results of helpers; and where results go that nobody reads but whose flags count.
    pub(crate) unread: u64,
    /// Operands of helpers.
    pub(crate) operands: [u64; 4],
    /// The stack pointer below which translated code makes no more calls.
    pub(crate) stack_limit: u64,
    pub(crate) attention: *const AtomicU32,
    /// Where an indirect call or jump goes that leaves its region.
    pub(crate) target: u64,
    pub(crate) jump_cache: *const jump_cache::Entry,
    /// See [`JumpCache::mask`](jump_cache::JumpCache::mask).
    pub(crate) jump_cache_mask: u64,
    /// Finds a translation that the jump cache has not.
    pub(crate) find: usize,
    /// As `find`, for a jump that is neither a call nor a return.
    pub(crate) find_jump: usize,
    pub(crate) step: Step,
    /// The functions of [`crate::helper`].
    pub(crate) helpers: *const usize,
    /// For `find`: the translator.
    pub(crate) translator: *mut (),
    /// What MXCSR's sticky flags are in `fflags`.
    pub(crate) fflags_of: [u8; 64],
    /// What fences lock.
    pub(crate) fenced: u64,
    /// How often `step` was called.
    pub stepped: u64,
    /// Where instructions are counted, translated code leaves as for attention once the
    /// hart has retired so many.
    pub deadline: u64,
    /// Keeps `attention` alive.
    attention_owner: Arc<AtomicU32>,
}

impl State {
    /// A state around `hart` whose translations look at `attention`.
    pub fn new(hart: Hart, attention: Arc<AtomicU32>, step: Step) -> Box<Self> {
        Box::new(Self {
            hart,
            leave: 0,
            unread: 0,
            operands: [0; 4],
            stack_limit: 0,
            attention: Arc::as_ptr(&attention),
            target: 0,
            jump_cache: ptr::null(),
            jump_cache_mask: 0,
            find: 0,
            find_jump: 0,
            step,
            helpers: ptr::null(),
            translator: ptr::null_mut(),
            fflags_of: float::host::FFLAGS,
            fenced: 0,
            stepped: 0,
            deadline: u64::MAX,
            attention_owner: attention,
        })
    }

    /// The flag that makes translated code leave.
    pub fn attention(&self) -> &Arc<AtomicU32> {
        &self.attention_owner
    }
}

/// Offsets in [`State`].
pub(crate) mod offset {
    use super::*;
    use rvrun_isa::{F_NAMES, X_NAMES};

    const fn small(offset: usize) -> i32 {
        assert!(offset < 4096);
        offset as i32
    }

    pub const LEAVE: i32 = small(offset_of!(State, leave));
    pub const UNREAD: i32 = small(offset_of!(State, unread));
    pub const OPERANDS: i32 = small(offset_of!(State, operands));
    pub const STACK_LIMIT: i32 = small(offset_of!(State, stack_limit));
    pub const ATTENTION: i32 = small(offset_of!(State, attention));
    pub const TARGET: i32 = small(offset_of!(State, target));
    pub const JUMP_CACHE: i32 = small(offset_of!(State, jump_cache));
    pub const JUMP_CACHE_MASK: i32 = small(offset_of!(State, jump_cache_mask));
    pub const FIND: i32 = small(offset_of!(State, find));
    pub const FIND_JUMP: i32 = small(offset_of!(State, find_jump));
    pub const HELPERS: i32 = small(offset_of!(State, helpers));
    pub const FENCED: i32 = small(offset_of!(State, fenced));
    pub const STEPPED: i32 = small(offset_of!(State, stepped));
    pub const DEADLINE: i32 = small(offset_of!(State, deadline));
    pub const PC: i32 = small(offset_of!(State, hart.pc));
    pub const RESERVED_ADDR: i32 = small(offset_of!(State, hart.reservation.addr));
    pub const RESERVED_VALUE: i32 = small(offset_of!(State, hart.reservation.value));
    pub const RESERVED_SIZE: i32 = small(offset_of!(State, hart.reservation.size));
    pub const INSTRET: i32 = small(offset_of!(State, hart.instret));

    /// Of an integer register.
    pub const fn x(register: u8) -> i32 {
        small(offset_of!(State, hart.x)) + 8 * register as i32
    }

    /// Of a floating-point register.
    pub const fn f(register: u8) -> i32 {
        small(offset_of!(State, hart.f)) + 8 * register as i32
    }

    /// What is at an offset, for readers.
    pub fn name(at: i32) -> Option<String> {
        let known = [
            (LEAVE, "leave"),
            (UNREAD, "unread"),
            (OPERANDS, "operands"),
            (STACK_LIMIT, "stack_limit"),
            (ATTENTION, "attention"),
            (TARGET, "target"),
            (JUMP_CACHE, "jump_cache"),
            (JUMP_CACHE_MASK, "jump_cache_mask"),
            (FIND, "find"),
            (FIND_JUMP, "find_jump"),
            (HELPERS, "helpers"),
            (FENCED, "fenced"),
            (STEPPED, "stepped"),
            (DEADLINE, "deadline"),
            (PC, "pc"),
            (RESERVED_ADDR, "reserved_addr"),
            (RESERVED_VALUE, "reserved_value"),
            (RESERVED_SIZE, "reserved_size"),
            (INSTRET, "instret"),
        ];
        // Whatever is behind its beginning.
        let within = |name: &str, first: i32, size: i32| match at - first {
            0 => Some(name.to_owned()),
            distance if (1..size).contains(&distance) => Some(format!("{name}+{distance}")),
            _ => None,
        };
        let size = |name| if name == "operands" { 24 } else { 8 };
        let registers = X_NAMES.iter().zip((0..).map(x)).chain(F_NAMES.iter().zip((0..).map(f)));
        let named = known.iter().find_map(|(first, name)| within(name, *first, size(*name)));
        named.or_else(|| registers.into_iter().find_map(|(name, first)| within(name, first, 8)))
    }
}
