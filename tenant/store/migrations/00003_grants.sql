-- What people have allowed programs, or are asked for: codes, device codes and refresh tokens.

-- +goose Up
CREATE TABLE grants (
    digest    TEXT PRIMARY KEY,
    user_code TEXT NOT NULL,
    expires   BIGINT NOT NULL,
    doc       TEXT NOT NULL
);
CREATE INDEX grants_by_user_code ON grants (user_code);
CREATE INDEX grants_by_expiry ON grants (expires);

-- +goose Down
SELECT 'migrations only go forward';
