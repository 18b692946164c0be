package web

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
)

// maxExported bounds a file. Whoever needs more narrows the list, and gets it in parts.
const maxExported = 200_000 //bound:list rows of a file that is exported from a list or a log

// errEnough ends an export that has become too long.
var errEnough = errors.New("the export is too long")

// errAllTaken ends one that has all rows that were chosen.
var errAllTaken = errors.New("the export has all that was chosen")

// Exports says whether the address asks for a file instead of a page, in one of the formats that
// Export writes.
func (v Visit) Exports() bool {
	format, _ := v.exported()
	return v.Method == http.MethodGet && (format == "csv" || format == "json")
}

// exported is the format that the address asks for, and whether only the chosen rows are meant.
func (v Visit) exported() (format string, chosen bool) {
	q := v.URL.Query()
	if format = q.Get("chosen"); format != "" {
		return format, true
	}
	return q.Get("format"), false
}

// Pick is the field of the boxes by which rows are chosen. Its value names a row: by words that the
// row has as cells, or as the last part of one, such as an ARN's.
const Pick = "pick"

// picked are the rows that the address chooses.
type picked struct {
	left  [][]string      // the words of the picks whose rows are still to come
	words map[string]bool // the first word of each pick
}

func (v Visit) picked() *picked {
	k := &picked{words: map[string]bool{}}
	for _, value := range v.URL.Query()[Pick] {
		if words := strings.Fields(value); len(words) > 0 {
			k.left = append(k.left, words)
			k.words[path.Base(words[0])] = true
		}
	}
	return k
}

// takes says of a row whether it was chosen. Whose name begins with its first cell is the row of
// the pick, which is not looked for any longer.
func (k *picked) takes(cells []string) (taken bool) {
	if !slices.ContainsFunc(cells, func(cell string) bool { return k.words[path.Base(cell)] }) {
		return false
	}
	k.left = slices.DeleteFunc(k.left, func(pick []string) bool {
		for _, word := range pick {
			if !slices.ContainsFunc(cells, func(cell string) bool { return isNamed(cell, word) }) {
				return false
			}
		}
		taken = true
		return isNamed(cells[0], pick[0])
	})
	return taken
}

func isNamed(cell, word string) bool { return cell == word || strings.HasSuffix(cell, "/"+word) }

// Export sends a list as a file, CSV or JSON, row by row: rows hands them over, each with as many
// cells as there are columns. Where rows were chosen, the others are left out. A file that breaks
// off is not one that looks whole: the connection breaks off with it, and one that has become too
// long says so in its last row.
func (v Visit) Export(name string, columns []string, rows func(row func(cells ...string) error) error) error {
	format, chosen := v.exported()
	if chosen && !v.URL.Query().Has(Pick) {
		return v.Failed(cmp.Or(v.from(), v.URL.Path), "Choose at least one row to export, or export the whole list.")
	}
	picked := v.picked()
	out := bufio.NewWriterSize(v.ResponseWriter, 32<<10)
	write, end := csvRows(out, columns)
	contentType := "text/csv; charset=utf-8"
	if format == "json" {
		write, end = jsonRows(out, columns)
		contentType = "application/json"
	}
	v.Header().Set("Content-Type", contentType)
	v.Header().Set("Content-Disposition", `attachment; filename="`+name+`.`+format+`"`)
	written := 0
	err := rows(func(cells ...string) error {
		if chosen && !picked.takes(cells) {
			return nil
		}
		if written++; written > maxExported {
			return errEnough
		}
		if err := write(cells); err != nil || !chosen || len(picked.left) > 0 {
			return err
		}
		return errAllTaken
	})
	if errors.Is(err, errAllTaken) {
		err = nil
	}
	if errors.Is(err, errEnough) {
		note := fmt.Sprintf("Cut off after %d rows: narrow the list by its filters.", maxExported)
		err = write(append([]string{note}, make([]string, len(columns)-1)...))
	}
	if err != nil && written == 0 {
		v.Header().Del("Content-Disposition")
		return err
	}
	if err == nil {
		end()
		err = out.Flush()
	}
	if err != nil {
		v.desk.Log.ErrorContext(
			v.Context(), "export failed", "request_id", RequestID(v.Request), "path", v.URL.Path, "error", err,
		)
		panic(http.ErrAbortHandler)
	}
	return nil
}

func csvRows(out *bufio.Writer, columns []string) (write func([]string) error, end func()) {
	w := csv.NewWriter(out)
	begun := false
	begin := func() {
		if !begun {
			begun = true
			_ = w.Write(columns) // its error stays, and the next has it
		}
	}
	write = func(cells []string) error {
		begin()
		disarmed := make([]string, len(cells))
		for i, cell := range cells {
			disarmed[i] = disarm(cell)
		}
		return w.Write(disarmed)
	}
	return write, func() { begin(); w.Flush() }
}

// disarm keeps a cell from being a formula where a spreadsheet opens the file. Source: OWASP, "CSV
// Injection".
func disarm(cell string) string {
	if strings.HasPrefix(cell, "'") || cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r\n") {
		return "'" + cell
	}
	return cell
}

func jsonRows(out *bufio.Writer, columns []string) (write func([]string) error, end func()) {
	between := "["
	write = func(cells []string) error {
		_, _ = out.WriteString(between) // its error stays, and the next has it
		between = ","
		for i, cell := range cells {
			name, _ := json.Marshal(columns[i]) // texts always encode
			value, _ := json.Marshal(cell)
			begin := ","
			if i == 0 {
				begin = "\n{"
			}
			_, _ = fmt.Fprintf(out, "%s%s:%s", begin, name, value)
		}
		_, err := out.WriteString("}")
		return err
	}
	return write, func() {
		if between == "[" {
			_, _ = out.WriteString("[")
		}
		_, _ = out.WriteString("\n]\n")
	}
}
