//! The compression function `G` (RFC 9106 §3.5), once per kind of processor.
#![expect(unsafe_code, reason = "only a processor that was asked may enter a form")]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;

use std::fmt;
use std::sync::OnceLock;

use crate::segment::Segment;

/// What the compression function is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Vectors of 512 bits: Intel since Skylake-SP, AMD since Zen 4.
    Avx512,
    /// Vectors of 256 bits: nearly every x86-64 server.
    Avx2,
    /// Vectors of 128 bits: every 64-bit Arm.
    Neon,
    /// Plain words, for everything else.
    Portable,
}

impl Form {
    const BEST_FIRST: [Self; 4] = [Self::Avx512, Self::Avx2, Self::Neon, Self::Portable];

    /// The fastest form this processor can run, asked once.
    #[must_use]
    pub fn best() -> Self {
        static BEST: OnceLock<Form> = OnceLock::new();
        *BEST.get_or_init(|| Self::available().next().unwrap_or(Self::Portable))
    }

    /// Every form this processor can run, the fastest first.
    pub fn available() -> impl Iterator<Item = Self> {
        Self::BEST_FIRST.into_iter().filter(|form| form.is_available())
    }

    /// Whether this processor can run the form.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => std::arch::is_x86_feature_detected!("avx512f"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => std::arch::is_x86_feature_detected!("avx2"),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => std::arch::is_aarch64_feature_detected!("neon"),
            Self::Portable => true,
            _ => false,
        }
    }

    /// Makes a segment. A form that is not available is replaced by the portable one.
    pub(crate) fn fill(self, segment: Segment<'_>) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 if std::arch::is_x86_feature_detected!("avx512f") => {
                // SAFETY: the processor was asked.
                unsafe { avx512::fill(segment) }
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 if std::arch::is_x86_feature_detected!("avx2") => {
                // SAFETY: as above.
                unsafe { avx2::fill(segment) }
            }
            #[cfg(target_arch = "aarch64")]
            Self::Neon if std::arch::is_aarch64_feature_detected!("neon") => {
                // SAFETY: as above.
                unsafe { neon::fill(segment) }
            }
            _ => portable::fill(segment),
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Avx512 => "AVX-512",
            Self::Avx2 => "AVX2",
            Self::Neon => "NEON",
            Self::Portable => "portable",
        })
    }
}
