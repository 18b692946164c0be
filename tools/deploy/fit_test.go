package main

import (
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
)

// TestWhatDoesNotFit: each change leaves objects that Kubernetes takes, and that do not work.
func TestWhatDoesNotFit(t *testing.T) {
	values := map[string]any{"center": map[string]any{"url": "https://id.example.com"}}
	type (
		deployment = *apps.Deployment
		service    = *core.Service
	)
	for want, spoil := range map[string]func(deployment, service){
		"":                     func(deployment, service) {},
		"its own pods":         func(d deployment, _ service) { d.Spec.Template.Labels = nil },
		"no service account":   func(d deployment, _ service) { d.Spec.Template.Spec.ServiceAccountName = "x" },
		"no volume":            func(d deployment, _ service) { d.Spec.Template.Spec.Volumes = nil },
		"a probe is missing":   func(d deployment, _ service) { d.Spec.Template.Spec.Containers[0].Ports = nil },
		"leads to 0 halves":    func(_ deployment, s service) { s.Spec.Selector = map[string]string{"a": "b"} },
		"or to no port":        func(_ deployment, s service) { s.Spec.Ports[0].TargetPort.StrVal = "x" },
		"is there twice":       func(_ deployment, s service) { s.Kind, s.Name = "ConfigMap", "test-gatehouse-center" },
		"a lowercase RFC 1123": func(_ deployment, s service) { s.Name = "Center" },
	} {
		out, err := render("../../deploy/helm/gatehouse", values)
		if err != nil {
			t.Fatal(err)
		}
		spoil(first[*apps.Deployment](out), first[*core.Service](out))
		if err := fit(out.Objects); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
}

// first is the first object of a kind.
func first[T any](out rendered) (found T) {
	for _, o := range out.Objects {
		if found, ok := o.(T); ok {
			return found
		}
	}
	return found
}
