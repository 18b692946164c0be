package admincenter

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/tenant"
)

// provisioningLog is a page of the provisioning log.
type provisioningLog struct {
	Search, Status, Action string
	Statuses, Actions      []string
	Entries                []logEntry
	Looked                 time.Time // how far it was looked, where the page is not full and the log goes on
	Older, Newest          string    // addresses; empty: none
	CSV, JSON              string
}

// logEntry is an entry of the log, with the address of what it is about.
type logEntry struct {
	tenant.LogEntry
	Link string
	More int // members who were added or removed, and are not shown
}

// shownMembers is how many members of each kind an entry shows. A file has all of them.
const shownMembers = 20 //bound:list members added, and removed, that an entry of the provisioning log shows

// short leaves out members of which there are too many to be shown.
func (x logEntry) short() logEntry {
	for _, names := range []*[]string{&x.Added, &x.Removed} {
		if more := len(*names) - shownMembers; more > 0 {
			*names, x.More = (*names)[:shownMembers], x.More+more
		}
	}
	return x
}

// Filtered says whether the page leaves entries out.
func (l provisioningLog) Filtered() bool { return l.Search != "" || l.Status != "" || l.Action != "" }

// maxLogSearch bounds what is searched for.
const maxLogSearch = 256 //bound:text a search in the provisioning log, in bytes

func (p page) logQuery(id tenant.JobID) (l provisioningLog, q tenant.LogQuery) {
	l.Statuses = []string{"success", "failure", "skipped"}
	l.Actions = []string{"create", "update", "disable", "delete", "stagedDelete", "other"}
	values := p.URL.Query()
	l.Search = strings.TrimSpace(values.Get("q"))
	l.Search = l.Search[:min(len(l.Search), maxLogSearch)]
	if status := values.Get("status"); slices.Contains(l.Statuses, status) {
		l.Status = status
	}
	if action := values.Get("action"); slices.Contains(l.Actions, action) {
		l.Action = action
	}
	q = tenant.LogQuery{JobID: id, Status: l.Status, Action: l.Action, Name: l.Search, Limit: pageSize + 1}
	at, last, _ := strings.Cut(values.Get("after"), " ")
	if ms, err := strconv.ParseInt(at, 10, 64); err == nil {
		q.AfterTime, q.AfterID = time.UnixMilli(ms), last
	}
	return l, q
}

func (p page) provisioningLog(id tenant.JobID) (provisioningLog, error) {
	l, q := p.logQuery(id)
	found, err := p.h.Tenant.SearchLog(p.Context(), q)
	if err != nil {
		return l, err
	}
	entries, looked := found.Entries, found.Looked
	address := func(name, value string) string {
		values := url.Values{"q": {l.Search}, "status": {l.Status}, "action": {l.Action}, name: {value}}
		for name := range values {
			if values.Get(name) == "" {
				delete(values, name)
			}
		}
		return "?" + values.Encode()
	}
	after := func(at time.Time, id string) string {
		return address("after", strconv.FormatInt(at.UnixMilli(), 10)+" "+id) + "#logs"
	}
	switch {
	case len(entries) > pageSize:
		entries = entries[:pageSize]
		last := entries[pageSize-1]
		l.Older = after(last.Time, last.ID)
	case !looked.IsZero():
		l.Older, l.Looked = after(looked, tenant.LastID), looked
	}
	if !q.AfterTime.IsZero() {
		l.Newest = address("after", "") + "#logs"
	}
	l.CSV, l.JSON = address("format", "csv"), address("format", "json")
	for _, e := range entries {
		x := logEntry{LogEntry: e}.short()
		switch {
		case e.SourceID == "": // it is about all of them
		case e.Kind == tenant.KindUser:
			x.Link = "/admin/users/" + string(e.SourceID)
		case e.Kind == tenant.KindGroup:
			x.Link = "/admin/groups/" + string(e.SourceID)
		}
		l.Entries = append(l.Entries, x)
	}
	return l, nil
}

// exportSize is how many rows are read at a time for a file.
const exportSize = 1000 //bound:none they are read one part after the other

// exportLog sends what the address selects of the log as a file.
func (p page) exportLog(id tenant.JobID) error {
	_, q := p.logQuery(id)
	q.Limit, q.AfterTime = exportSize, time.Time{}
	columns := []string{"time", "type", "name", "action", "status", "code", "reason", "changes", "added", "removed",
		"sourceId", "targetId", "cycleId"}
	return p.Export("provisioning-logs", columns, func(row func(...string) error) error {
		for {
			found, err := p.h.Tenant.SearchLog(p.Context(), q)
			if err != nil {
				return err
			}
			entries, looked := found.Entries, found.Looked
			for _, e := range entries {
				if err := row(
					e.Time.UTC().Format(time.RFC3339Nano), string(e.Kind), e.Name, e.Action, e.Status, e.Code, e.Reason,
					changesOf(e), strings.Join(e.Added, ", "), strings.Join(e.Removed, ", "), string(e.SourceID),
					e.TargetID, e.CycleID,
				); err != nil {
					return err
				}
			}
			switch {
			case len(entries) == q.Limit:
				q.AfterTime, q.AfterID = entries[len(entries)-1].Time, entries[len(entries)-1].ID
			case !looked.IsZero():
				q.AfterTime, q.AfterID = looked, tenant.LastID
			default:
				return nil
			}
		}
	})
}

func changesOf(e tenant.LogEntry) string {
	var all []string
	for _, c := range e.Changes {
		all = append(all, c.Path+": "+c.Old+" → "+c.New)
	}
	return strings.Join(all, "; ")
}
