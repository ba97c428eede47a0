//! Smaller programs that still differ.

use super::program::{Item, Program};

/// Leaves out of `program` what can be left out while `differs` says that it still does.
pub fn shrink(mut program: Program, mut differs: impl FnMut(&Program) -> bool) -> Program {
    loop {
        let mut smaller = false;
        if program.rounds > 1 {
            let few = Program { rounds: program.rounds / 2, ..program.clone() };
            if differs(&few) {
                (program, smaller) = (few, true);
            }
        }
        let mut number = 0;
        while number < count(&program) {
            let candidates = [Removal::Whole, Removal::Outer].map(|r| without(&program, number, r));
            match candidates.into_iter().flatten().find(&mut differs) {
                Some(without) => (program, smaller) = (without, true),
                None => number += 1,
            }
        }
        if !smaller {
            return program;
        }
    }
}

/// All items, nested ones included.
fn count(program: &Program) -> usize {
    program.functions.iter().map(|items| count_items(items)).sum()
}

fn count_items(items: &[Item]) -> usize {
    let nested = |item: &Item| match item {
        Item::Skip(_, items) | Item::Loop(_, items) => count_items(items),
        _ => 0,
    };
    items.iter().map(|item| 1 + nested(item)).sum()
}

/// What is taken away of an item.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Removal {
    /// All of it.
    Whole,
    /// What is around others: those stay.
    Outer,
}

/// The program without the item of this number; none if nothing of it can be taken away so.
fn without(program: &Program, mut number: usize, removal: Removal) -> Option<Program> {
    let mut smaller = program.clone();
    let done = smaller.functions.iter_mut().find_map(|items| remove(items, &mut number, removal));
    done?.then_some(smaller)
}

/// Removes an item, counting down to it; says whether that could be done if it was here.
fn remove(items: &mut Vec<Item>, number: &mut usize, removal: Removal) -> Option<bool> {
    for index in 0..items.len() {
        if *number == 0 {
            let nested = match &mut items[index] {
                _ if removal == Removal::Whole => Vec::new(),
                Item::Skip(_, nested) | Item::Loop(_, nested) => std::mem::take(nested),
                _ => return Some(false),
            };
            items.splice(index..=index, nested);
            return Some(true);
        }
        *number -= 1;
        if let Item::Skip(_, nested) | Item::Loop(_, nested) = &mut items[index]
            && let Some(done) = remove(nested, number, removal)
        {
            return Some(done);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::program::program;
    use rvrun_hostile::Random;

    /// The bits of all plain instructions.
    fn plain(items: &[Item]) -> Vec<u32> {
        let of = |item: &Item| match item {
            Item::Plain(bits) => vec![*bits],
            Item::Skip(_, items) | Item::Loop(_, items) => plain(items),
            _ => Vec::new(),
        };
        items.iter().flat_map(of).collect()
    }

    #[test]
    fn what_makes_the_difference_remains() {
        for case in 0..20 {
            let large = program(&mut Random::of_case(1, case));
            let all: Vec<u32> = large.functions.iter().flat_map(|items| plain(items)).collect();
            let Some(&wanted) = all.get(all.len() / 2) else { continue };
            let has = |p: &Program| p.functions.iter().any(|items| plain(items).contains(&wanted));
            let small = shrink(large, has);
            assert!(has(&small));
            assert_eq!(count(&small), 1, "{small:?}");
            assert_eq!(small.rounds, 1);
        }
    }
}
