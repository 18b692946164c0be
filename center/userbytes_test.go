package center

import (
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"
)

// fill gives every field of v another value.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int64:
		v.SetInt(int64(*n) << 40)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(int64(*n), int64(*n)).UTC()))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	default:
		panic("a field of another kind: " + v.Kind().String())
	}
}

func TestARememberedUserIsTheSameInEveryField(t *testing.T) {
	var full User
	fill(reflect.ValueOf(&full).Elem(), new(int))
	for _, u := range []User{full, {}, {ID: "a", UserName: "ä"}} {
		if got := decodeUser(string(appendUser(nil, u))); !reflect.DeepEqual(got, u) {
			t.Errorf("remembered as\n%+v\nwant\n%+v", got, u)
		}
	}
}

// unshared is a store of one process only.
type unshared struct{ Store }

func (unshared) Shared() bool { return false }

func TestARememberedUserIsFoundByIDAndByFoldedName(t *testing.T) {
	c := &Center{Store: unshared{}}
	c.keepUser(User{ID: "a", UserName: "Ada@Example.com"}, 0)
	c.keepUser(User{ID: "b", UserName: "bob@example.com"}, 0)
	c.keepUser(User{ID: "b", UserName: "BOBBY@example.com"}, 0)
	for name, id := range map[string]UserID{
		"ada@example.com":   "a",
		"Ada@Example.com":   "", // names are folded before anybody asks
		"bob@example.com":   "",
		"bobby@example.com": "b",
	} {
		if u, ok := c.rememberedName(context.Background(), name); u.ID != id || ok != (id != "") {
			t.Errorf("%s is %q, %v, want %q", name, u.ID, ok, id)
		}
	}
	if u, ok := c.rememberedUser(context.Background(), "b"); !ok || u.UserName != "BOBBY@example.com" {
		t.Errorf("b is %q, %v", u.UserName, ok)
	}
	c.users.Forget("b")
	if u, ok := c.rememberedUser(context.Background(), "b"); ok {
		t.Errorf("b was forgotten, and is %q", u.UserName)
	}
}
