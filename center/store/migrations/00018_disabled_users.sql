-- Disabled users are found without reading the documents of all. The condition must be written as
-- center/store/leavers.go has it: the index serves only a query that has the same words.

-- +goose Up
CREATE INDEX users_disabled ON users (id) WHERE doc NOT LIKE '%"Active":true%';

-- +goose Down
SELECT 'migrations only go forward';
