//! A mode for tests in which translations come and go at random.

use rvrun_jit::Translator;

/// Translations that are made whenever somebody wants one; then less and less often. A program
/// that runs long in little memory for code would do nothing but translate.
const OFTEN: u64 = 4096;

/// What decides, from a seed on.
pub struct Chaos {
    random: u64,
    /// Translations that were wanted.
    wanted: u64,
}

impl Chaos {
    /// Chaos that is the same for the same seed.
    pub fn new(seed: u64) -> Self {
        Self { random: seed.wrapping_mul(2).wrapping_add(1), wanted: 0 }
    }

    fn next(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    /// Whether something that is hot is to be translated.
    pub fn translates(&mut self) -> bool {
        self.wanted += 1;
        self.next().is_multiple_of((self.wanted / OFTEN).max(1))
    }

    /// Drops one translation, or all of them, or mostly none.
    pub fn stir(&mut self, translator: &mut Translator) {
        match self.next() % 256 {
            0 => translator.clear(),
            1..8 => {
                let entries = translator.entries();
                let index = self.next() as usize % entries.len().max(1);
                if let Some(entry) = entries.get(index) {
                    translator.evict(*entry);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_wants_many_translations_gets_few_more() {
        let mut chaos = Chaos::new(1);
        let mut made = |wanted: u64| (0..wanted).filter(|_| chaos.translates()).count() as u64;
        assert_eq!(made(OFTEN), OFTEN);
        let more = made(1 << 22);
        assert!((OFTEN..16 * OFTEN).contains(&more), "{more}");
    }
}
