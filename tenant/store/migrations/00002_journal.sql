-- The marks become a journal of the directory, which delta queries read: when, and which member came or left. And which object of the source one at the
-- target belongs to.

-- +goose Up
ALTER TABLE marks ADD COLUMN time BIGINT NOT NULL DEFAULT 0;
ALTER TABLE marks ADD COLUMN member_kind TEXT NOT NULL DEFAULT '';
ALTER TABLE marks ADD COLUMN member_id TEXT NOT NULL DEFAULT '';
ALTER TABLE marks ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;
CREATE INDEX marks_by_time ON marks (time);
CREATE INDEX links_by_target ON links (job_id, kind, target_id);

-- +goose Down
SELECT 'migrations only go forward';
