package center

import (
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

func someUser(n int) User {
	return User{
		ID:          UserID(fmt.Sprintf("id-%d", n)),
		UserName:    fmt.Sprintf("User%d@example.com", n),
		DisplayName: fmt.Sprintf("User %d", n),
	}
}

func TestRememberedUsers(t *testing.T) {
	tests := []struct {
		name string
		do   func(r *rememberedUsers)
		want map[string]UserID // by name; who is not named is not known
	}{
		{
			"found by id and by name", func(r *rememberedUsers) { r.keep(someUser(1), 0); r.keep(someUser(2), 0) },
			map[string]UserID{"user1@example.com": "id-1", "user2@example.com": "id-2"},
		},
		{
			"forgotten",
			func(r *rememberedUsers) { r.keep(someUser(1), 0); r.keep(someUser(2), 0); r.forget("id-1") },
			map[string]UserID{"user2@example.com": "id-2"},
		},
		{
			"read before it was forgotten",
			func(r *rememberedUsers) { age := r.now(); r.forget("id-1"); r.keep(someUser(1), age) }, nil,
		},
		{
			"read after it was forgotten",
			func(r *rememberedUsers) { r.forget("id-1"); r.keep(someUser(1), r.now()) },
			map[string]UserID{"user1@example.com": "id-1"},
		},
		{
			"another was forgotten meanwhile",
			func(r *rememberedUsers) { age := r.now(); r.forget("id-2"); r.keep(someUser(1), age) },
			map[string]UserID{"user1@example.com": "id-1"},
		},
		{"renamed", func(r *rememberedUsers) {
			r.keep(someUser(1), 0)
			r.keep(User{ID: "id-1", UserName: "user2@example.com"}, 0)
		}, map[string]UserID{"user2@example.com": "id-1"}},
		{"a name that went to another user", func(r *rememberedUsers) {
			r.keep(someUser(1), 0)
			r.keep(User{ID: "id-2", UserName: "USER1@example.com"}, 0)
			r.forget("id-1")
		}, map[string]UserID{"user1@example.com": "id-2"}},
		{
			"too large",
			func(r *rememberedUsers) { u := someUser(1); u.Title = string(make([]byte, maxKeptUser)); r.keep(u, 0) },
			nil,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := &rememberedUsers{}
			test.do(r)
			for _, n := range []string{"user1@example.com", "user2@example.com"} {
				u, _, ok := r.byName(n)
				if want, known := test.want[n]; ok != known || (ok && u.ID != want) {
					t.Errorf("%s: %q, %v; want %q", n, u.ID, ok, want)
				}
				if ok {
					if again, _, ok := r.byID(u.ID); !ok || again.UserName != u.UserName {
						t.Errorf("by id: %+v, %v", again, ok)
					}
				}
			}
		})
	}
}

// TestRememberedUsersAreBounded keeps more than there is room for: the memory does not grow, what
// is found is right, and the newest are found.
func TestRememberedUsersAreBounded(t *testing.T) {
	r := &rememberedUsers{}
	u := someUser(0)
	u.Title = string(make([]byte, maxKeptUser-200))
	each := blockSize / len(appendUser(nil, u))
	for n := range maxBlocks*each + 2*keepOneOf*each {
		u.ID, u.UserName = UserID(fmt.Sprint(n)), fmt.Sprint("name", n)
		r.keep(u, 0)
	}
	if r.newest < maxBlocks || len(r.blocks) != maxBlocks || len(r.at) > 2*maxBlocks*each {
		t.Fatalf("%d blocks, block %d is written, %d keys", len(r.blocks), r.newest, len(r.at))
	}
	for _, b := range r.blocks {
		if cap(b) != blockSize {
			t.Fatalf("a block of %d bytes", cap(b))
		}
	}
	found := 0
	for n := range maxBlocks * each {
		id := UserID(fmt.Sprint(n))
		u, _, ok := r.byID(id)
		if byName, _, named := r.byName(fmt.Sprint("name", n)); named != ok || byName.ID != u.ID || (ok && u.ID != id) {
			t.Fatalf("user %d: %v %q, by name %v %q", n, ok, u.ID, named, byName.ID)
		}
		if ok {
			found++
		}
	}
	if found > maxBlocks*each-each || found < (maxBlocks-4)*each {
		t.Errorf("%d of %d are remembered", found, maxBlocks*each)
	}
}
