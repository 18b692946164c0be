-- Which roles users have opened, until their credentials have run out, and the revocations that
-- stand in roles. Users may be gone by then, or have another name than their sessions.

-- +goose Up
CREATE TABLE role_sessions (
    user_id    TEXT NOT NULL,
    account_id TEXT NOT NULL,
    role_name  TEXT NOT NULL,
    name       TEXT NOT NULL,
    expires    BIGINT NOT NULL,
    doc        TEXT NOT NULL,
    PRIMARY KEY (user_id, account_id, role_name, name)
);
CREATE INDEX role_sessions_by_expiry ON role_sessions (expires);

CREATE TABLE role_revocations (
    role_name TEXT NOT NULL,
    user_id   TEXT NOT NULL,
    name      TEXT NOT NULL,
    expires   BIGINT NOT NULL,
    doc       TEXT NOT NULL,
    PRIMARY KEY (role_name, user_id, name)
);
CREATE INDEX role_revocations_of_user ON role_revocations (user_id);
CREATE INDEX role_revocations_by_expiry ON role_revocations (expires);

-- +goose Down
SELECT 'migrations only go forward';
