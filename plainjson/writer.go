package plainjson

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Writer writes an object without blanks, and leaves out members without a value. Once Unusual is
// set, what it wrote means nothing. The zero value is ready to use.
type Writer struct {
	Unusual bool // set by what it cannot write, and by who uses it

	b []byte
}

// String is what was written.
func (w *Writer) String() string { return string(w.b) }

// usualSize is the size of most objects, in bytes.
const usualSize = 1 << 10 //bound:none a size to begin with

// Begin begins the object or an entry of a list; End ends it.
func (w *Writer) Begin() {
	if w.b == nil {
		w.b = make([]byte, 0, usualSize)
	} else {
		w.separate()
	}
	w.b = append(w.b, '{')
}

// End ends what Begin has begun.
func (w *Writer) End() { w.b = append(w.b, '}') }

// Object writes a member that is an object: its members are what write writes. It is left out when
// that is nothing.
func (w *Writer) Object(key string, write func()) {
	before := len(w.b)
	w.member(key)
	w.b = append(w.b, '{')
	inside := len(w.b)
	write()
	if len(w.b) == inside {
		w.b = w.b[:before]
		return
	}
	w.b = append(w.b, '}')
}

// List writes a member that is a list: its entries are what write writes.
func (w *Writer) List(key string, write func()) {
	w.member(key)
	w.b = append(w.b, '[')
	write()
	w.b = append(w.b, ']')
}

// separate puts a comma after what is not the first.
func (w *Writer) separate() {
	if last := w.b[len(w.b)-1]; last != '{' && last != '[' {
		w.b = append(w.b, ',')
	}
}

// member begins a member. Keys are names of fields, which need no escapes.
func (w *Writer) member(key string) {
	w.separate()
	w.b = append(w.b, '"')
	w.b = append(w.b, key...)
	w.b = append(w.b, '"', ':')
}

// Text writes a string, unless it is empty.
func (w *Writer) Text(key, value string) {
	if value == "" {
		return
	}
	w.member(key)
	if isPlain(value) {
		w.b = append(w.b, '"')
		w.b = append(w.b, value...)
		w.b = append(w.b, '"')
		return
	}
	b, err := jsontext.AppendQuote(w.b, value)
	w.b = b
	w.Unusual = w.Unusual || err != nil
}

// isPlain is true of printable ASCII that JSON takes as it is.
func isPlain(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// Flag writes true, or nothing.
func (w *Writer) Flag(key string, value bool) {
	if value {
		w.member(key)
		w.b = append(w.b, "true"...)
	}
}

// Number writes a number, unless it is 0.
func (w *Writer) Number(key string, value int64) {
	if value != 0 {
		w.member(key)
		w.b = strconv.AppendInt(w.b, value, 10)
	}
}

// Time writes a time, unless it is zero, in the form of RFC 3339. One that is not of UTC, or whose
// year has more or less than four digits, is unusual.
func (w *Writer) Time(key string, value time.Time) {
	if value.IsZero() {
		return
	}
	year := value.Year()
	_, offset := value.Zone()
	w.Unusual = w.Unusual || year < 0 || year > 9999 || offset != 0
	w.member(key)
	w.b = append(w.b, '"')
	w.b = value.AppendFormat(w.b, time.RFC3339Nano)
	w.b = append(w.b, '"')
}
