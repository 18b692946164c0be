// Package repair carries out what doctor proposes: over Microsoft Graph, the APIs of AWS or of a
// Gatehouse center. Each action may be carried out again, and leaves what is so already; whoever is
// interrupted looks again and repairs the rest.
//
// It may import adminapi, awsapi/inventory, doctor and graph.
package repair

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/identitystore"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/awsapi/inventory"
	"github.com/gatehouse-id/gatehouse/doctor"
	"github.com/gatehouse-id/gatehouse/graph"
)

// Sides are clients for both sides. One that is nil is not changed.
type Sides struct {
	Graph *graph.Client
	AWS   *aws.Config
	Admin *adminapi.Client // a Gatehouse center's
	// InstanceARN and StoreID are the instance's that was looked at.
	InstanceARN, StoreID string

	// Wait is how long a token that nobody has used may be that of another repair, which goes on.
	// Zero is underWay.
	Wait time.Duration

	now time.Time // by the clock of the facts
}

// Of names the instance that facts are of.
func (s Sides) Of(f doctor.Facts) Sides {
	s.now = f.Now
	if f.AWS != nil {
		s.StoreID = f.AWS.IdentityStoreID
		for _, i := range f.AWS.Instances {
			if i.IdentityStoreID == s.StoreID {
				s.InstanceARN = i.InstanceArn
			}
		}
	}
	return s
}

// Outcome is what became of an action.
type Outcome struct {
	doctor.Repair

	Failed string `json:"failed,omitempty"`
}

// worker has the clients of AWS's APIs ready.
type worker struct {
	Sides

	store *identitystore.Client
	admin *ssoadmin.Client
}

// Apply carries a plan out, one action after the other, and tells what became of each. One that
// fails does not keep the others from being tried. The error is ctx's.
func Apply(ctx context.Context, s Sides, plan []doctor.Repair, told func(Outcome)) ([]Outcome, error) {
	w := &worker{Sides: s}
	if s.AWS != nil {
		cfg := s.AWS.Copy()
		cfg.Retryer = inventory.Retryer
		if s.Admin == nil {
			cfg = new(inventory.Rates).Pace(cfg)
		}
		w.store, w.admin = identitystore.NewFromConfig(cfg), ssoadmin.NewFromConfig(cfg)
	}
	outcomes := make([]Outcome, 0, len(plan))
	for _, r := range plan {
		if ctx.Err() != nil {
			break
		}
		out := Outcome{Repair: r}
		if err := w.do(ctx, r); err != nil {
			out.Failed = reason(err)
		}
		told(out)
		outcomes = append(outcomes, out)
	}
	return outcomes, ctx.Err()
}

var errNoSide = errors.New("that side was not named")

// actions carry each action out.
var actions = map[doctor.Action]func(*worker, context.Context, doctor.Repair) error{
	doctor.EnableApplication: (*worker).enableApplication,
	doctor.SetSAML:           (*worker).setSAML,
	doctor.SetIdentifier:     (*worker).setIdentifier,
	doctor.AddReplyURLs:      (*worker).addReplyURLs,
	doctor.SetSignOnURL:      (*worker).setSignOnURL,
	doctor.ImportCertificate: (*worker).importCertificate,
	doctor.NewCertificate:    (*worker).newCertificate,
	doctor.DetachClaims:      (*worker).detachClaims,
	doctor.Assign:            (*worker).assign,
	doctor.EditMapping:       (*worker).editMapping,
	doctor.PauseJob:          (*worker).pauseJob,
	doctor.CreateJob:         (*worker).createJob,
	doctor.SaveToken:         (*worker).saveToken,
	doctor.RestartJob:        (*worker).restartJob,
	doctor.StartJob:          (*worker).startJob,
	doctor.ProvisionPerson:   (*worker).provisionPerson,
	doctor.RenameUser:        (*worker).renameUser,
	doctor.EnableUser:        (*worker).enableUser,
	doctor.DisableUser:       (*worker).disableUser,
	doctor.AddMember:         (*worker).addMember,
	doctor.RemoveMember:      (*worker).removeMember,
	doctor.ProvisionSet:      (*worker).provisionSet,
	doctor.DeleteAssignment:  (*worker).deleteAssignment,
}

// entra are the actions that Graph carries out, alone or beside the center.
var entra = map[doctor.Action]bool{
	doctor.EnableApplication: true, doctor.SetSAML: true, doctor.SetIdentifier: true, doctor.AddReplyURLs: true,
	doctor.SetSignOnURL: true, doctor.NewCertificate: true, doctor.DetachClaims: true, doctor.Assign: true,
	doctor.EditMapping: true, doctor.PauseJob: true, doctor.CreateJob: true, doctor.SaveToken: true,
	doctor.RestartJob: true, doctor.StartJob: true, doctor.ProvisionPerson: true,
}

// center are those that need the API of a Gatehouse center.
var center = map[doctor.Action]bool{
	doctor.ImportCertificate: true, doctor.NewCertificate: true, doctor.CreateJob: true, doctor.SaveToken: true,
	doctor.EnableUser: true, doctor.DisableUser: true,
}

func (w *worker) do(ctx context.Context, r doctor.Repair) error {
	act := actions[r.Action]
	switch {
	case act == nil:
		return fmt.Errorf("no action is named %q", r.Action)
	case entra[r.Action] && w.Graph == nil, center[r.Action] && w.Admin == nil,
		!entra[r.Action] && !center[r.Action] && w.store == nil:
		return errNoSide
	}
	return act(w, ctx, r)
}

const maxReason = 300 //bound:text why a repair of doctor failed

func reason(err error) string {
	if missing := inventory.Missing(err); missing != "" {
		return "missing permission " + missing
	}
	text := err.Error()
	if len(text) > maxReason {
		text = text[:maxReason] + "…"
	}
	return text
}

func principal(r doctor.Repair) string { return "/servicePrincipals/" + r.With["servicePrincipalId"] }

func job(r doctor.Repair) string { return principal(r) + "/synchronization/jobs/" + r.With["jobId"] }

func (w *worker) patch(ctx context.Context, path string, change any) error {
	return w.Graph.Do(ctx, http.MethodPatch, path, change, nil)
}

func (w *worker) post(ctx context.Context, path string, in, out any) error {
	return w.Graph.Do(ctx, http.MethodPost, path, in, out)
}

func (w *worker) enableApplication(ctx context.Context, r doctor.Repair) error {
	return w.patch(ctx, principal(r), map[string]any{"accountEnabled": true})
}

func (w *worker) setSAML(ctx context.Context, r doctor.Repair) error {
	return w.patch(ctx, principal(r), map[string]any{"preferredSingleSignOnMode": "saml"})
}

func (w *worker) application(ctx context.Context, r doctor.Repair) (app graph.Application, err error) {
	return app, w.Graph.Do(ctx, http.MethodGet, "/applications/"+r.With["applicationId"], nil, &app)
}

func (w *worker) principal(ctx context.Context, r doctor.Repair) (sp graph.ServicePrincipal, err error) {
	return sp, w.Graph.Do(ctx, http.MethodGet, principal(r), nil, &sp)
}

func (w *worker) setIdentifier(ctx context.Context, r doctor.Repair) error {
	now, err := w.application(ctx, r)
	if err != nil {
		return err
	}
	if needed, err := r.Needed(now.IdentifierURIs, r.Values); !needed {
		return err
	}
	return w.patch(ctx, "/applications/"+r.With["applicationId"], map[string]any{"identifierUris": r.Values})
}

// addReplyURLs adds those that are missing to what there is now.
func (w *worker) addReplyURLs(ctx context.Context, r doctor.Repair) error {
	now, err := w.application(ctx, r)
	if err != nil {
		return err
	}
	var all []string
	if now.Web != nil {
		all = now.Web.RedirectURIs
	}
	for _, uri := range r.Values {
		if !slices.Contains(all, uri) {
			all = append(all, uri)
		}
	}
	return w.patch(ctx, "/applications/"+r.With["applicationId"],
		map[string]any{"web": map[string]any{"redirectUris": all}})
}

func (w *worker) setSignOnURL(ctx context.Context, r doctor.Repair) error {
	now, err := w.principal(ctx, r)
	if err != nil {
		return err
	}
	if needed, err := r.Needed([]string{aws.ToString(now.LoginURL)}, []string{r.With["loginUrl"]}); !needed {
		return err
	}
	return w.patch(ctx, principal(r), map[string]any{"loginUrl": r.With["loginUrl"]})
}

func (w *worker) detachClaims(ctx context.Context, r doctor.Repair) error {
	err := w.Graph.Do(
		ctx, http.MethodDelete, principal(r)+"/claimsMappingPolicies/"+r.With["objectId"]+"/$ref", nil, nil,
	)
	if graph.NotFound(err) {
		return nil
	}
	return err
}

// assign gives the application, then takes an assignment away that it replaces: nobody leaves the
// scope between the two.
func (w *worker) assign(ctx context.Context, r doctor.Repair) error {
	path := principal(r) + "/appRoleAssignedTo"
	have, err := graph.All[graph.AppRoleAssignment](ctx, w.Graph, path)
	if err != nil {
		return err
	}
	there := false
	for _, x := range have {
		there = there || (x.PrincipalID == r.With["objectId"] && x.AppRoleID == r.With["appRoleId"])
	}
	if !there {
		err := w.post(ctx, path, graph.AppRoleAssignment{
			AppRoleID: r.With["appRoleId"], PrincipalID: r.With["objectId"],
			ResourceID: r.With["servicePrincipalId"],
		}, nil)
		if err != nil {
			return err
		}
	}
	if old := r.With["instead"]; old != "" {
		if err := w.Graph.Do(ctx, http.MethodDelete, path+"/"+old, nil, nil); err != nil && !graph.NotFound(err) {
			return err
		}
	}
	return nil
}

const settled = 2 * time.Minute //bound:wait a change of doctor's at AWS that is asynchronous

// waits asks again until what was asked for has ended.
func waits(ctx context.Context, ended func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, settled)
	defer cancel()
	for {
		done, err := ended(ctx)
		if done || err != nil {
			return err
		}
		select {
		case <-time.After(time.Second / 4):
		case <-ctx.Done():
			return fmt.Errorf("it had not ended after %s: %w", settled, ctx.Err())
		}
	}
}
