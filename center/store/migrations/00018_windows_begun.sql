-- When a window of access was opened, 0 where none is open: those of a clock that was ahead are
-- found by it. Nodes of the release before leave it as it is, and open windows with 0.

-- +goose Up
ALTER TABLE access_requests ADD COLUMN started BIGINT NOT NULL DEFAULT 0;
CREATE INDEX access_requests_started ON access_requests (started);

-- +goose Down
SELECT 'migrations only go forward';
