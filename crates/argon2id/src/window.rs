//! Which blocks a block may be made of (RFC 9106 §3.4.2).

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
    /// Blocks of one slice in all lanes.
    slice_length: usize,
    /// Where in a lane the window begins.
    start: usize,
    /// How much of it lies in complete slices.
    complete: usize,
    /// Where in the memory the own slice, and in it the own segment, begin.
    slice_start: usize,
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
            slice_length,
            start: start * segment_length,
            complete: complete * segment_length,
            slice_start,
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
    /// ones more often. `parts` are the slices before, what is done of the own segment, and the
    /// slices behind.
    #[expect(clippy::inline_always, reason = "the memory waits for this address")]
    #[expect(clippy::cast_possible_truncation, reason = "less than the area, a usize")]
    #[inline(always)]
    pub(crate) fn choose<'a>(&self, bits: u64, parts: [&'a [Block]; 3]) -> Option<&'a Block> {
        let lane = self.lane_of(bits);
        let [_, done, _] = parts;
        let own = if lane == self.lane { done.len() } else { 0 };
        let previous = usize::from(lane == self.lane || done.is_empty());
        let area = self.complete.wrapping_add(own).wrapping_sub(previous);

        let (low, area) = (bits & 0xffff_ffff, area as u64);
        let squared = low.wrapping_mul(low) >> 32;
        let back = area.wrapping_mul(squared) >> 32;
        let ahead = area.wrapping_sub(1).wrapping_sub(back) as usize;
        self.find(lane, self.start.wrapping_add(ahead), parts)
    }

    #[expect(clippy::inline_always, reason = "the memory waits for this address")]
    #[inline(always)]
    fn lane_of(&self, bits: u64) -> usize {
        if self.lanes == 1 || self.is_first_slice {
            return self.lane;
        }
        (bits >> 32) as usize % self.lanes
    }

    /// The block at a place in a lane, counted on beyond the lane's end. No branch: it could
    /// not be foretold.
    #[expect(clippy::inline_always, reason = "the memory waits for this address")]
    #[inline(always)]
    fn find<'a>(&self, lane: usize, place: usize, parts: [&'a [Block]; 3]) -> Option<&'a Block> {
        let length = self.segment_length;
        let beyond = usize::from(place >= 4 * length);
        let place = place.wrapping_sub(beyond.wrapping_mul(4 * length));
        let slice = (1..4_usize).map(|slice| usize::from(place >= slice * length)).sum::<usize>();
        let offset = place
            .wrapping_add(lane.wrapping_mul(length))
            .wrapping_add(slice.wrapping_mul(self.slice_length - length));

        let slice_end = self.slice_start.wrapping_add(self.slice_length);
        let part = usize::from(offset >= self.slice_start) + usize::from(offset >= slice_end);
        let starts = [0, self.own_start, slice_end];
        parts.get(part)?.get(offset.wrapping_sub(*starts.get(part)?))
    }
}
