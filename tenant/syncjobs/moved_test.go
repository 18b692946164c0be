package syncjobs_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// forgetLog has the provisioning log and the journal forget everything, as they do in time.
func (h *house) forgetLog() {
	h.t.Helper()
	h.must(h.tenant.Store.Update(h.t.Context(), func(tx tenant.Tx) error {
		_, err := tx.DeleteLog(time.Now().AddDate(1, 0, 0))
		return err
	}))
}

func (h *house) to(j tenant.Job, endpoint, token string) {
	h.t.Helper()
	h.must(h.tenant.ConfigureJob(h.t.Context(), tenanttest.Actor, j.ID, tenant.JobSettings{
		BaseAddress: &endpoint, SecretToken: &token,
	}))
}

// TestALeaverLosesAccessAtATargetThatIsRenamed: people leave while a target has another name
// already, or while there is no job. The next job, or the same one with the new name, takes their
// access away, however long ago it was given: also from those who were there before.
func TestALeaverLosesAccessAtATargetThatIsRenamed(t *testing.T) {
	t.Parallel()
	for what, again := range map[string]bool{"renamed": false, "made again": true} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, center.ProfileAWS)
			h.hire("kim")
			h.join("Eng", "kim")
			_, err := h.center.CreateUser(t.Context(), centertest.Actor, centertest.Person("kim@northwind.example"))
			h.must(err)
			app := h.application("Eng", "Ops")
			j := h.job(app)
			h.want("ada*", "bob*", "eva*", "kim*", "Eng=ada+eva+kim", "Ops=bob")
			h.forgetLog()

			h.enable("eva", false)
			h.enable("kim", false)
			h.assign(app, "Eng") // and so not Bob, and not Ops
			if again {
				h.must(h.tenant.DeleteJob(t.Context(), tenanttest.Actor, j.ID))
				j = h.job(app)
			} else {
				renamed := strings.Replace(h.endpoint, "127.0.0.1", "localhost", 1)
				if renamed == h.endpoint {
					t.Fatalf("the address %s has no other name", h.endpoint)
				}
				h.to(j, renamed, h.token)
				j = h.run(j)
			}
			h.want("ada*", "bob", "eva", "kim", "Eng=ada+eva+kim")
			h.must(h.tenant.Sweep(t.Context()))
			if n := len(h.formers()); n != 1 {
				t.Errorf("%d former targets are known", n)
			}
			for ahead := time.Duration(0); ahead < 31*24*time.Hour; h.must(h.tenant.Sweep(t.Context())) {
				ahead += 12 * time.Hour // a clock that jumps is doubted
				h.tenant.Now = func() time.Time { return time.Now().Add(ahead) }
				if ahead == 30*24*time.Hour {
					h.run(j)
				}
			}
			if f := h.formers(); len(f) != 0 {
				t.Errorf("after a month, former targets are known: %v", f)
			}
		})
	}
}

// TestAJobThatIsMadeAnewEachNightLeavesLittle: what the last ones have written is kept, and not
// what all of them have.
func TestAJobThatIsMadeAnewEachNightLeavesLittle(t *testing.T) {
	t.Parallel()
	h := newHouse(t, center.ProfileStandard)
	app := h.application("Eng")
	for range 12 {
		j := h.job(app)
		h.must(h.tenant.DeleteJob(t.Context(), tenanttest.Actor, j.ID))
	}
	if n := len(h.formers()); n != 8 {
		t.Errorf("%d former targets are known", n)
	}
	h.enable("eva", false)
	h.job(app)
	h.want("ada*", "eva", "Eng=ada+eva")
}

func (h *house) formers() (all []tenant.Former) {
	h.t.Helper()
	h.must(h.tenant.Store.View(h.t.Context(), func(r tenant.Reader) (err error) {
		all, err = r.Formers()
		return err
	}))
	return all
}

// TestWhatWasWrittenElsewhereProvesNothing: a job gets the URL of a service where somebody else has
// made the same people, one of them disabled at the source. What the job had written at the first
// one is no proof there.
func TestWhatWasWrittenElsewhereProvesNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t, center.ProfileStandard)
	j := h.job(h.application("Eng"))
	second, there, its := aCenter(t, center.ProfileStandard)
	made := centertest.Person("eva@northwind.example")
	made.ExternalID = string(h.users["eva"])
	_, err := second.CreateUser(t.Context(), centertest.Actor, made)
	h.must(err)
	h.enable("eva", false)
	h.to(j, there, its)
	h.run(j)
	h.center = second
	h.want("ada*", "eva*", "Eng=ada")
}

// TestAJobThatMovesMeanwhileIsNotWorkedOn: between the reading of a job and the work on it, it is
// given another target. What it knows of the first is not taken for what the other has.
func TestAJobThatMovesMeanwhileIsNotWorkedOn(t *testing.T) {
	t.Parallel()
	h := newHouse(t, center.ProfileStandard)
	j := h.job(h.application("Eng"))
	_, second, its := aCenter(t, center.ProfileStandard)
	h.to(j, second, its)
	j, err := h.tenant.Job(t.Context(), j.ServicePrincipalID, j.ID)
	h.must(err)
	third, endpoint, token := aCenter(t, center.ProfileStandard)
	h.to(j, endpoint, token)
	if err := h.tenant.Arrive(t.Context(), tenant.Holding{}, j); refusal.CodeOf(err) != tenant.ConcurrentChange {
		t.Errorf("a job that has another target by now is worked on: %v", err)
	}
	h.run(j)
	h.center = third
	h.want("ada*", "eva*", "Eng=ada+eva")
}
