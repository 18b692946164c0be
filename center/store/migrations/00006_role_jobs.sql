-- Roles in IAM are made and removed by jobs, which requests wait for. What is provisioned remembers when it was compared with IAM and how it differs.

-- +goose Up
ALTER TABLE provisioned ADD COLUMN checked BIGINT NOT NULL DEFAULT 0;
ALTER TABLE provisioned ADD COLUMN drift TEXT NOT NULL DEFAULT '[]';
CREATE INDEX provisioned_by_check ON provisioned (checked);

CREATE TABLE role_jobs (
    role_name      TEXT PRIMARY KEY,
    account_id     TEXT NOT NULL,
    permission_set TEXT NOT NULL,
    retire         INTEGER NOT NULL,
    due            BIGINT NOT NULL,
    leased         BIGINT NOT NULL,
    attempts       INTEGER NOT NULL,
    reason         TEXT NOT NULL
);
CREATE INDEX role_jobs_by_time ON role_jobs (due);
CREATE INDEX role_jobs_by_account ON role_jobs (account_id, permission_set);

CREATE TABLE role_waits (
    role_name TEXT NOT NULL,
    request   TEXT NOT NULL,
    PRIMARY KEY (role_name, request)
);
CREATE INDEX role_waits_by_request ON role_waits (request);

-- +goose Down
SELECT 'migrations only go forward';
