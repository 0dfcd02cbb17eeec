//! The passes over the memory (RFC 9106 §3.2, steps 5 and 6).
//!
//! Slices of all lanes lie one behind the other: first every lane's first segment, then every
//! lane's second, and so on. While a slice is made, its segments are written by one lane each
//! and all others are only read, so the borrow checker knows what RFC 9106 §3.4 promises: lanes
//! may be computed at once.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::block::Block;
use crate::params::SLICES;
use crate::segment::{Place, Segment};
use crate::{Form, Params, Variant, Version};

/// How memory is to be filled.
#[derive(Clone, Copy)]
pub(crate) struct Fill {
    pub(crate) params: Params,
    pub(crate) variant: Variant,
    pub(crate) version: Version,
    pub(crate) form: Form,
    pub(crate) threads: NonZeroUsize,
}

/// Fills memory whose lanes begin with their first two blocks.
pub(crate) fn fill(fill: &Fill, memory: &mut [Block]) {
    for pass in 0..fill.params.passes() {
        for slice in 0..SLICES {
            fill_slice(fill, pass, slice, memory);
        }
    }
}

fn fill_slice(fill: &Fill, pass: u32, slice: u32, memory: &mut [Block]) {
    let segment_length = fill.params.segment_length() as usize;
    let slice_length = segment_length * fill.params.lanes() as usize;
    let (before, rest) = memory.split_at_mut(slice_length * slice as usize);
    let (current, after) = rest.split_at_mut(slice_length);
    let (before, after) = (&*before, &*after);

    let segments = current
        .chunks_exact_mut(segment_length)
        .zip(0..)
        .map(|(own, lane)| Segment::new(fill, Place { pass, slice, lane }, [before, after], own));
    if fill.threads.get() == 1 || fill.params.lanes() == 1 {
        segments.for_each(|segment| fill.form.fill(segment));
    } else {
        on_threads(fill, segments.collect());
    }
}

/// Shares the lanes of a slice among threads and waits for all of them.
fn on_threads(fill: &Fill, segments: Vec<Segment<'_>>) {
    let helpers = fill.threads.get().min(segments.len()) - 1;
    let waiting = Mutex::new(segments.into_iter());
    let take = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        while let Some(segment) = take() {
            fill.form.fill(segment);
        }
    };
    thread::scope(|scope| {
        for _ in 0..helpers {
            // A thread that the system refuses is not missed: the others do what is left.
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
}
