package provisioning_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-id/gatehouse/provisioning"
)

// TestWhatIsForbiddenForOneIsNotForAll: a service that protects one person, or a firewall that
// dislikes one name, keeps nobody else waiting, and no leaver. One that lets nothing be written has
// refused the credentials.
func TestWhatIsForbiddenForOneIsNotForAll(t *testing.T) {
	t.Parallel()
	x, m := newTarget(t), newMemory()
	d := newDirectory(user("ada"), user("bob"), user("eve"), group("Eng", "ada", "bob"))
	if _, err := x.sync(t, d, m, nil); err != nil {
		t.Fatal(err)
	}
	protected := "/Users/" + m.link(ada).TargetID
	x.misbehave(func(_ int, r *http.Request, w http.ResponseWriter) bool {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		forbidden := r.Method != http.MethodGet &&
			(bytes.Contains(body, []byte("disliked")) || len(r.URL.Path) > len(protected) &&
				r.URL.Path[len(r.URL.Path)-len(protected):] == protected)
		if forbidden {
			w.WriteHeader(http.StatusForbidden)
		}
		return forbidden
	})
	active(ada, false)(d)
	active(eve, false)(d)
	having(bob, "jobTitle", "Dr")(d)
	members(eng, "bob")(d)
	d.add(newcomer("mal", "disliked"), user("zoe"))
	result, err := x.sync(t, d, m, nil)
	if err != nil || result.Failed != 2 || result.Disabled != 1 || result.Created != 1 {
		t.Errorf("%+v, %v", result, err)
	}
	x.want(t, "ada*", "bob*", "eve", "zoe*", "Eng=bob")
	if link := m.link(ada); link.Failure == "" || link.RetryAt.IsZero() || result.RetryAt.IsZero() {
		t.Errorf("nobody is told of it: %+v", link)
	}
	if n := x.count("GET /Users"); n > 6 {
		t.Errorf("%d questions", n)
	}

	x.misbehave(nil)
	again := func(e *provisioning.Engine) { e.Reread = true }
	if result, err := x.sync(t, d, m, again); err != nil || result.Failed > 0 {
		t.Errorf("once it is allowed: %+v, %v", result, err)
	}
	x.want(t, "ada", "bob*", "eve", "disliked*", "zoe*", "Eng=bob")

	for name, read := range map[string]bool{"only-reads": true, "does-nothing": false} {
		for i := range 20 {
			d.add(user(fmt.Sprint(name, i)))
		}
		var asked atomic.Int32
		x.misbehave(func(_ int, r *http.Request, w http.ResponseWriter) bool {
			if asked.Add(1) > 1 && (r.Method != http.MethodGet || !read) {
				w.WriteHeader(http.StatusForbidden)
				return true
			}
			return false
		})
		var refused *provisioning.CredentialsError
		if _, err := x.sync(t, d, m, nil); !errors.As(err, &refused) || asked.Load() > 80 {
			t.Errorf("%s: %v after %d requests", name, err, asked.Load())
		}
	}
}

// TestWhomATargetProtectsKeepsNobodyWaitingForEver: more people than may be forbidden in a row end
// one cycle, and not each after it.
func TestWhomATargetProtectsKeepsNobodyWaitingForEver(t *testing.T) {
	t.Parallel()
	x, m := newTarget(t), newMemory()
	d := newDirectory(user("zoe"))
	var protected []provisioning.Ref
	for i := range 12 {
		u := user(fmt.Sprintf("owner%02d", i))
		d.add(u)
		protected = append(protected, u.Ref)
	}
	if _, err := x.sync(t, d, m, nil); err != nil {
		t.Fatal(err)
	}
	paths := map[string]bool{}
	for _, ref := range protected {
		paths[m.link(ref).TargetID] = true
		active(ref, false)(d)
	}
	active(zoe, false)(d)
	x.misbehave(func(_ int, r *http.Request, w http.ResponseWriter) bool {
		forbidden := r.Method != http.MethodGet && paths[path.Base(r.URL.Path)]
		if forbidden {
			w.WriteHeader(http.StatusForbidden)
		}
		return forbidden
	})
	one := func(e *provisioning.Engine) { e.Workers = 1 }
	var refused *provisioning.CredentialsError
	if _, err := x.sync(t, d, m, one); !errors.As(err, &refused) {
		t.Errorf("ten in a row: %v", err)
	}
	if result, err := x.sync(t, d, m, one); err != nil || result.Failed != 12 || result.Disabled != 1 {
		t.Errorf("once more: %+v, %v", result, err)
	}
}
