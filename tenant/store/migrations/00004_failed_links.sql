-- The objects that failed, in the order in which they are asked for: without the order in the index all of a job's links are read to find them.

-- +goose Up
DROP INDEX links_failed;
CREATE INDEX links_failed ON links (job_id, failed, kind, source_id);

-- +goose Down
SELECT 'migrations only go forward';
