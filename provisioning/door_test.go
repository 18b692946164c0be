package provisioning_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
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
