-- Whose grants are, so that nobody holds more than a share: the neighborhood of an address while a
-- device's code waits for a person, and afterwards an account. Those that wait are bounded together.

-- +goose Up
ALTER TABLE grants ADD COLUMN holder TEXT NOT NULL DEFAULT '';
ALTER TABLE grants ADD COLUMN account TEXT NOT NULL DEFAULT '';
ALTER TABLE grants ADD COLUMN waiting INTEGER NOT NULL DEFAULT 0;
CREATE INDEX grants_of_holder ON grants (holder, expires);
CREATE INDEX grants_of_account ON grants (account);
CREATE INDEX grants_that_wait ON grants (waiting, expires);

-- +goose Down
SELECT 'migrations only go forward';
