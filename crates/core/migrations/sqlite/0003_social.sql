CREATE TABLE identities (
    id             BLOB PRIMARY KEY,
    account_id     BLOB NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    provider       TEXT NOT NULL,
    issuer         TEXT NOT NULL,
    subject        TEXT NOT NULL,
    profile        TEXT NOT NULL,
    sealed_tokens  BLOB,
    created_at     INTEGER NOT NULL,
    last_used_at   INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX identities_subject_unique ON identities (issuer, subject);
CREATE INDEX identities_by_account ON identities (account_id);

CREATE TABLE spent_proofs (
    digest     BLOB PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX spent_proofs_by_expiry ON spent_proofs (expires_at);

ALTER TABLE second_factor_challenges ADD COLUMN federated TEXT;
