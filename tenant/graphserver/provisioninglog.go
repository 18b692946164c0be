package graphserver

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// maxScanned bounds how many entries one request looks through for those that its filter selects.
// The next page goes on from there; it may be that a page is empty.
const maxScanned = 10000 //bound:list entries of the provisioning log that one request looks through

// provisioningLog is the log of all jobs. Source: List provisioningObjectSummary.
func (h *Handler) provisioningLog(ctx context.Context, r request) (int, any, error) {
	o, err := options(r, logType())
	if err != nil {
		return 0, nil, err
	}
	q, err := logQuery(o)
	if err != nil {
		return 0, nil, err
	}
	page := graph.Page[object]{Context: h.Tenant.GraphURL() + "/$metadata#auditLogs/provisioning", Value: []object{}}
	wire := h.logWire(ctx)
	q.Limit = scanSize
	if !o.narrows() {
		q.Limit = o.top + 1
	}
	for scanned := 0; ; {
		entries, err := h.Tenant.ProvisioningLog(ctx, q)
		if err != nil {
			return 0, nil, err
		}
		for i, e := range entries {
			if len(page.Value) == o.top {
				page.NextLink = h.nextLogLink(r, q)
				return http.StatusOK, page, nil
			}
			s, err := wire(entries[i])
			if err != nil {
				return 0, nil, err
			}
			q.AfterTime, q.AfterID = e.Time, e.ID
			if x := objects([]graph.ProvisioningObjectSummary{s})[0]; o.selects(x) {
				page.Value = append(page.Value, o.shape(x, nil))
			}
		}
		if scanned += len(entries); len(entries) < q.Limit {
			return http.StatusOK, page, nil
		}
		if scanned >= maxScanned {
			page.NextLink = h.nextLogLink(r, q)
			return http.StatusOK, page, nil
		}
	}
}

// logQuery is what the store can select and order by itself. The rest of the filter is applied to
// what it gives.
func logQuery(o query) (q tenant.LogQuery, err error) {
	for _, by := range o.orderBy {
		if by.property != "activityDateTime" || len(o.orderBy) > 1 {
			return q, unsupported("Unsupported sort property '" + by.property + "' for 'ProvisioningObjectSummary'.")
		}
		q.OldestFirst = !by.descending
	}
	job, _ := o.condition.Equals("jobId")
	q.JobID = tenant.JobID(job)
	q.CycleID, _ = o.condition.Equals("cycleId")
	q.Status, _ = o.condition.Equals("provisioningStatusInfo/status")
	if o.after != "" {
		at, id, _ := strings.Cut(o.after, " ")
		n, err := strconv.ParseInt(at, 10, 64)
		if err != nil || id == "" {
			return q, badRequest("Invalid Skip Token")
		}
		q.AfterTime, q.AfterID = time.UnixMilli(n), id
	}
	return q, nil
}

func (h *Handler) nextLogLink(r request, q tenant.LogQuery) string {
	options := r.URL.Query()
	options.Set("$skiptoken", skipToken(r, strconv.FormatInt(q.AfterTime.UnixMilli(), 10)+" "+q.AfterID))
	return h.Tenant.URL + r.URL.Path + "?" + encode(options)
}

// logWire makes the entries of the log; each application is looked up once.
func (h *Handler) logWire(ctx context.Context) func(tenant.LogEntry) (graph.ProvisioningObjectSummary, error) {
	apps := map[tenant.JobID]tenant.Application{}
	jobs, err := h.Tenant.Jobs(ctx, "")
	return func(e tenant.LogEntry) (graph.ProvisioningObjectSummary, error) {
		app, known := apps[e.JobID]
		i := slices.IndexFunc(jobs, func(j tenant.Job) bool { return j.ID == e.JobID })
		if !known && err == nil && i >= 0 { // the job may have been deleted since
			app, err = h.Tenant.Application(ctx, tenant.AnyApplicationID(jobs[i].ServicePrincipalID))
			if refusal.KindOf(err) == refusal.NotFound {
				err = nil
			}
			apps[e.JobID] = app
		}
		return h.logEntryToWire(e, app), err
	}
}

func (h *Handler) logEntryToWire(e tenant.LogEntry, app tenant.Application) graph.ProvisioningObjectSummary {
	none := map[string]string{}
	s := graph.ProvisioningObjectSummary{
		ID:                     e.ID,
		ActivityDateTime:       e.Time.Truncate(time.Millisecond), // the log is in order of these
		TenantID:               h.Tenant.Organization.ID,
		JobID:                  string(e.JobID),
		CycleID:                e.CycleID,
		ChangeID:               e.ID,
		ProvisioningAction:     e.Action,
		DurationInMilliseconds: int(e.Duration / time.Millisecond),
		InitiatedBy:            graph.Initiator{DisplayName: "Azure AD Provisioning Service", InitiatorType: "system"},
		ServicePrincipal:       graph.NamedObject{ID: string(app.ServicePrincipalID), DisplayName: app.DisplayName},
		SourceSystem: graph.ProvisioningSystem{
			ID: h.Tenant.Organization.ID, DisplayName: sourceDirectory, Details: none,
		},
		TargetSystem: graph.ProvisioningSystem{
			ID:          string(app.ServicePrincipalID),
			DisplayName: app.DisplayName,
			Details: map[string]string{
				"ApplicationId":               string(app.AppID),
				"ServicePrincipalId":          string(app.ServicePrincipalID),
				"ServicePrincipalDisplayName": app.DisplayName,
			},
		},
		StatusInfo: graph.ProvisioningStatus{Status: e.Status},
		SourceIdentity: graph.Identity{
			ID: string(e.SourceID), DisplayName: e.Name, IdentityType: string(e.Kind), Details: none,
		},
		TargetIdentity: graph.Identity{
			ID: e.TargetID, DisplayName: e.Name, IdentityType: string(e.Kind), Details: none,
		},
		Steps:              stepsOf(e, app),
		ModifiedProperties: []graph.ModifiedProperty{},
	}
	for _, c := range e.Changes {
		s.ModifiedProperties = append(s.ModifiedProperties, modified(c.Path, c.Old, c.New))
	}
	if len(e.Added) > 0 || len(e.Removed) > 0 {
		s.ModifiedProperties = append(
			s.ModifiedProperties, modified("members", strings.Join(e.Removed, ", "), strings.Join(e.Added, ", ")),
		)
	}
	if e.Code != "" {
		s.StatusInfo.ErrorInformation = &graph.ProvisioningFail{
			ErrorCode: e.Code, Reason: e.Reason, ErrorCategory: "nonServiceFailure",
		}
	}
	return s
}

func modified(name, before, after string) graph.ModifiedProperty {
	set := func(text string) *string {
		if text == "" {
			return nil
		}
		return &text
	}
	return graph.ModifiedProperty{DisplayName: name, OldValue: set(before), NewValue: set(after)}
}

// stepsOf are the steps of an entry, by the names that the service gives them. Source: examples of
// List provisioningObjectSummary.
func stepsOf(e tenant.LogEntry, app tenant.Application) []graph.ProvisioningStep {
	verb, what := "Update", "updated"
	switch e.Action {
	case "create":
		verb, what = "Add", "created"
	case "delete", "stageddelete":
		verb, what = "Delete", "deleted"
	case "disable":
		what = "disabled"
	}
	who := fmt.Sprintf("%s '%s'", e.Kind, e.Name)
	step := func(name, kind, status, description string) graph.ProvisioningStep {
		return graph.ProvisioningStep{
			Name: name, Type: kind, Status: status, Description: description, Details: map[string]string{},
		}
	}
	list := []graph.ProvisioningStep{step("EntryImport"+verb, "import", "success",
		fmt.Sprintf("Received %s change of type (%s) from %s", who, verb, sourceDirectory))}
	if e.Status == "skipped" {
		return append(list, step("EntrySynchronizationSkip", "scoping", "skipped", who+" was skipped: "+e.Reason))
	}
	list = append(list, step("EntrySynchronization"+verb, "matching", "success",
		fmt.Sprintf("%s will be %s in %s", who, what, app.DisplayName)))
	description := fmt.Sprintf("%s was %s in %s", who, what, app.DisplayName)
	if e.Status == "failure" {
		description = fmt.Sprintf("%s could not be %s in %s", who, what, app.DisplayName)
	}
	export := step("EntryExport"+verb, "export", e.Status, description)
	export.Details["ReportableIdentifier"] = e.Name
	return append(list, export)
}
