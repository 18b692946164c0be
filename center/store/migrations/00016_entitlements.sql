-- Who is entitled to roles that are in the accounts already (account access manager).

-- +goose Up
CREATE TABLE entitlements (
    id             TEXT PRIMARY KEY,
    role_arn       TEXT NOT NULL,
    account_id     TEXT NOT NULL,
    principal_type TEXT NOT NULL,
    principal_id   TEXT NOT NULL,
    doc            TEXT NOT NULL
);
CREATE UNIQUE INDEX entitlements_once ON entitlements (principal_id, principal_type, role_arn);
CREATE INDEX entitlements_of_role ON entitlements (role_arn, id);
CREATE INDEX entitlements_in_account ON entitlements (account_id, id);

-- +goose Down
SELECT 'migrations only go forward';
