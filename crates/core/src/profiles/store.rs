//! The SQL of `profiles` and `avatars`.

use super::{Bio, ContactPhone, FullName, Line, Picture, PictureFormat, Profile, ProfileChange};
use crate::database::{Batch, Row, Statement};
use crate::error::InternalError;
use crate::ids::{AccountId, AvatarId};
use crate::time::Timestamp;

/// The profile of an account that is being made: in the batch that makes it.
pub(crate) fn create(account: AccountId, name: Option<&FullName>, now: Timestamp) -> Statement {
    Statement::new(
        "INSERT INTO profiles (account_id, name, created_at, updated_at)
         VALUES ($1, $2, $3, $3)",
        [account.into(), name.map(FullName::as_str).unwrap_or_default().into(), now.into()],
    )
}

/// Empties a profile: what somebody told before the account's real owner came.
pub(crate) fn clear(account: AccountId, now: Timestamp) -> Batch {
    let mut batch = Batch::new();
    batch.add(Statement::new(
        "UPDATE profiles
            SET name = '', first_name = '', last_name = '', company = '', position = '',
                bio = '', phone = '', date_of_birth = NULL, updated_at = $2
          WHERE account_id = $1",
        [account.into(), now.into()],
    ));
    batch.add(delete_avatar(account));
    batch
}

/// Removes everything that somebody told about themselves, for an account that is closed.
pub(crate) fn erase(account: AccountId) -> Batch {
    let mut batch = Batch::new();
    batch.add(Statement::new("DELETE FROM profiles WHERE account_id = $1", [account.into()]));
    batch.add(delete_avatar(account));
    batch
}

/// The profile of an open account, with defaults where it has no row.
pub(super) fn find(account: AccountId) -> Statement {
    Statement::new(
        "SELECT COALESCE(p.name, ''), COALESCE(p.first_name, ''), COALESCE(p.last_name, ''),
                COALESCE(p.company, ''), COALESCE(p.position, ''), COALESCE(p.bio, ''),
                COALESCE(NULLIF(p.phone, ''), a.phone, ''), p.date_of_birth, v.id,
                COALESCE(p.created_at, a.created_at), COALESCE(p.updated_at, a.created_at),
                v.updated_at
           FROM accounts a
           LEFT JOIN profiles p ON p.account_id = a.id
           LEFT JOIN avatars v ON v.account_id = a.id
          WHERE a.id = $1 AND a.deleted_at IS NULL",
        [account.into()],
    )
}

/// Reads a row of [`find`].
pub(super) fn profile(row: &Row) -> Result<Profile, InternalError> {
    Ok(Profile {
        name: row.text(0)?,
        first_name: row.text(1)?,
        last_name: row.text(2)?,
        company: row.text(3)?,
        position: row.text(4)?,
        bio: row.text(5)?,
        phone: row.text(6)?,
        date_of_birth: row.optional_text(7)?,
        avatar: row.optional_id(8)?,
        created_at: row.time(9)?,
        updated_at: row.time(10)?.max(row.optional_time(11)?.unwrap_or(row.time(10)?)),
    })
}

/// Changes what is told; makes the row of an account from before there were profiles.
pub(super) fn update(account: AccountId, change: &ProfileChange, now: Timestamp) -> Statement {
    Statement::new(
        "INSERT INTO profiles
                (account_id, name, first_name, last_name, company, position, bio, phone,
                 date_of_birth, created_at, updated_at)
         VALUES ($1, COALESCE($2, ''), COALESCE($3, ''), COALESCE($4, ''), COALESCE($5, ''),
                 COALESCE($6, ''), COALESCE($7, ''), COALESCE($8, ''), $9, $11, $11)
         ON CONFLICT (account_id) DO UPDATE
            SET name = COALESCE($2, profiles.name),
                first_name = COALESCE($3, profiles.first_name),
                last_name = COALESCE($4, profiles.last_name),
                company = COALESCE($5, profiles.company),
                position = COALESCE($6, profiles.position),
                bio = COALESCE($7, profiles.bio),
                phone = COALESCE($8, profiles.phone),
                date_of_birth = CASE WHEN $10 THEN $9 ELSE profiles.date_of_birth END,
                updated_at = $11",
        [
            account.into(),
            change.name.as_ref().map(FullName::as_str).into(),
            change.first_name.as_ref().map(Line::as_str).into(),
            change.last_name.as_ref().map(Line::as_str).into(),
            change.company.as_ref().map(Line::as_str).into(),
            change.position.as_ref().map(Line::as_str).into(),
            change.bio.as_ref().map(Bio::as_str).into(),
            change.phone.as_ref().map(ContactPhone::as_str).into(),
            change.date_of_birth.as_ref().and_then(|date| Some(date.as_ref()?.as_str())).into(),
            change.date_of_birth.is_some().into(),
            now.into(),
        ],
    )
}

/// Removes the picture.
pub(super) fn delete_avatar(account: AccountId) -> Statement {
    Statement::new("DELETE FROM avatars WHERE account_id = $1", [account.into()])
}

/// Notes that a profile was changed.
pub(super) fn touch(account: AccountId, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE profiles SET updated_at = $2 WHERE account_id = $1",
        [account.into(), now.into()],
    )
}

/// Puts a picture in the place of the one before.
pub(super) fn upsert_avatar(
    account: AccountId,
    id: AvatarId,
    picture: Picture,
    now: Timestamp,
) -> Statement {
    Statement::new(
        "INSERT INTO avatars (account_id, id, format, bytes, updated_at)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (account_id) DO UPDATE
            SET id = $2, format = $3, bytes = $4, updated_at = $5",
        [account.into(), id.into(), picture.format.word().into(), picture.bytes.into(), now.into()],
    )
}

/// A picture by its public identifier.
pub(super) fn find_avatar(id: AvatarId) -> Statement {
    Statement::new("SELECT format, bytes FROM avatars WHERE id = $1", [id.into()])
}

/// Reads a row of [`find_avatar`].
pub(super) fn picture(row: &Row) -> Result<Picture, InternalError> {
    let format = PictureFormat::of_word(&row.text(0)?);
    let format = format.ok_or_else(|| InternalError::fault("an unknown format of pictures"))?;
    Ok(Picture { format, bytes: row.bytes(1)? })
}
