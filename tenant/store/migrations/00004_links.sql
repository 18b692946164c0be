-- The objects that failed, in the order in which they are asked for: without the order in the index all of a job's links are read to find them.
-- And the reports of a manager, who may come to the target after them.

-- +goose Up
DROP INDEX links_failed;
CREATE INDEX links_failed ON links (job_id, failed, kind, source_id);
ALTER TABLE links ADD COLUMN manager TEXT NOT NULL DEFAULT '';
CREATE INDEX links_by_manager ON links (job_id, manager);

-- +goose Down
SELECT 'migrations only go forward';
