package plainjson_test

import (
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/plainjson"
)

// thing is what the tests read and write.
type thing struct {
	name  string
	tags  []string
	on    bool
	count int64
	at    time.Time
}

func read(r plainjson.Reader) (v thing, ok bool) {
	r.Object(func(key string) {
		switch key {
		case "name":
			v.name = r.Text()
		case "tags":
			r.List(func() { v.tags = append(v.tags, r.Text()) })
		case "on":
			v.on = r.Flag()
		case "count":
			v.count = r.Number()
		case "at":
			v.at = r.Time()
		case "extra":
			r.Skip()
		default:
			r.Unusual = true
		}
	})
	return v, r.Done()
}

// TestWhatIsPlain: everything else is left to the general decoder. What strangers send must be
// valid JSON besides.
func TestWhatIsPlain(t *testing.T) {
	for name, c := range map[string]struct {
		text           string
		plain, strange bool // of our own, and of a stranger's
	}{
		"every kind": {
			`{"name":"a","tags":["b","c"],"on":true,"count":12,"at":"2026-11-30T08:00:00Z","extra":[{"x":null}]}`,
			true, true,
		},
		"nothing": {`{}`, true, true},
		"blanks": {
			"\n{ \"name\" :\t\"a\" , \"tags\" : [ \"b\" , \"c\" ] ,\r\n\"on\" : false } ", true, true,
		},
		"escapes":                     {`{"name":"\u00e9\"\n"}`, true, true},
		"what is not ASCII":           {`{"name":"é"}`, true, true},
		"an escape that JSON has not": {`{"name":"\x"}`, false, false},
		"half an escape":              {`{"name":"\u00`, false, false},
		"half a text":                 {`{"name":"a`, false, false},
		"half an object":              {`{"name":"a"`, false, false},
		"half a list":                 {`{"tags":["a"`, false, false},
		"no text":                     {``, false, false},
		"only blanks":                 {"  ", false, false},
		"more after the end":          {`{} {}`, false, false},
		"another comma":               {`{"name":"a",}`, false, false},
		"no comma":                    {`{"name":"a" "on":true}`, false, false},
		"an unknown key":              {`{"shoes":"7"}`, false, false},
		"null":                        {`{"name":null}`, false, false},
		"a number for a text":         {`{"name":7}`, false, false},
		"a text for a number":         {`{"count":"7"}`, false, false},
		"a negative number":           {`{"count":-7}`, false, false},
		"a number that is too long":   {`{"count":1234567890123456789}`, false, false},
		"almost true":                 {`{"on":tru}`, false, false},
		"more than true":              {`{"on":truest}`, false, false},
		"no time":                     {`{"at":"yesterday"}`, false, false},
		"what is skipped and wrong":   {`{"extra":[}`, false, false},
		"a list for an object":        {`[]`, false, false},
		"a control character":         {"{\"name\":\"a\tb\"}", true, false},
		"what is not UTF-8":           {"{\"name\":\"\xff\"}", true, false},
		"a key twice":                 {`{"name":"a","name":"b"}`, true, false},
	} {
		_, plain := read(plainjson.NewReader(c.text))
		_, strange := read(plainjson.NewStrictReader(c.text))
		if plain != c.plain || strange != c.strange {
			t.Errorf("%s, %s: plain of ours is %t, and of a stranger's %t", name, c.text, plain, strange)
		}
	}
}

// TestAReaderReadsWhatAWriterWrote.
func TestAReaderReadsWhatAWriterWrote(t *testing.T) {
	at := time.Date(2026, 11, 30, 8, 0, 0, 5, time.UTC)
	var w plainjson.Writer
	w.Begin()
	w.Text("name", "a \"b\"\n é")
	w.Flag("on", true)
	w.Number("count", 12)
	w.Time("at", at)
	w.Object("extra", func() {})
	w.Object("extra", func() { w.Text("x", "y") })
	w.End()
	const want = `{"name":"a \"b\"\n é","on":true,"count":12,` +
		`"at":"2026-11-30T08:00:00.000000005Z","extra":{"x":"y"}}`
	if w.String() != want || w.Unusual {
		t.Errorf("written as %s (unusual: %t)", w.String(), w.Unusual)
	}
	v, ok := read(plainjson.NewStrictReader(w.String()))
	if !ok || v.name != "a \"b\"\n é" || !v.on || v.count != 12 || !v.at.Equal(at) {
		t.Errorf("read as %+v (%t)", v, ok)
	}
}

// TestWhatAWriterLeavesToOthers is what it cannot write as the general encoder does.
func TestWhatAWriterLeavesToOthers(t *testing.T) {
	for name, write := range map[string]func(w *plainjson.Writer){
		"what is not UTF-8": func(w *plainjson.Writer) { w.Text("name", "\xff") },
		"a year of five digits": func(w *plainjson.Writer) {
			w.Time("at", time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC))
		},
		"a time of another zone": func(w *plainjson.Writer) {
			w.Time("at", time.Date(2026, 1, 1, 0, 0, 0, 0, time.FixedZone("", 60)))
		},
	} {
		var w plainjson.Writer
		w.Begin()
		write(&w)
		w.End()
		if !w.Unusual {
			t.Errorf("%s is written as %s", name, w.String())
		}
	}
}
