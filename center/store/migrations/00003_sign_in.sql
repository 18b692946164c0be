-- What sign-in keeps: second factors, and tickets, which are what somebody may go on with by a secret. Both belong to a principal: a user's id, or an
-- administrator's name with a prefix.

-- +goose Up
CREATE TABLE mfa_devices (
    id        TEXT PRIMARY KEY,
    principal TEXT NOT NULL,
    doc       TEXT NOT NULL
);
CREATE INDEX mfa_devices_of_principal ON mfa_devices (principal, id);

CREATE TABLE tickets (
    purpose   TEXT NOT NULL,
    digest    TEXT NOT NULL,
    principal TEXT NOT NULL,
    expires   BIGINT NOT NULL,
    doc       TEXT NOT NULL,
    PRIMARY KEY (purpose, digest)
);
CREATE INDEX tickets_of_principal ON tickets (principal, purpose);
CREATE INDEX tickets_by_expiry ON tickets (expires);

-- +goose Down
SELECT 'migrations only go forward';
