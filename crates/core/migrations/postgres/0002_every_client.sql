ALTER TABLE one_time_codes ADD COLUMN network TEXT;
ALTER TABLE one_time_codes ADD COLUMN link_digest BYTEA;
ALTER TABLE one_time_codes ADD COLUMN sealed_secret BYTEA;
ALTER TABLE one_time_codes ADD COLUMN attempts_left BIGINT;
ALTER TABLE one_time_codes ADD COLUMN others_attempts_left BIGINT;
ALTER TABLE one_time_codes ADD COLUMN resends_left BIGINT;
ALTER TABLE one_time_codes ADD COLUMN matched_by UUID;
ALTER TABLE one_time_codes ADD COLUMN details TEXT;
ALTER TABLE one_time_codes ADD COLUMN name_key TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX one_time_codes_link_unique ON one_time_codes (link_digest);
CREATE INDEX one_time_codes_by_target ON one_time_codes (target_key, purpose);
CREATE INDEX one_time_codes_by_name ON one_time_codes (name_key) WHERE name_key <> '';

CREATE TABLE totp_credentials (
    account_id    UUID   PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    session_id    UUID   NOT NULL,
    sealed_secret BYTEA  NOT NULL,
    last_step     BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    confirmed_at  BIGINT
);

CREATE TABLE recovery_codes (
    id          UUID   PRIMARY KEY,
    account_id  UUID   NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    digest      BYTEA  NOT NULL,
    created_at  BIGINT NOT NULL,
    consumed_at BIGINT
);
CREATE UNIQUE INDEX recovery_codes_digest_unique ON recovery_codes (digest);
CREATE INDEX recovery_codes_by_account ON recovery_codes (account_id);

CREATE TABLE second_factor_challenges (
    id               UUID   PRIMARY KEY,
    account_id       UUID   NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    digest           BYTEA  NOT NULL,
    door             TEXT   NOT NULL,
    amr              TEXT   NOT NULL,
    proven_at        BIGINT NOT NULL,
    security_version BIGINT NOT NULL,
    created_at       BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL,
    consumed_at      BIGINT
);
CREATE UNIQUE INDEX second_factor_challenges_digest_unique ON second_factor_challenges (digest);
CREATE INDEX second_factor_challenges_by_account ON second_factor_challenges (account_id);
CREATE INDEX second_factor_challenges_by_expiry ON second_factor_challenges (expires_at);

CREATE TABLE profiles (
    account_id    UUID   PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    name          TEXT   NOT NULL DEFAULT '',
    first_name    TEXT   NOT NULL DEFAULT '',
    last_name     TEXT   NOT NULL DEFAULT '',
    company       TEXT   NOT NULL DEFAULT '',
    position      TEXT   NOT NULL DEFAULT '',
    bio           TEXT   NOT NULL DEFAULT '',
    phone         TEXT   NOT NULL DEFAULT '',
    date_of_birth TEXT,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL
);

CREATE TABLE avatars (
    account_id UUID   PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    id         UUID   NOT NULL,
    format     TEXT   NOT NULL,
    bytes      BYTEA  NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX avatars_id_unique ON avatars (id);

CREATE TABLE application_tokens (
    account_id   UUID   PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    sealed_token BYTEA  NOT NULL,
    updated_at   BIGINT NOT NULL
);

CREATE TABLE registration_sources (
    id          UUID    PRIMARY KEY,
    url         TEXT    NOT NULL,
    category    TEXT    NOT NULL,
    name        TEXT    NOT NULL DEFAULT '',
    description TEXT    NOT NULL DEFAULT '',
    is_active   BOOLEAN NOT NULL DEFAULT TRUE,
    created_at  BIGINT  NOT NULL,
    updated_at  BIGINT  NOT NULL
);
CREATE UNIQUE INDEX registration_sources_url_unique ON registration_sources (url);

CREATE TABLE account_sources (
    account_id UUID    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    source_id  UUID    NOT NULL REFERENCES registration_sources (id) ON DELETE CASCADE,
    is_first   BOOLEAN NOT NULL,
    created_at BIGINT  NOT NULL,
    PRIMARY KEY (account_id, source_id)
);
CREATE INDEX account_sources_by_source ON account_sources (source_id, is_first);
CREATE INDEX account_sources_by_time ON account_sources (created_at, source_id, is_first);

CREATE TABLE source_days (
    source_id UUID   NOT NULL REFERENCES registration_sources (id) ON DELETE CASCADE,
    day       BIGINT NOT NULL,
    requested BIGINT NOT NULL DEFAULT 0,
    verified  BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (source_id, day)
);
CREATE INDEX source_days_by_day ON source_days (day);

CREATE TABLE message_budgets (
    channel TEXT   NOT NULL,
    day     BIGINT NOT NULL,
    sent    BIGINT NOT NULL,
    PRIMARY KEY (channel, day)
);

CREATE TABLE message_stops (
    channel    TEXT   PRIMARY KEY,
    stopped_at BIGINT NOT NULL
);

CREATE TABLE address_changes (
    id               UUID   PRIMARY KEY,
    account_id       UUID   NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    kind             TEXT   NOT NULL,
    old_address      TEXT,
    old_key          TEXT,
    old_verified_at  BIGINT,
    security_version BIGINT NOT NULL,
    undo_digest      BYTEA  NOT NULL,
    created_at       BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL,
    undone_at        BIGINT
);
CREATE UNIQUE INDEX address_changes_undo_unique ON address_changes (undo_digest);
CREATE INDEX address_changes_by_account ON address_changes (account_id);
CREATE INDEX address_changes_by_expiry ON address_changes (expires_at);
