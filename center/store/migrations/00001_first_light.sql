-- Every table keeps its object whole, as JSON in doc, beside the columns that it is found or ordered by.
-- The text is the common subset of SQLite and PostgreSQL.

-- +goose Up
CREATE TABLE documents (
    kind TEXT NOT NULL,
    id   TEXT NOT NULL,
    doc  TEXT NOT NULL,
    PRIMARY KEY (kind, id)
);

CREATE TABLE users (
    id          TEXT PRIMARY KEY,
    user_name   TEXT NOT NULL UNIQUE,
    email       TEXT UNIQUE,
    external_id TEXT UNIQUE,
    search      TEXT NOT NULL,
    doc         TEXT NOT NULL
);

CREATE TABLE user_groups (
    id           TEXT PRIMARY KEY,
    display_name TEXT NOT NULL UNIQUE,
    external_id  TEXT UNIQUE,
    doc          TEXT NOT NULL
);

CREATE TABLE memberships (
    id       TEXT PRIMARY KEY,
    group_id TEXT NOT NULL,
    user_id  TEXT NOT NULL,
    doc      TEXT NOT NULL,
    UNIQUE (group_id, user_id)
);
CREATE INDEX memberships_of_group ON memberships (group_id, id);
CREATE INDEX memberships_of_user ON memberships (user_id, id);

CREATE TABLE permission_sets (
    arn  TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    doc  TEXT NOT NULL
);

CREATE TABLE assignments (
    account_id     TEXT NOT NULL,
    permission_set TEXT NOT NULL,
    principal_type TEXT NOT NULL,
    principal_id   TEXT NOT NULL,
    PRIMARY KEY (account_id, permission_set, principal_type, principal_id)
);
CREATE INDEX assignments_of_principal ON assignments (principal_id);
CREATE INDEX assignments_of_set ON assignments (permission_set);

CREATE TABLE assignment_requests (
    id      TEXT PRIMARY KEY,
    kind    TEXT NOT NULL,
    status  TEXT NOT NULL,
    created BIGINT NOT NULL,
    doc     TEXT NOT NULL
);

CREATE TABLE bearer_tokens (
    id     TEXT PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    doc    TEXT NOT NULL
);

CREATE TABLE sessions (
    digest  TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    expires BIGINT NOT NULL,
    doc     TEXT NOT NULL
);
CREATE INDEX sessions_of_user ON sessions (user_id);
CREATE INDEX sessions_by_expiry ON sessions (expires);

-- What must be remembered until a moment and then forgotten: AuthnRequests and used assertions.
CREATE TABLE expiring (
    kind    TEXT NOT NULL,
    id      TEXT NOT NULL,
    expires BIGINT NOT NULL,
    doc     TEXT NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE INDEX expiring_by_expiry ON expiring (expires);

CREATE TABLE events (
    id         TEXT PRIMARY KEY,
    time       BIGINT NOT NULL,
    request_id TEXT NOT NULL,
    doc        TEXT NOT NULL
);
CREATE INDEX events_by_time ON events (time);
CREATE INDEX events_by_request ON events (request_id);

-- +goose Down
SELECT 'migrations only go forward';
