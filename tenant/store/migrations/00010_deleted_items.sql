-- What was deleted and can be restored, beside its memberships and assignments. It stands apart from the living, so that a release that does not know it
-- finds nobody there.

-- +goose Up
CREATE TABLE deleted_items (
    id       TEXT PRIMARY KEY,
    other_id TEXT NOT NULL,
    kind     TEXT NOT NULL,
    name     TEXT NOT NULL,
    deleted  BIGINT NOT NULL,
    doc      TEXT NOT NULL
);
CREATE INDEX deleted_items_by_other_id ON deleted_items (other_id);
CREATE INDEX deleted_items_by_kind ON deleted_items (kind, id);
CREATE INDEX deleted_items_by_name ON deleted_items (name);
CREATE INDEX deleted_items_by_time ON deleted_items (deleted);

CREATE TABLE deleted_members (
    item_id   TEXT NOT NULL,
    group_id  TEXT NOT NULL,
    member_id TEXT NOT NULL,
    kind      TEXT NOT NULL,
    PRIMARY KEY (item_id, group_id, member_id)
);

CREATE TABLE deleted_assignments (
    item_id TEXT NOT NULL,
    id      TEXT NOT NULL,
    doc     TEXT NOT NULL,
    PRIMARY KEY (item_id, id)
);

-- +goose Down
SELECT 'migrations only go forward';
