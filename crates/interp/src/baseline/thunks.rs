//! How host code is entered and left.

use super::emit::{BIAS, PC, at, transfer};
use super::registers::{PINNED, Transfer};
use super::{INSTRUCTIONS, JMP, OUTSIDE, POINTER};
use crate::context::{Context, JumpCacheEntry};
use crate::ops::control;
use crate::slot::Link;
use dynasmrt::x64::X64Relocation;
use dynasmrt::{DynasmApi, DynasmLabelApi, VecAssembler, dynasm};
use std::mem::offset_of;

/// The first byte of a call of five bytes, before the distance.
pub const CALL: u8 = 0xe8;

/// Bytes of the number before an entrance.
pub const NUMBER_BYTES: usize = 4;

/// Bytes of an entrance up to its jump to the code that is executed often.
pub const FETCH_BYTES: usize = 5 + stack_move_bytes(POINTER) + stack_move_bytes(OUTSIDE);

/// Bytes of a move between the stack pointer and a place in the context.
const fn stack_move_bytes(offset: i32) -> usize {
    if offset <= i8::MAX as i32 { 4 } else { 7 }
}

/// A number's room and an entrance, with no distances yet.
pub fn entrance() -> Vec<u8> {
    let mut code = VecAssembler::<X64Relocation>::new(0);
    dynasm!(code; .arch x64; .bytes [0; NUMBER_BYTES]; .bytes [CALL, 0, 0, 0, 0]);
    at!(code, { mov } [rdx] OUTSIDE, { , rsp });
    at!(code, { mov rsp, } [rdx] POINTER, {});
    debug_assert_eq!(code.offset().0, NUMBER_BYTES + FETCH_BYTES);
    dynasm!(code; .arch x64; .bytes [JMP, 0, 0, 0, 0]);
    code.finalize().unwrap_or_default()
}

/// Bytes of [`exit`].
pub const EXIT_BYTES: usize = 15;

/// Code that goes along the link at `slot`: `mov rax, slot`, and a jump over a distance to
/// [`Thunks::link`].
pub fn exit(slot: u64, [e, f, g, h]: [u8; 4]) -> [u8; EXIT_BYTES] {
    let [a, b, c, d, s, t, u, v] = slot.to_le_bytes();
    [0x48, 0xb8, a, b, c, d, s, t, u, v, JMP, e, f, g, h]
}

/// Ways out of host code, by their offsets in the arena. `rax` has a slot.
#[derive(Clone, Copy, Debug, Default)]
pub struct Thunks {
    /// To the op at the slot.
    pub go: usize,
    /// To the handler in `rcx`, for the op at the slot.
    pub call: usize,
    /// Along the link at the slot.
    pub link: usize,
    /// To the block of an entry of the jump cache, whose address `rax` has.
    pub found: usize,
    /// To the address on the stack, which a handler put there; whatever `rax` has.
    pub returned: usize,
    /// The same, where there was no call: the address is the stack's last word.
    pub bottom: usize,
    /// What an entrance calls: fetches what is pinned.
    pub fetch: usize,
}

impl Thunks {
    /// The code of all, and their offsets in it.
    pub fn code() -> Option<(Vec<u8>, Self)> {
        let mut code = VecAssembler::<X64Relocation>::new(0);
        let offset = |code: &VecAssembler<_>| code.offset().0;
        let go = offset(&code);
        settle(&mut code);
        if cfg!(threaded) {
            dynasm!(code; .arch x64; jmp QWORD [rdi]);
        } else {
            dynasm!(code; .arch x64; mov rax, rdi; ret);
        }
        let call = offset(&code);
        settle(&mut code);
        dynasm!(code; .arch x64; jmp rcx);
        dynasm!(code; .arch x64; cold:);
        settle(&mut code);
        dynasm!(code; .arch x64
            ; mov rax, QWORD control::gate as *const () as i64
            ; cmp rcx, rax
            ; je >on
            ; dec DWORD [rdx + offset_of!(Context, cold) as i32]
            ; jz >wanted
            ; on:
            ; jmp rcx
            ; wanted:
            ; mov [rsi + PC + BIAS], r9
            ; mov rax, QWORD super::wanted as *const () as i64
            ; jmp rax
        );
        let link = offset(&code);
        dynasm!(code; .arch x64
            ; mov rcx, [rax + offset_of!(Link, next) as i32]
            ; test rcx, rcx
            ; jz >unlinked
            ; mov r9, [rax + offset_of!(Link, pc) as i32]
            ; mov rax, rcx
            ; jmp >follow
            ; unlinked:
        );
        settle(&mut code);
        dynasm!(code; .arch x64; mov rax, QWORD control::unlinked as *const () as i64; jmp rax);
        let found = offset(&code);
        dynasm!(code; .arch x64
            ; mov r9, [rax + offset_of!(JumpCacheEntry, key) as i32]
            ; and r9, BYTE -2
            ; mov rax, [rax + offset_of!(JumpCacheEntry, block) as i32]
            ; follow:
            ; mov rcx, [rax]
            ; mov r8, rcx
            ; sub r8, [rdx + super::ARENA]
            ; cmp r8, super::ARENA_BYTES as i32
            ; jae <cold
            ; add rcx, BYTE FETCH_BYTES as i8
            ; jmp rcx
        );
        let bottom = offset(&code);
        dynasm!(code; .arch x64; pop rcx; sub rsp, BYTE 16; and rcx, BYTE -2; jmp >arrive);
        let returned = offset(&code);
        dynasm!(code; .arch x64; pop rcx; arrive:; mov [rsi + PC], rcx);
        settle(&mut code);
        dynasm!(code; .arch x64; mov rax, QWORD control::arrived as *const () as i64; jmp rax);
        let fetch = offset(&code);
        dynasm!(code; .arch x64; sub rsi, BYTE -BIAS as i8);
        for (guest, host) in PINNED {
            transfer(&mut code, Transfer::Load { host, guest });
        }
        at!(code, { mov rdi, } [rdx] INSTRUCTIONS, {});
        dynasm!(code; .arch x64; ret);
        let thunks = Self { go, call, link, found, returned, bottom, fetch };
        Some((code.finalize().ok()?, thunks))
    }
}

/// Brings the hart up to date, leaves the stack, and moves the slot to where handlers want it.
fn settle(code: &mut VecAssembler<X64Relocation>) {
    for (guest, host) in PINNED {
        transfer(code, Transfer::Store { host, guest });
    }
    dynasm!(code; .arch x64; mov r8, rdi);
    at!(code, { sub r8, } [rdx] INSTRUCTIONS, {});
    at!(code, { mov } [rdx] INSTRUCTIONS, { , rdi });
    dynasm!(code; .arch x64
        ; add rsi, BYTE -BIAS as i8
        ; add [rsi + super::ends::INSTRET], r8
        ; mov rdi, rax
    );
    at!(code, { mov } [rdx] POINTER, { , rsp });
    at!(code, { mov rsp, } [rdx] OUTSIDE, {});
}
