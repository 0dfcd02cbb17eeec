//! The test vectors of RFC 9106 §5.

use ironlatch_argon2id::{Arena, Form, Hasher, Params, Variant};

#[test]
fn argon2id_is_as_in_section_5_3() {
    let tag = [
        0x0d, 0x64, 0x0d, 0xf5, 0x8d, 0x78, 0x76, 0x6c, 0x08, 0xc0, 0x37, 0xa3, 0x4a, 0x8b, 0x53,
        0xc9, 0xd0, 0x1e, 0xf0, 0x45, 0x2d, 0x75, 0xb6, 0x5e, 0xb5, 0x25, 0x20, 0xe9, 0x6b, 0x01,
        0xe6, 0x59,
    ];
    assert_on_every_form(Variant::Id, tag);
}

#[test]
fn argon2i_is_as_in_section_5_2() {
    let tag = [
        0xc8, 0x14, 0xd9, 0xd1, 0xdc, 0x7f, 0x37, 0xaa, 0x13, 0xf0, 0xd7, 0x7f, 0x24, 0x94, 0xbd,
        0xa1, 0xc8, 0xde, 0x6b, 0x01, 0x6d, 0xd3, 0x88, 0xd2, 0x99, 0x52, 0xa4, 0xc4, 0x67, 0x2b,
        0x6c, 0xe8,
    ];
    assert_on_every_form(Variant::I, tag);
}

fn assert_on_every_form(variant: Variant, expected: [u8; 32]) {
    let params = Params::new(32, 3, 4).unwrap();
    let mut arena = Arena::new();
    arena.reserve(&params).unwrap();
    for form in Form::available() {
        let hasher = Hasher::new(params).variant(variant).form(form);
        let hasher = hasher.secret(&[3; 8]).associated(&[4; 12]);
        let mut tag = [0; 32];
        hasher.hash_into(&[1; 32], &[2; 16], &mut arena, &mut tag).unwrap();
        assert_eq!(tag, expected, "{form}");
    }
}
