/**
 * The steps of the schema. Entry n upgrades a database from version n to n + 1 (`PRAGMA user_version`). Never
 * edit a released step: append a new one.
 *
 * A table without rowid keeps each row in the tree of its primary key, so a refresh touches one page. No
 * index covers a column that a refresh changes.
 */
export const migrations: readonly string[] = [
  `
  CREATE TABLE accounts (
    id            TEXT PRIMARY KEY,
    username      TEXT NOT NULL,
    username_key  TEXT NOT NULL UNIQUE,
    user_id       TEXT,
    password_hash TEXT,
    roles         TEXT NOT NULL,
    disabled_at   INTEGER,
    hard_position INTEGER NOT NULL,
    created_at    INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE sessions (
    id                 TEXT PRIMARY KEY,
    account_id         TEXT NOT NULL REFERENCES accounts (id),
    client_id          TEXT NOT NULL,
    seed               BLOB NOT NULL,
    generation         INTEGER NOT NULL,
    created_at         INTEGER NOT NULL,
    rotated_at         INTEGER NOT NULL,
    expires_at         INTEGER NOT NULL,
    ends_at            INTEGER NOT NULL,
    ended_at           INTEGER,
    signed_in_position INTEGER NOT NULL,
    refresh_kid        TEXT NOT NULL,
    address            TEXT NOT NULL,
    user_agent         TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX sessions_by_account ON sessions (account_id, created_at);
  CREATE INDEX sessions_by_end ON sessions (ends_at);

  CREATE TABLE revocation_head (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    position INTEGER NOT NULL,
    chain    BLOB NOT NULL,
    origin   BLOB
  ) STRICT;
  -- A random beginning, so that two stores never share a chain; kept, so that it can be verified whole.
  INSERT INTO revocation_head (id, position, chain) VALUES (1, 0, randomblob(32));
  UPDATE revocation_head SET origin = chain;

  CREATE TABLE revocations (
    position INTEGER PRIMARY KEY,
    kind     TEXT NOT NULL,
    subject  TEXT NOT NULL,
    hard     INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    chain    BLOB NOT NULL
  ) STRICT;
  CREATE TRIGGER revocations_no_update BEFORE UPDATE ON revocations
    BEGIN SELECT RAISE(ABORT, 'the revocation log is append-only'); END;
  CREATE TRIGGER revocations_no_delete BEFORE DELETE ON revocations
    BEGIN SELECT RAISE(ABORT, 'the revocation log is append-only'); END;

  CREATE TABLE audit (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    at         INTEGER NOT NULL,
    actor      TEXT NOT NULL,
    event      TEXT NOT NULL,
    outcome    TEXT NOT NULL,
    account_id TEXT,
    session_id TEXT,
    address    TEXT,
    detail     TEXT
  ) STRICT;
  CREATE INDEX audit_by_account ON audit (account_id, id);
  CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
  CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;

  CREATE TABLE keys (
    kid        TEXT PRIMARY KEY,
    alg        TEXT NOT NULL,
    use        TEXT NOT NULL,
    state      TEXT NOT NULL,
    sealed     BLOB NOT NULL,
    created_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  -- The readiness check writes this row. Its value has no meaning and changes at each check.
  CREATE TABLE write_checks (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    checks INTEGER NOT NULL
  ) STRICT;
  INSERT INTO write_checks (id, checks) VALUES (1, 0);
  `,
  `
  -- The permissions of roles. A role without a definition has no permissions.
  CREATE TABLE roles (
    name        TEXT PRIMARY KEY,
    permissions TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE tenants (
    id            TEXT PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    disabled_at   INTEGER,
    hard_position INTEGER NOT NULL,
    created_at    INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE memberships (
    account_id TEXT NOT NULL REFERENCES accounts (id),
    tenant_id  TEXT NOT NULL REFERENCES tenants (id),
    roles      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, tenant_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX memberships_by_tenant ON memberships (tenant_id);

  ALTER TABLE accounts ADD COLUMN default_tenant TEXT REFERENCES tenants (id);
  -- The tenant that the session is in. A refresh may name another tenant.
  ALTER TABLE sessions ADD COLUMN tenant_id TEXT REFERENCES tenants (id);

  -- Counted attempts: the time at which the bucket will be empty again, in milliseconds since 1970.
  CREATE TABLE throttles (
    key      TEXT PRIMARY KEY,
    empty_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX throttles_by_end ON throttles (empty_at);
  `,
  `
  -- Service accounts.
  CREATE TABLE clients (
    id            TEXT PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    roles         TEXT NOT NULL,
    tenant_id     TEXT REFERENCES tenants (id),
    disabled_at   INTEGER,
    hard_position INTEGER NOT NULL,
    created_at    INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  -- At most two of a client: the one that its instances have, and the one that they are given.
  CREATE TABLE client_secrets (
    client_id    TEXT NOT NULL REFERENCES clients (id),
    id           TEXT NOT NULL,
    hash         BLOB NOT NULL,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER,
    PRIMARY KEY (client_id, id)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- When everybody last had to log in again, in milliseconds since 1970.
  ALTER TABLE revocation_head ADD COLUMN started_over_at INTEGER NOT NULL DEFAULT 0;

  -- Heads of branches of the log that the store had lost and that were repaired.
  CREATE TABLE lost_heads (
    position INTEGER NOT NULL,
    chain    BLOB NOT NULL,
    PRIMARY KEY (position, chain)
  ) STRICT, WITHOUT ROWID;

  CREATE INDEX revocations_by_subject ON revocations (kind, subject);
  `,
  `
  -- The account's newest hard position that the session has survived, because it revoked the others itself.
  ALTER TABLE sessions ADD COLUMN survived_position INTEGER NOT NULL DEFAULT 0;
  `,
  `
  -- When a key entered its state, until when a retiring key verifies, and the certificates, with that of the key first.
  ALTER TABLE keys ADD COLUMN changed_at INTEGER NOT NULL DEFAULT 0;
  UPDATE keys SET changed_at = created_at;
  ALTER TABLE keys ADD COLUMN verifies_until INTEGER;
  ALTER TABLE keys ADD COLUMN certificates TEXT;
  `,
  `
  -- Whether a key was made elsewhere.
  ALTER TABLE keys ADD COLUMN imported INTEGER NOT NULL DEFAULT 0;
  UPDATE keys SET imported = 1 WHERE coalesce(certificates, '[]') <> '[]';

  -- How the server that runs here changes keys: commands beside it follow that, not the settings of their shell.
  CREATE TABLE key_schedule (
    id              INTEGER PRIMARY KEY CHECK (id = 1),
    alg             TEXT NOT NULL,
    rotation_ms     INTEGER,
    lead_ms         INTEGER NOT NULL,
    access_life_ms  INTEGER NOT NULL,
    refresh_life_ms INTEGER NOT NULL
  ) STRICT;
  `,
  `
  -- When and how the person last proved who they are: RFC 8176 values, and the context class that they reached.
  ALTER TABLE sessions ADD COLUMN authenticated_at INTEGER NOT NULL DEFAULT 0;
  UPDATE sessions SET authenticated_at = created_at;
  ALTER TABLE sessions ADD COLUMN amr TEXT NOT NULL DEFAULT '["pwd"]';
  ALTER TABLE sessions ADD COLUMN acr TEXT;
  `,
  `
  -- 1: the row stands for an account of an application's own table. No query depends on the order of usernames then.
  ALTER TABLE accounts ADD COLUMN is_shadow INTEGER NOT NULL DEFAULT 0;
  UPDATE accounts SET is_shadow = 1 WHERE unicode(username_key) = 1;
  `,
  `
  -- Ids that may be used once: SHA-256 of each, and when it expires, in milliseconds since 1970.
  CREATE TABLE consumed (
    kind       TEXT NOT NULL,
    id_hash    BLOB NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (kind, id_hash)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX consumed_by_end ON consumed (expires_at);
  `,
  `
  -- Where the kept part of the log begins: its origin, or the newest entry that was pruned.
  ALTER TABLE revocation_head ADD COLUMN oldest_position INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE revocation_head ADD COLUMN oldest_chain BLOB;
  UPDATE revocation_head SET oldest_chain = origin;

  -- Both tables stay append-only, except for a prefix that was declared prunable in the same transaction.
  DROP TRIGGER revocations_no_delete;
  CREATE TRIGGER revocations_no_delete BEFORE DELETE ON revocations
    WHEN OLD.position > (SELECT oldest_position FROM revocation_head WHERE id = 1)
    BEGIN SELECT RAISE(ABORT, 'the revocation log is append-only'); END;

  CREATE TABLE audit_start (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    pruned_id INTEGER NOT NULL
  ) STRICT;
  INSERT INTO audit_start (id, pruned_id) VALUES (1, 0);
  DROP TRIGGER audit_no_delete;
  CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
    WHEN OLD.id > (SELECT pruned_id FROM audit_start WHERE id = 1)
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
  `,
  `
  -- The last two windows of rotations: the generation that was current when each began, when the newest began, and
  -- the last rotation of the one before. Times are in milliseconds since 1970.
  ALTER TABLE sessions ADD COLUMN grace_generation INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE sessions ADD COLUMN grace_began_at INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE sessions ADD COLUMN prior_generation INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE sessions ADD COLUMN prior_rotated_at INTEGER NOT NULL DEFAULT 0;
  -- Older rows know only their last rotation.
  UPDATE sessions SET grace_generation = generation - 1, grace_began_at = rotated_at,
                      prior_generation = generation - 1
  WHERE generation > 0;
  `,
  `
  -- The sessions of an account that may be live, without the ended ones. No column of it changes at a refresh.
  CREATE INDEX sessions_open_by_account
    ON sessions (account_id, max(signed_in_position, survived_position)) WHERE ended_at IS NULL;

  -- The latest expiry among the deleted rows, in milliseconds since 1970.
  CREATE TABLE consumed_start (
    id           INTEGER PRIMARY KEY CHECK (id = 1),
    purged_until INTEGER NOT NULL
  ) STRICT;
  INSERT INTO consumed_start (id, purged_until) VALUES (1, 0);
  `,
  `
  -- The e-mail address of an account, and when it was proved. The version voids mailed codes of older credentials.
  ALTER TABLE accounts ADD COLUMN email TEXT;
  ALTER TABLE accounts ADD COLUMN email_key TEXT;
  ALTER TABLE accounts ADD COLUMN email_verified_at INTEGER;
  ALTER TABLE accounts ADD COLUMN locale TEXT;
  ALTER TABLE accounts ADD COLUMN credentials_version INTEGER NOT NULL DEFAULT 0;
  CREATE UNIQUE INDEX accounts_by_email ON accounts (email_key) WHERE email_key IS NOT NULL;

  -- Mailed codes and links. A code for an unknown address is a decoy that nothing matches.
  CREATE TABLE mail_codes (
    id          TEXT PRIMARY KEY,
    purpose     TEXT NOT NULL,
    subject     TEXT NOT NULL,
    account_id  TEXT,
    version     INTEGER NOT NULL,
    email       TEXT NOT NULL,
    email_key   TEXT NOT NULL,
    link_hash   BLOB NOT NULL,
    code_hash   BLOB NOT NULL,
    ticket_hash BLOB NOT NULL,
    position    INTEGER NOT NULL,
    details     BLOB,
    attempts    INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX mail_codes_by_subject ON mail_codes (purpose, subject);
  CREATE INDEX mail_codes_by_account ON mail_codes (account_id) WHERE account_id IS NOT NULL;
  CREATE INDEX mail_codes_by_end ON mail_codes (expires_at);
  `,
  `
  -- The outbox. Times are in milliseconds since 1970.
  CREATE TABLE mails (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT NOT NULL UNIQUE,
    kind       TEXT NOT NULL,
    recipient  TEXT,
    locale     TEXT NOT NULL,
    sealed     BLOB,
    account_id TEXT,
    created_at INTEGER NOT NULL,
    not_after  INTEGER NOT NULL,
    state      TEXT NOT NULL,
    attempts   INTEGER NOT NULL,
    -- While it waits: the next attempt, or the end of the lease of the current one.
    due_at     INTEGER,
    -- When it was handed over or has failed for good.
    done_at    INTEGER,
    reason     TEXT
  ) STRICT;
  CREATE INDEX mails_by_due ON mails (due_at) WHERE due_at IS NOT NULL;
  CREATE INDEX mails_by_done ON mails (done_at) WHERE done_at IS NOT NULL;
  `,
  `
  -- Invitations to tenants. Times are in milliseconds since 1970.
  CREATE TABLE invitations (
    id         TEXT PRIMARY KEY,
    tenant_id  TEXT NOT NULL,
    email      TEXT NOT NULL,
    email_key  TEXT NOT NULL,
    -- A JSON array.
    roles      TEXT NOT NULL,
    -- The account that invited. NULL: an operator or the application.
    inviter_id TEXT,
    link_hash  BLOB NOT NULL,
    code_hash  BLOB NOT NULL,
    -- Each mail has new secrets.
    mailings   INTEGER NOT NULL,
    attempts   INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    state      TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX invitations_open ON invitations (tenant_id, email_key) WHERE state = 'open';
  CREATE INDEX invitations_by_email ON invitations (email_key);
  CREATE INDEX invitations_by_end ON invitations (expires_at);
  `,
  `
  -- Second factors. Times are in milliseconds since 1970.
  CREATE TABLE factors (
    id                 TEXT PRIMARY KEY,
    account_id         TEXT NOT NULL,
    kind               TEXT NOT NULL,
    name               TEXT NOT NULL,
    created_at         INTEGER NOT NULL,
    last_used_at       INTEGER,
    -- Only of an authenticator app: its sealed secret, and the newest accepted time step.
    secret             BLOB,
    last_step          INTEGER,
    -- Only of a passkey.
    credential_id      TEXT,
    public_key         BLOB,
    sign_count         INTEGER,
    transports         TEXT,
    is_backup_eligible INTEGER,
    is_backed_up       INTEGER,
    aaguid             TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX factors_by_account ON factors (account_id, kind);
  CREATE UNIQUE INDEX factors_by_credential ON factors (credential_id) WHERE credential_id IS NOT NULL;
  CREATE UNIQUE INDEX factors_totp ON factors (account_id) WHERE kind = 'totp';

  CREATE TABLE recovery_codes (
    account_id TEXT NOT NULL,
    hash       BLOB NOT NULL,
    PRIMARY KEY (account_id, hash)
  ) STRICT, WITHOUT ROWID;

  -- Wrong guesses since the last use of a factor.
  CREATE TABLE factor_guesses (
    account_id TEXT NOT NULL,
    kind       TEXT NOT NULL,
    failures   INTEGER NOT NULL,
    last_at    INTEGER NOT NULL,
    PRIMARY KEY (account_id, kind)
  ) STRICT, WITHOUT ROWID;

  -- What the server has asked for and expects once.
  CREATE TABLE challenges (
    id          TEXT PRIMARY KEY,
    purpose     TEXT NOT NULL,
    subject     TEXT NOT NULL,
    account_id  TEXT,
    secret_hash BLOB NOT NULL,
    details     BLOB NOT NULL,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX challenges_by_subject ON challenges (purpose, subject) WHERE subject <> '';
  CREATE INDEX challenges_by_account ON challenges (account_id) WHERE account_id IS NOT NULL;
  CREATE INDEX challenges_by_end ON challenges (expires_at);

  CREATE TABLE trusted_devices (
    hash       BLOB PRIMARY KEY,
    account_id TEXT NOT NULL,
    version    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    user_agent TEXT NOT NULL,
    address    TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX trusted_devices_by_account ON trusted_devices (account_id);
  CREATE INDEX trusted_devices_by_end ON trusted_devices (expires_at);

  -- The RP ID of all passkeys. It never changes.
  CREATE TABLE passkey_scope (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    rp_id TEXT NOT NULL
  ) STRICT;

  -- By when the account must enrol a factor, and by which bytes authenticators know it.
  ALTER TABLE accounts ADD COLUMN factor_due_at INTEGER;
  ALTER TABLE accounts ADD COLUMN passkey_user BLOB;
  -- How the session met the need for a second factor.
  ALTER TABLE sessions ADD COLUMN second_factor TEXT NOT NULL DEFAULT 'none';
  `,
  `
  -- The servers on one PostgreSQL. Both engines have the same tables. A server on this database writes no row.
  CREATE TABLE nodes (
    id           TEXT PRIMARY KEY,
    name         TEXT NOT NULL,
    version      TEXT NOT NULL,
    started_at   INTEGER NOT NULL,
    heartbeat_at INTEGER NOT NULL,
    beats        INTEGER NOT NULL,
    confirmed    INTEGER NOT NULL,
    guards       INTEGER NOT NULL,
    awaits       INTEGER NOT NULL,
    is_settled   INTEGER NOT NULL,
    has_left     INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE node_lead (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    node_id TEXT NOT NULL,
    until   INTEGER NOT NULL
  ) STRICT;
  INSERT INTO node_lead (id, node_id, until) VALUES (1, '', 0);
  `,
  `
  -- Single sign-on. Times are in milliseconds since 1970.
  CREATE TABLE applications (
    id           TEXT PRIMARY KEY,
    name         TEXT NOT NULL UNIQUE,
    title        TEXT NOT NULL,
    registration TEXT NOT NULL,
    disabled_at  INTEGER,
    created_at   INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE application_secrets (
    application_id TEXT NOT NULL REFERENCES applications (id),
    id             TEXT NOT NULL,
    hash           BLOB NOT NULL,
    created_at     INTEGER NOT NULL,
    last_used_at   INTEGER,
    PRIMARY KEY (application_id, id)
  ) STRICT, WITHOUT ROWID;

  -- Browser sessions, interactions, codes, pushed requests and grants. Ids are stored as hashes.
  CREATE TABLE sso_records (
    kind           TEXT NOT NULL,
    id_hash        BLOB NOT NULL,
    session_id     TEXT,
    grant_id       TEXT,
    application_id TEXT,
    other_hash     BLOB,
    payload        TEXT NOT NULL,
    used_at        INTEGER,
    expires_at     INTEGER NOT NULL,
    PRIMARY KEY (kind, id_hash)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX sso_records_by_other ON sso_records (kind, other_hash) WHERE other_hash IS NOT NULL;
  CREATE INDEX sso_records_by_grant ON sso_records (grant_id) WHERE grant_id IS NOT NULL;
  CREATE INDEX sso_records_by_session ON sso_records (session_id) WHERE session_id IS NOT NULL;
  CREATE INDEX sso_records_by_end ON sso_records (expires_at);

  -- One row for the refresh tokens of a grant. A rotation changes it.
  CREATE TABLE sso_refreshes (
    id               TEXT PRIMARY KEY,
    session_id       TEXT NOT NULL,
    grant_id         TEXT NOT NULL,
    application_id   TEXT NOT NULL,
    seed             BLOB NOT NULL,
    generation       INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    rotated_at       INTEGER NOT NULL,
    grace_generation INTEGER NOT NULL,
    grace_began_at   INTEGER NOT NULL,
    prior_generation INTEGER NOT NULL,
    prior_rotated_at INTEGER NOT NULL,
    expires_at       INTEGER NOT NULL,
    ends_at          INTEGER NOT NULL,
    payload          TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX sso_refreshes_by_grant ON sso_refreshes (grant_id);
  CREATE INDEX sso_refreshes_by_session ON sso_refreshes (session_id);
  CREATE INDEX sso_refreshes_by_end ON sso_refreshes (ends_at);

  CREATE TABLE sso_consents (
    account_id     TEXT NOT NULL,
    application_id TEXT NOT NULL,
    allowed        TEXT NOT NULL,
    given_at       INTEGER NOT NULL,
    changed_at     INTEGER NOT NULL,
    PRIMARY KEY (account_id, application_id)
  ) STRICT, WITHOUT ROWID;

  -- The applications in which a session signed in, until it ends.
  CREATE TABLE sso_logins (
    session_id     TEXT NOT NULL,
    application_id TEXT NOT NULL,
    account_id     TEXT NOT NULL,
    sid            TEXT NOT NULL,
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    PRIMARY KEY (session_id, application_id, sid)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX sso_logins_by_account ON sso_logins (account_id);
  CREATE INDEX sso_logins_by_end ON sso_logins (expires_at);

  -- Logouts that applications must be told about.
  CREATE TABLE sso_logouts (
    id             TEXT PRIMARY KEY,
    application_id TEXT NOT NULL,
    account_id     TEXT NOT NULL,
    sid            TEXT NOT NULL,
    attempts       INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    due_at         INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX sso_logouts_by_due ON sso_logouts (due_at);

  -- Up to which position of the log the logouts were collected.
  CREATE TABLE sso_collected (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    position INTEGER NOT NULL
  ) STRICT;
  INSERT INTO sso_collected (id, position) SELECT 1, position FROM revocation_head WHERE id = 1;

  -- Identities of other issuers.
  CREATE TABLE identities (
    issuer       TEXT NOT NULL,
    subject      TEXT NOT NULL,
    provider     TEXT NOT NULL,
    account_id   TEXT NOT NULL,
    label        TEXT NOT NULL,
    linked_at    INTEGER NOT NULL,
    last_used_at INTEGER,
    PRIMARY KEY (issuer, subject)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX identities_by_account ON identities (account_id);
  `,
]
