-- Users and groups get a number, so that a membership is two numbers and a time instead of three texts and a document. Events are kept in the
-- order in which they happened. When a group was changed last, members included, stands in columns of its own, which a change of members sets.
-- An e-mail address that is the user name, as most are, is not kept and indexed a second time. Ids of memberships made before this are kept in a column; newer ones are computed from the row.

-- +goose Up
CREATE TABLE users_2 (
    seq         INTEGER PRIMARY KEY,
    id          TEXT NOT NULL UNIQUE,
    user_name   TEXT NOT NULL UNIQUE,
    email       TEXT UNIQUE,
    name_is_email INTEGER NOT NULL,
    external_id TEXT UNIQUE,
    search      TEXT NOT NULL,
    doc         TEXT NOT NULL
);
INSERT INTO users_2 (id, user_name, email, name_is_email, external_id, search, doc)
    SELECT id, user_name, CASE WHEN email = user_name THEN NULL ELSE email END, CASE WHEN email = user_name THEN 1 ELSE 0 END, external_id, search, doc FROM users ORDER BY id;

CREATE TABLE user_groups_2 (
    seq          INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL UNIQUE,
    external_id  TEXT UNIQUE,
    doc          TEXT NOT NULL,
    version      BIGINT NOT NULL DEFAULT 0,
    updated      BIGINT NOT NULL DEFAULT 0,
    updated_by   TEXT NOT NULL DEFAULT ''
);
INSERT INTO user_groups_2 (id, display_name, external_id, doc) SELECT id, display_name, external_id, doc FROM user_groups ORDER BY id;

CREATE TABLE memberships_2 (
    group_seq  INTEGER NOT NULL,
    user_seq   INTEGER NOT NULL,
    created    BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    old_id     TEXT,
    PRIMARY KEY (group_seq, user_seq)
) WITHOUT ROWID;
INSERT INTO memberships_2 (group_seq, user_seq, created, created_by, old_id)
    SELECT g.seq, u.seq, CAST(strftime('%s', json_extract(m.doc, '$.CreatedAt')) AS INTEGER) * 1000, COALESCE(json_extract(m.doc, '$.CreatedBy'), ''), m.id
    FROM memberships m JOIN user_groups_2 g ON g.id = m.group_id JOIN users_2 u ON u.id = m.user_id;

DROP TABLE memberships;
DROP TABLE users;
DROP TABLE user_groups;
ALTER TABLE users_2 RENAME TO users;
ALTER TABLE user_groups_2 RENAME TO user_groups;
ALTER TABLE memberships_2 RENAME TO memberships;
CREATE INDEX memberships_by_user ON memberships (user_seq, group_seq);
CREATE UNIQUE INDEX memberships_by_old_id ON memberships (old_id) WHERE old_id IS NOT NULL;

CREATE TABLE events_2 (
    seq        INTEGER PRIMARY KEY,
    time       BIGINT NOT NULL,
    request_id TEXT NOT NULL,
    doc        TEXT NOT NULL
);
INSERT INTO events_2 (time, request_id, doc) SELECT time, request_id, doc FROM events ORDER BY time, id;
DROP TABLE events;
ALTER TABLE events_2 RENAME TO events;
CREATE INDEX events_by_request_2 ON events (request_id);

-- +goose Down
SELECT 'migrations only go forward';
