-- Events are removed when they are older than they are kept, and refusals of strangers earlier than the rest.

-- +goose Up
ALTER TABLE events ADD COLUMN stranger INTEGER NOT NULL DEFAULT 0;
UPDATE events SET stranger = 1 WHERE doc LIKE '%"Actor":{"Kind":"Anonymous"%' AND doc LIKE '%"Result":"Refused"%';
CREATE INDEX events_by_time ON events (time);
CREATE INDEX events_of_strangers ON events (time) WHERE stranger = 1;

-- +goose Down
SELECT 'migrations only go forward';
