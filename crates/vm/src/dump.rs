//! What translations look like, for readers: guest code, nodes, CLIF and host code.

use crate::places::Places;
use iced_x86::{Decoder, DecoderOptions, Formatter, IntelFormatter};
use rvrun_decoder::symbols::Symbol;
use rvrun_isa::{Extensions, Instruction, decode};
use rvrun_jit::{Code, Compiler, Failure, Guest, Job, listing};
use rvrun_memory::AddressSpace;
use std::cell::RefCell;
use std::fmt::Write;
use std::sync::Arc;

/// Which translations are described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Translated {
    /// All of them.
    All,
    /// Those with code at this address.
    At(u64),
    /// Those with code of the function of this name.
    Function(String),
}

/// Takes the description of one translation, in lines of text.
pub type DumpSink = Box<dyn FnMut(&str) + Send>;

/// Describes translations as they get ready.
pub struct Dump {
    guest: Known,
    wanted: Vec<Translated>,
    sink: DumpSink,
    /// Another one than that which made the code: it has to show what is between.
    compiler: Option<Compiler>,
}

/// The program, for readers.
struct Known {
    space: Arc<AddressSpace>,
    extensions: Extensions,
    places: RefCell<Places>,
}

impl Guest for Known {
    fn instruction(&self, pc: u64) -> Option<Instruction> {
        let mut bytes = [0; 4];
        self.space.fetch(pc, &mut bytes).ok()?;
        decode(u32::from_le_bytes(bytes), self.extensions)
    }

    fn name(&self, pc: u64) -> String {
        match self.symbol(pc) {
            Some(Symbol { name, offset: 0 }) => format!("{pc:#x} <{name}>"),
            Some(Symbol { name, offset }) => format!("{pc:#x} <{name}+{offset:#x}>"),
            None => format!("{pc:#x}"),
        }
    }
}

impl Known {
    fn symbol(&self, pc: u64) -> Option<Symbol> {
        self.places.borrow_mut().at(pc)?.symbol
    }
}

impl Dump {
    /// Gives `sink` the translations that are `wanted` of a program in `space`.
    pub fn new(
        space: Arc<AddressSpace>,
        extensions: Extensions,
        wanted: Vec<Translated>,
        sink: DumpSink,
    ) -> Self {
        let places = RefCell::new(Places::new(space.clone()));
        Self { guest: Known { space, extensions, places }, wanted, sink, compiler: None }
    }

    /// A translation is ready at `address`.
    pub fn translated(&mut self, job: &Job, code: &Code, address: usize) {
        if self.is_wanted(job) {
            let text = self.describe(job, code, address);
            (self.sink)(&text);
        }
    }

    fn is_wanted(&self, job: &Job) -> bool {
        self.wanted.iter().any(|wanted| match wanted {
            Translated::All => true,
            Translated::At(pc) => job.region.code.iter().any(|range| range.contains(pc)),
            Translated::Function(name) => {
                let of_it = |pc| self.guest.symbol(pc).is_some_and(|symbol| symbol.name == *name);
                job.region.nodes.iter().any(|node| of_it(node.pc))
            }
        })
    }

    fn describe(&mut self, job: &Job, code: &Code, address: usize) -> String {
        let region = &job.region;
        let mut text = format!(
            "==== {}: {} instructions of the guest, {} bytes of host code at {address:#x}\n\n",
            self.guest.name(region.entry),
            region.instructions,
            code.bytes.len()
        );
        text += &listing(job, &self.guest);
        match self.clif(job) {
            Ok([before, after]) => {
                // Writing to a string cannot fail.
                let _ = write!(text, "CLIF\n\n{before}\nCLIF, optimised\n\n{after}\n");
            }
            Err(Failure(why)) => {
                let _ = write!(text, "no CLIF: {why}\n\n");
            }
        }
        text += "host code\n\n";
        self.write_host_code(&mut text, code);
        text.push('\n');
        text
    }

    fn clif(&mut self, job: &Job) -> Result<[String; 2], Failure> {
        let compiler = match &mut self.compiler {
            Some(compiler) => compiler,
            none => none.insert(Compiler::new()?),
        };
        Ok([compiler.clif(job), compiler.optimised_clif(job)?])
    }

    /// Host instructions, below the guest instruction that they are there for.
    fn write_host_code(&self, text: &mut String, code: &Code) {
        let mut formatter = IntelFormatter::new();
        let options = formatter.options_mut();
        options.set_space_after_operand_separator(true);
        options.set_hex_prefix("0x");
        options.set_hex_suffix("");
        options.set_uppercase_hex(false);
        options.set_small_hex_numbers_in_decimal(true);
        options.set_branch_leading_zeros(false);
        options.set_rip_relative_addresses(true);
        let mut above = None;
        // Addresses, those of jumps included, count from the beginning of the code.
        for instruction in &mut Decoder::new(64, &code.bytes, DecoderOptions::NONE) {
            let at = instruction.ip();
            let next = code.origins.partition_point(|(end, _)| u64::from(*end) <= at);
            let pc = code.origins.get(next).map(|(_, origin)| origin.pc);
            if pc != above {
                above = pc;
                if let Some(pc) = pc {
                    let instruction = self.guest.instruction(pc).map(Instruction::expanded);
                    let instruction = instruction.map(|i| i.to_string()).unwrap_or_default();
                    let _ = writeln!(text, "{pc:#x}  {instruction}");
                }
            }
            let mut words = String::new();
            formatter.format(&instruction, &mut words);
            let _ = writeln!(text, "    {at:5x}  {words}");
        }
    }
}
