//! Random code does the same on the translator as on the interpreter.

use rvrun_hostile::twin::{Compared, Twin};

const SEED: u64 = 1;
const CASES: u64 = 2000;

#[test]
fn random_code_does_the_same_when_translated() {
    let mut twin = Twin::new().unwrap();
    let (mut wrong, mut whole) = (Vec::new(), 0);
    for case in 0..CASES {
        match twin.run(SEED, case) {
            Ok(compared) => whole += u64::from(compared == Compared::Whole),
            Err(why) => wrong.push(format!("case {case}: {why}")),
        }
    }
    assert!(wrong.is_empty(), "seed {SEED}: {} wrong\n{}", wrong.len(), wrong.join("\n"));
    assert!(whole > CASES / 2, "only {whole} cases were compared to their end");
}
