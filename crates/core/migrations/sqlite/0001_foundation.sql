CREATE TABLE commit_marker (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    group_id BLOB   NOT NULL
) STRICT;
INSERT INTO commit_marker (id, group_id) VALUES (1, X'00');

CREATE TABLE master_key_checks (
    id           INTEGER PRIMARY KEY CHECK (id = 1),
    sealed_check BLOB  NOT NULL
) STRICT;

CREATE TABLE accounts (
    id                BLOB    PRIMARY KEY,
    number            INTEGER  NOT NULL,
    email             TEXT,
    email_key         TEXT,
    email_verified_at INTEGER,
    username          TEXT,
    username_key      TEXT,
    phone             TEXT,
    phone_key         TEXT,
    phone_verified_at INTEGER,
    role              TEXT    NOT NULL,
    is_staff          INTEGER NOT NULL,
    is_superuser      INTEGER NOT NULL,
    custom_fields     TEXT    NOT NULL,
    security_version  INTEGER  NOT NULL,
    created_at        INTEGER  NOT NULL,
    created_from      TEXT    NOT NULL,
    last_sign_in_at   INTEGER,
    disabled_at       INTEGER,
    deleted_at        INTEGER
) STRICT;
CREATE UNIQUE INDEX accounts_number_unique ON accounts (number);
CREATE UNIQUE INDEX accounts_email_unique ON accounts (email_key);
CREATE UNIQUE INDEX accounts_username_unique ON accounts (username_key);
CREATE UNIQUE INDEX accounts_phone_unique ON accounts (phone_key);
CREATE INDEX accounts_never_proven ON accounts (created_at)
    WHERE email_verified_at IS NULL AND phone_verified_at IS NULL AND deleted_at IS NULL;

CREATE TABLE groups (
    id       BLOB PRIMARY KEY,
    name     TEXT NOT NULL,
    name_key TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX groups_name_unique ON groups (name_key);

CREATE TABLE account_groups (
    account_id BLOB NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    group_id   BLOB NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    PRIMARY KEY (account_id, group_id)
) STRICT;
CREATE INDEX account_groups_by_group ON account_groups (group_id);

CREATE TABLE group_permissions (
    group_id   BLOB NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    permission TEXT NOT NULL,
    PRIMARY KEY (group_id, permission)
) STRICT;

CREATE TABLE account_permissions (
    account_id BLOB NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    permission TEXT NOT NULL,
    PRIMARY KEY (account_id, permission)
) STRICT;

CREATE TABLE passwords (
    account_id  BLOB   PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    sealed_hash BLOB  NOT NULL,
    kind        TEXT   NOT NULL,
    changed_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX passwords_by_kind ON passwords (kind);

CREATE TABLE one_time_codes (
    id            BLOB   PRIMARY KEY,
    purpose       TEXT   NOT NULL,
    account_id    BLOB   REFERENCES accounts (id) ON DELETE CASCADE,
    target_key    TEXT   NOT NULL,
    digest        BLOB  NOT NULL,
    flow_digest   BLOB,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    consumed_at   INTEGER
) STRICT;
CREATE UNIQUE INDEX one_time_codes_digest_unique ON one_time_codes (digest);
CREATE INDEX one_time_codes_by_account ON one_time_codes (account_id, purpose);
CREATE INDEX one_time_codes_by_expiry ON one_time_codes (expires_at);

CREATE TABLE sessions (
    id              BLOB   PRIMARY KEY,
    account_id      BLOB   NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    door            TEXT   NOT NULL,
    amr             TEXT   NOT NULL,
    auth_time       INTEGER NOT NULL,
    user_agent      TEXT   NOT NULL,
    network         TEXT   NOT NULL,
    later_networks  TEXT   NOT NULL DEFAULT '',
    cookie_digest   BLOB,
    created_at      INTEGER NOT NULL,
    last_used_at    INTEGER NOT NULL,
    idle_for        INTEGER NOT NULL,
    ends_at         INTEGER NOT NULL,
    revoked_at      INTEGER,
    revoked_because TEXT
) STRICT;
CREATE UNIQUE INDEX sessions_cookie_unique ON sessions (cookie_digest);
CREATE INDEX sessions_by_account ON sessions (account_id, created_at);
CREATE INDEX sessions_by_end ON sessions (ends_at);

CREATE TABLE session_chains (
    session_id  BLOB   NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    kind        TEXT   NOT NULL,
    generation  INTEGER NOT NULL,
    parent      INTEGER NOT NULL,
    first_child INTEGER NOT NULL,
    rotated_at  INTEGER NOT NULL,
    PRIMARY KEY (session_id, kind)
) STRICT;

CREATE TABLE revocation_feed (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    n  INTEGER NOT NULL
) STRICT;
INSERT INTO revocation_feed (id, n) VALUES (1, 0);

CREATE TABLE revocations (
    n                 INTEGER PRIMARY KEY,
    kind              TEXT   NOT NULL,
    account_id        BLOB,
    session_id        BLOB,
    except_session_id BLOB,
    below_version     INTEGER,
    created_at        INTEGER NOT NULL,
    expires_at        INTEGER NOT NULL
) STRICT;
CREATE INDEX revocations_by_expiry ON revocations (expires_at);

CREATE TABLE signing_keys (
    id             TEXT   PRIMARY KEY,
    algorithm      TEXT   NOT NULL,
    sealed_private BLOB  NOT NULL,
    public_jwk     TEXT   NOT NULL,
    created_at     INTEGER NOT NULL,
    signs_from     INTEGER NOT NULL,
    retired_at     INTEGER,
    expires_at     INTEGER
) STRICT;

CREATE TABLE attempts (
    subject       BLOB  PRIMARY KEY,
    failures      INTEGER NOT NULL,
    blocked_until INTEGER NOT NULL,
    last_at       INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX attempts_by_expiry ON attempts (expires_at);

CREATE TABLE audit_entries (
    id         BLOB   PRIMARY KEY,
    at         INTEGER NOT NULL,
    event      TEXT   NOT NULL,
    account_id BLOB,
    session_id BLOB,
    network    TEXT,
    details    TEXT   NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX audit_entries_by_account ON audit_entries (account_id, at);
CREATE INDEX audit_entries_by_expiry ON audit_entries (expires_at);

CREATE TABLE messages (
    id           BLOB   PRIMARY KEY,
    channel      TEXT   NOT NULL,
    recipient    TEXT   NOT NULL,
    template     TEXT   NOT NULL,
    sealed_body  BLOB  NOT NULL,
    created_at   INTEGER NOT NULL,
    send_after   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    tries        INTEGER NOT NULL,
    lease_owner  BLOB,
    leased_until INTEGER NOT NULL,
    done_at      INTEGER,
    outcome      TEXT
) STRICT;
CREATE INDEX messages_waiting ON messages (send_after) WHERE done_at IS NULL;
CREATE INDEX messages_by_done ON messages (done_at);
