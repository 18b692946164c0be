package deploy_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// checker is tools/deploy, built once.
var checker = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "gatehouse-checker-")
	if err != nil {
		return "", err
	}
	left = append(left, folder)
	// `make lint` vets it, which takes half as long as to compile: all that it imports is read
	build := "cd tools/deploy && go build -o " + folder + "/deploy . && go test -vet=off -count=1 ."
	out, err := outcome("bash", "-c", build)
	if err != nil {
		err = fmt.Errorf("build tools/deploy: %w: %s", err, out)
	}
	return folder + "/deploy", err
})

// checks runs tools/deploy.
func checks(t *testing.T, args ...string) (out string, err error) {
	t.Helper()
	if testing.Short() {
		t.Skip("Helm's libraries take half a minute to compile")
	}
	program, err := checker()
	if err != nil {
		t.Fatal(err)
	}
	return outcome(program, args...)
}

// manifest is what the tests read of an object that the chart makes.
type manifest struct {
	Kind     string
	Metadata struct {
		Name        string
		Annotations map[string]string
	}
	Data map[string]string
	Spec struct {
		Replicas       int
		MaxUnavailable any
		Strategy       struct{ Type string }
		Template       struct{ Spec pod }
		Rules          []struct{ Host string }
		PolicyTypes    []string
	}
}

// pod is what runs.
type pod struct {
	SecurityContext struct{ RunAsNonRoot bool }
	Containers      []struct {
		Image           string
		Args            []string
		Env             []struct{ Name, Value string }
		SecurityContext struct {
			ReadOnlyRootFilesystem   bool
			AllowPrivilegeEscalation *bool
		}
		VolumeMounts []struct{ Name, MountPath, SubPath string }
	}
	Volumes []struct {
		Name   string
		Secret struct {
			Items []struct{ Key, Path string }
		}
	}
}

// rendered is what `helm install` would send.
type rendered struct {
	Notes   string
	Objects []manifest
}

// installs renders the chart with values.
func installs(t *testing.T, values string) (r rendered, mistakes string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, []byte(values), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := checks(t, "chart", "deploy/helm/gatehouse", file)
	if err != nil {
		return r, out
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return r, ""
}

// kinds are the objects in one line.
func (r rendered) kinds() string {
	names := make([]string, 0, len(r.Objects))
	for _, o := range r.Objects {
		names = append(names, o.Kind+"/"+strings.TrimPrefix(o.Metadata.Name, "test-gatehouse-"))
	}
	return strings.Join(names, " ")
}

func (r rendered) find(t *testing.T, kind, name string) manifest {
	t.Helper()
	for _, o := range r.Objects {
		if o.Kind == kind && o.Metadata.Name == name {
			return o
		}
	}
	t.Fatalf("there is no %s %s in %s", kind, name, r.kinds())
	return manifest{}
}

// example is one of the chart's files with values, as its users begin with.
func example(t *testing.T, name string) string {
	t.Helper()
	return read(t, "helm/gatehouse/ci/"+name+"-values.yaml")
}

// TestTheChart renders it as Helm does and reads each object as Kubernetes does.
func TestTheChart(t *testing.T) {
	for name, want := range map[string]string{
		"sqlite": "ConfigMap/center Deployment/center PersistentVolumeClaim/center Service/center " +
			"ServiceAccount/center",
		"postgresql": "ConfigMap/center Deployment/center NetworkPolicy/center PodDisruptionBudget/center " +
			"Service/center Service/center-metrics ServiceAccount/center ServiceMonitor/center",
		"tenant": "ConfigMap/tenant Deployment/tenant Service/tenant ServiceAccount/tenant",
		"ingress": "ConfigMap/iam-center ConfigMap/iam-tenant Deployment/iam-center Deployment/iam-tenant " +
			"Ingress/iam-center Ingress/iam-tenant PersistentVolumeClaim/iam-center " +
			"PersistentVolumeClaim/iam-tenant Service/iam-center Service/iam-tenant ServiceAccount/iam-center " +
			"ServiceAccount/iam-tenant",
	} {
		t.Run(name, func(t *testing.T) {
			r, mistakes := installs(t, example(t, name))
			if mistakes != "" || r.kinds() != want {
				t.Fatalf("%s: %s", r.kinds(), mistakes)
			}
			for _, o := range r.Objects {
				if o.Kind != "Deployment" {
					continue
				}
				pod := o.Spec.Template.Spec
				inner := pod.Containers[0].SecurityContext
				if !pod.SecurityContext.RunAsNonRoot || !inner.ReadOnlyRootFilesystem ||
					inner.AllowPrivilegeEscalation == nil || *inner.AllowPrivilegeEscalation {
					t.Errorf("it may more than it needs: %+v", pod)
				}
			}
		})
	}
	r, _ := installs(t, example(t, "sqlite"))
	if d := r.find(t, "Deployment", "test-gatehouse-center"); d.Spec.Strategy.Type != "Recreate" ||
		d.Spec.Template.Spec.Containers[0].Image != "ghcr.io/gatehouse-id/gatehouse:0.0.0" {
		t.Errorf("%+v", d)
	}
	claim := r.find(t, "PersistentVolumeClaim", "test-gatehouse-center")
	if claim.Metadata.Annotations["helm.sh/resource-policy"] != "keep" {
		t.Error("an uninstallation takes the data with it")
	}
	if !strings.Contains(r.Notes, "/usr/bin/gatehouse administrators set-password admin --one-time") {
		t.Errorf("%s", r.Notes)
	}
	digest := "sha256:" + strings.Repeat("0123456789abcdef", 4)
	r, _ = installs(t, example(t, "postgresql")+"image: {digest: \""+digest+"\"}\n")
	d := r.find(t, "Deployment", "test-gatehouse-center")
	if d.Spec.Strategy.Type != "RollingUpdate" || d.Spec.Replicas != 3 ||
		!strings.HasPrefix(d.Spec.Template.Spec.Containers[0].Image, "ghcr.io/gatehouse-id/gatehouse@"+digest) {
		t.Errorf("%+v", d)
	}
	if strings.Contains(r.Notes, "set-password") {
		t.Errorf("the password is given, but: %s", r.Notes)
	}
}

// TestWhatTheChartRefuses: each with what is wrong and what to do, before anything is installed.
func TestWhatTheChartRefuses(t *testing.T) {
	const id = `center: {url: "https://id.example.com", `
	for values, want := range map[string]string{
		"":                                    "center.url is missing: set it to the https address",
		"center: {enabled: false}":            "nothing is enabled: set center.enabled or tenant.enabled to true",
		id + `replicas: 3}`:                   "center.replicas is 3, but SQLite serves one: set",
		id + `database: postgresql}`:          "center.existingSecret is missing: name a Secret with the keys",
		id + `secretSettings: [smtp-server]}`: "a Secret with the keys smtp-server",
		id + `existingSecret: s, metrics: {enabled: true}}`:   "center.metrics.tlsSecret is missing: metrics leave",
		id + `metrics: {serviceMonitor: {enabled: true}}}`:    "needs center.metrics.enabled",
		id + `ingress: {enabled: true}}`:                      "center.ingress.tlsSecret is missing",
		id + `config: {listen: ":80"}}`:                       "center.config.listen is what the chart sets from its",
		id + `config: {smtp-server: "smtp://u:p@m"}}`:         "config.smtp-server would be there for all to read",
		id + `config: {traces-authorization: x}}`:             "config.traces-authorization would be there for",
		id + `replicas: "2"}`:                                 "got string, want integer",
		id + `database: mysql}`:                               "must be one of 'sqlite', 'postgresql'",
		id + `replica: 2}`:                                    "'replica' not allowed",
		`center: {url: "http://id.example.com"}`:              "does not match pattern",
		`center: {url: "https://id.example.com/path"}`:        "does not match pattern",
		`center: {url: "https://id'x.example.com"}`:           "does not match pattern",
		"center: null":                                        "missing property 'center'",
		id + "}\nfullnameOverride: IAM":                       "does not match pattern",
		id + `existingSecret: s, secretSettings: [database]}`: "center.database is sqlite: set it to postgresql",
		id + "}\nimage: {digest: latest}":                     "does not match pattern",
	} {
		if _, mistakes := installs(t, values); !strings.Contains(mistakes, want) {
			t.Errorf("%s: %s", values, mistakes)
		}
	}
}

// bridge lets programs that cannot see a socket of PostgreSQL reach it on loopback.
func bridge(t *testing.T, socket string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("unix", socket)
			if err != nil {
				_ = from.Close()
				continue
			}
			go carry(from, to)
			go carry(to, from)
		}
	}()
	return l.Addr().String()
}

// carry copies one direction of a connection and ends both when it ends.
func carry(from, to net.Conn) {
	_, _ = io.Copy(to, from)
	_ = from.Close()
	_ = to.Close()
}

// databases makes PostgreSQL with a database for each name, and returns their URLs as a program
// with a root of its own reaches them.
func databases(t *testing.T, names ...string) (server *sqldbtest.Server, urls map[string]string) {
	t.Helper()
	server = sqldbtest.NewServer(t)
	address := bridge(t, server.Socket()+"/.s.PGSQL.5432")
	urls = map[string]string{}
	for _, name := range names {
		server.Exec(t, "CREATE DATABASE "+name)
		urls[name] = (&url.URL{
			Scheme: "postgres", User: url.User("postgres"), Host: address, Path: name, RawQuery: "sslmode=disable",
		}).String()
	}
	return server, urls
}

// TestThePodsOfTheChart runs what the chart would have Kubernetes run: in the image, with the
// configuration, the variables and the secrets that the manifests name. An administrator who signs
// in at one replica is signed in at the others.
func TestThePodsOfTheChart(t *testing.T) {
	image := released(t)("image-linux-" + strings.TrimSpace(output(t, "go", "env", "GOARCH")) + ".tar")
	_, urls := databases(t, "center")
	r, mistakes := installs(t, example(t, "postgresql"))
	if mistakes != "" {
		t.Fatal(mistakes)
	}
	d := r.find(t, "Deployment", "test-gatehouse-center")
	secrets := map[string]string{
		"database": urls["center"], "master-key": strings.Repeat("A", 43) + "=", "admin-password": password,
		"health-token": "sixteen characters", "metrics-token": "sixteen characters",
	}
	var pods []process
	for range d.Spec.Replicas {
		root, config := unpacked(t, image)
		pods = append(pods, runPod(t, root, config, d, r, secrets))
	}
	v := signIn(t, "center", "https://id.example.com", through{pods[0].address})
	for _, p := range pods {
		v.Client.Transport = through{p.address}
		if page := v.Get("https://id.example.com/console/"); !strings.Contains(page, "Sign out") {
			t.Errorf("one replica does not know whom another has signed in: %s", page)
		}
		req, _ := http.NewRequest(http.MethodGet, "http://"+p.address+"/readyz", nil)
		req.Header.Set("Authorization", "Bearer sixteen characters")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var health struct{ Ready bool }
		if err := json.NewDecoder(res.Body).Decode(&health); err != nil || !health.Ready {
			t.Errorf("%v: %+v", err, health)
		}
		_ = res.Body.Close()
	}
}

// runPod runs the container of a deployment.
func runPod(
	t *testing.T, root string, config imageConfig, d manifest, r rendered, secrets map[string]string,
) process {
	t.Helper()
	of := d.Spec.Template.Spec
	c := of.Containers[0]
	text := r.find(t, "ConfigMap", d.Metadata.Name).Data["gatehouse.yaml"]
	var settings map[string]any
	if err := yaml.Unmarshal([]byte(text), &settings); err != nil {
		t.Fatal(err)
	}
	delete(settings, "listen") // at an address of ours
	for _, name := range []string{"metrics", "metrics-tls-cert", "metrics-tls-key"} {
		delete(settings, name)
	}
	written, err := yaml.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range c.VolumeMounts {
		switch m.Name {
		case "config":
			place(t, root, m.MountPath, string(written))
		case "secrets":
			for _, v := range of.Volumes {
				for _, item := range v.Secret.Items {
					place(t, root, m.MountPath+"/"+item.Path, secrets[item.Key]+"\n")
				}
			}
		}
	}
	env := config.Env
	for _, e := range c.Env {
		value := e.Value
		if strings.HasPrefix(value, "/") {
			value = inside(root, value)
		}
		env = append(env, e.Name+"="+value)
	}
	return started(t, root, append(config.Entrypoint, c.Args...), env)
}

// TestTheChartIsPacked: the version of a release is in the file's name and in the chart, and the
// packed chart can be installed.
func TestTheChartIsPacked(t *testing.T) {
	file := released(t)("gatehouse-chart-1.2.3.tgz")
	values := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(values, []byte(example(t, "sqlite")), 0o600); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	output(t, "tar", "-xzf", file, "-C", folder)
	out, err := checks(t, "chart", folder+"/gatehouse", values)
	if err != nil || !strings.Contains(out, "ghcr.io/gatehouse-id/gatehouse:1.2.3") {
		t.Errorf("%v: %s", err, strconv.Quote(out))
	}
}
