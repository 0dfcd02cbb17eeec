ALTER TABLE one_time_codes ADD COLUMN network TEXT;
ALTER TABLE one_time_codes ADD COLUMN link_digest BLOB;
ALTER TABLE one_time_codes ADD COLUMN sealed_secret BLOB;
ALTER TABLE one_time_codes ADD COLUMN attempts_left INTEGER;
ALTER TABLE one_time_codes ADD COLUMN others_attempts_left INTEGER;
ALTER TABLE one_time_codes ADD COLUMN resends_left INTEGER;
ALTER TABLE one_time_codes ADD COLUMN matched_by BLOB;
ALTER TABLE one_time_codes ADD COLUMN details TEXT;
ALTER TABLE one_time_codes ADD COLUMN name_key TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX one_time_codes_link_unique ON one_time_codes (link_digest);
CREATE INDEX one_time_codes_by_target ON one_time_codes (target_key, purpose);
CREATE INDEX one_time_codes_by_name ON one_time_codes (name_key) WHERE name_key <> '';

CREATE TABLE totp_credentials (
    account_id    BLOB    PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    session_id    BLOB    NOT NULL,
    sealed_secret BLOB    NOT NULL,
    last_step     INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    confirmed_at  INTEGER
) STRICT;

CREATE TABLE recovery_codes (
    id          BLOB    PRIMARY KEY,
    account_id  BLOB    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    digest      BLOB    NOT NULL,
    created_at  INTEGER NOT NULL,
    consumed_at INTEGER
) STRICT;
CREATE UNIQUE INDEX recovery_codes_digest_unique ON recovery_codes (digest);
CREATE INDEX recovery_codes_by_account ON recovery_codes (account_id);

CREATE TABLE second_factor_challenges (
    id               BLOB    PRIMARY KEY,
    account_id       BLOB    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    digest           BLOB    NOT NULL,
    door             TEXT    NOT NULL,
    amr              TEXT    NOT NULL,
    proven_at        INTEGER NOT NULL,
    security_version INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    expires_at       INTEGER NOT NULL,
    consumed_at      INTEGER
) STRICT;
CREATE UNIQUE INDEX second_factor_challenges_digest_unique ON second_factor_challenges (digest);
CREATE INDEX second_factor_challenges_by_account ON second_factor_challenges (account_id);
CREATE INDEX second_factor_challenges_by_expiry ON second_factor_challenges (expires_at);

CREATE TABLE profiles (
    account_id    BLOB    PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    name          TEXT    NOT NULL DEFAULT '',
    first_name    TEXT    NOT NULL DEFAULT '',
    last_name     TEXT    NOT NULL DEFAULT '',
    company       TEXT    NOT NULL DEFAULT '',
    position      TEXT    NOT NULL DEFAULT '',
    bio           TEXT    NOT NULL DEFAULT '',
    phone         TEXT    NOT NULL DEFAULT '',
    date_of_birth TEXT,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE avatars (
    account_id BLOB    PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    id         BLOB    NOT NULL,
    format     TEXT    NOT NULL,
    bytes      BLOB    NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX avatars_id_unique ON avatars (id);

CREATE TABLE application_tokens (
    account_id   BLOB    PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    sealed_token BLOB    NOT NULL,
    updated_at   INTEGER NOT NULL
) STRICT;

CREATE TABLE registration_sources (
    id          BLOB    PRIMARY KEY,
    url         TEXT    NOT NULL,
    category    TEXT    NOT NULL,
    name        TEXT    NOT NULL DEFAULT '',
    description TEXT    NOT NULL DEFAULT '',
    is_active   INTEGER NOT NULL DEFAULT 1,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX registration_sources_url_unique ON registration_sources (url);

CREATE TABLE account_sources (
    account_id BLOB    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    source_id  BLOB    NOT NULL REFERENCES registration_sources (id) ON DELETE CASCADE,
    is_first   INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, source_id)
) STRICT;
CREATE INDEX account_sources_by_source ON account_sources (source_id, is_first);
CREATE INDEX account_sources_by_time ON account_sources (created_at, source_id, is_first);

CREATE TABLE source_days (
    source_id BLOB    NOT NULL REFERENCES registration_sources (id) ON DELETE CASCADE,
    day       INTEGER NOT NULL,
    requested INTEGER NOT NULL DEFAULT 0,
    verified  INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (source_id, day)
) STRICT;
CREATE INDEX source_days_by_day ON source_days (day);

CREATE TABLE message_budgets (
    channel TEXT    NOT NULL,
    day     INTEGER NOT NULL,
    sent    INTEGER NOT NULL,
    PRIMARY KEY (channel, day)
) STRICT;

CREATE TABLE message_stops (
    channel    TEXT    PRIMARY KEY,
    stopped_at INTEGER NOT NULL
) STRICT;

CREATE TABLE address_changes (
    id               BLOB    PRIMARY KEY,
    account_id       BLOB    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    kind             TEXT    NOT NULL,
    old_address      TEXT,
    old_key          TEXT,
    old_verified_at  INTEGER,
    security_version INTEGER NOT NULL,
    undo_digest      BLOB    NOT NULL,
    created_at       INTEGER NOT NULL,
    expires_at       INTEGER NOT NULL,
    undone_at        INTEGER
) STRICT;
CREATE UNIQUE INDEX address_changes_undo_unique ON address_changes (undo_digest);
CREATE INDEX address_changes_by_account ON address_changes (account_id);
CREATE INDEX address_changes_by_expiry ON address_changes (expires_at);
