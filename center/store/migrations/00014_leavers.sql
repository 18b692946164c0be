-- What was open when a user's access was ended, for the proof. Who was deleted while something was
-- assigned, so that assignments without a holder have a name. When each role was opened last, by whom.

-- +goose Up
CREATE TABLE revocations (
    id      TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    time    BIGINT NOT NULL,
    doc     TEXT NOT NULL
);
CREATE INDEX revocations_of_user ON revocations (user_id, id);
CREATE INDEX revocations_by_time ON revocations (time);

CREATE TABLE departed (
    principal_type TEXT NOT NULL,
    principal_id   TEXT NOT NULL,
    doc            TEXT NOT NULL,
    PRIMARY KEY (principal_type, principal_id)
);

CREATE TABLE role_uses (
    account_id     TEXT NOT NULL,
    permission_set TEXT NOT NULL,
    user_id        TEXT NOT NULL,
    used           BIGINT NOT NULL,
    PRIMARY KEY (account_id, permission_set, user_id)
);
CREATE INDEX role_uses_of_user ON role_uses (user_id);

-- +goose Down
SELECT 'migrations only go forward';
