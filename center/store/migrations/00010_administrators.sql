-- Console sessions stand under their administrator's principal from now on, by which they are listed and ended. Those that are open stand under none, and
-- last for eight hours at the most: they end here, and administrators sign in again.

-- +goose Up
DELETE FROM sessions WHERE user_id = '';

-- +goose Down
SELECT 'migrations only go forward';
