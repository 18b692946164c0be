-- Accounts move into a table of their own, found by name. What is provisioned where gets a table too, with the role's name: that of earlier builds was computed
-- and is made anew. Assignments are read by whoever holds them, in order, and by permission set, from an index alone; requests by kind, newest first.

-- +goose Up
CREATE TABLE accounts (
    id     TEXT PRIMARY KEY,
    name   TEXT NOT NULL,
    search TEXT NOT NULL,
    doc    TEXT NOT NULL
);
CREATE INDEX accounts_by_name ON accounts (name, id);
INSERT INTO accounts (id, name, search, doc) SELECT id, lower((CAST(doc AS json)->>'Name')), lower((CAST(doc AS json)->>'Name') || ' ' || id || ' ' || COALESCE((CAST(doc AS json)->>'Email'), '')), doc FROM documents WHERE kind = 'account';
DELETE FROM documents WHERE kind = 'account';

ALTER TABLE permission_sets ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;

CREATE TABLE provisioned (
    account_id     TEXT NOT NULL,
    permission_set TEXT NOT NULL,
    revision       BIGINT NOT NULL,
    role_name      TEXT NOT NULL,
    PRIMARY KEY (account_id, permission_set)
);
CREATE INDEX provisioned_of_set ON provisioned (permission_set, account_id);
INSERT INTO provisioned (account_id, permission_set, revision, role_name)
    SELECT a.account_id, a.permission_set, 0, 'AWSReservedSSO_' || p.name || '_' || substr(md5(CAST(random() AS TEXT) || a.account_id), 1, 16)
    FROM (SELECT DISTINCT account_id, permission_set FROM assignments) a JOIN permission_sets p ON p.arn = a.permission_set;

DROP INDEX assignments_of_principal;
DROP INDEX assignments_of_set;
CREATE INDEX assignments_by_holder ON assignments (principal_id, account_id, permission_set, principal_type);
CREATE INDEX assignments_by_set ON assignments (permission_set, account_id);
CREATE INDEX assignment_requests_by_kind ON assignment_requests (kind, id);
CREATE INDEX assignment_requests_by_time ON assignment_requests (created);

CREATE TABLE application_assignments (
    application    TEXT NOT NULL,
    principal_type TEXT NOT NULL,
    principal_id   TEXT NOT NULL,
    PRIMARY KEY (application, principal_type, principal_id)
);
CREATE INDEX application_assignments_by_holder ON application_assignments (principal_id, application);

-- +goose Down
SELECT 'migrations only go forward';
