//! Asking for a code to sign up with: nothing of an account is made before the code comes back.
//!
//! The code is bound to the address and the wished name. A name that is somebody's is told, since
//! it cannot be given twice; of an address that is somebody's only its owner is told, by mail. The
//! asker then gets a code's row like everybody else, whose code is in no mail.

use super::candidate::Candidate;
use super::code_request::Details;
use super::{Arrival, SignIn, SignUpError};
use crate::accounts::{Email, Username};
use crate::database::{Batch, Statement};
use crate::error::InternalError;
use crate::limits::{CodeRefusal, MailKind, TooMany};
use crate::messages::Message;
use crate::one_time_codes::{CodeFor, CodeForName, Purpose, Sent};
use crate::time::{Timestamp, hours};

/// Somebody wishes for an account, and shall prove the address first.
#[derive(Debug, Clone)]
pub struct SignUpCodeRequest {
    /// The wished name.
    pub username: Username,
    /// The address that is to be proven.
    pub email: Email,
    /// How they come.
    pub arrival: Arrival,
}

impl SignIn<'_> {
    /// Sends a code that makes an account with this name and address. Known and unknown addresses
    /// get the same answer after the same work; over the limits a live code is sent once more.
    pub async fn request_sign_up_code(&self, wish: &SignUpCodeRequest) -> Result<(), SignUpError> {
        let network = wish.arrival.client.network();
        let limits = self.auth.limits();
        if self.taken(Some(&wish.username), &wish.email).await?.username {
            // Nothing was sent, but trying out names is asking as well.
            limits.admit_mail_request(network)?;
            return Err(SignUpError::Taken { username: true, email: false });
        }
        let admitted = limits.admit_code(MailKind::SignUpCode, network, wish.email.key());
        let refusal = match admitted {
            Ok(()) if self.send_new_sign_up_code(wish).await? => return Ok(()),
            Ok(()) => TooMany { retry_at: self.auth.clock().now().plus(hours(1)) },
            Err(CodeRefusal::Identifier(refusal)) => refusal,
            Err(CodeRefusal::Network(refusal)) => return Err(refusal.into()),
        };
        if self.send_live_sign_up_code(wish).await? {
            return Ok(());
        }
        Err(refusal.into())
    }

    /// Sends a new code; `false` when too many were sent to this address.
    async fn send_new_sign_up_code(&self, wish: &SignUpCodeRequest) -> Result<bool, InternalError> {
        let SignUpCodeRequest { username, email, arrival } = wish;
        let now = self.auth.clock().now();
        let network = arrival.client.network();
        let owner = self.owner_of(email, arrival).await?;
        let sources = self.auth.sources();
        let source = sources.of_hint(&arrival.source, arrival.door);
        let is_counted = match &source {
            Some(_) => !self.is_waiting_to_sign_up(wish, now).await? && owner.is_none(),
            None => false,
        };
        let details = Details {
            typed: email.as_typed().to_owned(),
            door: arrival.door,
            source_url: source.as_ref().map(|source| source.url().to_owned()),
            username: Some(username.as_typed().to_owned()),
            is_decoy: owner.is_some(),
        };
        let code = self.auth.one_time_codes().new_code_for_name(
            &CodeFor {
                purpose: Purpose::SignUpCode,
                account: None,
                target_key: email.key(),
                network,
                link_for: None,
                details: &details.to_text()?,
            },
            username.key(),
            now,
        )?;
        let mut batch = Batch::new();
        batch.add(self.auth.limits().count_mail(MailKind::SignUpCode, email.key(), now));
        batch.append(code.batch);
        batch.add(self.sign_up_code_mail(owner.as_ref(), wish, &code.sent, now)?);
        batch.extend(sources.count_requested(source.as_ref(), network, is_counted, now));
        self.sent(batch).await
    }

    /// Whether a code for this name and address lives that this network asked for: whoever asks
    /// again is the same person.
    async fn is_waiting_to_sign_up(
        &self,
        wish: &SignUpCodeRequest,
        now: Timestamp,
    ) -> Result<bool, InternalError> {
        let network = wish.arrival.client.network();
        let target = (wish.email.key(), wish.username.key());
        let codes = self.auth.one_time_codes();
        let found = codes.code_for_name(Purpose::SignUpCode, target, network, now).await?;
        Ok(matches!(found, CodeForName::Live(live) if live.is_asked_in(network)))
    }

    /// Sends a live code again; `false` when there is none, or it was sent again already.
    async fn send_live_sign_up_code(
        &self,
        wish: &SignUpCodeRequest,
    ) -> Result<bool, InternalError> {
        let now = self.auth.clock().now();
        let codes = self.auth.one_time_codes();
        let network = wish.arrival.client.network();
        let target = (wish.email.key(), wish.username.key());
        let found = codes.code_for_name(Purpose::SignUpCode, target, network, now).await?;
        let CodeForName::Live(live) = found else { return Ok(false) };
        let owner = self.owner_of(&wish.email, &wish.arrival).await?;
        let details = Details::of_text(&live.details)?;
        if details.is_decoy && owner.is_none() {
            // Its owner has just left: this code proves nothing, and must not look as if it did.
            return Ok(false);
        }
        let (sent, allowed) = codes.send_again(&live, now)?;
        // To where it went the first time: another spelling may be another mailbox.
        let wish = SignUpCodeRequest {
            email: Email::parse(&details.typed).unwrap_or_else(|_| wish.email.clone()),
            ..wish.clone()
        };
        let mut batch = Batch::from(allowed);
        batch.add(self.sign_up_code_mail(owner.as_ref(), &wish, &sent, now)?);
        self.sent(batch).await
    }

    /// The account that keeps an address from being signed up with: one whose owner has proven
    /// it, or that an operator has disabled. Whoever only claims it gives way to the code.
    pub(super) async fn owner_of(
        &self,
        email: &Email,
        arrival: &Arrival,
    ) -> Result<Option<Candidate>, InternalError> {
        let found = self.find(&email.clone().into(), &arrival.client).await?;
        Ok(found.filter(Candidate::keeps_its_address))
    }

    /// The mail with the code, or the one that tells an owner instead.
    fn sign_up_code_mail(
        &self,
        owner: Option<&Candidate>,
        wish: &SignUpCodeRequest,
        sent: &Sent,
        now: Timestamp,
    ) -> Result<Statement, InternalError> {
        let mail = match owner {
            Some(_) => {
                let reset_link_page = self.reset_page(wish.arrival.door);
                Message::AlreadyRegistered { reset_link_page }
            }
            None => Message::SignUpCode { code: sent.code.reveal().to_owned() },
        };
        // To the address as its owner typed it: what the asker typed may be another mailbox.
        let owners = owner.and_then(|owner| owner.email.as_deref());
        let to = owners.unwrap_or_else(|| wish.email.as_typed());
        self.auth.messages().queue(to, &mail, now, sent.expires_at)
    }
}
