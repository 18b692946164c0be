package main

import (
	"errors"
	"fmt"
	"slices"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
)

// fit says whether the objects mean each other: a name or a label that is wrong is no mistake for
// Kubernetes, and nothing works.
func fit(objects []runtime.Object) (err error) {
	names := map[string]bool{}
	for _, o := range objects {
		m := o.(meta.Object)
		kind := o.GetObjectKind().GroupVersionKind().Kind
		if wrong := validation.IsDNS1123Label(m.GetName()); len(wrong) > 0 {
			err = errors.Join(err, fmt.Errorf("%s %q: %q", kind, m.GetName(), wrong))
		}
		if names[kind+"/"+m.GetName()] {
			err = errors.Join(err, fmt.Errorf("%s %s is there twice", kind, m.GetName()))
		}
		names[kind+"/"+m.GetName()] = true
		for k, v := range m.GetLabels() {
			if wrong := append(validation.IsQualifiedName(k), validation.IsValidLabelValue(v)...); len(wrong) > 0 {
				err = errors.Join(err, fmt.Errorf("%s %s: label %s=%s: %q", kind, m.GetName(), k, v, wrong))
			}
		}
	}
	for _, o := range objects {
		switch o := o.(type) {
		case *apps.Deployment:
			err = errors.Join(err, fitDeployment(o, names))
		case *core.Service:
			err = errors.Join(err, fitService(o, objects))
		case *networking.Ingress:
			err = errors.Join(err, fitIngress(o, objects))
		case *policy.PodDisruptionBudget:
			err = errors.Join(err, selects("the budget", o.Spec.Selector, objects))
		case *networking.NetworkPolicy:
			err = errors.Join(err, selects("the policy", &o.Spec.PodSelector, objects))
		case *monitoring.ServiceMonitor:
			err = errors.Join(err, fitMonitor(o, objects))
		}
	}
	return err
}

func fitDeployment(d *apps.Deployment, names map[string]bool) (err error) {
	pod := d.Spec.Template.Spec
	wrong := func(format string, args ...any) { err = errors.Join(err, fmt.Errorf(d.Name+": "+format, args...)) }
	selector, bad := meta.LabelSelectorAsSelector(d.Spec.Selector)
	if bad != nil || !selector.Matches(labels.Set(d.Spec.Template.Labels)) {
		wrong("it does not select its own pods")
	}
	if !names["ServiceAccount/"+pod.ServiceAccountName] {
		wrong("there is no service account %s", pod.ServiceAccountName)
	}
	volumes := map[string]bool{}
	for _, v := range pod.Volumes {
		volumes[v.Name] = true
		if v.ConfigMap != nil && !names["ConfigMap/"+v.ConfigMap.Name] {
			wrong("there is no ConfigMap %s", v.ConfigMap.Name)
		}
	}
	for _, c := range pod.Containers {
		for _, m := range c.VolumeMounts {
			if !volumes[m.Name] {
				wrong("there is no volume %s", m.Name)
			}
		}
		for _, p := range []*core.Probe{c.StartupProbe, c.LivenessProbe, c.ReadinessProbe} {
			if p == nil || p.HTTPGet == nil || !hasPort(c, p.HTTPGet.Port) {
				wrong("a probe is missing, or asks at no port of the container")
			}
		}
	}
	return err
}

func hasPort(c core.Container, port intstr.IntOrString) bool {
	return slices.ContainsFunc(c.Ports, func(p core.ContainerPort) bool {
		return p.Name == port.StrVal || p.ContainerPort == port.IntVal
	})
}

// pods are those of a selector.
func pods(selector labels.Selector, objects []runtime.Object) (found []core.PodSpec) {
	for _, o := range objects {
		if d, ok := o.(*apps.Deployment); ok && selector.Matches(labels.Set(d.Spec.Template.Labels)) {
			found = append(found, d.Spec.Template.Spec)
		}
	}
	return found
}

// selects says whether a selector means the pods of one half.
func selects(who string, by *meta.LabelSelector, objects []runtime.Object) error {
	selector, err := meta.LabelSelectorAsSelector(by)
	if n := len(pods(selector, objects)); err == nil && n != 1 {
		err = fmt.Errorf("%s selects the pods of %d halves", who, n)
	}
	return err
}

func fitService(s *core.Service, objects []runtime.Object) error {
	found := pods(labels.SelectorFromSet(s.Spec.Selector), objects)
	if len(found) != 1 || !hasPort(found[0].Containers[0], s.Spec.Ports[0].TargetPort) {
		return fmt.Errorf("the service %s leads to %d halves, or to no port", s.Name, len(found))
	}
	return nil
}

func service(name string, objects []runtime.Object) *core.Service {
	for _, o := range objects {
		if s, ok := o.(*core.Service); ok && s.Name == name {
			return s
		}
	}
	return &core.Service{}
}

func namesPort(s *core.Service, name string) bool {
	return slices.ContainsFunc(s.Spec.Ports, func(p core.ServicePort) bool { return p.Name == name })
}

func fitIngress(i *networking.Ingress, objects []runtime.Object) error {
	for _, r := range i.Spec.Rules {
		for _, p := range r.HTTP.Paths {
			to := p.Backend.Service
			if !namesPort(service(to.Name, objects), to.Port.Name) {
				return fmt.Errorf("the ingress %s leads to no port of a service: %+v", i.Name, to)
			}
		}
	}
	return nil
}

func fitMonitor(m *monitoring.ServiceMonitor, objects []runtime.Object) error {
	selector, err := meta.LabelSelectorAsSelector(&m.Spec.Selector)
	if err != nil {
		return err
	}
	for _, o := range objects {
		if s, ok := o.(*core.Service); ok && selector.Matches(labels.Set(s.Labels)) &&
			namesPort(s, m.Spec.Endpoints[0].Port) {
			return nil
		}
	}
	return fmt.Errorf("the monitor %s finds no service", m.Name)
}
