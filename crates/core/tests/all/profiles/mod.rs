//! What people tell about themselves, and who may see it for how long.

mod pictures;
mod told;

use ironlatch_core::profiles::Profile;
use ironlatch_testkit::TestAuth;

const ADA: &str = "ada@example.com";

/// A profile that is known to be there.
async fn profile(test: &TestAuth, email: &str) -> Profile {
    let account = test.account(email).await;
    test.auth.profiles().find(account.id).await.unwrap().unwrap()
}
