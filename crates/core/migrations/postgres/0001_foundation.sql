CREATE TABLE batches (
    id         UUID   PRIMARY KEY,
    created_at BIGINT NOT NULL
);
CREATE INDEX batches_by_age ON batches (created_at);

CREATE TABLE master_key_checks (
    id           BIGINT PRIMARY KEY CHECK (id = 1),
    sealed_check BYTEA  NOT NULL
);

CREATE TABLE accounts (
    id                UUID    PRIMARY KEY,
    number            BIGINT  NOT NULL,
    email             TEXT,
    email_key         TEXT,
    email_verified_at BIGINT,
    username          TEXT,
    username_key      TEXT,
    phone             TEXT,
    phone_key         TEXT,
    phone_verified_at BIGINT,
    role              TEXT    NOT NULL,
    is_staff          BOOLEAN NOT NULL,
    is_superuser      BOOLEAN NOT NULL,
    custom_fields     TEXT    NOT NULL,
    security_version  BIGINT  NOT NULL,
    created_at        BIGINT  NOT NULL,
    created_from      TEXT    NOT NULL,
    last_sign_in_at   BIGINT,
    disabled_at       BIGINT,
    deleted_at        BIGINT
);
CREATE UNIQUE INDEX accounts_number_unique ON accounts (number);
CREATE UNIQUE INDEX accounts_email_unique ON accounts (email_key);
CREATE UNIQUE INDEX accounts_username_unique ON accounts (username_key);
CREATE UNIQUE INDEX accounts_phone_unique ON accounts (phone_key);
CREATE INDEX accounts_never_proven ON accounts (created_at)
    WHERE email_verified_at IS NULL AND phone_verified_at IS NULL AND deleted_at IS NULL;

CREATE TABLE groups (
    id       UUID PRIMARY KEY,
    name     TEXT NOT NULL,
    name_key TEXT NOT NULL
);
CREATE UNIQUE INDEX groups_name_unique ON groups (name_key);

CREATE TABLE account_groups (
    account_id UUID NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    group_id   UUID NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    PRIMARY KEY (account_id, group_id)
);
CREATE INDEX account_groups_by_group ON account_groups (group_id);

CREATE TABLE group_permissions (
    group_id   UUID NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    permission TEXT NOT NULL,
    PRIMARY KEY (group_id, permission)
);

CREATE TABLE account_permissions (
    account_id UUID NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    permission TEXT NOT NULL,
    PRIMARY KEY (account_id, permission)
);

CREATE TABLE passwords (
    account_id  UUID   PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    sealed_hash BYTEA  NOT NULL,
    kind        TEXT   NOT NULL,
    changed_at  BIGINT NOT NULL
);
CREATE INDEX passwords_by_kind ON passwords (kind);

CREATE TABLE one_time_codes (
    id            UUID   PRIMARY KEY,
    purpose       TEXT   NOT NULL,
    account_id    UUID   REFERENCES accounts (id) ON DELETE CASCADE,
    target_key    TEXT   NOT NULL,
    digest        BYTEA  NOT NULL,
    flow_digest   BYTEA,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    consumed_at   BIGINT
);
CREATE UNIQUE INDEX one_time_codes_digest_unique ON one_time_codes (digest);
CREATE INDEX one_time_codes_by_account ON one_time_codes (account_id, purpose);
CREATE INDEX one_time_codes_by_expiry ON one_time_codes (expires_at);

CREATE TABLE sessions (
    id              UUID   PRIMARY KEY,
    account_id      UUID   NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    door            TEXT   NOT NULL,
    amr             TEXT   NOT NULL,
    auth_time       BIGINT NOT NULL,
    user_agent      TEXT   NOT NULL,
    network         TEXT   NOT NULL,
    later_networks  TEXT   NOT NULL DEFAULT '',
    cookie_digest   BYTEA,
    created_at      BIGINT NOT NULL,
    last_used_at    BIGINT NOT NULL,
    idle_for        BIGINT NOT NULL,
    ends_at         BIGINT NOT NULL,
    revoked_at      BIGINT,
    revoked_because TEXT
);
CREATE UNIQUE INDEX sessions_cookie_unique ON sessions (cookie_digest);
CREATE INDEX sessions_by_account ON sessions (account_id, created_at);
CREATE INDEX sessions_by_end ON sessions (ends_at);

CREATE TABLE session_chains (
    session_id  UUID   NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    kind        TEXT   NOT NULL,
    generation  BIGINT NOT NULL,
    parent      BIGINT NOT NULL,
    first_child BIGINT NOT NULL,
    rotated_at  BIGINT NOT NULL,
    PRIMARY KEY (session_id, kind)
);

CREATE TABLE revocation_feed (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    n  BIGINT NOT NULL
);
INSERT INTO revocation_feed (id, n) VALUES (1, 0);

CREATE TABLE revocations (
    n                 BIGINT PRIMARY KEY,
    kind              TEXT   NOT NULL,
    account_id        UUID,
    session_id        UUID,
    except_session_id UUID,
    below_version     BIGINT,
    created_at        BIGINT NOT NULL,
    expires_at        BIGINT NOT NULL
);
CREATE INDEX revocations_by_expiry ON revocations (expires_at);

CREATE TABLE signing_keys (
    id             TEXT   PRIMARY KEY,
    algorithm      TEXT   NOT NULL,
    sealed_private BYTEA  NOT NULL,
    public_jwk     TEXT   NOT NULL,
    created_at     BIGINT NOT NULL,
    signs_from     BIGINT NOT NULL,
    retired_at     BIGINT,
    expires_at     BIGINT
);

CREATE TABLE attempts (
    subject       BYTEA  PRIMARY KEY,
    failures      BIGINT NOT NULL,
    blocked_until BIGINT NOT NULL,
    last_at       BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL
);
CREATE INDEX attempts_by_expiry ON attempts (expires_at);

CREATE TABLE audit_entries (
    id         UUID   PRIMARY KEY,
    at         BIGINT NOT NULL,
    event      TEXT   NOT NULL,
    account_id UUID,
    session_id UUID,
    network    TEXT,
    details    TEXT   NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX audit_entries_by_account ON audit_entries (account_id, at);
CREATE INDEX audit_entries_by_expiry ON audit_entries (expires_at);

CREATE TABLE messages (
    id           UUID   PRIMARY KEY,
    channel      TEXT   NOT NULL,
    recipient    TEXT   NOT NULL,
    template     TEXT   NOT NULL,
    sealed_body  BYTEA  NOT NULL,
    created_at   BIGINT NOT NULL,
    send_after   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    tries        BIGINT NOT NULL,
    lease_owner  UUID,
    leased_until BIGINT NOT NULL,
    done_at      BIGINT,
    outcome      TEXT
);
CREATE INDEX messages_waiting ON messages (send_after) WHERE done_at IS NULL;
CREATE INDEX messages_by_done ON messages (done_at);
