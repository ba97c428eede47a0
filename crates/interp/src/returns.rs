//! Where calls want to be returned to.
//!
//! Host code calls and returns as the host does, so that the host predicts its returns; what
//! it pushes is on a stack of its own. Each call takes two words: the guest's address
//! to return to, and below it that of the host code there. Handlers take part, so that both
//! may return to where the other called. A return that goes elsewhere leaves the stack alone,
//! and one that is full forgets everything: a stack pointer of the guest's is in no relation
//! to this one.

use rvrun_host::return_stack::ReturnStack;
use std::io;
use std::mem::offset_of;

/// Bytes of the stack: 4,096 calls.
const BYTES: usize = 64 << 10;
/// Bytes of a call.
const CALL: usize = 16;
/// No guest's address to return to.
const NOWHERE: u64 = 1;

/// See the module's documentation.
#[derive(Default)]
pub struct Returns {
    /// None as long as there is no host code.
    stack: Option<ReturnStack>,
    /// The stack pointer while host code does not run.
    pointer: usize,
    /// The thread's own while it does.
    outside: usize,
    /// The host code to return to where a handler has called.
    handlers: u64,
}

impl Returns {
    /// Offsets of the two stack pointers, for host code.
    pub const POINTER: usize = offset_of!(Self, pointer);
    pub const OUTSIDE: usize = offset_of!(Self, outside);

    /// Makes an empty stack. Both addresses are of host code that takes the guest's address
    /// from the stack and goes there: for calls of handlers, and for when there is no call,
    /// which leaves the stack empty.
    ///
    /// # Errors
    /// The host's, when it has no memory.
    pub fn begin(&mut self, handlers: usize, bottom: usize) -> io::Result<()> {
        let mut stack = ReturnStack::new(BYTES)?;
        let empty = stack.top() - CALL;
        stack.set(empty, bottom as u64);
        stack.set(empty + 8, NOWHERE);
        self.handlers = handlers as u64;
        self.stack = Some(stack);
        self.clear();
        Ok(())
    }

    /// Forgets all calls.
    pub fn clear(&mut self) {
        self.pointer = self.stack.as_ref().map_or(0, |stack| stack.top() - CALL);
    }

    /// Makes sure that there is room for a call.
    fn make_room(&mut self) {
        if self.stack.as_ref().is_some_and(|stack| self.pointer < stack.lowest() + CALL) {
            self.clear();
        }
    }

    /// A call of a handler's that returns to `pc`.
    pub fn called(&mut self, pc: u64) {
        self.make_room();
        if let Some(stack) = &mut self.stack {
            stack.set(self.pointer - 8, pc);
            self.pointer -= CALL;
            stack.set(self.pointer, self.handlers);
        }
    }

    /// Control has gone to `pc`: if the last call wants to be returned to there, it was.
    pub fn returned(&mut self, pc: u64) {
        let last = self.stack.as_ref().map(|stack| stack.get(self.pointer + 8));
        if last == Some(pc) && pc != NOWHERE {
            self.pointer += CALL;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> Returns {
        let mut returns = Returns::default();
        returns.begin(8, 16).expect("there is memory");
        returns
    }

    #[test]
    fn returns_take_calls_off_the_stack() {
        let mut returns = empty();
        let bottom = returns.pointer;
        (1..=3).for_each(|n| returns.called(2 * n));
        returns.returned(4);
        assert_eq!(bottom - returns.pointer, 3 * CALL, "somebody returned elsewhere");
        (1..=3).rev().for_each(|n| returns.returned(2 * n));
        assert_eq!(returns.pointer, bottom);
        returns.returned(NOWHERE);
        assert_eq!(returns.pointer, bottom, "there is no call");
    }

    #[test]
    fn a_full_stack_forgets_its_calls() {
        let mut returns = empty();
        let bottom = returns.pointer;
        let most = BYTES / CALL - 1;
        (0..most).for_each(|_| returns.called(2));
        assert_eq!(bottom - returns.pointer, most * CALL);
        returns.called(4);
        assert_eq!(bottom - returns.pointer, CALL);
        returns.returned(4);
        returns.returned(2);
        assert_eq!(returns.pointer, bottom);
    }

    #[test]
    fn without_host_code_nothing_is_remembered() {
        let mut returns = Returns::default();
        returns.called(2);
        returns.returned(2);
        assert_eq!(returns.pointer, 0);
    }
}
