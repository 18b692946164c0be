package centertest

import (
	"fmt"
	"reflect"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
)

// FullUser is a user whose every field has a value that no other has, those that are made by the
// next release too: for tests that would be glad to be told of a field that is forgotten. The lists
// have so many values.
func FullUser(values int) center.User {
	var u center.User
	f := filler{values: values}
	f.fill(reflect.ValueOf(&u).Elem(), "user")
	for i := range u.Emails {
		u.Emails[i].Value += "@example.com"
	}
	u.Birthdate = "1815-12-10"
	return u
}

type filler struct{ values, n int }

func (f *filler) fill(v reflect.Value, name string) {
	f.n++
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprint(name, f.n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int64:
		v.SetInt(int64(f.n))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), f.values, f.values))
		for i := range v.Len() {
			f.fill(v.Index(i), name)
			v.Index(i).FieldByName("Primary").SetBool(i == 0)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(1_800_000_000+int64(f.n), 0).UTC()))
			return
		}
		for i := range v.NumField() {
			f.fill(v.Field(i), v.Type().Field(i).Name)
		}
	default:
		panic("a field of another kind: " + v.Kind().String())
	}
}
