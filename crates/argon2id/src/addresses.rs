//! Pseudo-random words that know nothing of the password (RFC 9106 §3.4.1.2).

use crate::block::{Block, WORDS};
use crate::fill::Fill;
use crate::segment::{Next, Place, Step};
use crate::window::Location;

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
    pub(crate) fn at(&mut self, index: usize, compress: &impl Fn(Step<'_>) -> Location) -> u64 {
        let counter = (index / WORDS + 1) as u64;
        if self.seed.word(COUNTER) != counter {
            self.seed.set(COUNTER, counter);
            let mut half = Block::ZERO;
            compress(step(&self.seed, &mut half));
            compress(step(&half, &mut self.words));
        }
        self.words.word(index % WORDS)
    }
}

/// Makes a block of one alone, with nothing behind it.
fn step<'a>(reference: &'a Block, target: &'a mut Block) -> Step<'a> {
    let next = Next::Known(Location::default(), None);
    Step { previous: &Block::ZERO, reference, target, adds: false, next }
}
