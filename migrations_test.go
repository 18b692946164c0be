package gatehouse

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// expandingSince is, by half, the schema after which migrations only add: nodes of the release
// before serve from the new schema until they are replaced. What nobody uses anymore is removed by
// a migration that says so (sqldb/pgmigrate.go).
var expandingSince = map[string]int{"center": 11, "tenant": 8}

// contracting are changes under which statements of the release before fail, or after which it
// writes what the new one does not accept.
var contracting = map[string]*regexp.Regexp{
	"removes a table":                  regexp.MustCompile(`\bDROP TABLE\b`),
	"removes a column":                 regexp.MustCompile(`\bDROP COLUMN\b`),
	"removes an index":                 regexp.MustCompile(`\bDROP INDEX\b`),
	"renames":                          regexp.MustCompile(`\bRENAME\b`),
	"changes a column":                 regexp.MustCompile(`\bALTER COLUMN\b`),
	"adds a constraint":                regexp.MustCompile(`\bADD (CONSTRAINT|CHECK|UNIQUE|PRIMARY|FOREIGN)\b`),
	"adds a column that must be given": regexp.MustCompile(`\bADD COLUMN\b[^;]*\bNOT NULL\b`),
	"adds a column that is unique":     regexp.MustCompile(`\bADD COLUMN\b[^;]*\b(UNIQUE|PRIMARY KEY|REFERENCES)\b`),
	"has something happen by itself":   regexp.MustCompile(`\b(TRIGGER|RULE)\b`),
}

// particular is what distributed databases of PostgreSQL's kind do not take (decision 0014).
var particular = regexp.MustCompile(`\b(ADVISORY|DEFERRABLE|LISTEN|NOTIFY|LOCK TABLE|TEMP|TEMPORARY|UNLOGGED|` +
	`EXTENSION|INHERITS|EXCLUDE|CONCURRENTLY|PG_[A-Z_]+|DO \$\$)\b`)

var (
	withDefault = regexp.MustCompile(
		`\bADD COLUMN\b[^;]*\bNOT NULL\b[^;]*\bDEFAULT\b|\bADD COLUMN\b[^;]*\bDEFAULT\b[^;]*\bNOT NULL\b`,
	)
	uniqueIndex = regexp.MustCompile(`\bCREATE UNIQUE INDEX\b[^;]*?\bON ([A-Z_0-9]+)`)
	oldestRow   = regexp.MustCompile(`(?m)^-- \+gatehouse oldest (\d+)$`)
)

// TestMigrationsLetTheReleaseBeforeServe looks at what each migration does.
func TestMigrationsLetTheReleaseBeforeServe(t *testing.T) {
	for half, since := range expandingSince {
		err := filepath.WalkDir(half+"/store/migrations", func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			version, err := strconv.Atoi(strings.SplitN(d.Name(), "_", 2)[0])
			if err != nil {
				return err
			}
			text, err := os.ReadFile(file) // #nosec G304 -- our own
			if err != nil || version <= since {
				return err
			}
			for _, problem := range problemsOf(string(text), version) {
				t.Errorf("%s %s", file, problem)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// problemsOf says what in a migration the release before, or a distributed database, does not take.
func problemsOf(text string, version int) (problems []string) {
	oldest := oldestRow.FindStringSubmatch(text)
	up, _, _ := strings.Cut(text, "-- +goose Down")
	var statements strings.Builder
	for line := range strings.Lines(up) {
		code, _, _ := strings.Cut(line, "--")
		statements.WriteString(strings.ToUpper(code) + "\n")
	}
	for statement := range strings.SplitSeq(statements.String(), ";") {
		statement = strings.Join(strings.Fields(statement), " ") + ";"
		if found := particular.FindString(statement); found != "" {
			problems = append(problems, "uses "+found+", which distributed databases lack")
		}
		if oldest != nil {
			continue
		}
		for what, pattern := range contracting {
			given := strings.Contains(what, "must be given") && withDefault.MatchString(statement)
			if pattern.MatchString(statement) && !given {
				problems = append(problems, what+" without saying from which schema on: "+statement)
			}
		}
		if m := uniqueIndex.FindStringSubmatch(statement); m != nil &&
			!strings.Contains(statements.String(), "CREATE TABLE "+m[1]+" ") {
			problems = append(problems, "makes something unique that was not: "+statement)
		}
	}
	if oldest != nil {
		if n, err := strconv.Atoi(oldest[1]); err != nil || n >= version {
			problems = append(problems, fmt.Sprintf("removes what schema %s still uses", oldest[1]))
		}
	}
	return problems
}

// TestContractingMigrationsAreFound has an example of each.
func TestContractingMigrationsAreFound(t *testing.T) {
	for text, problems := range map[string]int{
		"CREATE TABLE a (id TEXT NOT NULL UNIQUE); CREATE UNIQUE INDEX b ON a (id);":         0,
		"ALTER TABLE a ADD COLUMN b TEXT;":                                                   0,
		"ALTER TABLE a ADD COLUMN b BIGINT NOT NULL DEFAULT 0; CREATE INDEX c ON a (b);":     0,
		"ALTER TABLE a ADD COLUMN b TEXT NOT NULL;":                                          1,
		"alter table a\n\tdrop column b;":                                                    1,
		"DROP TABLE a;":                                                                      1,
		"ALTER TABLE a RENAME TO b;":                                                         1,
		"ALTER TABLE a ALTER COLUMN b SET NOT NULL;":                                         1,
		"ALTER TABLE a ADD CONSTRAINT c CHECK (b > 0);":                                      1,
		"CREATE UNIQUE INDEX b ON a (id);":                                                   1,
		"DROP INDEX a;":                                                                      1,
		"-- +gatehouse oldest 11\nDROP TABLE a;":                                             0,
		"-- +gatehouse oldest 12\nDROP TABLE a;":                                             1,
		"SELECT pg_advisory_xact_lock(1);":                                                   1,
		"CREATE TABLE a (id TEXT, FOREIGN KEY (id) REFERENCES b DEFERRABLE);":                1,
		"UPDATE a SET b = 1; -- DROP TABLE a\n-- +goose Down\nDROP TABLE a;":                 0,
		"CREATE TABLE a (id TEXT);\n-- what is renamed by people\nCREATE INDEX b ON a (id);": 0,
	} {
		if got := problemsOf(text, 12); len(got) != problems {
			t.Errorf("%q: %q, want %d", text, got, problems)
		}
	}
}
