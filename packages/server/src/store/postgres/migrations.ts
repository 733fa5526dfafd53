/**
 * The steps of the schema. Entry n upgrades a database from version n to n + 1. Never edit a released step: append a
 * new one.
 *
 * Nodes of the previous version still run while a step is applied. So a step only adds: tables, indexes, columns that
 * may be NULL or have a constant default. A later release removes what no supported version reads any more.
 *
 * Flags and single rows are `integer`; times, positions and counters are `bigint`. Texts compare by their bytes, as in
 * SQLite. No index covers a column that a refresh changes, so PostgreSQL updates a session in its page (HOT).
 */
export const migrations: readonly string[] = [
  `
  CREATE TABLE tenants (
    id            text COLLATE "C" PRIMARY KEY,
    name          text COLLATE "C" NOT NULL UNIQUE,
    disabled_at   bigint,
    hard_position bigint NOT NULL,
    created_at    bigint NOT NULL
  );

  CREATE TABLE accounts (
    id                  text COLLATE "C" PRIMARY KEY,
    username            text COLLATE "C" NOT NULL,
    username_key        text COLLATE "C" NOT NULL UNIQUE,
    user_id             text COLLATE "C",
    password_hash       text COLLATE "C",
    roles               text COLLATE "C" NOT NULL,
    disabled_at         bigint,
    hard_position       bigint NOT NULL,
    created_at          bigint NOT NULL,
    default_tenant      text COLLATE "C" REFERENCES tenants (id),
    is_shadow           integer NOT NULL DEFAULT 0,
    email               text COLLATE "C",
    email_key           text COLLATE "C",
    email_verified_at   bigint,
    locale              text COLLATE "C",
    credentials_version bigint NOT NULL DEFAULT 0,
    factor_due_at       bigint,
    passkey_user        bytea
  );
  CREATE UNIQUE INDEX accounts_by_email ON accounts (email_key) WHERE email_key IS NOT NULL;

  CREATE TABLE sessions (
    id                 text COLLATE "C" PRIMARY KEY,
    account_id         text COLLATE "C" NOT NULL REFERENCES accounts (id),
    client_id          text COLLATE "C" NOT NULL,
    seed               bytea NOT NULL,
    generation         bigint NOT NULL,
    created_at         bigint NOT NULL,
    rotated_at         bigint NOT NULL,
    expires_at         bigint NOT NULL,
    ends_at            bigint NOT NULL,
    ended_at           bigint,
    signed_in_position bigint NOT NULL,
    refresh_kid        text COLLATE "C" NOT NULL,
    address            text COLLATE "C" NOT NULL,
    user_agent         text COLLATE "C" NOT NULL,
    tenant_id          text COLLATE "C" REFERENCES tenants (id),
    survived_position  bigint NOT NULL DEFAULT 0,
    authenticated_at   bigint NOT NULL DEFAULT 0,
    amr                text COLLATE "C" NOT NULL DEFAULT '["pwd"]',
    acr                text COLLATE "C",
    grace_generation   bigint NOT NULL DEFAULT 0,
    grace_began_at     bigint NOT NULL DEFAULT 0,
    prior_generation   bigint NOT NULL DEFAULT 0,
    prior_rotated_at   bigint NOT NULL DEFAULT 0,
    second_factor      text COLLATE "C" NOT NULL DEFAULT 'none'
  ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
  CREATE INDEX sessions_by_account ON sessions (account_id, created_at);
  CREATE INDEX sessions_by_end ON sessions (ends_at);
  CREATE INDEX sessions_open_by_account ON sessions (account_id, greatest(signed_in_position, survived_position)) WHERE ended_at IS NULL;

  CREATE TABLE memberships (
    account_id text COLLATE "C" NOT NULL REFERENCES accounts (id),
    tenant_id  text COLLATE "C" NOT NULL REFERENCES tenants (id),
    roles      text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (account_id, tenant_id)
  );
  CREATE INDEX memberships_by_tenant ON memberships (tenant_id);

  CREATE TABLE roles (
    name        text COLLATE "C" PRIMARY KEY,
    permissions text COLLATE "C" NOT NULL
  );

  CREATE TABLE clients (
    id            text COLLATE "C" PRIMARY KEY,
    name          text COLLATE "C" NOT NULL UNIQUE,
    roles         text COLLATE "C" NOT NULL,
    tenant_id     text COLLATE "C" REFERENCES tenants (id),
    disabled_at   bigint,
    hard_position bigint NOT NULL,
    created_at    bigint NOT NULL
  );

  CREATE TABLE client_secrets (
    client_id    text COLLATE "C" NOT NULL REFERENCES clients (id),
    id           text COLLATE "C" NOT NULL,
    hash         bytea NOT NULL,
    created_at   bigint NOT NULL,
    last_used_at bigint,
    PRIMARY KEY (client_id, id)
  );

  CREATE TABLE revocation_head (
    id              integer PRIMARY KEY CHECK (id = 1),
    position        bigint NOT NULL,
    chain           bytea NOT NULL,
    origin          bytea,
    started_over_at bigint NOT NULL DEFAULT 0,
    oldest_position bigint NOT NULL DEFAULT 0,
    oldest_chain    bytea
  ) WITH (fillfactor = 10);

  CREATE TABLE revocations (
    position bigint PRIMARY KEY,
    kind     text COLLATE "C" NOT NULL,
    subject  text COLLATE "C" NOT NULL,
    hard     integer NOT NULL,
    at       bigint NOT NULL,
    chain    bytea NOT NULL
  );
  CREATE INDEX revocations_by_subject ON revocations (kind, subject);

  CREATE TABLE lost_heads (
    position bigint NOT NULL,
    chain    bytea NOT NULL,
    PRIMARY KEY (position, chain)
  );

  CREATE TABLE audit (
    id         bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    at         bigint NOT NULL,
    actor      text COLLATE "C" NOT NULL,
    event      text COLLATE "C" NOT NULL,
    outcome    text COLLATE "C" NOT NULL,
    account_id text COLLATE "C",
    session_id text COLLATE "C",
    address    text COLLATE "C",
    detail     text COLLATE "C"
  );
  CREATE INDEX audit_by_account ON audit (account_id, id);

  CREATE TABLE audit_start (
    id        integer PRIMARY KEY CHECK (id = 1),
    pruned_id bigint NOT NULL
  );

  CREATE TABLE keys (
    kid            text COLLATE "C" PRIMARY KEY,
    alg            text COLLATE "C" NOT NULL,
    use            text COLLATE "C" NOT NULL,
    state          text COLLATE "C" NOT NULL,
    sealed         bytea NOT NULL,
    created_at     bigint NOT NULL,
    changed_at     bigint NOT NULL DEFAULT 0,
    verifies_until bigint,
    certificates   text COLLATE "C",
    imported       integer NOT NULL DEFAULT 0
  );

  CREATE TABLE key_schedule (
    id              integer PRIMARY KEY CHECK (id = 1),
    alg             text COLLATE "C" NOT NULL,
    rotation_ms     bigint,
    lead_ms         bigint NOT NULL,
    access_life_ms  bigint NOT NULL,
    refresh_life_ms bigint NOT NULL
  );

  CREATE TABLE throttles (
    key      text COLLATE "C" PRIMARY KEY,
    empty_at bigint NOT NULL
  ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
  CREATE INDEX throttles_by_end ON throttles (empty_at);

  CREATE TABLE consumed (
    kind       text COLLATE "C" NOT NULL,
    id_hash    bytea NOT NULL,
    expires_at bigint NOT NULL,
    PRIMARY KEY (kind, id_hash)
  );
  CREATE INDEX consumed_by_end ON consumed (expires_at);

  CREATE TABLE consumed_start (
    id           integer PRIMARY KEY CHECK (id = 1),
    purged_until bigint NOT NULL
  );

  CREATE TABLE mail_codes (
    id          text COLLATE "C" PRIMARY KEY,
    purpose     text COLLATE "C" NOT NULL,
    subject     text COLLATE "C" NOT NULL,
    account_id  text COLLATE "C",
    version     bigint NOT NULL,
    email       text COLLATE "C" NOT NULL,
    email_key   text COLLATE "C" NOT NULL,
    link_hash   bytea NOT NULL,
    code_hash   bytea NOT NULL,
    ticket_hash bytea NOT NULL,
    position    bigint NOT NULL,
    details     bytea,
    attempts    integer NOT NULL,
    created_at  bigint NOT NULL,
    expires_at  bigint NOT NULL
  );
  CREATE UNIQUE INDEX mail_codes_by_subject ON mail_codes (purpose, subject);
  CREATE INDEX mail_codes_by_account ON mail_codes (account_id) WHERE account_id IS NOT NULL;
  CREATE INDEX mail_codes_by_end ON mail_codes (expires_at);

  CREATE TABLE mails (
    number     bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    id         text COLLATE "C" NOT NULL UNIQUE,
    kind       text COLLATE "C" NOT NULL,
    recipient  text COLLATE "C",
    locale     text COLLATE "C" NOT NULL,
    sealed     bytea,
    account_id text COLLATE "C",
    created_at bigint NOT NULL,
    not_after  bigint NOT NULL,
    state      text COLLATE "C" NOT NULL,
    attempts   integer NOT NULL,
    due_at     bigint,
    done_at    bigint,
    reason     text COLLATE "C"
  );
  CREATE INDEX mails_by_due ON mails (due_at) WHERE due_at IS NOT NULL;
  CREATE INDEX mails_by_done ON mails (done_at) WHERE done_at IS NOT NULL;

  CREATE TABLE invitations (
    id         text COLLATE "C" PRIMARY KEY,
    tenant_id  text COLLATE "C" NOT NULL,
    email      text COLLATE "C" NOT NULL,
    email_key  text COLLATE "C" NOT NULL,
    roles      text COLLATE "C" NOT NULL,
    inviter_id text COLLATE "C",
    link_hash  bytea NOT NULL,
    code_hash  bytea NOT NULL,
    mailings   integer NOT NULL,
    attempts   integer NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    state      text COLLATE "C" NOT NULL
  );
  CREATE UNIQUE INDEX invitations_open ON invitations (tenant_id, email_key) WHERE state = 'open';
  CREATE INDEX invitations_by_email ON invitations (email_key);
  CREATE INDEX invitations_by_end ON invitations (expires_at);

  CREATE TABLE factors (
    id                 text COLLATE "C" PRIMARY KEY,
    account_id         text COLLATE "C" NOT NULL,
    kind               text COLLATE "C" NOT NULL,
    name               text COLLATE "C" NOT NULL,
    created_at         bigint NOT NULL,
    last_used_at       bigint,
    secret             bytea,
    last_step          bigint,
    credential_id      text COLLATE "C",
    public_key         bytea,
    sign_count         bigint,
    transports         text COLLATE "C",
    is_backup_eligible integer,
    is_backed_up       integer,
    aaguid             text COLLATE "C"
  );
  CREATE INDEX factors_by_account ON factors (account_id, kind);
  CREATE UNIQUE INDEX factors_by_credential ON factors (credential_id) WHERE credential_id IS NOT NULL;
  CREATE UNIQUE INDEX factors_totp ON factors (account_id) WHERE kind = 'totp';

  CREATE TABLE recovery_codes (
    account_id text COLLATE "C" NOT NULL,
    hash       bytea NOT NULL,
    PRIMARY KEY (account_id, hash)
  );

  CREATE TABLE factor_guesses (
    account_id text COLLATE "C" NOT NULL,
    kind       text COLLATE "C" NOT NULL,
    failures   integer NOT NULL,
    last_at    bigint NOT NULL,
    PRIMARY KEY (account_id, kind)
  );

  CREATE TABLE challenges (
    id          text COLLATE "C" PRIMARY KEY,
    purpose     text COLLATE "C" NOT NULL,
    subject     text COLLATE "C" NOT NULL,
    account_id  text COLLATE "C",
    secret_hash bytea NOT NULL,
    details     bytea NOT NULL,
    created_at  bigint NOT NULL,
    expires_at  bigint NOT NULL
  );
  CREATE UNIQUE INDEX challenges_by_subject ON challenges (purpose, subject) WHERE subject <> '';
  CREATE INDEX challenges_by_account ON challenges (account_id) WHERE account_id IS NOT NULL;
  CREATE INDEX challenges_by_end ON challenges (expires_at);

  CREATE TABLE trusted_devices (
    hash       bytea PRIMARY KEY,
    account_id text COLLATE "C" NOT NULL,
    version    bigint NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    user_agent text COLLATE "C" NOT NULL,
    address    text COLLATE "C" NOT NULL
  );
  CREATE INDEX trusted_devices_by_account ON trusted_devices (account_id);
  CREATE INDEX trusted_devices_by_end ON trusted_devices (expires_at);

  CREATE TABLE passkey_scope (
    id    integer PRIMARY KEY CHECK (id = 1),
    rp_id text COLLATE "C" NOT NULL
  );

  CREATE TABLE write_checks (
    id     integer PRIMARY KEY CHECK (id = 1),
    checks bigint NOT NULL
  );

  -- A random beginning, so that two stores never share a chain; kept, so that it can be verified whole.
  INSERT INTO revocation_head (id, position, chain)
    VALUES (1, 0, sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));
  UPDATE revocation_head SET origin = chain, oldest_chain = chain;
  INSERT INTO audit_start (id, pruned_id) VALUES (1, 0);
  INSERT INTO consumed_start (id, purged_until) VALUES (1, 0);
  INSERT INTO write_checks (id, checks) VALUES (1, 0);

  -- Both tables are append-only, except for a prefix that was declared prunable in the same transaction.
  CREATE FUNCTION countersign_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'the table % is append-only', TG_TABLE_NAME; END $$;
  CREATE TRIGGER revocations_no_update BEFORE UPDATE ON revocations
    FOR EACH STATEMENT EXECUTE FUNCTION countersign_append_only();
  CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION countersign_append_only();
  CREATE FUNCTION countersign_keep_revocations() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF OLD.position > (SELECT oldest_position FROM revocation_head WHERE id = 1) THEN
        RAISE EXCEPTION 'the revocation log is append-only';
      END IF;
      RETURN OLD;
    END $$;
  CREATE TRIGGER revocations_no_delete BEFORE DELETE ON revocations
    FOR EACH ROW EXECUTE FUNCTION countersign_keep_revocations();
  CREATE FUNCTION countersign_keep_audit() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF OLD.id > (SELECT pruned_id FROM audit_start WHERE id = 1) THEN
        RAISE EXCEPTION 'the audit is append-only';
      END IF;
      RETURN OLD;
    END $$;
  CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION countersign_keep_audit();
  `,
  `
  -- The servers that run on this database. PostgreSQL rewrites a row in its page, because no index has its columns.
  CREATE TABLE nodes (
    id           text COLLATE "C" PRIMARY KEY,
    name         text COLLATE "C" NOT NULL,
    version      text COLLATE "C" NOT NULL,
    started_at   bigint NOT NULL,
    heartbeat_at bigint NOT NULL,
    beats        bigint NOT NULL,
    confirmed    bigint NOT NULL,
    guards       bigint NOT NULL,
    awaits       bigint NOT NULL,
    is_settled   integer NOT NULL,
    has_left     integer NOT NULL
  ) WITH (fillfactor = 50);

  -- The node that does the background work, and until when.
  CREATE TABLE node_lead (
    id      integer PRIMARY KEY CHECK (id = 1),
    node_id text COLLATE "C" NOT NULL,
    until   bigint NOT NULL
  ) WITH (fillfactor = 50);
  INSERT INTO node_lead (id, node_id, until) VALUES (1, '', 0);
  `,
  `
  -- Single sign-on. Times are in milliseconds since 1970.
  CREATE TABLE applications (
    id           text COLLATE "C" PRIMARY KEY,
    name         text COLLATE "C" NOT NULL UNIQUE,
    title        text COLLATE "C" NOT NULL,
    registration text COLLATE "C" NOT NULL,
    disabled_at  bigint,
    created_at   bigint NOT NULL
  );

  CREATE TABLE application_secrets (
    application_id text COLLATE "C" NOT NULL REFERENCES applications (id),
    id             text COLLATE "C" NOT NULL,
    hash           bytea NOT NULL,
    created_at     bigint NOT NULL,
    last_used_at   bigint,
    PRIMARY KEY (application_id, id)
  );

  -- Browser sessions, interactions, codes, pushed requests and grants. Ids are stored as hashes.
  CREATE TABLE sso_records (
    kind           text COLLATE "C" NOT NULL,
    id_hash        bytea NOT NULL,
    session_id     text COLLATE "C",
    grant_id       text COLLATE "C",
    application_id text COLLATE "C",
    other_hash     bytea,
    payload        text COLLATE "C" NOT NULL,
    used_at        bigint,
    expires_at     bigint NOT NULL,
    PRIMARY KEY (kind, id_hash)
  );
  CREATE INDEX sso_records_by_other ON sso_records (kind, other_hash) WHERE other_hash IS NOT NULL;
  CREATE INDEX sso_records_by_grant ON sso_records (grant_id) WHERE grant_id IS NOT NULL;
  CREATE INDEX sso_records_by_session ON sso_records (session_id) WHERE session_id IS NOT NULL;
  CREATE INDEX sso_records_by_end ON sso_records (expires_at);

  -- One row for the refresh tokens of a grant. A rotation changes it.
  CREATE TABLE sso_refreshes (
    id               text COLLATE "C" PRIMARY KEY,
    session_id       text COLLATE "C" NOT NULL,
    grant_id         text COLLATE "C" NOT NULL,
    application_id   text COLLATE "C" NOT NULL,
    seed             bytea NOT NULL,
    generation       bigint NOT NULL,
    created_at       bigint NOT NULL,
    rotated_at       bigint NOT NULL,
    grace_generation bigint NOT NULL,
    grace_began_at   bigint NOT NULL,
    prior_generation bigint NOT NULL,
    prior_rotated_at bigint NOT NULL,
    expires_at       bigint NOT NULL,
    ends_at          bigint NOT NULL,
    payload          text COLLATE "C" NOT NULL
  ) WITH (fillfactor = 80);
  CREATE INDEX sso_refreshes_by_grant ON sso_refreshes (grant_id);
  CREATE INDEX sso_refreshes_by_session ON sso_refreshes (session_id);
  CREATE INDEX sso_refreshes_by_end ON sso_refreshes (ends_at);

  CREATE TABLE sso_consents (
    account_id     text COLLATE "C" NOT NULL,
    application_id text COLLATE "C" NOT NULL,
    allowed        text COLLATE "C" NOT NULL,
    given_at       bigint NOT NULL,
    changed_at     bigint NOT NULL,
    PRIMARY KEY (account_id, application_id)
  );

  -- The applications in which a session signed in, until it ends.
  CREATE TABLE sso_logins (
    session_id     text COLLATE "C" NOT NULL,
    application_id text COLLATE "C" NOT NULL,
    account_id     text COLLATE "C" NOT NULL,
    sid            text COLLATE "C" NOT NULL,
    created_at     bigint NOT NULL,
    expires_at     bigint NOT NULL,
    PRIMARY KEY (session_id, application_id, sid)
  );
  CREATE INDEX sso_logins_by_account ON sso_logins (account_id);
  CREATE INDEX sso_logins_by_end ON sso_logins (expires_at);

  -- Logouts that applications must be told about.
  CREATE TABLE sso_logouts (
    id             text COLLATE "C" PRIMARY KEY,
    application_id text COLLATE "C" NOT NULL,
    account_id     text COLLATE "C" NOT NULL,
    sid            text COLLATE "C" NOT NULL,
    attempts       bigint NOT NULL,
    created_at     bigint NOT NULL,
    due_at         bigint NOT NULL
  );
  CREATE INDEX sso_logouts_by_due ON sso_logouts (due_at);

  -- Up to which position of the log the logouts were collected.
  CREATE TABLE sso_collected (
    id       integer PRIMARY KEY CHECK (id = 1),
    position bigint NOT NULL
  );
  INSERT INTO sso_collected (id, position) SELECT 1, position FROM revocation_head WHERE id = 1;

  -- Identities of other issuers.
  CREATE TABLE identities (
    issuer       text COLLATE "C" NOT NULL,
    subject      text COLLATE "C" NOT NULL,
    provider     text COLLATE "C" NOT NULL,
    account_id   text COLLATE "C" NOT NULL,
    label        text COLLATE "C" NOT NULL,
    linked_at    bigint NOT NULL,
    last_used_at bigint,
    PRIMARY KEY (issuer, subject)
  );
  CREATE INDEX identities_by_account ON identities (account_id);
  `,
]

/**
 * The oldest version of the schema that nodes of this version work with. A node starts on a newer schema if that one
 * names this version as compatible, so nodes can be restarted in the middle of an upgrade.
 */
export const COMPATIBLE_FROM = 1
