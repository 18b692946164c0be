-- Events are removed when they are older than they are kept, refusals of strangers earlier than the rest, and sessions when they have expired.

-- +goose Up
ALTER TABLE events ADD COLUMN stranger INTEGER NOT NULL DEFAULT 0;
UPDATE events SET stranger = 1 WHERE doc LIKE '%"Result":"Refused"%'
    AND (doc LIKE '%"Actor":{"Kind":"Anonymous"%' OR doc LIKE '%"Action":"Request token"%');
CREATE INDEX events_of_strangers ON events (time) WHERE stranger = 1;
ALTER TABLE sessions ADD COLUMN expires BIGINT NOT NULL DEFAULT 0;
UPDATE sessions SET expires = COALESCE(CAST(strftime('%s', json_extract(doc, '$.ExpiresAt')) AS INTEGER) * 1000, 0);
CREATE INDEX sessions_by_expiry ON sessions (expires);

-- +goose Down
SELECT 'migrations only go forward';
