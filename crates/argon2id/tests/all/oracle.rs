//! Ten thousand hashes of any kind, on every form, as the crate `argon2` makes them.

use std::num::NonZeroUsize;

use ironlatch_argon2id::{Arena, Form, Hasher, Params, Variant, Version};

const CASES: u64 = 10_000;

#[test]
fn every_form_hashes_as_the_argon2_crate_does() {
    // One arena for all, of ever other sizes and parameters.
    let mut arena = Arena::new();
    for number in 0..CASES {
        let case = Case::new(number);
        let expected = case.by_the_oracle();
        for form in Form::available() {
            assert_eq!(case.by_us(form, &mut arena), expected, "{form}: {case:?}");
        }
    }
}

/// Without it the hashes above would agree as well if only the portable form were compared.
#[test]
fn every_64_bit_arm_has_neon() {
    let is_arm = cfg!(target_arch = "aarch64");
    assert_eq!(Form::available().any(|form| form == Form::Neon), is_arm);
    assert_eq!(Form::best() == Form::Neon, is_arm);
}

#[derive(Debug)]
struct Case {
    params: Params,
    variant: Variant,
    version: Version,
    password: Vec<u8>,
    salt: Vec<u8>,
    secret: Vec<u8>,
    associated: Vec<u8>,
    output: usize,
    threads: usize,
}

impl Case {
    fn new(number: u64) -> Self {
        let mut dice = Dice(number);
        let lanes = if dice.one_in(2) { 1 } else { dice.between(2, 6) };
        // Segments longer than 128 blocks take more than one block of addresses.
        let most = if dice.one_in(64) { 2048 } else { 16 * lanes };
        let memory = dice.between(8 * lanes, most);
        let params = Params::new(as_u32(memory), as_u32(dice.between(1, 4)), as_u32(lanes));
        Self {
            params: params.unwrap(),
            variant: if dice.one_in(4) { Variant::I } else { Variant::Id },
            version: if dice.one_in(4) { Version::V0x10 } else { Version::V0x13 },
            password: dice.bytes(0, 200),
            salt: dice.bytes(8, 72),
            secret: dice.bytes(0, 40),
            associated: dice.bytes(0, 32),
            output: dice.between(4, 200),
            threads: if dice.one_in(16) { dice.between(2, 5) } else { 1 },
        }
    }

    fn by_us(&self, form: Form, arena: &mut Arena) -> Vec<u8> {
        arena.reserve(&self.params).unwrap();
        let hasher = Hasher::new(self.params).variant(self.variant).version(self.version);
        let hasher = hasher.secret(&self.secret).associated(&self.associated).form(form);
        let hasher = hasher.threads(NonZeroUsize::new(self.threads).unwrap());
        let mut out = vec![0; self.output];
        hasher.hash_into(&self.password, &self.salt, arena, &mut out).unwrap();
        out
    }

    fn by_the_oracle(&self) -> Vec<u8> {
        let variant = match self.variant {
            Variant::Id => argon2::Algorithm::Argon2id,
            Variant::I => argon2::Algorithm::Argon2i,
        };
        let version = match self.version {
            Version::V0x10 => argon2::Version::V0x10,
            Version::V0x13 => argon2::Version::V0x13,
        };
        let mut params = argon2::ParamsBuilder::new();
        params.m_cost(self.params.memory_kib());
        params.t_cost(self.params.passes()).p_cost(self.params.lanes());
        params.data(argon2::AssociatedData::new(&self.associated).unwrap());
        let params = params.build().unwrap();
        let oracle = argon2::Argon2::new_with_secret(&self.secret, variant, version, params);
        let mut out = vec![0; self.output];
        oracle.unwrap().hash_password_into(&self.password, &self.salt, &mut out).unwrap();
        out
    }
}

fn as_u32(number: usize) -> u32 {
    number.try_into().unwrap()
}

/// The same throws on every run (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn between(&mut self, least: usize, most: usize) -> usize {
        let choices = u64::try_from(most - least + 1).unwrap();
        least + usize::try_from(self.throw() % choices).unwrap()
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.between(1, times) == 1
    }

    fn bytes(&mut self, least: usize, most: usize) -> Vec<u8> {
        let length = self.between(least, most);
        (0..length).map(|_| self.throw().to_le_bytes()[0]).collect()
    }
}
