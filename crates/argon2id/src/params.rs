use crate::Error;

/// Lanes there may be (RFC 9106 §3.1).
const MOST_LANES: u32 = (1 << 24) - 1;

/// Slices of a pass: lanes wait for each other between them (RFC 9106 §3.4).
pub(crate) const SLICES: u32 = 4;

/// Which blocks a block is made of (RFC 9106 §3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// Argon2id: half a pass without looking at the password, then by what is in the memory.
    Id,
    /// Argon2i, for hashes that other systems made.
    I,
}

impl Variant {
    /// The `y` of RFC 9106 §3.1.
    pub(crate) fn code(self) -> u32 {
        match self {
            Self::I => 1,
            Self::Id => 2,
        }
    }
}

/// The version of Argon2 (RFC 9106 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Before 2016: later passes overwrite. For hashes that other systems made.
    V0x10,
    /// Today's.
    V0x13,
}

impl Version {
    pub(crate) fn code(self) -> u32 {
        match self {
            Self::V0x10 => 0x10,
            Self::V0x13 => 0x13,
        }
    }
}

/// What a hash costs, in the ranges of RFC 9106 §3.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Params {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Params {
    /// Memory in KiB, at least 8 for every lane; passes over it; lanes that can be computed at
    /// once. OWASP's first choice is `19_456, 2, 1`.
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, Error> {
        if !(1..=MOST_LANES).contains(&lanes) {
            return Err(Error::Lanes);
        }
        if passes == 0 {
            return Err(Error::NoPass);
        }
        if memory_kib < 8 * lanes {
            return Err(Error::TooLittleMemory);
        }
        Ok(Self { memory_kib, passes, lanes })
    }

    /// The `m` of a PHC string.
    #[must_use]
    pub fn memory_kib(&self) -> u32 {
        self.memory_kib
    }

    /// The `t` of a PHC string.
    #[must_use]
    pub fn passes(&self) -> u32 {
        self.passes
    }

    /// The `p` of a PHC string.
    #[must_use]
    pub fn lanes(&self) -> u32 {
        self.lanes
    }

    /// Blocks of 1 KiB in one lane's part of a slice. Memory that four slices of all lanes do
    /// not divide is rounded down (the `m'` of RFC 9106 §3.2).
    pub(crate) fn segment_length(&self) -> u32 {
        self.memory_kib / (SLICES * self.lanes)
    }

    /// The `m'` of RFC 9106 §3.2: blocks that are really filled.
    pub(crate) fn blocks(&self) -> u32 {
        self.segment_length() * SLICES * self.lanes
    }
}
