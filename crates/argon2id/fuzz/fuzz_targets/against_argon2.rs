//! Whatever is hashed, with whatever parameters: every form says what the crate `argon2` says,
//! or both refuse.

#![no_main]

use std::cell::RefCell;
use std::num::NonZeroUsize;

use arbitrary::Arbitrary;
use ironlatch_argon2id::{Arena, Form, Hasher, Params, Variant, Version};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Case<'a> {
    memory_kib: u16,
    passes: u8,
    lanes: u8,
    is_argon2i: bool,
    is_old: bool,
    threads: u8,
    output: u8,
    password: &'a [u8],
    salt: &'a [u8],
    secret: &'a [u8],
    associated: &'a [u8],
}

thread_local! {
    /// Used again by every case, as the hash gate does.
    static ARENA: RefCell<Arena> = const { RefCell::new(Arena::new()) };
}

fuzz_target!(|case: Case<'_>| {
    let case = Case {
        memory_kib: case.memory_kib % 1024,
        passes: case.passes % 4,
        lanes: case.lanes % 9,
        associated: &case.associated[..case.associated.len().min(32)],
        ..case
    };
    let expected = by_the_oracle(&case);
    for form in Form::available() {
        let found = ARENA.with_borrow_mut(|arena| by_us(&case, form, arena));
        assert_eq!(found, expected, "{form}");
    }
});

fn by_us(case: &Case<'_>, form: Form, arena: &mut Arena) -> Option<Vec<u8>> {
    let (memory, passes, lanes) = (case.memory_kib, case.passes, case.lanes);
    let params = Params::new(memory.into(), passes.into(), lanes.into()).ok()?;
    arena.reserve(&params).ok()?;
    let variant = if case.is_argon2i { Variant::I } else { Variant::Id };
    let version = if case.is_old { Version::V0x10 } else { Version::V0x13 };
    let threads = NonZeroUsize::new(usize::from(case.threads % 4)).unwrap_or(NonZeroUsize::MIN);
    let mut out = vec![0; case.output.into()];
    Hasher::new(params)
        .variant(variant)
        .version(version)
        .secret(case.secret)
        .associated(case.associated)
        .threads(threads)
        .form(form)
        .hash_into(case.password, case.salt, arena, &mut out)
        .ok()?;
    Some(out)
}

fn by_the_oracle(case: &Case<'_>) -> Option<Vec<u8>> {
    use argon2::{Algorithm, Argon2, AssociatedData, ParamsBuilder};
    let variant = if case.is_argon2i { Algorithm::Argon2i } else { Algorithm::Argon2id };
    let version = if case.is_old { argon2::Version::V0x10 } else { argon2::Version::V0x13 };
    let mut params = ParamsBuilder::new();
    params.m_cost(case.memory_kib.into()).t_cost(case.passes.into()).p_cost(case.lanes.into());
    params.data(AssociatedData::new(case.associated).ok()?);
    let params = params.build().ok()?;
    let oracle = Argon2::new_with_secret(case.secret, variant, version, params).ok()?;
    let mut out = vec![0; case.output.into()];
    oracle.hash_password_into(case.password, case.salt, &mut out).ok()?;
    Some(out)
}
