//! Memory for hashes: taken once, used again, wiped in between.
#![expect(unsafe_code, reason = "memory in huge pages that may be refused")]

use std::alloc::{Layout, alloc, dealloc};
use std::fmt;
use std::ptr::NonNull;

use crate::block::Block;
use crate::{Error, Params};

/// What one entry of the processor's address cache can cover, where the system lets it. Most
/// reads of Argon2 go to a page not read lately, so nothing but vectors saves more time.
const HUGE_PAGE: usize = 2 << 20;

const PAGE: usize = 4 << 10;

/// Memory that one hash at a time is computed in.
///
/// It is taken by [`Arena::reserve`], which may be refused, and stays until
/// [`Arena::release`] or the end. Between hashes it is zero: nothing of one password's work
/// serves anybody else.
#[derive(Default)]
pub struct Arena {
    region: Option<Region>,
}

impl Arena {
    /// An arena without memory.
    #[must_use]
    pub const fn new() -> Self {
        Self { region: None }
    }

    /// Takes what hashes of these parameters need, if the arena has less.
    pub fn reserve(&mut self, params: &Params) -> Result<(), Error> {
        if self.blocks().len() < params.blocks() as usize {
            self.release();
            let refused = Error::OutOfMemory(params.memory_kib());
            self.region = Some(Region::take(params.blocks()).ok_or(refused)?);
        }
        Ok(())
    }

    /// Gives the memory back to the system.
    pub fn release(&mut self) {
        self.region = None;
    }

    /// How much memory a hash may take here.
    #[must_use]
    pub fn capacity_kib(&self) -> u32 {
        let blocks = self.region.as_ref().map_or(0, |region| region.blocks().len());
        u32::try_from(blocks).unwrap_or(u32::MAX)
    }

    /// Lends as many blocks as the parameters need, until they are wiped.
    pub(crate) fn lend(&mut self, params: &Params) -> Result<Lent<'_>, Error> {
        let (needs_kib, has_kib) = (params.blocks(), self.capacity_kib());
        let blocks = self.blocks().get_mut(..needs_kib as usize);
        blocks.map(Lent).ok_or(Error::ArenaTooSmall { needs_kib, has_kib })
    }

    pub(crate) fn blocks(&mut self) -> &mut [Block] {
        self.region.as_mut().map_or(&mut [], Region::blocks_mut)
    }
}

impl fmt::Debug for Arena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arena").field("capacity_kib", &self.capacity_kib()).finish()
    }
}

/// Blocks at work. Dropping them wipes them, after a panic too.
pub(crate) struct Lent<'a>(pub(crate) &'a mut [Block]);

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.0.fill(Block::ZERO);
        // Without it the compiler may see that nobody reads the zeros.
        zeroize::optimization_barrier(&*self.0);
    }
}

/// Blocks from the allocator, zero at first.
struct Region {
    start: NonNull<Block>,
    layout: Layout,
}

// SAFETY: a region owns its blocks, which are plain words, as a `Box<[Block]>` would.
unsafe impl Send for Region {}
// SAFETY: as above; behind a shared reference nothing can be written.
unsafe impl Sync for Region {}

impl Region {
    /// At least so many blocks; nothing when the system refuses.
    fn take(blocks: u32) -> Option<Self> {
        let bytes = (blocks as usize).checked_mul(size_of::<Block>())?.max(PAGE);
        let unit = if bytes < HUGE_PAGE { PAGE } else { HUGE_PAGE };
        let layout = Layout::from_size_align(bytes.checked_next_multiple_of(unit)?, unit).ok()?;
        // SAFETY: the layout is a page at least, so its size is not zero.
        let start = NonNull::new(unsafe { alloc(layout) })?.cast::<Block>();
        let region = Self { start, layout };
        ask_for_huge_pages(&region);
        // SAFETY: `start` is valid for writes of this many blocks, and a page is aligned for a
        // block.
        unsafe { start.write_bytes(0, region.length()) };
        Some(region)
    }

    fn length(&self) -> usize {
        self.layout.size() / size_of::<Block>()
    }

    fn blocks(&self) -> &[Block] {
        // SAFETY: `take` made and zeroed this many blocks, which `self` owns.
        unsafe { NonNull::slice_from_raw_parts(self.start, self.length()).as_ref() }
    }

    fn blocks_mut(&mut self) -> &mut [Block] {
        // SAFETY: as above; `self` is borrowed alone.
        unsafe { NonNull::slice_from_raw_parts(self.start, self.length()).as_mut() }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: `start` came from `alloc` with this very layout.
        unsafe { dealloc(self.start.as_ptr().cast(), self.layout) };
    }
}

/// Advice: where the system has no huge pages, nothing changes.
#[cfg(all(target_os = "linux", not(miri)))]
fn ask_for_huge_pages(region: &Region) {
    use rustix::mm::{Advice, madvise};
    let (start, size) = (region.start.as_ptr().cast(), region.layout.size());
    if size >= HUGE_PAGE {
        // SAFETY: the range is the region's own, and this advice changes no content.
        let _ = unsafe { madvise(start, size, Advice::LinuxHugepage) };
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
fn ask_for_huge_pages(_: &Region) {}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::{Form, Hasher};

    const PARAMS: [(u32, u32, u32); 4] = [(64, 1, 1), (5000, 1, 3), (200, 3, 5), (8, 2, 1)];

    fn is_zero(arena: &mut Arena) -> bool {
        arena.blocks().iter().all(|block| block.0 == Block::ZERO.0)
    }

    #[test]
    fn between_hashes_an_arena_is_zero() {
        let mut arena = Arena::new();
        let threads = NonZeroUsize::new(2).unwrap();
        for (memory, passes, lanes) in PARAMS {
            let params = Params::new(memory, passes, lanes).unwrap();
            arena.reserve(&params).unwrap();
            assert!(is_zero(&mut arena));
            for form in Form::available() {
                let hasher = Hasher::new(params).form(form).threads(threads);
                hasher.hash_into(b"password", b"some salt", &mut arena, &mut [0; 32]).unwrap();
                assert!(is_zero(&mut arena), "{form} left something behind");
            }
        }
    }

    #[test]
    fn lent_memory_is_wiped_after_a_panic_too() {
        let params = Params::new(64, 1, 1).unwrap();
        let mut arena = Arena::new();
        arena.reserve(&params).unwrap();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let lent = arena.lend(&params).unwrap();
            lent.0.fill(Block([1; 128]));
            panic!("in the middle of a hash");
        }));
        assert!(panicked.is_err());
        assert!(is_zero(&mut arena));
    }

    #[test]
    fn an_arena_grows_and_stays() {
        let mut arena = Arena::new();
        let capacities = PARAMS.map(|(memory, passes, lanes)| {
            arena.reserve(&Params::new(memory, passes, lanes).unwrap()).unwrap();
            arena.capacity_kib()
        });
        assert!(capacities.is_sorted());
        assert!(capacities[3] >= 5000);
    }
}
