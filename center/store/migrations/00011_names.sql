-- Names are found by another form: letter case beyond ASCII matters, and the normal form. The program computes it when it opens the database the next time.

-- +goose Up
INSERT INTO documents (kind, id, doc) VALUES ('due', 'names', '""');

-- +goose Down
SELECT 'migrations only go forward';
