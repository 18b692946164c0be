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
    id                  TEXT PRIMARY KEY,
    user_principal_name TEXT NOT NULL UNIQUE,
    search              TEXT NOT NULL,
    doc                 TEXT NOT NULL
);

CREATE TABLE user_groups (
    id           TEXT PRIMARY KEY,
    display_name TEXT NOT NULL,
    doc          TEXT NOT NULL
);
CREATE INDEX groups_by_name ON user_groups (display_name);

CREATE TABLE members (
    group_id  TEXT NOT NULL,
    member_id TEXT NOT NULL,
    kind      TEXT NOT NULL,
    PRIMARY KEY (group_id, member_id)
);
CREATE INDEX members_by_member ON members (member_id);

CREATE TABLE applications (
    id                   TEXT PRIMARY KEY,
    app_id               TEXT NOT NULL UNIQUE,
    service_principal_id TEXT NOT NULL UNIQUE,
    doc                  TEXT NOT NULL
);

CREATE TABLE assignments (
    id                   TEXT PRIMARY KEY,
    service_principal_id TEXT NOT NULL,
    principal_id         TEXT NOT NULL,
    doc                  TEXT NOT NULL
);
CREATE INDEX assignments_by_application ON assignments (service_principal_id);
CREATE INDEX assignments_by_principal ON assignments (principal_id);

CREATE TABLE jobs (
    id                   TEXT PRIMARY KEY,
    service_principal_id TEXT NOT NULL,
    doc                  TEXT NOT NULL
);

-- What a job remembers of each object.
CREATE TABLE links (
    job_id    TEXT NOT NULL,
    kind      TEXT NOT NULL,
    source_id TEXT NOT NULL,
    target_id TEXT NOT NULL,
    failed    INTEGER NOT NULL,
    doc       TEXT NOT NULL,
    PRIMARY KEY (job_id, kind, source_id)
);
CREATE INDEX links_failed ON links (job_id, failed);

-- The objects that provisioning must look at, in the order of their changes.
CREATE TABLE marks (
    seq  BIGINT PRIMARY KEY,
    kind TEXT NOT NULL,
    id   TEXT NOT NULL
);

CREATE TABLE provisioning_log (
    id       TEXT PRIMARY KEY,
    job_id   TEXT NOT NULL,
    cycle_id TEXT NOT NULL,
    status   TEXT NOT NULL,
    time     BIGINT NOT NULL,
    doc      TEXT NOT NULL
);
CREATE INDEX provisioning_log_by_time ON provisioning_log (time);

CREATE TABLE sessions (
    digest  TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    doc     TEXT NOT NULL
);
CREATE INDEX sessions_of_user ON sessions (user_id);

CREATE TABLE events (
    id   TEXT PRIMARY KEY,
    time BIGINT NOT NULL,
    doc  TEXT NOT NULL
);
CREATE INDEX events_by_time ON events (time);

-- +goose Down
SELECT 'migrations only go forward';
