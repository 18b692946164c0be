-- Assignments that rules make: which rule wants which. An assignment that was made by hand as well is wanted by the rule with the empty id.

-- +goose Up
CREATE TABLE assignment_origins (
    rule           TEXT NOT NULL,
    account_id     TEXT NOT NULL,
    permission_set TEXT NOT NULL,
    principal_type TEXT NOT NULL,
    principal_id   TEXT NOT NULL,
    PRIMARY KEY (rule, account_id, permission_set, principal_type, principal_id)
);
CREATE INDEX assignment_origins_of ON assignment_origins (account_id, permission_set, principal_type, principal_id);

-- +goose Down
SELECT 'migrations only go forward';
