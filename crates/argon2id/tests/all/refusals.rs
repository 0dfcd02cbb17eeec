//! What is refused before any work is done.

use ironlatch_argon2id::{Arena, Error, Form, Hasher, Params};

const SALT: &[u8] = b"sixteen byte salt";

#[test]
fn parameters_are_in_the_ranges_of_rfc_9106() {
    assert_eq!(Params::new(7, 1, 1), Err(Error::TooLittleMemory));
    assert_eq!(Params::new(31, 1, 4), Err(Error::TooLittleMemory));
    assert_eq!(Params::new(u32::MAX, 0, 1), Err(Error::NoPass));
    assert_eq!(Params::new(u32::MAX, 1, 0), Err(Error::Lanes));
    assert_eq!(Params::new(u32::MAX, 1, 1 << 24), Err(Error::Lanes));
    assert!(Params::new(8, 1, 1).is_ok());
    assert!(Params::new(u32::MAX, u32::MAX, (1 << 24) - 1).is_ok());
}

#[test]
fn salt_and_output_have_a_least_length() {
    let params = Params::new(8, 1, 1).unwrap();
    let mut arena = Arena::new();
    arena.reserve(&params).unwrap();
    let mut hash = |salt: &[u8], out: &mut [u8]| {
        Hasher::new(params).hash_into(b"password", salt, &mut arena, out)
    };
    assert_eq!(hash(b"7 bytes", &mut [0; 32]), Err(Error::Length("salt")));
    assert_eq!(hash(SALT, &mut [0; 3]), Err(Error::Length("output")));
    assert_eq!(hash(b"8 bytes!", &mut [0; 4]), Ok(()));
}

#[test]
fn an_arena_must_have_room() {
    let mut arena = Arena::new();
    let mut out = [0; 32];
    let large = Params::new(1024, 1, 1).unwrap();
    let hasher = Hasher::new(large);
    let refused = hasher.hash_into(b"password", SALT, &mut arena, &mut out);
    assert_eq!(refused, Err(Error::ArenaTooSmall { needs_kib: 1024, has_kib: 0 }));

    arena.reserve(&Params::new(8, 1, 1).unwrap()).unwrap();
    let has_kib = arena.capacity_kib();
    let refused = hasher.hash_into(b"password", SALT, &mut arena, &mut out);
    assert_eq!(refused, Err(Error::ArenaTooSmall { needs_kib: 1024, has_kib }));
    assert_eq!(out, [0; 32]);

    arena.reserve(&large).unwrap();
    assert_eq!(hasher.hash_into(b"password", SALT, &mut arena, &mut out), Ok(()));
    arena.release();
    assert_eq!(arena.capacity_kib(), 0);
}

#[test]
fn memory_that_lanes_do_not_divide_is_rounded_down() {
    let mut arena = Arena::new();
    let odd = Params::new(67, 1, 4).unwrap();
    arena.reserve(&Params::new(64, 1, 4).unwrap()).unwrap();
    assert_eq!(Hasher::new(odd).hash_into(b"password", SALT, &mut arena, &mut [0; 32]), Ok(()));
}

/// 4 TiB: more than a machine that runs tests has, and more than Linux promises unless it is
/// told to promise everything.
#[test]
fn memory_that_there_is_not_is_an_error() {
    let promises = std::fs::read_to_string("/proc/sys/vm/overcommit_memory");
    if promises.is_ok_and(|setting| setting.trim() == "1") {
        println!("this system promises any amount of memory: not tested");
        return;
    }
    let everything = Params::new(u32::MAX, 1, 1).unwrap();
    let mut arena = Arena::new();
    assert_eq!(arena.reserve(&everything), Err(Error::OutOfMemory(u32::MAX)));
    assert_eq!(arena.capacity_kib(), 0);

    let small = Params::new(8, 1, 1).unwrap();
    arena.reserve(&small).unwrap();
    let mut out = [0; 32];
    assert_eq!(Hasher::new(small).hash_into(b"password", SALT, &mut arena, &mut out), Ok(()));
}

#[test]
fn a_form_of_another_processor_is_refused() {
    let params = Params::new(8, 1, 1).unwrap();
    let mut arena = Arena::new();
    arena.reserve(&params).unwrap();
    for form in [Form::Avx512, Form::Avx2, Form::Neon, Form::Portable] {
        let hasher = Hasher::new(params).form(form);
        let result = hasher.hash_into(b"password", SALT, &mut arena, &mut [0; 32]);
        let expected = if form.is_available() { Ok(()) } else { Err(Error::FormUnavailable(form)) };
        assert_eq!(result, expected);
    }
    assert!(Form::Portable.is_available());
}
