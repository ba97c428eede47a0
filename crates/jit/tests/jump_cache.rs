//! What a hart remembers of where translations are.

#[allow(dead_code, reason = "nothing is compared with the interpreter here")]
mod support;

use rvrun_hart::float;
use rvrun_isa::Extensions;
use rvrun_jit::{All, Options, Outcome, State, Stepped, Translator};
use std::sync::Arc;
use support::{Guest, assembled};

/// Distance of the jump's target from the jump.
const FAR: u64 = 0x100;

/// Runs the jump; gives why that ended, where, and what `a1` is then.
fn run(translator: &mut Translator, guest: &Guest) -> (Outcome, u64, u64) {
    let mut hart = guest.hart();
    hart.x[10] = guest.code + FAR;
    let mut state = State::new(hart, Arc::default(), Box::new(|_| Stepped::Leave));
    float::host::enter(state.hart.frm);
    let outcome = translator.run(&mut state);
    float::host::leave();
    (outcome, state.hart.pc - guest.code, state.hart.x[11])
}

#[test]
fn a_jump_does_not_go_to_what_was_dropped() {
    let guest = Guest::new(&assembled(&["jalr zero, 0(a0)"]));
    guest.put(guest.code + FAR, &assembled(&["addi a1, zero, 1"]));
    let options = Options { synchronous: true, code_bytes: 1 << 20, ..Options::default() };
    let mut translator = Translator::new(guest.space.clone(), Extensions::ALL, options).unwrap();
    for pc in [guest.code, guest.code + FAR] {
        translator.request(pc, &All);
    }
    let first = (Outcome::Interpret, FAR + 4, 1);
    assert_eq!(run(&mut translator, &guest), first);

    guest.put(guest.code + FAR, &assembled(&["addi a1, zero, 2"]));
    translator.revalidate();
    assert_eq!(run(&mut translator, &guest), (Outcome::Cold, FAR, 0));

    translator.request(guest.code + FAR, &All);
    assert_eq!(run(&mut translator, &guest), (Outcome::Interpret, FAR + 4, 2));
}
