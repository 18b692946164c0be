package sqldb

import (
	"context"
	"errors"
)

func (p *postgres) copyTo(context.Context, string, Copying) error {
	return errors.New("a PostgreSQL database is backed up with pg_dump")
}

func (r *Restoration) intoPostgres(context.Context) error {
	return errors.New("restore a PostgreSQL database with pg_restore or psql")
}
