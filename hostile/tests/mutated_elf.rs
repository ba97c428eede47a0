//! Mutated ELF files are programs or errors, and never anything worse.

use rvrun_hostile::{Random, elf};
use std::fs;
use std::time::{Duration, Instant};

const SEED: u64 = 1;
const CASES: u64 = 2000;
/// Far more than any header takes to read, even unoptimised.
const LIMIT: Duration = Duration::from_secs(5);

#[test]
fn mutated_files_are_read_or_refused() {
    let programs: Vec<_> = elf::programs()
        .unwrap()
        .iter()
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    assert!(programs.len() > 20, "the guest programs are missing");
    let mut accepted = 0;
    for case in 0..CASES {
        let mut random = Random::of_case(SEED, case);
        let (path, program) = &programs[random.below(programs.len())];
        let file = elf::mutated(program, &mut random);
        let start = Instant::now();
        let outcome = std::panic::catch_unwind(|| elf::examine(&file).is_ok());
        let Ok(outcome) = outcome else { panic!("seed {SEED} case {case}: {}", path.display()) };
        assert!(start.elapsed() < LIMIT, "seed {SEED} case {case}: {}", path.display());
        accepted += usize::from(outcome);
    }
    // Mutations that nothing survives would test only the first check.
    assert!((CASES as usize / 10..CASES as usize * 9 / 10).contains(&accepted), "{accepted}");
}

#[test]
fn a_case_is_the_same_each_time() {
    let program = fs::read(&elf::programs().unwrap()[0]).unwrap();
    let file = || elf::mutated(&program, &mut Random::of_case(7, 8));
    assert_eq!(file(), file());
    assert_ne!(file(), elf::mutated(&program, &mut Random::of_case(7, 9)));
}
