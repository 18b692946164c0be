-- The journal says which properties of an object a change was about, for delta queries that follow some of them. Rows of earlier releases, and
-- of the release before while it still runs, say nothing: they may be about any.

-- +goose Up
ALTER TABLE marks ADD COLUMN properties TEXT NOT NULL DEFAULT '';

-- +goose Down
SELECT 'migrations only go forward';
