package provisioning

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
	"github.com/gatehouse-id/gatehouse/scim"
)

// ErrNoPages says that a target does not list what it has in pages.
var ErrNoPages = errors.New("the target does not list in pages")

// SCIM is a SCIM service provider as a target. It is asked in one dialect.
func SCIM(client *scim.Client, dialect Dialect) Target {
	return &scimTarget{client: client, dialect: dialect, mu: newBaton()}
}

type scimTarget struct {
	client  *scim.Client
	dialect Dialect

	mu    baton
	rules *Rules // nil: not asked for yet
}

// Address implements Target.
func (t *scimTarget) Address() string { return t.client.BaseURL }

// Traits implements Target.
func (t *scimTarget) Traits() Traits {
	return Traits{Forgiving: t.dialect == Plain, FindsAddresses: t.dialect == Plain}
}

// anyAddress is the attribute that stands for all email addresses.
const anyAddress = "emails.value"

// Find implements Target. AWS finds addresses of a type only.
func (t *scimTarget) Find(ctx context.Context, kind Kind, attribute, value string) ([]scim.Resource, error) {
	if attribute == groupsOf {
		return t.findAll(ctx, kind, attribute, value)
	}
	if attribute != anyAddress || t.dialect == Plain {
		return t.client.Find(ctx, kind.path(), attribute, value)
	}
	var all []scim.Resource
	for _, of := range []string{"work", "home", "other"} {
		found, err := t.client.Find(ctx, kind.path(), `emails[type eq "`+of+`"].value`, value)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// groupsOf is the attribute of a group by which those of a member are found: there may be more than
// a page of them.
const groupsOf = membersPath + ".value"

const (
	// fullPage is from how many on a list may go on, whatever its total: AWS gives 50.
	fullPage = 50 //bound:none of a comparison
	// maxFindPages is enough for a thousand, which is AWS's quota.
	maxFindPages = 25 //bound:list pages of the groups of one person that a sync reads
)

// findAll is Find that reads to the end: by number, or from the first page on by cursor. Where the
// target refuses or ignores both, it returns what it was given, and ErrNoPages: there may be more.
func (t *scimTarget) findAll(
	ctx context.Context, kind Kind, attribute, value string,
) (all []scim.Resource, err error) {
	query := url.Values{"filter": {attribute + " eq " + scim.Quote(value)}}
	if kind == Group {
		query.Set("excludedAttributes", membersPath)
	}
	list, err := t.client.Search(ctx, kind.path(), query)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	add := func(page []scim.Resource) (more bool) {
		for _, r := range page {
			if id := r.String("id"); !seen[id] {
				seen[id], more = true, true
				all = append(all, r)
			}
		}
		return more
	}
	more, cursor := add(list.Resources), list.NextCursor
	query.Set("count", strconv.Itoa(rosterPage))
	for page := 1; page < maxFindPages && more; page++ {
		switch {
		case cursor != "":
			query.Set("cursor", cursor)
		case query.Has("cursor") || !goesOn(list, len(all)):
			return all, unlessMore(list, len(all))
		default:
			query.Set("startIndex", strconv.Itoa(len(all)+1))
		}
		next, err := t.client.Search(ctx, kind.path(), query)
		refused := err != nil && refuses(err)
		if query.Has("startIndex") && (refused || (err == nil && !add(next.Resources) && len(next.Resources) > 0)) {
			query.Del("startIndex") // it gives the first page again, or does not want the number
			query.Set("cursor", "")
			next, err = t.client.Search(ctx, kind.path(), query)
			ignored := refused || !pagedByCursor(next)
			if err == nil && ignored && next.NextCursor == "" && !add(next.Resources) {
				return all, ErrNoPages // the first page once more
			}
		}
		if err != nil && refuses(err) {
			return all, ErrNoPages
		}
		if err != nil {
			return nil, err
		}
		list = next
		add(list.Resources)
		more, cursor = len(list.Resources) > 0, list.NextCursor
	}
	if more {
		return all, ErrNoPages
	}
	return all, unlessMore(list, len(all))
}

// unlessMore is ErrNoPages where a list has ended, and says that it has more than what was read.
func unlessMore(list scim.ListResponse, read int) error {
	if list.TotalResults != nil && *list.TotalResults > read {
		return ErrNoPages
	}
	return nil
}

// pagedByCursor says whether a list that has no next page is the last page by cursor, and not one
// of a service that has ignored the cursor, and has to say a total (RFC 7644 §3.4.2).
func pagedByCursor(list scim.ListResponse) bool { return list.TotalResults == nil }

// goesOn says whether a list may have more than what was read of it.
func goesOn(list scim.ListResponse, read int) bool {
	return len(list.Resources) >= fullPage || (list.TotalResults != nil && *list.TotalResults > read)
}

// Page implements Target. A page begins at a number, after one that began with an id.
func (t *scimTarget) Page(ctx context.Context, kind Kind, from string) (p Page, err error) {
	if cursor, by := strings.CutPrefix(from, byCursor); by {
		return t.cursorPage(ctx, kind, cursor)
	}
	start, first := 1, ""
	beyond := false // of the total that it has said
	if from != "" {
		var number string
		number, first, _ = strings.Cut(from, " ")
		number, beyond = strings.CutSuffix(number, unsaid)
		if start, err = strconv.Atoi(number); err != nil {
			return p, err
		}
	}
	list, err := t.client.List(ctx, kind.path(), start, rosterPage)
	switch {
	case beyond && err != nil && refuses(err): // as it may, if there is nothing
		if p, err = t.cursorPage(ctx, kind, ""); errors.Is(err, ErrNoPages) {
			err = nil
		}
		return p, err
	case err != nil:
		return p, err
	}
	begins := ""
	if len(list.Resources) > 0 {
		begins = list.Resources[0].String("id")
	}
	switch elsewhere := list.StartIndex > 0 && list.StartIndex != start; {
	case begins != "" && (elsewhere || begins == first):
		// It gives the first page again and again. AWS pages by cursor only; SCIMMY not at all.
		return t.cursorPage(ctx, kind, "")
	case list.TotalResults == nil, len(list.Resources) == 0 && start <= *list.TotalResults:
		return p, ErrNoPages
	}
	p.Resources, p.Total = list.Resources, *list.TotalResults
	// A total that is no more than what a full page has may be that of the page.
	unsure := len(list.Resources) >= fullPage && p.Total <= len(list.Resources)
	switch start += len(list.Resources); {
	case start <= p.Total:
		p.Next = strconv.Itoa(start) + " " + begins
	case unsure:
		p.Next, p.Unsure = strconv.Itoa(start)+unsaid+" "+begins, true
	}
	return p, nil
}

// unsaid ends the number of a page of which the target has not said that there is one.
const unsaid = "?"

// byCursor begins where a page begins that a cursor names (RFC 9865).
const byCursor = "cursor:"

// cursorPage is Page for a service that pages by cursor, from the first page on.
func (t *scimTarget) cursorPage(ctx context.Context, kind Kind, cursor string) (p Page, err error) {
	query := url.Values{"cursor": {cursor}, "count": {strconv.Itoa(rosterPage)}}
	if kind == Group {
		query.Set("excludedAttributes", membersPath)
	}
	list, err := t.client.Search(ctx, kind.path(), query)
	switch ignored := list.NextCursor == "" && !pagedByCursor(list); {
	case err != nil && refuses(err) && cursor == "", err == nil && ignored && cursor == "":
		return p, ErrNoPages // it may have more than a page, and knows no cursors
	case err != nil:
		return p, err
	case list.NextCursor != "" && list.NextCursor == cursor:
		return p, ErrNoPages // it gives the same page again and again
	}
	if p.Resources = list.Resources; list.NextCursor != "" {
		p.Next = byCursor + list.NextCursor
	}
	return p, nil
}

// Get implements Target.
func (t *scimTarget) Get(ctx context.Context, kind Kind, id string) (there scim.Resource, err error) {
	var query url.Values
	if kind == Group {
		query = url.Values{"excludedAttributes": {membersPath}}
	}
	return t.client.Get(ctx, scim.Item(kind.path(), id), query)
}

// Members implements Target.
func (t *scimTarget) Members(ctx context.Context, group string) (ids []string, told bool, err error) {
	there, err := t.client.Get(ctx, scim.Item(Group.path(), group), nil)
	if err != nil {
		return nil, false, err
	}
	_, told = there[membersPath]
	for _, m := range there.List(membersPath) {
		ids = append(ids, text(m))
	}
	return ids, told, nil
}

// HasMember implements Target, with the filter that AWS documents.
func (t *scimTarget) HasMember(ctx context.Context, group, id string) (bool, error) {
	query := url.Values{"filter": {"id eq " + scim.Quote(group) + " and members eq " + scim.Quote(id)}}
	found, err := t.client.Search(ctx, Group.path(), query)
	return len(found.Resources) > 0, err
}

// Create implements Target.
func (t *scimTarget) Create(ctx context.Context, kind Kind, attributes map[string]string) (string, error) {
	r := resource(kind, attributes)
	for path, value := range attributes {
		if mapping.RolesTarget(path) {
			r[rolesName] = t.dialect.spelledRoles(value)
		}
	}
	made, err := t.client.Create(ctx, kind.path(), r)
	return made.String("id"), err
}

// Update implements Target.
func (t *scimTarget) Update(
	ctx context.Context, kind Kind, id string, changes []Change, had map[string]string,
) error {
	return t.client.Patch(ctx, scim.Item(kind.path(), id), t.dialect.patch(changes, had)...)
}

// Delete implements Target.
func (t *scimTarget) Delete(ctx context.Context, kind Kind, id string) error {
	return t.client.Delete(ctx, scim.Item(kind.path(), id))
}

// ChangeMembers implements Target.
func (t *scimTarget) ChangeMembers(ctx context.Context, group string, add bool, ids []string) error {
	op := "Remove"
	if add {
		op = "Add"
	}
	return t.client.Patch(ctx, scim.Item(Group.path(), group), t.dialect.members(op, ids)...)
}

// Rules implements Target: what the service says of itself, and what is known of AWS and of a
// center. One that says nothing is taken for a service that has unique user names.
func (t *scimTarget) Rules(ctx context.Context) (Rules, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rules != nil {
		return *t.rules, nil
	}
	var config scim.Resource
	err := t.client.Do(ctx, http.MethodGet, "/ServiceProviderConfig", nil, nil, &config)
	if err != nil && !refuses(err) {
		return Rules{}, err
	}
	rules := AWSRules()
	rules.Nameless = t.dialect == Entra || t.dialect == Compliant
	if maker := config.String("documentationUri"); !strings.Contains(maker, awsDocs) {
		rules.Required, rules.Single = nil, nil
		rules.Unknown, rules.Fixed = nil, nil
		rules.Nameless = false
		if rules.Texts = strings.Contains(maker, ownDocs); !rules.Texts {
			if rules.Unique, err = t.unique(ctx); err != nil {
				return Rules{}, err
			}
		}
	}
	t.rules = &rules
	return rules, nil
}

// What documentationUri names at AWS and at a center that is no imitation of it.
const (
	awsDocs = "aws.amazon.com"
	ownDocs = "github.com/gatehouse-id/gatehouse"
)

// unique reads in /Schemas what must be unique (RFC 7643 §7). A user name must be (§4.1.1).
func (t *scimTarget) unique(ctx context.Context) (map[Kind][]string, error) {
	out := map[Kind][]string{User: {"userName"}}
	var schemas scim.ListResponse
	err := t.client.Do(ctx, http.MethodGet, "/Schemas", nil, nil, &schemas)
	if err != nil {
		if refuses(err) {
			return out, nil
		}
		return nil, err
	}
	for _, s := range schemas.Resources {
		kind := map[string]Kind{scim.UserURN: User, scim.GroupURN: Group}[s.String("id")]
		for _, a := range s.List("attributes") {
			if a, ok := a.(map[string]any); ok && kind != "" {
				out[kind] = append(out[kind], uniqueIn(a)...)
			}
		}
	}
	return out, nil
}

// uniqueIn are the attributes that must be unique of those that a schema describes, and that the
// engine knows how to look for.
func uniqueIn(described map[string]any) (paths []string) {
	said := func(a map[string]any) bool {
		return text(a["uniqueness"]) == "server" || text(a["uniqueness"]) == "global"
	}
	switch name := text(described["name"]); name {
	case externalID, "displayName":
		if said(described) {
			paths = append(paths, name)
		}
	case "emails":
		for _, sub := range scim.Resource(described).List("subAttributes") {
			if sub, ok := sub.(map[string]any); ok && text(sub["name"]) == "value" && said(sub) {
				paths = append(paths, anyAddress)
			}
		}
	}
	return paths
}
