//! Pseudo-random words that know nothing of the password (RFC 9106 §3.4.1.2).

use crate::block::{Block, WORDS};
use crate::fill::Fill;
use crate::segment::{Place, Step};

/// The words of one segment, made 128 at a time.
pub(crate) struct Addresses {
    /// What makes them: a place, the parameters, and a counter.
    seed: Block,
    words: Block,
}

/// Where in the seed the counter is.
const COUNTER: usize = 6;

impl Addresses {
    pub(crate) fn new(fill: &Fill, place: Place) -> Self {
        let params = &fill.params;
        let words = [
            place.pass,
            place.lane,
            place.slice,
            params.blocks(),
            params.passes(),
            fill.variant.code(),
        ];
        let mut seed = Block::ZERO;
        for (word, value) in words.into_iter().enumerate() {
            seed.set(word, value.into());
        }
        Self { seed, words: Block::ZERO }
    }

    /// The word for a block of the segment.
    #[expect(clippy::inline_always, reason = "only inside it has the form's vectors")]
    #[inline(always)]
    pub(crate) fn at(&mut self, index: usize, compress: &impl Fn(Step<'_>)) -> u64 {
        let counter = (index / WORDS + 1) as u64;
        if self.seed.word(COUNTER) != counter {
            self.seed.set(COUNTER, counter);
            self.refill(compress);
        }
        self.words.word(index % WORDS)
    }

    fn refill(&mut self, compress: &impl Fn(Step<'_>)) {
        let previous = &Block::ZERO;
        let mut half = Block::ZERO;
        compress(Step { previous, reference: &self.seed, target: &mut half, adds: false });
        compress(Step { previous, reference: &half, target: &mut self.words, adds: false });
    }
}
