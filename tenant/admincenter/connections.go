package admincenter

import (
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/tenant"
)

// connection is how an application stands that people sign in to, or are provisioned to.
type connection struct {
	App         tenant.Application
	Key         *tenant.SigningKey // that signs its assertions; nil: nobody signs in by SAML
	Job         *tenant.Job        // nil: nobody is provisioned
	InStep      tenant.InStep
	Running     bool
	Done, Total int
}

// maxConnections bounds what the overview shows: the list of applications has all of them.
const maxConnections = 20 //bound:list applications whose connection the overview shows

// Wrong says whether somebody has to look at it.
func (c connection) Wrong() bool {
	return c.Job != nil && (c.Job.Quarantine != nil || c.InStep.Failing > 0)
}

// Live says whether the overview has to be renewed while somebody looks at it.
func (c connection) Live() bool { return c.Job != nil && c.Job.State == tenant.JobActive }

// connections are those of the applications that have any: what is wrong first, then by name.
func (p page) connections(apps []tenant.Application) ([]connection, error) {
	jobs, err := p.h.Tenant.Jobs(p.Context(), "")
	if err != nil {
		return nil, err
	}
	of := map[tenant.ServicePrincipalID]*tenant.Job{}
	for i := range jobs {
		of[jobs[i].ServicePrincipalID] = &jobs[i]
	}
	var list []connection
	for _, a := range apps {
		c := connection{App: a, Job: of[a.ServicePrincipalID]}
		if k, err := a.SigningKeyOf(p.h.Tenant.Now()); err == nil && a.SSOMode == "saml" {
			c.Key = &k
		}
		if c.Job == nil && c.Key == nil {
			continue
		}
		if c.Job != nil {
			if c.InStep, err = p.h.Tenant.InStep(p.Context(), c.Job.ID); err != nil {
				return nil, err
			}
			c.Done, c.Total, c.Running = p.h.Progress(string(c.Job.ID))
		}
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b connection) int {
		if a.Wrong() != b.Wrong() {
			if a.Wrong() {
				return -1
			}
			return 1
		}
		return strings.Compare(strings.ToLower(a.App.DisplayName), strings.ToLower(b.App.DisplayName))
	})
	return list, nil
}

// At is the address of a page of the application.
func (c connection) At(below string) string { return addressOf(c.App, below) }

// DaysLeft is for how many days the signing certificate is valid; negative: it has expired.
func (c connection) DaysLeft(now time.Time) int { return int(c.Key.NotAfter.Sub(now).Hours() / 24) }
