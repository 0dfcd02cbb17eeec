//! One lane's part of a slice, and which blocks its blocks are made of (RFC 9106 §3.4).

use crate::addresses::Addresses;
use crate::block::Block;
use crate::fill::Fill;
use crate::params::SLICES;
use crate::window::{Location, Parts, Window};
use crate::{Variant, Version};

/// Where a segment lies.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) pass: u32,
    pub(crate) slice: u32,
    pub(crate) lane: u32,
}

/// A segment to be made, and the memory it may read.
pub(crate) struct Segment<'a> {
    place: Place,
    /// All slices before this one.
    before: &'a [Block],
    own: &'a mut [Block],
    /// All slices behind this one.
    after: &'a [Block],
    lanes: u32,
    /// Set where the memory read must not depend on the password (RFC 9106 §3.4.1.3).
    addresses: Option<Addresses>,
    /// Whether what stands in a block counts: version 0x13, from the second pass on.
    adds: bool,
}

/// One block to be made of two.
pub(crate) struct Step<'a> {
    pub(crate) previous: &'a Block,
    pub(crate) reference: &'a Block,
    pub(crate) target: &'a mut Block,
    /// Whether the result is added to what stands in the target.
    pub(crate) adds: bool,
    /// Where what the step behind this one reads is found.
    pub(crate) next: Next<'a>,
}

/// Where the reference of the step behind one is found.
pub(crate) enum Next<'a> {
    /// At a place that is known by now, perhaps with a block that can be fetched.
    Known(Location, Option<&'a Block>),
    /// Where the block's first word says, once so many blocks of the segment are done.
    Chosen(&'a Window, Parts<'a>, usize),
}

impl Next<'_> {
    /// Begins to fetch what the next step reads, while this one is still at work.
    #[expect(clippy::inline_always, reason = "only inside it has the form's vectors")]
    #[inline(always)]
    pub(crate) fn fetch(&self, first_word: u64, fetch: impl Fn(&Block)) -> Location {
        let (location, block) = match *self {
            Self::Known(location, block) => (location, block),
            Self::Chosen(window, parts, done) => {
                let location = window.choose(first_word, done);
                (location, parts.at(location))
            }
        };
        if let Some(block) = block {
            fetch(block);
        }
        location
    }
}

impl<'a> Segment<'a> {
    /// A segment, with the slices before and behind its own.
    pub(crate) fn new(
        fill: &Fill,
        place: Place,
        [before, after]: [&'a [Block]; 2],
        own: &'a mut [Block],
    ) -> Self {
        let is_early = place.pass == 0 && place.slice < SLICES / 2;
        let is_blind = fill.variant == Variant::I || is_early;
        Self {
            place,
            before,
            own,
            after,
            lanes: fill.params.lanes(),
            addresses: is_blind.then(|| Addresses::new(fill, place)),
            adds: place.pass > 0 && fill.version == Version::V0x13,
        }
    }

    /// Makes every block of the segment with a form's compression function.
    #[expect(clippy::inline_always, reason = "only inside it has the form's vectors")]
    #[inline(always)]
    pub(crate) fn fill_with(self, compress: impl Fn(Step<'_>) -> Location) {
        let window = Window::new(self.place, self.lanes, self.own.len());
        let Self { place, before, own, after, mut addresses, adds, .. } = self;
        let Some(end_of_lane) = window.end_of_lane(before, after) else { return };

        // The first two blocks of a lane come from the seed.
        let first = if place.pass == 0 && place.slice == 0 { 2 } else { 0 };
        let bits = match &mut addresses {
            Some(addresses) => addresses.at(first, &compress),
            None => end_of_lane.0[0],
        };
        let mut location = window.choose(bits, first);
        for index in first..own.len() {
            let (done, rest) = own.split_at_mut(index);
            let Some(target) = rest.first_mut() else { return };
            let previous = done.last().unwrap_or(end_of_lane);
            let parts = Parts([before, &*done, after]);
            // Nothing else can be found: the tests go through windows of every shape.
            let reference = parts.at(location).unwrap_or(previous);
            let next = match &mut addresses {
                Some(addresses) => {
                    let location = window.choose(addresses.at(index + 1, &compress), index + 1);
                    Next::Known(location, parts.at(location))
                }
                None => Next::Chosen(&window, parts, index + 1),
            };
            location = compress(Step { previous, reference, target, adds, next });
        }
    }
}
