package terraform_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-id/gatehouse/terraform"
)

// before puts something between the export and the center. It answers, or returns false.
func (o *organization) before(answer func(w http.ResponseWriter, operation string) bool) {
	at, err := url.Parse(o.URL)
	if err != nil {
		o.t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(at)
		r.Out.Host = r.In.Host // it is signed
	}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		if !answer(w, operation) {
			proxy.ServeHTTP(w, r)
		}
	}))
	o.t.Cleanup(s.Close)
	o.cfg.BaseEndpoint = &s.URL
}

func refuse(w http.ResponseWriter, code string, status int) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `{"__type":"`+code+`","message":"User: x is not authorized\nresource {}"}`)
}

// TestEachPermissionThatIsMissingIsNamed refuses each operation in turn: the export has the rest.
func TestEachPermissionThatIsMissingIsNamed(t *testing.T) {
	t.Parallel()
	o := newOrganization(t)
	o.fill()
	var mu sync.Mutex
	asked, refused := map[string]bool{}, ""
	o.before(func(w http.ResponseWriter, operation string) bool {
		mu.Lock()
		defer mu.Unlock()
		asked[operation] = true
		if operation != refused {
			return false
		}
		refuse(w, "AccessDeniedException", http.StatusBadRequest)
		return true
	})
	read := func() (*terraform.Organization, error) {
		return terraform.Read(context.Background(), terraform.Source{SDK: o.cfg, Unlimited: true, People: true})
	}
	if whole, err := read(); err != nil || len(whole.Unread) > 0 {
		t.Fatalf("%v, %v", err, whole.Unread)
	}
	operations := terraform.SortedKeys(asked)
	if len(operations) < 24 {
		t.Errorf("it asked only %v", operations)
	}
	for _, operation := range operations {
		mu.Lock()
		refused = operation
		mu.Unlock()
		got, err := read()
		if operation == "ListInstances" {
			if err == nil || !strings.Contains(err.Error(), "sso:ListInstances") {
				t.Errorf("without %s: %v", operation, err)
			}
			continue
		}
		if operation == "DescribeInstance" { // it says that there are no permission sets, at the most
			if err != nil || len(got.PermissionSets) == 0 || len(got.Unread) > 0 {
				t.Errorf("without %s: %v, %v", operation, err, got)
			}
			continue
		}
		if err != nil || len(got.Unread) != 1 || !strings.HasSuffix(got.Unread[0].Permission, ":"+operation) {
			t.Errorf("without %s: %v, %v", operation, err, got)
			continue
		}
		dir := filepath.Join(t.TempDir(), "x")
		s, err := terraform.Write(dir, got, terraform.Options{People: true})
		must(t, s, err)
		tags := strings.Contains(files(t, dir)["applications.tf"], "ignore_changes = [tags]")
		if tags != (operation == "ListTagsForResource") {
			t.Errorf("without %s tags are ignored: %v", operation, tags)
		}
		if text := files(t, dir)["main.tf"]; !strings.Contains(text, got.Unread[0].Permission) ||
			strings.Contains(text, "\nresource") {
			t.Errorf("without %s main.tf has %s", operation, text)
		}
	}
}

// TestAFailureThatIsNoRefusalLeavesNothing: half an export would look like a whole one.
func TestAFailureThatIsNoRefusalLeavesNothing(t *testing.T) {
	t.Parallel()
	o := newOrganization(t)
	o.fill()
	o.before(func(w http.ResponseWriter, operation string) bool {
		if operation != "GetInlinePolicyForPermissionSet" {
			return false
		}
		refuse(w, "ValidationException", http.StatusBadRequest)
		return true
	})
	got, err := terraform.Read(context.Background(), terraform.Source{SDK: o.cfg, Unlimited: true})
	if err == nil || !strings.Contains(err.Error(), "the inline policy of a permission set") {
		t.Errorf("it read %v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := terraform.Read(ctx, terraform.Source{SDK: o.cfg, Unlimited: true}); err == nil {
		t.Error("it read on after it was told to end")
	}
}

// TestARefusalIsWaitedOut: AWS throttles.
func TestARefusalIsWaitedOut(t *testing.T) {
	t.Parallel()
	o := newOrganization(t)
	o.fill()
	var mu sync.Mutex
	times := map[string]int{}
	o.before(func(w http.ResponseWriter, operation string) bool {
		mu.Lock()
		defer mu.Unlock()
		times[operation]++
		if times[operation] != 1 || !strings.HasPrefix(operation, "ListP") {
			return false
		}
		refuse(w, "ThrottlingException", http.StatusBadRequest)
		return true
	})
	var log bytes.Buffer
	got, err := terraform.Read(context.Background(), terraform.Source{
		SDK: o.cfg, Unlimited: true, Progress: func(done, total int) {
			if done > total {
				log.WriteString("more is done than there is")
			}
		},
	})
	if err != nil || len(got.PermissionSets) != 6 || len(got.Unread) > 0 || log.Len() > 0 {
		t.Errorf("it read %v, %v, %s", got, err, log.String())
	}
}

// TestWhatGoesMeanwhileIsNotThere: somebody deletes a permission set while it is read. An instance
// of an account has no permission sets at all.
func TestWhatGoesMeanwhileIsNotThere(t *testing.T) {
	t.Parallel()
	o := newOrganization(t)
	o.fill()
	var once sync.Once
	o.before(func(w http.ResponseWriter, operation string) bool {
		gone := false
		if operation == "DescribePermissionSet" {
			once.Do(func() { gone = true })
		}
		if gone {
			refuse(w, "ResourceNotFoundException", http.StatusBadRequest)
		}
		if operation == "ListAccounts" {
			refuse(w, "AWSOrganizationsNotInUseException", http.StatusBadRequest)
			return true
		}
		return gone
	})
	got, err := terraform.Read(context.Background(), terraform.Source{SDK: o.cfg, Unlimited: true})
	if err != nil || len(got.PermissionSets) != 5 || len(got.Unread) > 0 {
		t.Errorf("it read %v, %v", got, err)
	}
	o.before(func(w http.ResponseWriter, operation string) bool {
		switch operation {
		case "DescribeInstance":
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			_, _ = io.WriteString(w, `{"PermissionSetsEnabled":false}`)
		case "ListPermissionSets", "DescribeInstanceAccessControlAttributeConfiguration":
			refuse(w, "ValidationException", http.StatusBadRequest)
		default:
			return false
		}
		return true
	})
	got, err = terraform.Read(context.Background(), terraform.Source{SDK: o.cfg, Unlimited: true})
	if err != nil || len(got.PermissionSets) > 0 || len(got.Applications) == 0 || len(got.Unread) > 0 {
		t.Errorf("of an account's instance it read %v, %v", got, err)
	}
}
