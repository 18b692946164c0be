package scimserver

import (
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/scim"
)

// How a user stands on the wire: written by appendUser, read by userFromWire. PATCH, filters,
// sorting and projections work on what the one writes and the other reads.

// userFromWire translates a normalized resource. A user without active is active.
func userFromWire(w scim.Resource) center.User {
	u := center.User{
		UserName:   w.String("userName"),
		ExternalID: w.String("externalId"),
		Active:     true,
		Enterprise: center.Enterprise{Manager: w.Object(scim.EnterpriseURN).Object("manager").String("value")},
	}
	texts, lists := u.TextAttributes(), u.ListAttributes()
	for _, part := range []struct {
		of    scim.Resource
		texts []wireText
	}{{w, plainTexts}, {w.Object("name"), nameTexts}, {w.Object(scim.EnterpriseURN), enterpriseTexts}} {
		for _, t := range part.texts {
			*texts[t.place].Value = part.of.String(t.name)
		}
	}
	if b, ok := w["active"].(bool); ok {
		u.Active = b
	}
	for _, l := range lists {
		for _, e := range objects(w, l.Path) {
			*l.Values = append(*l.Values, center.Value{
				Value:   e.String("value"),
				Display: e.String("display"),
				Type:    e.String("type"),
				Primary: truth(e),
			})
		}
	}
	for _, a := range objects(w, "addresses") {
		u.Addresses = append(u.Addresses, center.Address{
			Formatted:     a.String("formatted"),
			StreetAddress: a.String("streetAddress"),
			Locality:      a.String("locality"),
			Region:        a.String("region"),
			PostalCode:    a.String("postalCode"),
			Country:       a.String("country"),
			Type:          a.String("type"),
			Primary:       truth(a),
		})
	}
	return u
}

// refuseUnsupported applies AWS's list of what it does not take.
func refuseUnsupported(w scim.Resource) error {
	for _, name := range unsupported {
		if len(w.List(name)) > 0 {
			return bad(scim.InvalidValue, name+" is not supported.")
		}
	}
	for _, path := range unsupportedParts {
		list, part, _ := strings.Cut(path, ".")
		entries := objects(w, list)
		if list == "manager" {
			entries = objects(w.Object(scim.EnterpriseURN), list)
		}
		for _, e := range entries {
			if e.String(part) != "" {
				return bad(scim.InvalidValue, path+" is not supported.")
			}
		}
	}
	return nil
}

func objects(w scim.Resource, name string) (list []scim.Resource) {
	for _, item := range w.List(name) {
		if m, ok := item.(map[string]any); ok {
			list = append(list, m)
		}
	}
	return list
}

func truth(r scim.Resource) bool {
	b, _ := r["primary"].(bool)
	return b
}

// keepWhatSCIMCannotSay puts back what only the identitystore API can set, and in AWS's profile
// what only the standard one can.
//
// Where a user has several values, AWS's profile shows one of them, and changes that one.
func (p profile) keepWhatSCIMCannotSay(u *center.User, old center.User) {
	texts, oldTexts := u.TextAttributes(), old.TextAttributes()
	for _, t := range textsBeyondSCIM {
		*texts[t.place].Value = *oldTexts[t.place].Value
	}
	if p.standard {
		return
	}
	lists, oldLists := u.ListAttributes(), old.ListAttributes()
	for i, supported := range awsLists {
		had := *oldLists[i].Values
		if !supported {
			*lists[i].Values = had
			continue
		}
		shown := center.PrimaryOf(had)
		for j, v := range *lists[i].Values { // one at most
			if len(shown) > 0 && v.Value == shown[0].Value {
				(*lists[i].Values)[j].Display = shown[0].Display
			}
		}
		*lists[i].Values = withOthers(*lists[i].Values, had, shown)
	}
	u.Addresses = withOthers(u.Addresses, old.Addresses, center.PrimaryAddressOf(old.Addresses))
}

// withOthers puts values in the place of the one that is shown of several.
func withOthers[T comparable](values, all, shown []T) []T {
	if len(all) < 2 {
		return values
	}
	at := slices.Index(all, shown[0])
	return slices.Concat(all[:at], values, all[at+1:])
}

// object writes the members of a JSON object.
type object struct {
	b     []byte
	wrote bool
}

func (o *object) name(n string) {
	if o.wrote {
		o.b = append(o.b, ',')
	}
	o.wrote = true
	o.b = append(append(append(o.b, '"'), n...), '"', ':')
}

// text writes a member unless it is empty.
func (o *object) text(n, v string) {
	if v != "" {
		o.name(n)
		o.b = quote(o.b, v)
	}
}

func (o *object) flag(n string, v bool) {
	o.name(n)
	if v {
		o.b = append(o.b, "true"...)
	} else {
		o.b = append(o.b, "false"...)
	}
}

// open begins a member that is an object; shut ends it.
func (o *object) open(n string) {
	o.name(n)
	o.begin()
}

func (o *object) begin() { o.b, o.wrote = append(o.b, '{'), false }

func (o *object) shut() { o.b, o.wrote = append(o.b, '}'), true }

// quote writes a JSON text. Most have nothing to escape.
func quote(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f || c == '<' || c == '>' || c == '&' {
			out, err := jsontext.AppendQuote(b, s)
			if err != nil { // what is stored is valid UTF-8; AppendQuote has put replacement characters for what is not
				return out
			}
			return out
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

func stamp(b []byte, t time.Time) []byte {
	return append(t.UTC().AppendFormat(append(b, '"'), time.RFC3339), '"')
}

func (r *request) meta(o *object, kind string, id string, created, modified time.Time, tag string) {
	o.open("meta")
	o.text("resourceType", kind)
	o.name("created")
	o.b = stamp(o.b, created)
	o.name("lastModified")
	o.b = stamp(o.b, modified)
	if r.standard && r.base != "" {
		o.text("location", r.base+"/"+kind+"s/"+id)
		o.text("version", tag)
	}
	o.shut()
}

// reference is an entry of a user's groups or a group's members.
type reference struct{ id, display string }

// appendUser writes a user. Attributes without a value are left out. The standard profile shows
// groups.
func (r *request) appendUser(b []byte, u *center.User, shown versioned) []byte {
	o, texts := &object{b: b}, u.TextAttributes()
	o.begin()
	o.text("id", string(u.ID))
	o.text("externalId", u.ExternalID)
	r.meta(o, "User", string(u.ID), u.CreatedAt, u.UpdatedAt, shown.tag)
	o.name("schemas")
	o.b = append(o.b, `["`+scim.UserURN+`"`...)
	if u.Enterprise != (center.Enterprise{}) {
		o.b = append(o.b, `,"`+scim.EnterpriseURN+`"`...)
	}
	o.b = append(o.b, ']')
	o.text("userName", u.UserName)
	if !r.standard || u.Name != (center.PersonName{}) {
		o.open("name")
		for _, t := range nameTexts {
			o.text(t.name, *texts[t.place].Value)
		}
		o.shut()
	}
	for _, t := range plainTexts {
		o.text(t.name, *texts[t.place].Value)
	}
	o.flag("active", u.Active)
	r.appendLists(o, u)
	if len(shown.references) > 0 {
		r.references(o, "groups", "Groups", "direct", shown.references)
	}
	if e := u.Enterprise; e != (center.Enterprise{}) {
		o.open(scim.EnterpriseURN)
		for _, t := range enterpriseTexts {
			o.text(t.name, *texts[t.place].Value)
		}
		if e.Manager != "" {
			o.open("manager")
			o.text("value", e.Manager)
			if r.standard && r.base != "" {
				o.text("$ref", r.base+"/Users/"+e.Manager)
			}
			o.shut()
		}
		o.shut()
	}
	o.shut()
	return o.b
}

func (r *request) appendLists(o *object, u *center.User) {
	lists := u.ListAttributes()
	for i := range lists {
		values := *lists[i].Values
		if !r.standard {
			if !awsLists[i] {
				continue
			}
			values = center.PrimaryOf(values)
		}
		if len(values) == 0 {
			continue
		}
		o.name(lists[i].Path)
		for i, v := range values {
			o.b = append(o.b, "[,"[min(i, 1)])
			o.begin()
			o.text("value", v.Value)
			if r.standard {
				o.text("display", v.Display)
			}
			o.text("type", v.Type)
			o.flag("primary", v.Primary)
			o.shut()
		}
		o.b = append(o.b, ']')
	}
	addresses := u.Addresses
	if !r.standard {
		addresses = center.PrimaryAddressOf(addresses)
	}
	if len(addresses) == 0 {
		return
	}
	o.name("addresses")
	for i, a := range addresses {
		o.b = append(o.b, "[,"[min(i, 1)])
		o.begin()
		o.text("type", a.Type)
		o.text("formatted", a.Formatted)
		o.text("streetAddress", a.StreetAddress)
		o.text("locality", a.Locality)
		o.text("region", a.Region)
		o.text("postalCode", a.PostalCode)
		o.text("country", a.Country)
		o.flag("primary", a.Primary)
		o.shut()
	}
	o.b = append(o.b, ']')
}

// references writes the groups of a user or the members of a group.
func (r *request) references(o *object, name, endpoint, kind string, list []reference) {
	o.name(name)
	o.b = append(o.b, '[')
	for i, ref := range list {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.begin()
		o.text("value", ref.id)
		if r.base != "" {
			o.text("$ref", r.base+"/"+endpoint+"/"+ref.id)
		}
		o.text("display", ref.display)
		o.text("type", kind)
		o.shut()
	}
	o.b, o.wrote = append(o.b, ']'), true
}

// resourceOf reads what was just written, for whoever works on attributes by name.
func resourceOf(data []byte) (scim.Resource, error) {
	var w scim.Resource
	err := json.Unmarshal(data, &w)
	return w, err
}
