//! Regions to host code, by Cranelift.

use crate::listing::readable;
use crate::lower::{self, Lowered, Mode, Origin, places};
use cranelift_codegen::binemit::Reloc as Kind;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::ExternalName;
use cranelift_codegen::ir::Function;
use cranelift_codegen::ir::function::FunctionParameters;
use cranelift_codegen::isa::{self, OwnedTargetIsa};
use cranelift_codegen::settings::{self, Configurable};
use cranelift_codegen::{Context, FinalizedMachReloc, FinalizedRelocTarget};
use cranelift_frontend::FunctionBuilderContext;
use rvrun_decoder::region::Region;
use rvrun_host::processor;

/// What a host of the level x86-64-v3 has beside the base.
const COMMON_FEATURES: [&str; 12] = [
    "has_cmpxchg16b",
    "has_sse3",
    "has_ssse3",
    "has_sse41",
    "has_sse42",
    "has_popcnt",
    "has_avx",
    "has_avx2",
    "has_fma",
    "has_bmi1",
    "has_bmi2",
    "has_lzcnt",
];

/// A region to be compiled, with all that it takes.
pub struct Job {
    /// The region.
    pub region: Region,
    /// What it divides by, and what that most often is.
    pub divisors: Vec<(u8, u64)>,
    /// How.
    pub mode: Mode,
    /// Where the guest's object begins that the code is part of, if it is to be kept for other
    /// processes.
    pub base: Option<u64>,
    /// A hash of the guest code that it was made from.
    pub hash: u64,
    /// How often everything had been dropped before.
    pub generation: u64,
}

/// A word in host code that depends on where something is in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reloc {
    /// Its offset in the code.
    pub at: u32,
    /// What it holds.
    pub target: Target,
    /// The distance of the guest address from the base of its object.
    pub distance: u64,
}

/// See [`Reloc`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The guest address, in eight bytes.
    Address,
    /// The distance of the guest address's slot from the end of the word, in four bytes.
    Slot,
}

/// Host code and where it came from. The code can be anywhere in memory.
pub struct Code {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// What of them has to be filled in.
    pub relocs: Vec<Reloc>,
    /// For each run of instructions the offset behind it and its origin, in ascending order.
    pub origins: Vec<(u32, Origin)>,
}

/// Why a region was not compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(pub String);

/// What host code depends on beside what it is made from: this build of the translator, and
/// the host's processor. Asked for in each process, so no compiler is made for it.
pub fn version() -> Vec<u8> {
    let mut version = env!("RVRUN_TRANSLATOR").as_bytes().to_vec();
    version.extend(cranelift_codegen::VERSION.as_bytes());
    version.extend(processor::features().iter().flat_map(|word| word.to_le_bytes()));
    version
}

/// Compiles one region after another.
pub struct Compiler {
    isa: OwnedTargetIsa,
    /// Both are large, and who has no compiler yet has room for one.
    context: Box<Context>,
    builder: Box<FunctionBuilderContext>,
}

impl Compiler {
    /// A compiler for this host.
    ///
    /// # Errors
    /// When Cranelift does not know the host.
    pub fn new() -> Result<Self, Failure> {
        let host = cranelift_native::builder().map_err(|error| Failure(error.into()))?;
        Self::with(host)
    }

    /// A compiler for a host of the level x86-64-v3, whatever this one is: what it
    /// makes is the same everywhere.
    ///
    /// # Errors
    /// When Cranelift does not know the host.
    pub fn for_common_host() -> Result<Self, Failure> {
        let name = "x86_64-unknown-linux-gnu";
        let mut host = isa::lookup_by_name(name).map_err(|error| Failure(error.to_string()))?;
        for feature in COMMON_FEATURES {
            host.enable(feature).map_err(|error| Failure(error.to_string()))?;
        }
        Self::with(host)
    }

    fn with(host: isa::Builder) -> Result<Self, Failure> {
        let mut flags = settings::builder();
        let wanted = [
            ("opt_level", "speed"),
            ("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" }),
            // Tail calls want it.
            ("preserve_frame_pointers", "true"),
            // What depends on where something is takes a whole word, which is filled in.
            ("is_pic", "false"),
            ("unwind_info", "false"),
            ("enable_probestack", "false"),
            // It has the state's address.
            ("enable_pinned_reg", "true"),
        ];
        for (name, value) in wanted {
            flags.set(name, value).map_err(|error| Failure(error.to_string()))?;
        }
        let flags = settings::Flags::new(flags);
        let isa = host.finish(flags).map_err(|error| Failure(error.to_string()))?;
        Ok(Self { isa, context: Box::new(Context::new()), builder: Box::default() })
    }

    /// Compiles a region.
    ///
    /// # Errors
    /// When Cranelift refuses it, or the code would need to know where it is itself.
    pub fn compile(&mut self, job: &Job) -> Result<Code, Failure> {
        let (origins, leaves) = self.compile_into_context(job)?;
        self.code(&origins, &leaves)
    }

    /// The code that was just compiled.
    fn code(&self, origins: &[Origin], leaves: &[u64]) -> Result<Code, Failure> {
        let compiled = self.context.compiled_code().expect("something was just compiled");
        let names = &self.context.func.params;
        let relocs = compiled.buffer.relocs().iter().map(|r| reloc(r, names, leaves));
        let relocs = relocs.collect::<Result<_, _>>()?;
        let origins = compiled
            .buffer
            .get_srclocs_sorted()
            .iter()
            .filter_map(|range| Some((range.end, *origins.get(range.loc.bits() as usize)?)))
            .collect();
        Ok(Code { bytes: compiled.code_buffer().to_vec(), relocs, origins })
    }

    /// Compiles a region; gives [`Lowered::origins`] and [`Lowered::leaves`].
    fn compile_into_context(&mut self, job: &Job) -> Result<(Vec<Origin>, Vec<u64>), Failure> {
        let target = self.isa.frontend_config();
        let Lowered { function, origins, leaves } = lower::lower(job, target, &mut self.builder);
        self.compile_function(function)?;
        Ok((origins, leaves))
    }

    fn compile_function(&mut self, function: Function) -> Result<(), Failure> {
        self.context.clear();
        self.context.func = function;
        #[cfg(feature = "planted-faults")]
        crate::planted::plant(&mut self.context.func);
        let result = self.context.compile(&*self.isa, &mut ControlPlane::default());
        result.map(drop).map_err(|error| Failure(format!("{:?}", error.inner)))
    }

    /// The region in CLIF, before any optimisation, with guest addresses.
    pub fn clif(&mut self, job: &Job) -> String {
        let target = self.isa.frontend_config();
        let Lowered { function, origins, .. } = lower::lower(job, target, &mut self.builder);
        readable(&function.display().to_string(), &origins)
    }

    /// The region in CLIF, after all optimisation, with guest addresses.
    ///
    /// # Errors
    /// As [`compile`](Self::compile).
    pub fn optimised_clif(&mut self, job: &Job) -> Result<String, Failure> {
        let (origins, _) = self.compile_into_context(job)?;
        Ok(readable(&self.context.func.display().to_string(), &origins))
    }
}

fn reloc(
    reloc: &FinalizedMachReloc,
    names: &FunctionParameters,
    leaves: &[u64],
) -> Result<Reloc, Failure> {
    let unknown = || Failure("the code has other relocations".into());
    let FinalizedRelocTarget::ExternalName(ExternalName::User(name)) = &reloc.target else {
        return Err(unknown());
    };
    let name = &names.user_named_funcs()[*name];
    let (target, distance) = match (name.namespace, reloc.kind) {
        (places::ADDRESS, Kind::Abs8) => (Target::Address, reloc.addend as u64),
        // The processor counts from behind the word.
        (places::SLOT, Kind::X86CallPCRel4) if reloc.addend == -4 => {
            (Target::Slot, *leaves.get(name.index as usize).ok_or_else(unknown)?)
        }
        _ => return Err(unknown()),
    };
    Ok(Reloc { at: reloc.offset, target, distance })
}

#[cfg(test)]
mod tests {
    use super::*;
    use cranelift_codegen::cursor::{Cursor, FuncCursor};
    use cranelift_codegen::ir::types::I64;
    use cranelift_codegen::ir::{
        AbiParam, ExtFuncData, ExternalName, InstBuilder, Signature, UserExternalName,
    };

    /// A function that returns the address of another one.
    fn address_of_a_function() -> Function {
        let mut function = Function::new();
        let convention = function.signature.call_conv;
        let signature = function.import_signature(Signature::new(convention));
        let name = function.declare_imported_user_function(UserExternalName::new(7, 0));
        let name = ExternalName::user(name);
        let callee = ExtFuncData { name, signature, colocated: false, patchable: false };
        let callee = function.import_function(callee);
        function.signature.returns.push(AbiParam::new(I64));
        let block = function.dfg.make_block();
        let mut cursor = FuncCursor::new(&mut function);
        cursor.insert_block(block);
        let address = cursor.ins().func_addr(I64, callee);
        cursor.ins().return_(&[address]);
        function
    }

    #[test]
    fn code_that_depends_on_where_it_is_is_refused() {
        let mut compiler = Compiler::new().unwrap();
        compiler.compile_function(address_of_a_function()).unwrap();
        let result = compiler.code(&[], &[]);
        assert_eq!(result.err(), Some(Failure("the code has other relocations".into())));
    }
}
