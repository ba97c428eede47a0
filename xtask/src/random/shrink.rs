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
            let without = without(&program, number);
            if differs(&without) {
                (program, smaller) = (without, true);
            } else {
                number += 1;
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

/// The program without the item of this number.
fn without(program: &Program, mut number: usize) -> Program {
    let mut smaller = program.clone();
    for items in &mut smaller.functions {
        if remove(items, &mut number) {
            break;
        }
    }
    smaller
}

/// Removes an item, counting down to it; says whether it was here.
fn remove(items: &mut Vec<Item>, number: &mut usize) -> bool {
    for index in 0..items.len() {
        if *number == 0 {
            items.remove(index);
            return true;
        }
        *number -= 1;
        if let Item::Skip(_, nested) | Item::Loop(_, nested) = &mut items[index]
            && remove(nested, number)
        {
            return true;
        }
    }
    false
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
            assert!(count(&small) <= 3, "{small:?}");
            assert_eq!(small.rounds, 1);
        }
    }
}
