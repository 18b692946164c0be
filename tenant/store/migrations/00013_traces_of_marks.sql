-- The journal says which trace a change belongs to, so that provisioning continues it. It is empty where nobody follows changes, in rows of earlier
-- releases, and in those of the release before while it still runs.

-- +goose Up
ALTER TABLE marks ADD COLUMN trace TEXT NOT NULL DEFAULT '';

-- +goose Down
SELECT 'migrations only go forward';
