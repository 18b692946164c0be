-- Which node works on a job, where several nodes share the database. The beats stand apart: they come each second, and what is written
-- under a lease reads only the lease.

-- +goose Up
CREATE TABLE job_leases (
    job_id TEXT PRIMARY KEY,
    owner  TEXT NOT NULL,
    fence  BIGINT NOT NULL,
    state  TEXT NOT NULL,
    next   BIGINT NOT NULL
);
CREATE TABLE job_beats (
    job_id TEXT PRIMARY KEY,
    beat   BIGINT NOT NULL,
    done   BIGINT NOT NULL,
    total  BIGINT NOT NULL
);

-- +goose Down
SELECT 'migrations only go forward';
