//! Guest addresses and slots in code, which are not the same in each process.
//!
//! Where code is to be kept for other processes, the guest's object that it is part of may be
//! somewhere else there, and slots certainly are. So these are symbols, by their distance from
//! the object's base, and the compiler leaves a [`Reloc`](crate::compile::Reloc) for each.

use super::Lowering;
use crate::state::offset;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{
    ExternalName, Function, GlobalValue, GlobalValueData, InstBuilder, UserExternalName, Value,
};

/// Objects below are where they are linked to be, in each process.
pub(crate) const MOVABLE: u64 = 1 << 32;

/// What a symbol stands for, as the namespace of its name.
pub(crate) const ADDRESS: u32 = 0;
/// See [`ADDRESS`].
pub(crate) const SLOT: u32 = 1;

impl Lowering<'_> {
    /// The guest address `pc`, of this code or near it.
    ///
    /// Each is a symbol of its own: a common one would be kept in a register, or rather on the
    /// stack, from its first use to the last one.
    pub(super) fn address(&mut self, pc: u64) -> Value {
        let Some(base) = self.movable_base() else {
            return self.constant(pc);
        };
        let symbol = symbol(self.builder.func, ADDRESS, pc.wrapping_sub(base));
        self.builder.ins().symbol_value(I64, symbol)
    }

    fn movable_base(&self) -> Option<u64> {
        self.base.filter(|base| *base >= MOVABLE)
    }

    /// The address that a callee within the region returns to: always the same value, so that
    /// where nothing comes between, Cranelift sees that the comparison holds.
    pub(super) fn return_address(&mut self, pc: u64) -> Value {
        let Some(base) = self.movable_base() else {
            return self.constant(pc);
        };
        let function = &mut *self.builder.func;
        let make = || symbol(function, ADDRESS, pc.wrapping_sub(base));
        let symbol = *self.returns.entry(pc).or_insert_with(make);
        self.builder.ins().symbol_value(I64, symbol)
    }

    /// The translation in the slot of guest address `pc`.
    pub(super) fn slot(&mut self, pc: u64) -> Value {
        let flags = self.hart_flags();
        if let Some(base) = self.base {
            let symbol = symbol(self.builder.func, SLOT, pc.wrapping_sub(base));
            let slot = self.builder.ins().symbol_value(I64, symbol);
            return self.builder.ins().load(I64, flags, slot, 0);
        }
        let slots = self.load_state(I64, offset::SLOTS);
        let slot = self.slots.get(&pc).copied().expect("every address to leave to has a slot");
        self.builder.ins().load(I64, flags, slots, 8 * slot as i32)
    }
}

fn symbol(function: &mut Function, namespace: u32, distance: u64) -> GlobalValue {
    let name = function.declare_imported_user_function(UserExternalName::new(namespace, 0));
    function.create_global_value(GlobalValueData::Symbol {
        name: ExternalName::user(name),
        offset: (distance as i64).into(),
        colocated: false,
        tls: false,
    })
}
