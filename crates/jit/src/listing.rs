//! A region in words: its guest instructions, how its nodes end, and what is held
//! in values where they begin.

use crate::analysis::{self, Held, NodePlan, floats_in, integers_in};
use crate::compile::Job;
use crate::effects::{self, Way};
use crate::lower::Origin;
use crate::state::offset;
use rvrun_decoder::region::{Edge, End, Node};
use rvrun_isa::effect::float;
use rvrun_isa::{F_NAMES, Instruction, X_NAMES};
use std::collections::HashSet;
use std::fmt::Write;

/// What a listing asks of the one who knows the program.
pub trait Guest {
    /// The instruction at `pc`.
    fn instruction(&self, pc: u64) -> Option<Instruction>;
    /// Names `pc` for a reader: as a number, at least.
    fn name(&self, pc: u64) -> String;
}

/// Whether translations execute `instruction` themselves: others are interpreted
/// on their behalf.
pub fn is_lowered(instruction: &Instruction) -> bool {
    effects::way(instruction) == Way::Lowered
}

/// Describes the region of `job`, a paragraph for each node.
pub fn listing(job: &Job, guest: &dyn Guest) -> String {
    let plan = analysis::analyse(&job.region, job.mode.precise);
    let mut text = String::new();
    for (id, node) in job.region.nodes.iter().enumerate() {
        let reached = plan.order.contains(&(id as u32));
        // Writing to a string cannot fail.
        let _ = write_node(&mut text, id, node, reached.then(|| &plan.nodes[id]), guest);
    }
    text
}

fn write_node(
    text: &mut String,
    id: usize,
    node: &Node,
    plan: Option<&NodePlan>,
    guest: &dyn Guest,
) -> std::fmt::Result {
    write!(text, "node {id} at {}", guest.name(node.pc))?;
    match plan {
        None => text.push_str(", not entered"),
        Some(plan) if plan.loop_head => text.push_str(", head of a loop"),
        Some(_) => {}
    }
    text.push('\n');
    if let Some(plan) = plan.filter(|plan| plan.held.available != 0) {
        writeln!(text, "  holds {}", held(&plan.held))?;
    }
    let mut pc = node.pc;
    for instruction in &node.body {
        let mark = if is_lowered(instruction) { "" } else { "  (interpreted)" };
        writeln!(text, "  {pc:#x}  {instruction}{mark}")?;
        pc = pc.wrapping_add(instruction.len.into());
    }
    if node.count as usize > node.body.len()
        && let Some(instruction) = guest.instruction(node.end_pc)
    {
        writeln!(text, "  {:#x}  {}", node.end_pc, instruction.expanded())?;
    }
    writeln!(text, "  {}\n", end(&node.end, guest))
}

/// Registers, with a `*` those that memory has not got, with `.s` those in single precision.
pub(crate) fn held(held: &Held) -> String {
    let star = |dirty: bool| if dirty { "*" } else { "" };
    let integers = integers_in(held.available).map(|register| {
        format!("{}{}", X_NAMES[usize::from(register)], star(held.dirty >> register & 1 != 0))
    });
    let floats = floats_in(held.available).map(|register| {
        let single = if held.single & float(register) != 0 { ".s" } else { "" };
        let dirty = star(held.dirty & float(register) != 0);
        format!("{}{single}{dirty}", F_NAMES[usize::from(register)])
    });
    integers.chain(floats).collect::<Vec<_>>().join(" ")
}

fn end(end: &End, guest: &dyn Guest) -> String {
    let edge = |edge: &Edge| match edge {
        Edge::Node(node) => format!("node {node}"),
        Edge::Leave(pc) => format!("out to {}", guest.name(*pc)),
    };
    let register = |base: &u8, offset: &i32| match offset {
        0 => X_NAMES[usize::from(*base)].to_owned(),
        _ => format!("{}{offset:+}", X_NAMES[usize::from(*base)]),
    };
    match end {
        End::Goto(to) => format!("then {}", edge(to)),
        End::Branch { taken, fall, .. } => format!("if so {}, else {}", edge(taken), edge(fall)),
        End::Skip { skipped, to, .. } => {
            let skipped: Vec<String> = skipped.iter().map(|i| format!("{i}; ")).collect();
            format!("unless so: {}then {}", skipped.concat(), edge(to))
        }
        End::Call { target, back, .. } => {
            format!("calls {}, then {}", guest.name(*target), edge(back))
        }
        End::CallIndirect { base, offset, back, .. } => {
            format!("calls where {} points, then {}", register(base, offset), edge(back))
        }
        End::Inline { target, .. } => format!("calls {}, which is taken in", edge(target)),
        End::InlineReturn { base, offset, return_pc, back } => format!(
            "returns to {} if {} is {return_pc:#x}, else up",
            edge(back),
            register(base, offset)
        ),
        End::Return { .. } => "returns".into(),
        End::Rest { target, back, .. } => {
            format!("calls the rest at {}, then {}", guest.name(*target), edge(back))
        }
        End::Jump { base, offset, targets, others, back, .. } => {
            let known = targets.iter().map(|(pc, node)| format!("{pc:#x} (node {node}), "));
            let known: String = known.collect();
            let more = if *others > 0 { format!(" ({others} more seen)") } else { String::new() };
            let returns = match back {
                Some((_, back)) => format!(", then {}", edge(back)),
                None => String::new(),
            };
            format!("jumps to {known}or where {} points{more}{returns}", register(base, offset))
        }
        End::Syscall(next) => format!("leaves for a system call, then {}", guest.name(*next)),
        End::Interpret => "leaves to have this interpreted".into(),
    }
}

/// CLIF as Cranelift writes it, with guest addresses for source locations, and with
/// names for the parts of the state.
pub(crate) fn readable(clif: &str, origins: &[Origin]) -> String {
    let mut text = String::new();
    // Values that are the state's address.
    let mut states = HashSet::new();
    for line in clif.lines() {
        if let Some((value, "get_pinned_reg.i64")) = line.trim_end().split_once(" = ") {
            states.extend(value.split(' ').next_back());
        }
        let line = with_names(line, &states);
        let located = line.strip_prefix('@').and_then(|rest| rest.split_once(' '));
        let _ = match located {
            Some((location, rest)) => {
                let index = usize::from_str_radix(location, 16).unwrap_or(usize::MAX);
                let pc = origins.get(index).map_or(0, |origin| origin.pc);
                writeln!(text, "{:<36}{}", format!("{pc:#x}"), rest.trim_start())
            }
            None => writeln!(text, "{line}"),
        };
    }
    text
}

/// `v7+80` is `v7[a0]`, if `v7` is the state's address.
fn with_names(line: &str, states: &HashSet<&str>) -> String {
    let named = || {
        let (before, place) = line.split_once('+')?;
        let state = before.rsplit(' ').next().filter(|value| states.contains(value))?;
        let digits = place.find(|c: char| !c.is_ascii_digit()).unwrap_or(place.len());
        let (digits, behind) = place.split_at(digits);
        let before = before.strip_suffix(state)?;
        Some(format!("{before}{state}[{}]{behind}", offset::name(digits.parse().ok()?)?))
    };
    named().unwrap_or_else(|| line.to_owned())
}
