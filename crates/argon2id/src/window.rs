//! Which blocks a block may be made of (RFC 9106 §3.4.2).

use std::hint::select_unpredictable;

use crate::block::Block;
use crate::params::SLICES;
use crate::segment::Place;

/// The blocks that a segment may read, seen from its lane: those of the last four slices that
/// are complete, and what is done of its own.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    lane: usize,
    lanes: usize,
    segment_length: usize,
    lane_length: usize,
    /// Blocks of one slice in all lanes.
    slice_length: usize,
    /// Where in a lane the window begins.
    start: usize,
    /// How much of it lies in complete slices.
    complete: usize,
    /// Where in the memory the own slice, and in it the own segment, begin.
    slice_start: usize,
    slice_end: usize,
    own_start: usize,
    is_first_slice: bool,
}

impl Window {
    pub(crate) fn new(place: Place, lanes: u32, segment_length: usize) -> Self {
        let (lane, lanes, slice) = (place.lane as usize, lanes as usize, place.slice as usize);
        let slices = SLICES as usize;
        let (start, complete) = match place.pass {
            0 => (0, slice),
            _ => ((slice + 1) % slices, slices - 1),
        };
        let slice_length = segment_length * lanes;
        let slice_start = slice * slice_length;
        Self {
            lane,
            lanes,
            segment_length,
            lane_length: slices * segment_length,
            slice_length,
            start: start * segment_length,
            complete: complete * segment_length,
            slice_start,
            slice_end: slice_start + slice_length,
            own_start: slice_start + lane * segment_length,
            is_first_slice: place.pass == 0 && slice == 0,
        }
    }

    /// The block before the segment's first. (The very first segment has none, and begins with
    /// blocks that come from the seed.)
    pub(crate) fn end_of_lane<'a>(
        &self,
        before: &'a [Block],
        after: &'a [Block],
    ) -> Option<&'a Block> {
        let earlier = if before.is_empty() { after } else { before };
        let slice = earlier.get(earlier.len().checked_sub(self.slice_length)?..)?;
        slice.get((self.lane + 1) * self.segment_length - 1)
    }

    /// The block that 64 bits choose: the upper half a lane, the lower half a place in it, near
    /// ones more often. `done` blocks of the own segment are made.
    ///
    /// The next block waits for this, so there is no branch that could not be foretold.
    #[expect(clippy::inline_always, reason = "the memory waits for this address")]
    #[expect(clippy::cast_possible_truncation, reason = "less than the area, a usize")]
    #[inline(always)]
    pub(crate) fn choose(&self, bits: u64, done: usize) -> Location {
        let lane = self.lane_of(bits);
        let own = if lane == self.lane { done } else { 0 };
        let previous = usize::from(lane == self.lane || done == 0);
        let area = self.complete.wrapping_add(own).wrapping_sub(previous);

        let (low, area) = (bits & 0xffff_ffff, area as u64);
        let squared = low.wrapping_mul(low) >> 32;
        let back = area.wrapping_mul(squared) >> 32;
        let place = (self.start as u64).wrapping_add(area).wrapping_add(!back) as usize;
        let around = place.wrapping_sub(self.lane_length);
        self.locate(lane, select_unpredictable(place >= self.lane_length, around, place))
    }

    #[expect(clippy::inline_always, reason = "the memory waits for this address")]
    #[inline(always)]
    fn lane_of(&self, bits: u64) -> usize {
        if self.lanes == 1 || self.is_first_slice {
            return self.lane;
        }
        (bits >> 32) as usize % self.lanes
    }

    #[expect(clippy::inline_always, reason = "the memory waits for this address")]
    #[inline(always)]
    fn locate(&self, lane: usize, place: usize) -> Location {
        let mut offset = place;
        if self.lanes > 1 {
            let length = self.segment_length;
            let slices = [length, 2 * length, 3 * length].map(|start| usize::from(place >= start));
            let others = (slices[0] + slices[1] + slices[2]).wrapping_mul(self.lanes - 1) + lane;
            offset = place.wrapping_add(others.wrapping_mul(length));
        }
        let (is_own, is_after) = (offset >= self.slice_start, offset >= self.slice_end);
        let start = select_unpredictable(is_own, self.own_start, 0);
        let start = select_unpredictable(is_after, self.slice_end, start);
        let part = usize::from(is_own) + usize::from(is_after);
        Location { part, index: offset.wrapping_sub(start) }
    }
}

/// Where a block is: which of the parts that are read, and where in it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Location {
    part: usize,
    index: usize,
}

/// The memory a segment may read: the slices before its own, what is done of itself, and the
/// slices behind.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'a>(pub(crate) [&'a [Block]; 3]);

impl<'a> Parts<'a> {
    #[expect(clippy::inline_always, reason = "the memory waits for this address")]
    #[inline(always)]
    pub(crate) fn at(&self, location: Location) -> Option<&'a Block> {
        self.0.get(location.part)?.get(location.index)
    }
}
