package connect

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/graph"
)

// askedApplication is an application that a run has asked the tenant for. Runs remember it until it
// has the center's identifier, by which everybody finds it. Until then nothing but its name would
// tell whose it is, and somebody may rename it.
type askedApplication struct {
	Tenant string    `json:"tenant"`
	ID     string    `json:"service_principal,omitempty"` // empty: the answer has not come
	Name   string    `json:"name,omitempty"`              // the one that was asked for
	At     time.Time `json:"at"`
	// Before are the ids of those that there were.
	Before []string `json:"before,omitempty"`
	// Mark is the reference that it was asked for with, and that no other has: nothing else tells
	// whose one without an answer is. Empty where the tenant takes none.
	Mark string `json:"mark,omitempty"`
}

// markStart begins marks, for whoever meets one in the tenant. The center's store follows: the
// gallery proposes the same name for each center.
const markStart = "gatehouse connect "

const maxMarked = 64 //bound:text the store that a mark names

func (p *Plan) markStart() string {
	store := inFile(p.State.Directory.IdentityStoreID)
	return markStart + store[:min(len(store), maxMarked)] + " "
}

// hasMark says whether a run had an application made, and has not set it up.
func hasMark(app graph.Application) bool {
	return strings.HasPrefix(text(app.ServiceManagementReference), markStart)
}

// hasOwnMark says whether that was a run for this center.
func (p *Plan) hasOwnMark(app graph.Application) bool {
	return strings.HasPrefix(text(app.ServiceManagementReference), p.markStart())
}

// isElsewhere says whether a run for another center had an application made, and has not set it up.
func (p *Plan) isElsewhere(apps []graph.Application) bool {
	return len(apps) == 1 && hasMark(apps[0]) && !p.hasOwnMark(apps[0])
}

func (p *Plan) askedFile() string { return p.file("-application") }

// asked is the one that runs remember; its time is zero where there is none.
func (p *Plan) asked() (a askedApplication) {
	if !p.asking.At.IsZero() {
		return p.asking
	}
	file := p.askedFile()
	if file == "" || ReadFile(file, &a) != nil || a.Tenant != lastPart(p.cfg.LoginURL) {
		return askedApplication{}
	}
	return a
}

// rememberAsked notes it. Where nothing can be written, only this run knows it.
func (p *Plan) rememberAsked(a askedApplication) {
	p.asking = a
	if file := p.askedFile(); file != "" {
		_ = WriteFile(file, a)
	}
}

// forgetAsked lets go of it: everybody finds it now, or it is not there.
func (p *Plan) forgetAsked() {
	if !p.asked().At.IsZero() && p.askedFile() != "" {
		_ = os.Remove(p.askedFile())
	}
	p.asking = askedApplication{}
}

// forgetFound lets go of it when the list has the center's identifier, by which everybody finds it.
// A replica may learn that late: then a later run does it.
func (p *Plan) forgetFound(ctx context.Context) {
	if p.asked().At.IsZero() {
		return
	}
	if all, err := p.principals(ctx); err == nil && slices.ContainsFunc(all, p.isOurs) {
		p.forgetAsked()
	}
}

// principals are the service principals of the gallery's entry.
func (p *Plan) principals(ctx context.Context) ([]graph.ServicePrincipal, error) {
	return graph.All[graph.ServicePrincipal](
		ctx, p.cfg.Graph, "/servicePrincipals"+graph.Filter("applicationTemplateId", graph.AWSTemplateID),
	)
}

// isOurs says whether an application has the center's identifier.
func (p *Plan) isOurs(sp graph.ServicePrincipal) bool {
	return slices.Contains(sp.ServicePrincipalNames, p.State.SP.EntityID)
}

// setUp says whether an application has an identifier beside its client id.
func setUp(sp graph.ServicePrincipal) bool { return len(sp.ServicePrincipalNames) > 1 }

// findApplication finds the connection's: the one that has the center's identifier, else the one
// that a run has asked for, else one with the wanted name that nobody has set up.
func (p *Plan) findApplication(
	ctx context.Context, all []graph.ServicePrincipal,
) (found graph.ServicePrincipal, err error) {
	if i := slices.IndexFunc(all, p.isOurs); i >= 0 {
		if !p.cfg.looking {
			p.forgetAsked()
		}
		return all[i], nil
	}
	if found, err = p.askedAmong(ctx, all); err != nil || found.ID != "" {
		p.early = found.ID != ""
		return found, err
	}
	p.elsewhere = nil
	for _, sp := range all {
		if sp.DisplayName != p.cfg.AppName || setUp(sp) || p.isStrange(sp) {
			continue
		}
		apps, err := p.applicationsOf(ctx, sp)
		if err != nil {
			return found, err
		}
		if !p.isElsewhere(apps) {
			return sp, nil
		}
		p.elsewhere = append(p.elsewhere, sp.ID)
	}
	return found, nil
}

// strangeApplication has the name of one that a run has asked for without an answer, was made at
// that time, and does not have its mark: somebody else's, as far as anybody can tell.
type strangeApplication struct {
	graph.ServicePrincipal

	at time.Time // zero: the tenant does not say yet
}

func (p *Plan) isStrange(sp graph.ServicePrincipal) bool {
	return slices.ContainsFunc(p.strange, func(s strangeApplication) bool { return s.ID == sp.ID })
}

// askedAmong is the application that runs have asked for: by its id, or where its making was not
// answered, by its mark.
func (p *Plan) askedAmong(
	ctx context.Context, all []graph.ServicePrincipal,
) (found graph.ServicePrincipal, err error) {
	a := p.asked()
	p.strange = nil
	if a.At.IsZero() {
		return found, nil
	}
	for _, sp := range all {
		switch {
		case setUp(sp) || slices.Contains(a.Before, sp.ID):
			continue
		case a.ID != "" && a.ID == sp.ID:
			return sp, nil
		case a.ID != "":
			continue
		}
		apps, err := p.applicationsOf(ctx, sp)
		if err != nil {
			return found, err
		}
		if len(apps) == 1 && a.Mark != "" && text(apps[0].ServiceManagementReference) == a.Mark {
			p.strange = nil
			return sp, nil
		}
		if len(apps) == 1 && a.Mark != "" && hasMark(apps[0]) { // another run's
			continue
		}
		made := createdAt(apps)
		since := made.Sub(a.At)
		atThatTime := made.IsZero() || since > -ClockSkew && since < answerTime+ClockSkew
		if sp.DisplayName == cmp.Or(a.Name, p.cfg.AppName) && atThatTime {
			p.strange = append(p.strange, strangeApplication{sp, made})
		}
	}
	return found, nil
}

// answerTime is for how long a request for an application may have been under way.
const answerTime = time.Minute //bound:none which application a lost answer was about

// createdAt is when an application was made; zero where the tenant does not say.
func createdAt(apps []graph.Application) (at time.Time) {
	if len(apps) == 1 && apps[0].CreatedDateTime != nil {
		at = *apps[0].CreatedDateTime
	}
	return at
}

func (p *Plan) applicationsOf(ctx context.Context, sp graph.ServicePrincipal) ([]graph.Application, error) {
	return graph.All[graph.Application](ctx, p.cfg.Graph, "/applications"+graph.Filter("appId", sp.AppID))
}

// noteOthers names applications with the wanted name that are not the connection's.
func (p *Plan) noteOthers(all []graph.ServicePrincipal) {
	for _, sp := range all {
		switch {
		case p.isStrange(sp):
			why := "It does not have that run's mark"
			if p.asked().Mark == "" {
				why = "The run asked without a mark, so nobody can tell whose this is"
			}
			p.Notes = append(p.Notes, fmt.Sprintf(
				"an application %q (%s) was made when an earlier run asked for one, on %s, and got no answer. %s: it "+
					"stays as it is. If nobody needs it, delete it in Entra",
				sp.DisplayName, sp.ID, clock(p.asked().At), why,
			))
		case sp.DisplayName != p.cfg.AppName || sp.ID == p.State.Principal.ID:
		case slices.Contains(p.elsewhere, sp.ID):
			p.Notes = append(p.Notes, fmt.Sprintf(
				"there is another application %q (%s), which a run for another center had made and has not set up: "+
					"it stays as it is", sp.DisplayName, sp.ID,
			))
		case setUp(sp):
			p.Notes = append(p.Notes, fmt.Sprintf(
				"there is an application %q already, with the identifier of something else (%s): it stays as it is",
				sp.DisplayName, strings.Join(sp.ServicePrincipalNames, ", "),
			))
		default:
			p.Notes = append(p.Notes, fmt.Sprintf(
				"there is another application %q (%s), which nobody has set up: it stays as it is. If nobody needs "+
					"it, delete it in Entra", sp.DisplayName, sp.ID,
			))
		}
	}
}

// noteTaken says why an application is taken that only its name speaks for.
func (p *Plan) noteTaken() {
	sp, app := p.State.Principal, p.State.Application
	if sp.ID == "" || p.isOurs(sp) || p.early {
		return
	}
	why := "is taken for this connection, because it has the name and nobody has set it up. If it is somebody " +
		"else's, use another --name"
	if p.hasOwnMark(app) {
		why = "was made for this center by a run on another machine or with another --state, which has not set it " +
			"up: this run goes on with it. If that one is under way, wait for it"
	}
	at := createdAt([]graph.Application{app})
	p.Notes = append(p.Notes, fmt.Sprintf("“%s” (%s%s) %s", sp.DisplayName, sp.ID, madeOn(at), why))
}

// madeOn says when something was made, where that is known.
func madeOn(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return ", made on " + clock(at)
}

// existing says of the plan's application that it exists, and why it is taken for the connection's
// where its name does not tell.
func (p *Plan) existing() string {
	text := "“" + p.State.Principal.DisplayName + "” exists"
	if p.early {
		text += ": a run that ended early had it made on " + clock(p.asked().At)
	}
	return text
}

// createApplication makes the application, unless that was done and nobody knew. One that somebody
// else has made since the plan ends it.
func (p *Plan) createApplication(ctx context.Context) error {
	all, err := p.principals(ctx)
	if err != nil {
		return err
	}
	found, err := p.findApplication(ctx, all)
	w := p.lookout()
	defer w.ends()
	for err == nil && found.ID == "" && p.justAsked() {
		w.goesOn(p.cfg.Settle)
		if err = waitFor(ctx, max(p.cfg.Settle/appearLooks, p.cfg.PollEach)); err == nil {
			all, err = p.principals(ctx)
		}
		if err == nil {
			found, err = p.findApplication(ctx, all)
		}
	}
	switch {
	case err != nil:
		return err
	case p.early:
		return p.adopt(ctx, found)
	case found.ID != "":
		return changed("the tenant has an application “%s” now", found.DisplayName)
	}
	return p.instantiate(ctx, all)
}

// justAsked says whether an application was asked for so lately that not every replica needs to
// know it yet, and the answer has not come.
func (p *Plan) justAsked() bool {
	a := p.asked()
	return a.ID == "" && p.cfg.Now().Sub(a.At).Abs() < p.cfg.Settle
}

// adopt goes on with an application that a run has asked for.
func (p *Plan) adopt(ctx context.Context, found graph.ServicePrincipal) error {
	var apps []graph.Application
	err := p.settled(ctx, func() (err error) {
		if apps, err = p.applicationsOf(ctx, found); err == nil && len(apps) != 1 {
			err = fmt.Errorf("the service principal %s has %d applications", found.ID, len(apps))
		}
		return err
	})
	if err != nil {
		return err
	}
	p.State.Principal, p.State.Application = found, apps[0]
	p.fresh = true
	return nil
}

// instantiate asks for one that has a mark, which is noted before it is sent.
func (p *Plan) instantiate(ctx context.Context, before []graph.ServicePrincipal) error {
	a := askedApplication{
		Tenant: lastPart(p.cfg.LoginURL), Name: p.cfg.AppName, At: p.cfg.Now().UTC(),
		Mark: p.markStart() + rand.Text(),
	}
	for _, sp := range before {
		a.Before = append(a.Before, sp.ID)
	}
	made, err := p.ask(ctx, a)
	if graph.BadRequest(err) { // a tenant that takes no mark
		a.Mark = ""
		made, err = p.ask(ctx, a)
	}
	switch {
	case err != nil && saysNothing(err):
		return err
	case err != nil:
		p.forgetAsked()
		return err
	case made.ServicePrincipal.ID != "":
		p.State.Application, p.State.Principal = made.Application, made.ServicePrincipal
		p.fresh = true
	}
	a.ID = p.State.Principal.ID
	p.rememberAsked(a)
	return p.onlyOne(ctx, a)
}

// ask notes what is asked for, and asks for it.
func (p *Plan) ask(ctx context.Context, a askedApplication) (made graph.ApplicationServicePrincipal, err error) {
	p.rememberAsked(a)
	in := map[string]string{"displayName": a.Name}
	if a.Mark != "" {
		in["serviceManagementReference"] = a.Mark
	}
	looks := 0
	err = p.makes(
		ctx, "/applicationTemplates/"+graph.AWSTemplateID+"/instantiate", in, &made,
		func(ctx context.Context) (bool, error) {
			now, err := p.principals(ctx)
			if err != nil {
				return false, err
			}
			found, err := p.askedAmong(ctx, now)
			switch {
			case err != nil:
				return false, err
			case found.ID != "":
				return true, p.adopt(ctx, found)
			case len(p.strange) > 0:
				looks++
			}
			if looks > appearLooks/2 { // to ask again could make a third one
				return false, changed("somebody has made an application “%s” (%s) at the same moment, and the tenant "+
					"has not answered whether this run's is made", a.Name, p.strange[0].ID)
			}
			return false, nil
		},
	)
	return made, err
}

// onlyOne gives way to whoever has made the same application a moment before: two runs on two
// machines may both have seen none.
func (p *Plan) onlyOne(ctx context.Context, a askedApplication) error {
	all, err := p.principals(ctx)
	if err != nil {
		return err
	}
	own := p.State.Application.CreatedDateTime
	for _, sp := range all {
		unrelated := !p.isOurs(sp) && (setUp(sp) || sp.DisplayName != p.cfg.AppName)
		if sp.ID == a.ID || slices.Contains(a.Before, sp.ID) || unrelated {
			continue
		}
		apps, err := p.applicationsOf(ctx, sp)
		if err != nil {
			return err
		}
		if p.isElsewhere(apps) {
			continue
		}
		at := createdAt(apps)
		earlier := sp.ID < a.ID
		if own != nil && !at.IsZero() && !at.Equal(*own) {
			earlier = at.Before(*own)
		}
		if earlier || p.isOurs(sp) {
			return p.giveWay(ctx, sp)
		}
	}
	return nil
}

// giveWay deletes the application that this run has made.
func (p *Plan) giveWay(ctx context.Context, to graph.ServicePrincipal) error {
	own := p.State.Application
	if err := p.graph(ctx, http.MethodDelete, "/applications/"+own.ID, nil, nil); err != nil && !graph.NotFound(err) {
		return fmt.Errorf("somebody else has made “%s” (%s) too, and the one of this run (%s) is left: delete it in "+
			"Entra (%w)", to.DisplayName, to.ID, own.AppID, err)
	}
	p.forgetAsked()
	p.State.Principal, p.State.Application = graph.ServicePrincipal{}, graph.Application{}
	p.fresh = false
	return changed("somebody else has made the application “%s” at the same moment, and the one that this run had "+
		"made is deleted", to.DisplayName)
}

// taken says why the center's identifier was refused, if another application has it.
func (p *Plan) taken(ctx context.Context, err error) error {
	var refused *graph.Error
	if !errors.As(err, &refused) || refused.Status != http.StatusBadRequest && refused.Status != http.StatusConflict {
		return err
	}
	all, failed := p.principals(ctx)
	i := slices.IndexFunc(all, p.isOurs)
	switch {
	case failed != nil || i < 0 || all[i].ID == p.State.Principal.ID:
		return err
	case p.fresh:
		return p.giveWay(ctx, all[i])
	}
	return changed("another application, “%s” (%s), has the center's identifier now", all[i].DisplayName, all[i].ID)
}
