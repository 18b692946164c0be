-- Which object of the source one at the target belongs to.

-- +goose Up
CREATE INDEX links_by_target ON links (job_id, kind, target_id);

-- +goose Down
SELECT 'migrations only go forward';
