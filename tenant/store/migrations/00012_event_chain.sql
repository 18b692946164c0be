-- The chain of the audit log, in blocks; where it ends, and how far each receiver has it. It is made
-- behind the events, which stay as they are. What a release before writes is chained like the rest.

-- +goose Up
CREATE TABLE event_blocks (
    number     BIGINT NOT NULL PRIMARY KEY,
    first_time BIGINT NOT NULL,
    last_time  BIGINT NOT NULL,
    doc        TEXT NOT NULL
);
CREATE INDEX event_blocks_by_time ON event_blocks (last_time, first_time);

CREATE TABLE event_notes (
    id  TEXT NOT NULL PRIMARY KEY,
    doc TEXT NOT NULL
);

-- +goose Down
SELECT 'migrations only go forward';
