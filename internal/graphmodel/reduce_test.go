package graphmodel_test

import (
	"encoding/xml"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

var metadata = flag.String("metadata", "", "file with Microsoft Graph's $metadata, to write v1.0.txt from")

// asked are the entity types that Gatehouse's clients ask for.
var asked = strings.Fields(`application servicePrincipal applicationTemplate user group directoryObject organization
	subscribedSku auditLogRoot signIn provisioningObjectSummary directoryAudit synchronization synchronizationJob
	synchronizationSchema synchronizationTemplate claimsMappingPolicy appRoleAssignment entity policyBase stsPolicy
	domain conditionalAccessRoot conditionalAccessPolicy policyRoot directory device orgContact directoryRole`)

type edmx struct {
	Schemas []struct {
		Namespace string       `xml:"Namespace,attr"`
		Enums     []edmEnum    `xml:"EnumType"`
		Entities  []edmType    `xml:"EntityType"`
		Complex   []edmType    `xml:"ComplexType"`
		Actions   []edmAction  `xml:"Action"`
		Container edmContainer `xml:"EntityContainer"`
	} `xml:"DataServices>Schema"`
}

type edmEnum struct {
	Name    string `xml:"Name,attr"`
	Members []struct {
		Name string `xml:"Name,attr"`
	} `xml:"Member"`
}

type edmProperty struct {
	Name string `xml:"Name,attr"`
	Type string `xml:"Type,attr"`
}

type edmType struct {
	Name       string        `xml:"Name,attr"`
	Base       string        `xml:"BaseType,attr"`
	Properties []edmProperty `xml:"Property"`
	Navigation []edmProperty `xml:"NavigationProperty"`
}

type edmAction struct {
	Name       string        `xml:"Name,attr"`
	Bound      bool          `xml:"IsBound,attr"`
	Parameters []edmProperty `xml:"Parameter"`
}

type edmContainer struct {
	Sets []struct {
		Name string `xml:"Name,attr"`
		Type string `xml:"EntityType,attr"`
	} `xml:"EntitySet"`
	Singletons []edmProperty `xml:"Singleton"`
}

// short is a type as the reduced form has it.
func short(name string) string {
	many := ""
	if of, ok := strings.CutPrefix(name, "Collection("); ok {
		name, many = strings.TrimSuffix(of, ")"), "["
	}
	for _, namespace := range []string{"microsoft.graph.", "graph."} {
		name = strings.TrimPrefix(name, namespace)
	}
	return many + name
}

// reduction collects what the types that are asked for lead to.
type reduction struct {
	types   map[string]edmType
	enums   map[string]edmEnum
	out     map[string]string
	actions []edmAction
}

func (r *reduction) add(name string) {
	name = strings.TrimPrefix(name, "[")
	if e, ok := r.enums[name]; ok {
		line := "enum " + name
		for _, m := range e.Members {
			line += " " + m.Name
		}
		r.out[name] = line + "\n"
		return
	}
	t, ok := r.types[name]
	if _, done := r.out[name]; !ok || done {
		return
	}
	r.out[name] = ""
	text := strings.TrimRight("type "+name+" "+short(t.Base), " ") + "\n"
	for _, p := range t.Properties {
		text += " " + p.Name + " " + short(p.Type) + "\n"
		r.add(short(p.Type))
	}
	for _, n := range t.Navigation {
		if of := strings.TrimPrefix(short(n.Type), "["); slices.Contains(asked, of) {
			text += " > " + n.Name + " " + short(n.Type) + "\n"
		}
	}
	for _, a := range r.actions {
		if !a.Bound || len(a.Parameters) == 0 || strings.TrimPrefix(short(a.Parameters[0].Type), "[") != name {
			continue
		}
		line := " ! " + a.Name
		for _, p := range a.Parameters[1:] {
			line += " " + p.Name + ":" + short(p.Type)
			r.add(short(p.Type))
		}
		if !strings.Contains(text, line+"\n") {
			text += line + "\n"
		}
	}
	r.out[name] = text
	r.add(short(t.Base))
}

// TestTheModelIsReduced writes v1.0.txt anew, when it gets Microsoft's metadata.
func TestTheModelIsReduced(t *testing.T) {
	t.Parallel()
	if *metadata == "" {
		return
	}
	data, err := os.ReadFile(*metadata)
	if err != nil {
		t.Fatal(err)
	}
	var m edmx
	if err := xml.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	r := reduction{types: map[string]edmType{}, enums: map[string]edmEnum{}, out: map[string]string{}}
	roots := ""
	for _, s := range m.Schemas {
		if s.Namespace != "microsoft.graph" {
			continue
		}
		for _, x := range slices.Concat(s.Entities, s.Complex) {
			r.types[x.Name] = x
		}
		for _, x := range s.Enums {
			r.enums[x.Name] = x
		}
		r.actions = s.Actions
		for _, x := range s.Container.Sets {
			if slices.Contains(asked, short(x.Type)) {
				roots += "root " + x.Name + " [" + short(x.Type) + "\n"
			}
		}
		for _, x := range s.Container.Singletons {
			if slices.Contains(asked, short(x.Type)) {
				roots += "root " + x.Name + " " + short(x.Type) + "\n"
			}
		}
	}
	for _, name := range asked {
		r.add(name)
	}
	text := "# Microsoft Graph v1.0, reduced from its $metadata: go test ./internal/graphmodel -metadata FILE\n" + roots
	for _, name := range slices.Sorted(maps.Keys(r.out)) {
		text += r.out[name]
	}
	if err := os.WriteFile("v1.0.txt", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	fmt.Println(len(r.out), "types")
}
