package sqldbtest

import (
	"fmt"
	"reflect"
	"testing"
	"time"
)

// Call calls one method of a store's reader or transaction, with arguments made for it.
type Call func(on any) error

// Methods returns a call of each method of an interface that can fail, by name. Arguments are made
// by their types: every text, number and list has something in it, so that no method ends before
// its statement. A parameter that cannot be made fails the test, and so does a method that cannot
// fail and is not named here.
func Methods(t testing.TB, of reflect.Type, cannotFail ...string) map[string]Call {
	t.Helper()
	calls := map[string]Call{}
	harmless := map[string]bool{}
	for _, name := range cannotFail {
		harmless[name] = true
	}
	failure := reflect.TypeFor[error]()
	for m := range of.Methods() {
		if n := m.Type.NumOut(); n == 0 || m.Type.Out(n-1) != failure {
			if !harmless[m.Name] {
				t.Errorf("%s.%s returns no error, and nobody says that it needs none", of, m.Name)
			}
			continue
		}
		args := make([]reflect.Value, m.Type.NumIn())
		for i := range args {
			v, err := made(m.Type.In(i))
			if err != nil {
				t.Errorf("%s.%s: %v", of, m.Name, err)
			}
			args[i] = v
		}
		calls[m.Name] = func(on any) error {
			results := reflect.ValueOf(on).MethodByName(m.Name).Call(args)
			err, _ := results[len(results)-1].Interface().(error)
			return err
		}
	}
	return calls
}

// made makes a value of a type that has something in it.
func made(of reflect.Type) (reflect.Value, error) {
	v := reflect.New(of).Elem()
	switch of.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Slice:
		one, err := made(of.Elem())
		return reflect.Append(v, one), err
	case reflect.Pointer:
		return reflect.New(of.Elem()), nil
	case reflect.Struct:
		if of == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.UnixMilli(1).UTC()))
		}
	default:
		return v, fmt.Errorf("no argument of type %s can be made", of)
	}
	return v, nil
}
