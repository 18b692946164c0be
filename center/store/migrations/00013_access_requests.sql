-- Requests for access that ends, and what is to be told of them. live is 1 while somebody or the
-- center has still to do something; due is when the center has, 0 where it has nothing to do.

-- +goose Up
CREATE TABLE access_requests (
    id        TEXT NOT NULL PRIMARY KEY,
    user_id   TEXT NOT NULL,
    approvers TEXT NOT NULL,
    live      BIGINT NOT NULL,
    due       BIGINT NOT NULL,
    created   BIGINT NOT NULL,
    doc       TEXT NOT NULL
);
CREATE INDEX access_requests_of_user ON access_requests (user_id, created);
CREATE INDEX access_requests_live ON access_requests (live, approvers);
CREATE INDEX access_requests_due ON access_requests (due);

CREATE TABLE access_notices (
    id      TEXT NOT NULL PRIMARY KEY,
    channel TEXT NOT NULL,
    due     BIGINT NOT NULL,
    doc     TEXT NOT NULL
);
CREATE INDEX access_notices_due ON access_notices (channel, due);

-- +goose Down
SELECT 'migrations only go forward';
