package chainsql_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/audit/chainsql"
	"github.com/gatehouse-id/gatehouse/sqldb"
)

// TestADocumentIsWhatTheEncoderWrites covers every field of an event, so that one which is added to
// audit.Event cannot be forgotten here.
func TestADocumentIsWhatTheEncoderWrites(t *testing.T) {
	full := audit.Event{}
	for _, v := range []reflect.Value{reflect.ValueOf(&full).Elem(), reflect.ValueOf(&full.Actor).Elem()} {
		for i := range v.NumField() {
			switch f := v.Field(i); f.Kind() {
			case reflect.String:
				f.SetString(v.Type().Field(i).Name)
			case reflect.Int:
				f.SetInt(7)
			case reflect.Struct: // the time and the actor
			default:
				t.Fatalf("%s is of a kind that the test does not know", v.Type().Field(i).Name)
			}
		}
	}
	full.Time = time.Date(2026, 11, 30, 8, 0, 0, 123456789, time.UTC)
	for name, e := range map[string]audit.Event{
		"every field":            full,
		"no field":               {},
		"the program's own":      {ID: "1", Actor: audit.SystemActor, Action: "Start", Result: audit.Granted},
		"texts of strangers":     {Subject: "a \"b\" \\ \n <é>\u2028", Got: "\xff\x00", Detail: "\x7f"},
		"a time of another zone": {Time: time.Date(2026, 11, 30, 8, 0, 0, 0, time.FixedZone("", 3600))},
	} {
		if got, want := chainsql.Document(e), sqldb.Encode(e); got != want {
			t.Errorf("%s is written as\n%s\nwant\n%s", name, got, want)
		}
	}
}
