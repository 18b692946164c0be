-- Reviews of access, and their lines. due is when the center has something to do, 0 where it has
-- nothing. owner is TYPE:ID of who decides on a line, or empty for administrators.

-- +goose Up
CREATE TABLE access_reviews (
    id      TEXT NOT NULL PRIMARY KEY,
    due     BIGINT NOT NULL,
    created BIGINT NOT NULL,
    doc     TEXT NOT NULL
);
CREATE INDEX access_reviews_due ON access_reviews (due);

CREATE TABLE review_lines (
    review_id TEXT NOT NULL,
    line_key  TEXT NOT NULL,
    owner     TEXT NOT NULL,
    state     TEXT NOT NULL,
    doc       TEXT NOT NULL,
    PRIMARY KEY (review_id, line_key)
);
CREATE INDEX review_lines_of_owner ON review_lines (state, owner);

-- +goose Down
SELECT 'migrations only go forward';
