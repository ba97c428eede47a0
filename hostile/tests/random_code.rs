//! Random code stops in one of the documented ways, and never in another.

use rvrun_hostile::arena::Arena;

const SEED: u64 = 1;
const CASES: u64 = 20_000;

#[test]
fn random_code_ends_as_documented() {
    let mut arena = Arena::new().unwrap();
    let (mut wrong, mut retired, mut traps) = (Vec::new(), 0, 0);
    for case in 0..CASES {
        match arena.run(SEED, case) {
            Ok(ending) => {
                retired += ending.retired;
                traps += ending.traps;
            }
            Err(why) => wrong.push(format!("case {case}: {why}")),
        }
    }
    assert!(wrong.is_empty(), "seed {SEED}: {}", wrong.join("\n"));
    // Code that only traps, or never does, would test little.
    assert!(retired > 5 * CASES, "only {retired} instructions were retired");
    assert!((CASES / 2..retired / 2).contains(&traps), "{traps} traps, {retired} instructions");
}
