package graphserver

import (
	"bytes"
	"compress/gzip"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
)

// maxBeside bounds what is kept of a schema beside its mappings: that of a real application has
// 100 KiB.
const maxBeside = 1 << 20 //bound:text what is kept of a synchronization schema beside its mappings, in bytes

// besideOf packs what a client wrote beside the mappings: the directories with their attributes,
// the rule's own properties, the parsed forms of expressions. It has no meaning here, and is given
// back as it was written.
func besideOf(in graph.SynchronizationSchema) ([]byte, error) {
	in.Context = ""
	in.ID, in.Version = "", ""
	data, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	if len(data) > maxBeside {
		return nil, badRequest("The schema is too large: Gatehouse keeps at most 1 MiB of it.")
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err = w.Write(data); err == nil {
		err = w.Close()
	}
	return b.Bytes(), err
}

// withBeside puts what was kept beside the mappings around these, where it still belongs to them:
// somebody may have changed the mappings in the admin center since.
func withBeside(out graph.SynchronizationSchema, s mapping.Schema) graph.SynchronizationSchema {
	var kept graph.SynchronizationSchema
	r, err := gzip.NewReader(bytes.NewReader(s.Beside))
	if err != nil { // nothing was kept
		return out
	}
	data, err := io.ReadAll(io.LimitReader(r, maxBeside))
	if err != nil || json.Unmarshal(data, &kept) != nil || len(kept.Rules) != 1 {
		return out
	}
	if kept.Directories != nil {
		out.Directories = kept.Directories
	}
	rule, was := &out.Rules[0], kept.Rules[0]
	if was.Name != "" { // with it all of them were sent
		rule.Name = was.Name
		rule.Editable, rule.Priority = was.Editable, was.Priority
		rule.SourceDirectoryName, rule.TargetDirectoryName = was.SourceDirectoryName, was.TargetDirectoryName
	}
	if was.Metadata != nil {
		rule.Metadata = was.Metadata
	}
	rule.ContainerFilter, rule.GroupFilter = was.ContainerFilter, was.GroupFilter
	for i := range rule.ObjectMappings {
		o := &rule.ObjectMappings[i]
		for _, k := range was.ObjectMappings {
			if k.SourceObjectName == o.SourceObjectName {
				keepObject(o, k)
			}
		}
	}
	return out
}

// keepObject gives an object's mapping what was kept beside it.
func keepObject(o *graph.ObjectMapping, was graph.ObjectMapping) {
	if was.Metadata != nil {
		o.Metadata = was.Metadata
	}
	if was.TargetObjectName != "" {
		o.TargetObjectName = was.TargetObjectName
	}
	if flows, err := flowsOf(was.FlowTypes); err == nil && flowsToWire(flows) == o.FlowTypes {
		o.FlowTypes = was.FlowTypes
	}
	if o.Scope == nil && was.Scope != nil && len(was.Scope.Groups) == 0 {
		o.Scope = was.Scope
	}
	for i := range o.AttributeMappings {
		a := &o.AttributeMappings[i]
		at := slices.IndexFunc(was.AttributeMappings, func(k graph.AttributeMapping) bool {
			return k.TargetAttributeName == a.TargetAttributeName
		})
		if at < 0 {
			continue
		}
		k := was.AttributeMappings[at]
		if k.Source.Expression == a.Source.Expression && k.Source.Type != "" {
			a.Source.Name, a.Source.Type = k.Source.Name, k.Source.Type
			if k.Source.Parameters != nil {
				a.Source.Parameters = k.Source.Parameters
			}
		}
		if a.DefaultValue == nil && k.DefaultValue != nil && *k.DefaultValue == "" {
			a.DefaultValue = k.DefaultValue
		}
	}
}

// flowsOf reads what may be done at the target.
func flowsOf(text string) (flows mapping.Flow, err error) {
	for name := range strings.SplitSeq(text, ",") {
		name = strings.TrimSpace(name)
		known := name == "" || strings.EqualFold(name, "None")
		for _, f := range flowNames {
			if strings.EqualFold(f.name, name) {
				flows |= f.flow
				known = true
			}
		}
		if !known {
			return 0, badRequest("The flow type '" + quotable(name) + "' is not known.")
		}
	}
	return flows, nil
}

func flowsToWire(flows mapping.Flow) string {
	var names []string
	for _, f := range flowNames {
		if flows&f.flow != 0 {
			names = append(names, f.name)
		}
	}
	return strings.Join(names, ",")
}
