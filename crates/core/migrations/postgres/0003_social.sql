CREATE TABLE identities (
    id             UUID PRIMARY KEY,
    account_id     UUID NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    provider       TEXT NOT NULL,
    issuer         TEXT NOT NULL,
    subject        TEXT NOT NULL,
    profile        TEXT NOT NULL,
    sealed_tokens  BYTEA,
    created_at     BIGINT NOT NULL,
    last_used_at   BIGINT NOT NULL
);
CREATE UNIQUE INDEX identities_subject_unique ON identities (issuer, subject);
CREATE INDEX identities_by_account ON identities (account_id);

CREATE TABLE spent_proofs (
    digest     BYTEA PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX spent_proofs_by_expiry ON spent_proofs (expires_at);

ALTER TABLE second_factor_challenges ADD COLUMN federated TEXT;
