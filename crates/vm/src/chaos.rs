//! A mode for tests in which translations come and go at random.

use rvrun_jit::Translator;

/// What decides, from a seed on.
pub struct Chaos {
    random: u64,
}

impl Chaos {
    /// Chaos that is the same for the same seed.
    pub fn new(seed: u64) -> Self {
        Self { random: seed.wrapping_mul(2).wrapping_add(1) }
    }

    fn next(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
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
