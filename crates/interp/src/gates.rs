//! Gates: guest addresses at which the interpreter stops instead of going on.
//!
//! A gate is a pseudo-block of one op. What leads to the block at its address
//! leads to the gate while there is one, so that nobody has to look for it.

use crate::ops::control;
use crate::slot::{Link, Op, Slot};
use rustc_hash::FxHashMap;

struct Gate {
    /// The op and its pc. They stay where they are until the gate is removed.
    slots: Vec<Slot>,
    /// Links that lead here.
    incoming: Vec<*mut Link>,
}

/// All gates of a hart, by pc.
#[derive(Default)]
pub struct Gates(FxHashMap<u64, Gate>);

impl Gates {
    /// Puts a gate at `pc`; false if there is one.
    pub fn add(&mut self, pc: u64) -> bool {
        let new = !self.0.contains_key(&pc);
        if new {
            let op = Op { handler: control::gate, imm: 0, rd: 0, rs1: 0, rs2: 0, at: 0 };
            let slots = vec![Slot { op }, Slot { value: pc }];
            self.0.insert(pc, Gate { slots, incoming: Vec::new() });
        }
        new
    }

    /// Takes the gate at `pc` away, and gives the links that led to it.
    pub fn remove(&mut self, pc: u64) -> Vec<*mut Link> {
        self.0.remove(&pc).map_or(Vec::new(), |gate| gate.incoming)
    }

    /// The op of the gate at `pc`, if there is one.
    pub fn get(&self, pc: u64) -> Option<*const Slot> {
        self.0.get(&pc).map(|gate| gate.slots.as_ptr())
    }

    /// The same for a link that is going to lead there.
    pub fn enter(&mut self, pc: u64, link: *mut Link) -> Option<*const Slot> {
        let gate = self.0.get_mut(&pc)?;
        gate.incoming.push(link);
        Some(gate.slots.as_ptr())
    }

    /// Says that no link exists any more.
    pub fn forget_links(&mut self) {
        for gate in self.0.values_mut() {
            gate.incoming.clear();
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where they are, in no order.
    pub fn addresses(&self) -> impl Iterator<Item = u64> {
        self.0.keys().copied()
    }
}
