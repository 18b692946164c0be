package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	"helm.sh/helm/v3/pkg/releaseutil"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
)

// rendered is what an installation would send to Kubernetes, and tell the one who runs it.
type rendered struct {
	Notes   string
	Objects []runtime.Object
}

// renderChart does what `helm lint --strict` and `helm template` do, reads every manifest as
// Kubernetes does, where a field that it does not know is a mistake, and prints them as JSON.
func renderChart(args []string) error {
	values := map[string]any{}
	if len(args) > 1 {
		read, err := chartutil.ReadValuesFile(args[1])
		if err != nil {
			return err
		}
		values = read
	}
	out, err := render(args[0], values)
	if err != nil {
		return err
	}
	if err := lintChart(args[0], values); err != nil {
		return err
	}
	if err := fit(out.Objects); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

func lintChart(folder string, values map[string]any) (err error) {
	for _, m := range lint.All(folder, values, "default", true).Messages {
		if m.Severity >= support.WarningSev {
			err = errors.Join(err, m)
		}
	}
	return err
}

func render(folder string, values map[string]any) (out rendered, err error) {
	chart, err := loader.Load(folder)
	if err != nil {
		return out, err
	}
	release := chartutil.ReleaseOptions{Name: "test", Namespace: "identity", Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValues(chart, values, release, chartutil.DefaultCapabilities)
	if err != nil {
		return out, err
	}
	files, err := engine.Render(chart, all)
	if err != nil {
		return out, err
	}
	known := runtime.NewScheme()
	if err := errors.Join(scheme.AddToScheme(known), monitoring.AddToScheme(known)); err != nil {
		return out, err
	}
	decoder := serializer.NewCodecFactory(known, serializer.EnableStrict).UniversalDeserializer()
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if path.Base(name) == "NOTES.txt" {
			out.Notes = files[name]
			continue
		}
		for _, text := range releaseutil.SplitManifests(files[name]) {
			if strings.TrimSpace(text) == "" {
				continue
			}
			object, _, err := decoder.Decode([]byte(text), nil, nil)
			if err != nil {
				return out, fmt.Errorf("%s: %w:\n%s", name, err, text)
			}
			out.Objects = append(out.Objects, object)
		}
	}
	slices.SortFunc(out.Objects, func(a, b runtime.Object) int { return strings.Compare(called(a), called(b)) })
	return out, nil
}

// called is the kind and the name of an object.
func called(o runtime.Object) string {
	return o.GetObjectKind().GroupVersionKind().Kind + "/" + o.(meta.Object).GetName()
}
