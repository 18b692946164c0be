package graphserver

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// templateOf is the synchronization template of the application that the path names.
func (h *Handler) templateOf(ctx context.Context, r request) (tenant.Template, error) {
	a, err := h.application(ctx, r)
	if err != nil {
		return tenant.Template{}, err
	}
	t, err := tenant.FindTemplate(a.TemplateID)
	if id := r.PathValue("template"); err == nil && id != "" && id != t.SyncTemplate {
		return t, notThere(id)
	}
	return t, err
}

func (h *Handler) syncTemplates(ctx context.Context, r request) (int, any, error) {
	t, err := h.templateOf(ctx, r)
	if err != nil {
		return 0, nil, err
	}
	return h.answerList(r, syncTemplateType(), []object{syncTemplateObject(t)})
}

func (h *Handler) syncTemplate(ctx context.Context, r request) (int, any, error) {
	t, err := h.templateOf(ctx, r)
	if err != nil {
		return 0, nil, err
	}
	return one(h, r, syncTemplateType(), syncTemplateObject(t))
}

// templateSchema is the schema that a job of the template begins with.
func (h *Handler) templateSchema(ctx context.Context, r request) (int, any, error) {
	t, err := h.templateOf(ctx, r)
	return http.StatusOK, schemaToWire(t.SyncTemplate, tenant.DefaultMappings()), err
}

func syncTemplateObject(t tenant.Template) object {
	return object{
		"id":            t.SyncTemplate,
		"applicationId": t.ID,
		"default":       true,
		"discoverable":  false,
		"factoryTag":    t.SyncTemplate,
		"description":   t.DisplayName,
		"metadata":      []graph.KeyValue{{Key: "configurationFields", Value: "baseaddress,secrettoken"}},
	}
}

func (h *Handler) createJob(ctx context.Context, r request) (int, any, error) {
	var in struct {
		TemplateID string `json:"templateId"`
	}
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	a, err := h.application(ctx, r)
	if err != nil {
		return 0, nil, err
	}
	t, err := tenant.FindTemplate(a.TemplateID)
	if err != nil {
		return 0, nil, err
	}
	if in.TemplateID != t.SyncTemplate {
		return 0, nil, badRequest("The templateId is not one of the application's synchronization templates.")
	}
	j, err := h.Tenant.CreateJob(ctx, r.by, a.ServicePrincipalID, in.TemplateID)
	if err != nil {
		return 0, nil, err
	}
	made, err := h.jobToWire(ctx, j)
	return http.StatusCreated, made, err
}

// jobs returns the jobs of the application that the request names.
func (h *Handler) jobs(ctx context.Context, r request) ([]tenant.Job, error) {
	a, err := h.application(ctx, r)
	if err != nil {
		return nil, err
	}
	return h.Tenant.Jobs(ctx, a.ServicePrincipalID)
}

func (h *Handler) listJobs(ctx context.Context, r request) (int, any, error) {
	jobs, err := h.jobs(ctx, r)
	if err != nil {
		return 0, nil, err
	}
	all := make([]graph.SynchronizationJob, len(jobs))
	for i, j := range jobs {
		if all[i], err = h.jobToWire(ctx, j); err != nil {
			return 0, nil, err
		}
	}
	return h.answerList(r, jobType(), objects(all))
}

func (h *Handler) job(ctx context.Context, r request) (tenant.Job, error) {
	a, err := h.application(ctx, r)
	if err != nil {
		return tenant.Job{}, err
	}
	return h.Tenant.Job(ctx, a.ServicePrincipalID, tenant.JobID(r.PathValue("job")))
}

func (h *Handler) getJob(ctx context.Context, r request) (int, any, error) {
	j, err := h.job(ctx, r)
	if err != nil {
		return 0, nil, err
	}
	out, err := h.jobToWire(ctx, j)
	if err != nil {
		return 0, nil, err
	}
	return one(h, r, jobType(), out)
}

// changeJob runs a change of the job that the request names.
func (h *Handler) changeJob(ctx context.Context, r request, change func(id tenant.JobID) error) (int, any, error) {
	j, err := h.job(ctx, r)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, change(j.ID)
}

func (h *Handler) deleteJob(ctx context.Context, r request) (int, any, error) {
	return h.changeJob(ctx, r, func(id tenant.JobID) error { return h.Tenant.DeleteJob(ctx, r.by, id) })
}

func (h *Handler) startJob(ctx context.Context, r request) (int, any, error) {
	return h.changeJob(ctx, r, func(id tenant.JobID) error { return h.Tenant.StartJob(ctx, r.by, id) })
}

func (h *Handler) pauseJob(ctx context.Context, r request) (int, any, error) {
	return h.changeJob(ctx, r, func(id tenant.JobID) error { return h.Tenant.PauseJob(ctx, r.by, id) })
}

func (h *Handler) restartJob(ctx context.Context, r request) (int, any, error) {
	var in graph.Restart
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	var reset tenant.Reset
	for _, flag := range strings.Split(strings.ToLower(in.Criteria.ResetScope), ",") {
		switch strings.TrimSpace(flag) {
		case "connectordatastore":
			reset.Links = true
		case "watermark":
			reset.Watermark = true
		case "quarantinestate":
			reset.Quarantine = true
		case "full":
			reset = tenant.Reset{
				Links:        true,
				Watermark:    true,
				Quarantine:   true,
				Escrows:      true,
				ForceDeletes: reset.ForceDeletes,
			}
		case "forcedeletes":
			reset.ForceDeletes = true
		case "escrows":
			reset.Escrows = true
		case "", "none":
		default:
			return 0, nil, badRequest("The resetScope '" + quotable(in.Criteria.ResetScope) + "' is not known.")
		}
	}
	return h.changeJob(ctx, r, func(id tenant.JobID) error { return h.Tenant.RestartJob(ctx, r.by, id, reset) })
}

var secretKeys = map[string]string{
	"baseaddress":              graph.KeyBaseAddress,
	"secrettoken":              graph.KeySecretToken,
	"syncall":                  graph.KeySyncAll,
	"syncnotificationsettings": graph.KeyNotification,
	"skipoutofscopedeletions":  graph.KeySkipOutOfScope,
}

// kept is what stands for a saved secret in answers. Sent back, it keeps the secret.
const kept = "*"

// putSecrets saves the credentials and settings of the application's job. What is left out stays as
// it is, as does a token that is masked.
func (h *Handler) putSecrets(ctx context.Context, r request) (int, any, error) {
	var in graph.Secrets
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	jobs, err := h.jobs(ctx, r)
	if err != nil {
		return 0, nil, err
	}
	if len(jobs) == 0 {
		return 0, nil, &refusal.Error{Code: tenant.JobNotFound}
	}
	values := map[string]string{}
	for _, kv := range in.Value {
		key, ok := secretKeys[strings.ToLower(kv.Key)]
		if !ok {
			return 0, nil, badRequest("The key '" + quotable(kv.Key) + "' is not one of this application's.")
		}
		if _, twice := values[key]; twice {
			return 0, nil, badRequest("The key '" + key + "' is duplicated.")
		}
		values[key] = kv.Value
	}
	if values[graph.KeySecretToken] == kept && jobs[0].Credentials.SealedToken == "" {
		return 0, nil, badRequest("The value of 'SecretToken' is that of a saved token, and none is saved.")
	}
	settings, err := settingsOf(values)
	if err == nil {
		err = h.Tenant.ConfigureJob(ctx, r.by, jobs[0].ID, settings)
	}
	return http.StatusNoContent, nil, err
}

// settingsOf are the settings that are among the secrets.
func settingsOf(values map[string]string) (s tenant.JobSettings, err error) {
	if address, given := values[graph.KeyBaseAddress]; given {
		s.BaseAddress = &address
	}
	if token, given := values[graph.KeySecretToken]; given && token != kept {
		s.SecretToken = &token
	}
	all, e1 := truth(values, graph.KeySyncAll)
	skip, e2 := truth(values, graph.KeySkipOutOfScope)
	s.SyncAll, s.SkipOutOfScope = all, skip
	var e3 error
	if text, given := values[graph.KeyNotification]; given {
		var n notificationSettings
		n, e3 = readNotification(text)
		s.NotificationEmail, s.DeleteThreshold = &n.Recipients, &n.DeleteThresholdValue
	}
	return s, errors.Join(e1, e2, e3)
}

// truth reads a setting that is true or false; nil when it is left out.
func truth(values map[string]string, key string) (*bool, error) {
	text, given := values[key]
	yes := strings.EqualFold(text, "true")
	switch {
	case !given:
		return nil, nil
	case yes || text == "" || strings.EqualFold(text, "false"):
		return &yes, nil
	}
	return nil, badRequest("The value of '" + key + "' must be True or False.")
}

// notificationSettings is the JSON in the secret SyncNotificationSettings. Source: a sample in the
// Graph reference.
type notificationSettings struct {
	Enabled                bool
	Recipients             string
	DeleteThresholdEnabled bool
	DeleteThresholdValue   int

	HumanResourcesLookaheadQueryEnabled bool `json:",omitempty"` // not offered
}

// readNotification reads the settings as they count: what is switched off has no value.
func readNotification(text string) (n notificationSettings, err error) {
	if text != "" && jsonv2.Unmarshal([]byte(text), &n, jsonv2.RejectUnknownMembers(true)) != nil {
		return n, badRequest("SyncNotificationSettings is not JSON, or has an unknown property.")
	}
	if n.HumanResourcesLookaheadQueryEnabled {
		return n, badRequest("SyncNotificationSettings: HumanResourcesLookaheadQueryEnabled is not supported.")
	}
	if !n.Enabled {
		n.Recipients = ""
	}
	if !n.DeleteThresholdEnabled {
		n.DeleteThresholdValue = 0
	}
	return n, nil
}

// getSecrets lists the settings. The token is masked.
func (h *Handler) getSecrets(ctx context.Context, r request) (int, any, error) {
	jobs, err := h.jobs(ctx, r)
	out := graph.Secrets{Value: []graph.KeyValue{}}
	if err != nil || len(jobs) == 0 {
		return http.StatusOK, out, err
	}
	j := jobs[0]
	all := "false"
	if j.SyncAll {
		all = "true"
	}
	if j.Credentials.BaseAddress != "" {
		out.Value = append(out.Value, graph.KeyValue{Key: graph.KeyBaseAddress, Value: j.Credentials.BaseAddress})
	}
	if j.Credentials.SealedToken != "" {
		out.Value = append(out.Value, graph.KeyValue{Key: graph.KeySecretToken, Value: kept})
	}
	out.Value = append(out.Value, graph.KeyValue{Key: graph.KeySyncAll, Value: all})
	if j.SkipOutOfScope {
		out.Value = append(out.Value, graph.KeyValue{Key: graph.KeySkipOutOfScope, Value: "True"})
	}
	if j.NotificationEmail != "" || j.DeleteThreshold > 0 {
		// it always encodes
		settings, _ := json.Marshal(notificationSettings{
			j.NotificationEmail != "", j.NotificationEmail, j.DeleteThreshold > 0, j.DeleteThreshold, false,
		})
		out.Value = append(out.Value, graph.KeyValue{Key: graph.KeyNotification, Value: string(settings)})
	}
	return http.StatusOK, out, nil
}

// validateCredentials is Test Connection, with the credentials in the body or those that are saved.
// A saved token is tested at the address that it was saved for only.
func (h *Handler) validateCredentials(ctx context.Context, r request) (int, any, error) {
	var in graph.ValidateCredentials
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	if in.TemplateID != "" && in.TemplateID != graph.AWSSyncTemplate {
		return 0, nil, badRequest("The templateId is not one of the application's synchronization templates.")
	}
	jobs, err := h.jobs(ctx, r)
	if err != nil {
		return 0, nil, err
	}
	saved := in.UseSavedCredentials || slices.ContainsFunc(in.Credentials, func(kv graph.KeyValue) bool {
		return secretKeys[strings.ToLower(kv.Key)] == graph.KeySecretToken && kv.Value == kept
	})
	if saved && len(jobs) == 0 {
		return 0, nil, &refusal.Error{Code: tenant.JobNotFound}
	}
	var address, token string
	if saved {
		address = jobs[0].Credentials.BaseAddress
	}
	for _, kv := range in.Credentials {
		switch secretKeys[strings.ToLower(kv.Key)] {
		case graph.KeyBaseAddress:
			address = kv.Value
		case graph.KeySecretToken:
			if token = kv.Value; token == kept {
				token = ""
			}
		case "":
			return 0, nil, badRequest("The key '" + quotable(kv.Key) + "' is not one of this application's.")
		}
	}
	var target tenant.Target
	if saved && token == "" {
		target, err = h.Tenant.SavedTarget(jobs[0], address)
	} else {
		target, err = tenant.NewTarget(address, token)
	}
	if err == nil {
		err = h.Test(ctx, target)
	}
	if err != nil {
		return 0, nil, h.Tenant.Refuse(ctx, r.by, "Test Connection", r.PathValue("id"), err)
	}
	return http.StatusNoContent, nil, nil
}

func (h *Handler) jobToWire(ctx context.Context, j tenant.Job) (graph.SynchronizationJob, error) {
	inStep, err := h.Tenant.InStep(ctx, j.ID)
	if err != nil {
		return graph.SynchronizationJob{}, err
	}
	s := &graph.Status{
		Progress: []graph.Progress{},

		CountSuccessiveCompleteFailures: j.Failures,

		InStep: &graph.InStep{
			Equal:      inStep.Equal,
			Since:      inStep.Since,
			Uncertain:  inStep.Uncertain,
			Failing:    inStep.Failing,
			Pending:    inStep.Pending,
			ComparedAt: inStep.ComparedAt,
		},
		SteadyStateFirstAchievedTime: j.SteadyFirst,
		SteadyStateLastAchievedTime:  j.SteadyLast,
		LastExecution:                executionToWire(j.Last),
		LastSuccessfulExecution:      executionToWire(j.LastSuccess),
		SynchronizedEntryCountByType: []graph.CountByType{
			{Key: "User", Value: j.Users},
			{Key: "Group", Value: j.Groups},
		},
	}
	switch {
	case j.Credentials.SealedToken == "":
		s.Code = "NotConfigured"
	case j.Quarantine != nil:
		s.Code = "Quarantine"
		s.Quarantine = &graph.Quarantine{
			Reason:       j.Quarantine.Reason,
			CurrentBegan: j.Quarantine.Began,
			NextAttempt:  j.Quarantine.NextAttempt,
			Error: &graph.ErrorInfo{
				Code:             j.Quarantine.Code,
				Message:          j.Quarantine.Message,
				TenantActionable: true,
			},
		}
	case j.State == tenant.JobPaused:
		s.Code = "Paused"
	case j.Last == nil:
		s.Code = "NotRun"
	default:
		s.Code = "Active"
	}
	if done, total, ok := h.Progress(string(j.ID)); ok {
		s.Progress = append(
			s.Progress,
			graph.Progress{
				CompletedUnits:          done,
				TotalUnits:              total,
				Units:                   "objects",
				ProgressObservationTime: h.Tenant.Now().UTC(),
			},
		)
	}
	return graph.SynchronizationJob{
		ID:         string(j.ID),
		TemplateID: j.TemplateID,
		Schedule:   &graph.Schedule{Interval: "PT40M", State: string(j.State)},
		Status:     s,
	}, nil
}

func executionToWire(x *tenant.Execution) *graph.Execution {
	if x == nil {
		return nil
	}
	out := &graph.Execution{
		ActivityIdentifier: x.ID,
		State:              x.State,
		TimeBegan:          x.Began,
		TimeEnded:          x.Ended,
		CountEntitled:      x.Entitled,
		CountEscrowed:      x.Escrowed,
		CountExported:      x.Exported,
		CountImported:      x.Imported,
	}
	if x.ErrorCode != "" {
		out.Error = &graph.ErrorInfo{Code: x.ErrorCode, Message: x.ErrorMessage, TenantActionable: true}
	}
	return out
}
