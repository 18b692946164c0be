package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gatehouse-id/gatehouse/sqldb"
)

// The names of what a data folder has.
const (
	centerFile = "center.db"
	tenantFile = "tenant.db"
	keyFile    = "master.key"
)

// restoreWith is the command that brings a half's database back.
var restoreWith = map[string]string{centerFile: "gatehouse restore", tenantFile: "gatehouse tenant restore"}

// place makes the data folder, and refuses one from which the database has gone: a start would
// begin anew there, with other keys, and nobody would notice that everything is lost. The master
// key may also be that of the other half, whose data stands beside it.
func (h *half) place(file, other string) error {
	if err := h.makeFolder(); err != nil || h.database != "" {
		return err
	}
	lost, err := sqldb.Missing(h.dsn(file))
	if err != nil || !lost {
		return err
	}
	left, err := sqldb.Remains(h.dsn(file))
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(h.data, keyFile)); err == nil {
		if lost, err = sqldb.Missing(h.dsn(other)); err != nil {
			return err
		}
		if lost {
			left = append(left, keyFile)
		}
	}
	if len(left) == 0 {
		return nil
	}
	return fmt.Errorf(
		"%s: %w: %s. Nothing was started and nothing was changed. Put %s back, or restore a backup: "+
			"%s FILE --data %s. To begin with empty data, move those files away first",
		h.data, sqldb.ErrRemains, strings.Join(left, ", "), file, restoreWith[file], h.data,
	)
}
