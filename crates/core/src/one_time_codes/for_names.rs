//! Codes that prove an address for an account that is to have a certain name. Unlike the others
//! they are told apart when they are dead: a contract says "expired" where there was one and
//! "nobody asked" where there was none.

use super::codes::LiveCode;
use super::{OneTimeCodes, Purpose, store};
use crate::client::Network;
use crate::database::Statement;
use crate::error::InternalError;
use crate::time::Timestamp;

/// What there is of a code for an address and a name.
pub(crate) enum CodeForName {
    /// Nobody asked for one, or it was used.
    Unknown,
    /// One that has expired or was tried too often.
    Dead {
        /// Whether it was asked for in the same network.
        is_asked_here: bool,
    },
    /// One that still can be redeemed.
    Live(LiveCode),
}

impl OneTimeCodes<'_> {
    /// The code that a guess from this network is compared with.
    pub(crate) async fn code_for_name(
        &self,
        purpose: Purpose,
        target: (&str, &str),
        network: Network,
        now: Timestamp,
    ) -> Result<CodeForName, InternalError> {
        let found = store::find_code_for_name(target, purpose.word(), &network.to_string(), now);
        let Some(row) = self.auth.database().read_one(found).await? else {
            return Ok(CodeForName::Unknown);
        };
        let code = store::live_code(&row)?;
        if row.bool(5)? {
            return Ok(CodeForName::Live(code));
        }
        Ok(CodeForName::Dead { is_asked_here: code.is_asked_in(network) })
    }

    /// The statements that make every code for an address, and every one for a name, worthless.
    pub(crate) fn void_codes_for(
        &self,
        purpose: Purpose,
        (target_key, name_key): (&str, &str),
    ) -> [Statement; 2] {
        [self.void_codes(purpose, target_key), store::void_codes_for_name(name_key, purpose.word())]
    }
}
