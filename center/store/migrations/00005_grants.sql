-- Grants are what a program on the command line has asked for and a person in a browser allows: by the code of a device, which the person types, or by an
-- authorization code. Both codes are kept as digests.

-- +goose Up
CREATE TABLE grants (
    digest    TEXT PRIMARY KEY,
    user_code TEXT UNIQUE,
    expires   BIGINT NOT NULL,
    doc       TEXT NOT NULL
);
CREATE INDEX grants_by_expiry ON grants (expires);

-- +goose Down
SELECT 'migrations only go forward';
