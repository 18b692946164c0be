package connect

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/graph"
)

// madeToken is an access token that a run makes at a side which names its tokens. Runs remember it
// until nothing is left to be done about it, so that the next can delete what nobody has: a side
// has room for two. It has no secret.
type madeToken struct {
	Tenant string    `json:"scim_tenant"`
	ID     string    `json:"token,omitempty"` // empty: the answer has not come
	At     time.Time `json:"at"`
	// Before are the tokens that there were.
	Before []string `json:"before,omitempty"`
	// Instead is the one that it takes the place of.
	Instead string    `json:"instead_of,omitempty"`
	Stage   madeStage `json:"stage"`
	Process int       `json:"process"` // whose run it is
}

// longestRun is for how long the process of a run may go on: it waits for cycles. After that
// another one has its number.
const longestRun = 24 * time.Hour //bound:life what another run on this machine may be about to do

// underWay says whether another run is still about it. Who has the lock is alone. Where no run has
// ever taken one, such as an earlier release's, its process tells.
func (p *Plan) underWay(m madeToken) bool {
	if p.cfg.held || time.Since(m.At).Abs() > longestRun {
		return false
	}
	if is, known := p.heldElsewhere(); known {
		return is
	}
	return m.underWay()
}

// underWay says whether the process that made it is there still, on this machine.
func (m madeToken) underWay() bool {
	if m.Process == 0 || m.Process == os.Getpid() || time.Since(m.At).Abs() > longestRun {
		return false
	}
	process, err := os.FindProcess(m.Process)
	if err != nil {
		return false
	}
	if err = process.Signal(syscall.Signal(0)); err == nil || errors.Is(err, os.ErrPermission) {
		return true
	}
	return runtime.GOOS == "windows" // where only a process that is there is found
}

// madeStage is how far a run has come with a token.
type madeStage string

const (
	stageMade   madeStage = "made"   // the tenant was not asked to save it
	stageSaving madeStage = "saving" // the tenant may have saved it
	stageSaved  madeStage = "saved"  // the tenant has, and the one before is to be deleted
)

const maxMade = 20 //bound:list access tokens that runs remember, of all endpoints

// file is one in which runs remember something of a center; empty: they do not.
func (p *Plan) file(what string) string {
	if p.cfg.Folder == "" || p.State.Directory.IdentityStoreID == "" {
		return ""
	}
	return filepath.Join(p.cfg.Folder, fileStart(p.cfg.Center, p.State.Directory)+what+".json")
}

func (p *Plan) madeFile() string { return p.file("-tokens") }

// allMade are those that runs remember, of all endpoints that the center has had.
func (p *Plan) allMade() (list []madeToken) {
	if file := p.madeFile(); file == "" || ReadFile(file, &list) != nil {
		return nil
	}
	return list
}

// made are those of the endpoint, of runs that have ended.
func (p *Plan) made() []madeToken {
	return slices.DeleteFunc(p.allMade(), func(m madeToken) bool {
		return m.Tenant != p.State.SCIM.TenantID || p.underWay(m)
	})
}

// remake remembers what edit leaves. Where nothing can be written, nothing is remembered: a person
// makes room then.
func (p *Plan) remake(edit func([]madeToken) []madeToken) {
	file := p.madeFile()
	if file == "" {
		return
	}
	before := p.allMade()
	list := edit(slices.Clone(before))
	switch {
	case len(list) == 0 && len(before) > 0:
		_ = os.Remove(file)
	case len(list) > 0:
		_ = WriteFile(file, list[max(0, len(list)-maxMade):])
	}
}

// is says whether two notes are of one token.
func (m madeToken) is(other madeToken) bool { return m.Tenant == other.Tenant && m.At.Equal(other.At) }

// remember notes how far a run has come with a token.
func (p *Plan) remember(m madeToken) {
	p.remake(func(list []madeToken) []madeToken {
		return append(slices.DeleteFunc(list, m.is), m)
	})
}

// forget lets go of some: nothing is left to be done about them.
func (p *Plan) forget(some func(madeToken) bool) {
	p.remake(func(list []madeToken) []madeToken { return slices.DeleteFunc(list, some) })
}

// forgetAll lets go of those of the endpoint whose runs have ended.
func (p *Plan) forgetAll() {
	p.forget(func(m madeToken) bool { return m.Tenant == p.State.SCIM.TenantID && !p.underWay(m) })
}

// makeToken makes an access token, and remembers that before it asks and when it has the answer.
// instead is the one whose place it takes.
func (p *Plan) makeToken(
	ctx context.Context, profile, instead string, before []adminapi.BearerToken,
) (token adminapi.BearerToken, m madeToken, err error) {
	m = madeToken{
		Tenant: p.State.SCIM.TenantID, At: time.Now().UTC(), Instead: instead, Stage: stageMade, Process: os.Getpid(),
	}
	for _, x := range before {
		m.Before = append(m.Before, x.TokenID)
	}
	_, kept := p.cfg.Center.(TokenKeeper)
	if !kept {
		p.remember(m)
	}
	token, err = p.cfg.Center.CreateBearerToken(ctx, m.Tenant, profile)
	switch m.ID = token.TokenID; {
	case kept:
	case err == nil:
		p.remember(m)
	case adminapi.ReasonOf(err) != "": // there is none
		p.forget(m.is)
	}
	return token, m, err
}

// stage remembers how far the run has come with a token.
func (p *Plan) stage(m madeToken, now madeStage) {
	if m.ID == "" { // a side that does not name its tokens remembers them itself
		return
	}
	m.Stage = now
	p.remember(m)
}

// putToken has the tenant save what has a token in it. A refusal says that it has not: the token is
// deleted then. One that says nothing about what was sent may follow on a request that was carried
// out and answered with an outage, so the next run finds out.
func (p *Plan) putToken(ctx context.Context, token adminapi.BearerToken, m madeToken, saved graph.Secrets) error {
	p.stage(m, stageSaving)
	err := p.graph(ctx, http.MethodPut, p.sync("/secrets"), saved, nil)
	var refused *graph.Error
	switch {
	case errors.As(err, &refused) && slices.Contains(sayNothing, refused.Status):
	case errors.As(err, &refused) && refused.Status < http.StatusInternalServerError:
		p.stage(m, stageMade)
		p.discard(ctx, token)
	case err == nil && m.Instead != "":
		p.stage(m, stageSaved)
	case err == nil && m.ID != "":
		p.forget(m.is)
	}
	return err
}

// sayNothing are refusals of who asks, or of how often.
var sayNothing = []int{http.StatusUnauthorized, http.StatusRequestTimeout, http.StatusTooManyRequests}

// discard deletes a token that this run has made and not saved, so that it does not pass for one in
// use. A side that does not name its tokens remembers it itself.
func (p *Plan) discard(ctx context.Context, token adminapi.BearerToken) {
	if token.TokenID == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goingOn)
	defer cancel()
	_ = p.deleteToken(ctx, token.TokenID) // the first error tells, and the next run deletes it
}

// away are a center's reasons not to delete a token that say that it is away already.
var away = []string{"access-token-not-found", "automatic-provisioning-off"}

// deleteToken deletes a token, if it is there still, and lets go of it.
func (p *Plan) deleteToken(ctx context.Context, id string) error {
	err := p.cfg.Center.DeleteBearerToken(ctx, p.State.SCIM.TenantID, id)
	if err != nil && !slices.Contains(away, adminapi.ReasonOf(err)) {
		return err
	}
	if id != "" {
		p.forget(func(m madeToken) bool { return m.ID == id || m.Instead == id })
	}
	return nil
}

// leftovers are tokens of runs that ended early.
type leftovers struct {
	unused  []string // nobody has them
	perhaps []string // the tenant may have been asked to save them; the oldest first
	either  []string // one of them is the job's, and the other left
}

func (l leftovers) any() bool { return len(l.unused)+len(l.either) > 0 }

// String names them.
func (l leftovers) String() string {
	list := slices.Clone(l.unused)
	if len(l.either) > 0 {
		list = append(list, "one of "+strings.Join(l.either, " and "))
	}
	return strings.Join(list, ", ")
}

// leftOf says which tokens are left of runs that ended early, by what the runs remember and what
// the tenant has saved. That may be another again, by a backup or by a person, so memory alone
// never says that one of two is the job's.
func (p *Plan) leftOf(ctx context.Context, tokens []adminapi.BearerToken) (l leftovers, err error) {
	there := func(id string) bool {
		return id != "" && slices.ContainsFunc(tokens, func(t adminapi.BearerToken) bool { return t.TokenID == id })
	}
	for _, m := range p.made() {
		if m.ID == "" {
			if m.ID, err = p.unanswered(ctx, m, tokens); err != nil {
				return l, err
			}
		}
		switch saved := p.State.Secrets[graph.KeySecretToken] != ""; {
		case m.Stage == stageSaved && p.State.Connected && there(m.ID) && there(m.Instead):
			l.either = []string{m.ID, m.Instead}
		case m.Stage == stageSaved || !there(m.ID):
		case m.Stage == stageMade, !saved:
			l.unused = append(l.unused, m.ID)
		case !p.State.Connected:
			if p.tokenRefused && onlyTested(tokens, m.ID) {
				l.perhaps = append(l.perhaps, m.ID)
			}
		case there(m.Instead):
			l.either = []string{m.ID, m.Instead}
		}
	}
	return l, nil
}

// onlyTested says whether a token was used by none but the run that made it.
func onlyTested(tokens []adminapi.BearerToken, id string) bool {
	return slices.ContainsFunc(tokens, func(t adminapi.BearerToken) bool {
		return t.TokenID == id && (t.LastUsedTime == nil || t.LastUsedTime.Before(t.CreationTime.Add(provedWithin)))
	})
}

// unanswered is the token whose making was not answered, if there is one only that it can be, and
// the center's log says that this program's key made it: somebody else may have made another then.
func (p *Plan) unanswered(ctx context.Context, m madeToken, tokens []adminapi.BearerToken) (string, error) {
	var found []string
	for _, t := range tokens {
		off := t.CreationTime.Sub(m.At)
		if t.LastUsedTime == nil && !slices.Contains(m.Before, t.TokenID) && off.Abs() < 3*ClockSkew {
			found = append(found, t.TokenID)
		}
	}
	if len(found) != 1 {
		return "", nil
	}
	own, err := p.own(ctx, found[0])
	if err != nil || !own {
		return "", err
	}
	return found[0], nil
}

// own says whether the center's log has it that this program's key made a token.
func (p *Plan) own(ctx context.Context, token string) (bool, error) {
	side, tells := p.cfg.Center.(interface {
		DidItself(ctx context.Context, event, subject string) (bool, error)
	})
	if !tells {
		return false, nil
	}
	did, err := side.DidItself(ctx, "CreateBearerToken", token)
	if adminapi.ReasonOf(err) != "" { // who may not read the log does not know
		return false, nil
	}
	return did, err
}

// clearLeft deletes tokens that nobody has, and returns those that stay.
func (p *Plan) clearLeft(ctx context.Context, tokens []adminapi.BearerToken) ([]adminapi.BearerToken, error) {
	l, err := p.leftOf(ctx, tokens)
	if err != nil {
		return nil, err
	}
	if len(l.either) > 0 {
		t := &tokenRotation{Rotation: &Rotation{plan: p}}
		other, err := t.whose(ctx, p.beforeTest(tokens))
		if err != nil {
			return nil, err
		}
		if slices.Contains(l.either, other.TokenID) {
			l.unused = append(l.unused, other.TokenID)
		}
	}
	if len(tokens)-len(l.unused) >= maxTokens && len(l.perhaps) > 0 {
		if p.testSaved(ctx); p.tokenRefused { // it may have been long ago
			l.unused = append(l.unused, l.perhaps[0])
		}
	}
	for _, id := range l.unused {
		if err := p.deleteToken(ctx, id); err != nil {
			return nil, err
		}
	}
	p.forget(func(m madeToken) bool { return m.Tenant == p.State.SCIM.TenantID && m.ID == "" && !p.underWay(m) })
	return slices.DeleteFunc(slices.Clone(tokens), func(t adminapi.BearerToken) bool {
		return slices.Contains(l.unused, t.TokenID)
	}), nil
}

// keepTokens notes how the tokens stand before the tenant is asked to use its own, where that may
// have to tell which one that is.
func (p *Plan) keepTokens(ctx context.Context) (err error) {
	if len(p.made()) > 0 {
		p.untouched, err = p.cfg.Center.BearerTokens(ctx, p.State.SCIM.TenantID)
	}
	return err
}

// beforeTest are the tokens as they were then, if they are the same still.
func (p *Plan) beforeTest(now []adminapi.BearerToken) []adminapi.BearerToken {
	same := func(a, b adminapi.BearerToken) bool { return a.TokenID == b.TokenID }
	if slices.EqualFunc(p.untouched, now, same) {
		return p.untouched
	}
	return now
}

const leftTitle = "Left access token"

// keptBeside are the job's token and another, at a side that remembers them itself; nil: there is
// no other.
func (p *Plan) keptBeside(ctx context.Context) ([]adminapi.BearerToken, error) {
	if _, kept := p.cfg.Center.(TokenKeeper); !kept {
		return nil, nil
	}
	tokens, err := p.cfg.Center.BearerTokens(ctx, p.State.SCIM.TenantID)
	if err != nil || len(tokens) < maxTokens {
		return nil, err
	}
	return tokens, nil
}

// keptStep is leftStep at a side that remembers its tokens itself.
func (p *Plan) keptStep(ctx context.Context) error {
	tokens, err := p.keptBeside(ctx)
	if tokens == nil || !p.settingsDone() { // otherwise there will be another, and the person makes room
		return err
	}
	t := &tokenRotation{Rotation: &Rotation{plan: p}, current: tokens[0]}
	t.sortKept(tokens[1])
	t.Steps[0].Title = leftTitle
	p.Steps = append(p.Steps, t.Steps...)
	return nil
}

// leftStep deletes what runs that ended early have left beside the token that the job has.
func (p *Plan) leftStep(ctx context.Context) error {
	if !p.State.Connected || p.State.Secrets[graph.KeySecretToken] == "" {
		return p.leftNote(ctx)
	}
	if err := p.keptStep(ctx); err != nil || len(p.made()) == 0 {
		return err
	}
	tokens, err := p.cfg.Center.BearerTokens(ctx, p.State.SCIM.TenantID)
	if err != nil {
		return err
	}
	left, err := p.leftOf(ctx, tokens)
	if err != nil {
		return err
	}
	if !left.any() { // whatever became of them, the job's works
		if !p.cfg.looking {
			p.forgetAll()
		}
		return nil
	}
	p.Steps = append(p.Steps, Step{
		Title:  leftTitle,
		Detail: "delete what a run that ended early made and the tenant does not use: " + left.String(),
		do: func(ctx context.Context) error {
			now, err := p.cfg.Center.BearerTokens(ctx, p.State.SCIM.TenantID)
			if err == nil {
				_, err = p.clearLeft(ctx, now)
			}
			if err == nil {
				p.forgetAll()
			}
			return err
		},
	})
	return nil
}

// leftNote names the tokens that go before another is made.
func (p *Plan) leftNote(ctx context.Context) error {
	if len(p.made()) == 0 || p.cfg.looking {
		return nil
	}
	tokens, err := p.cfg.Center.BearerTokens(ctx, p.State.SCIM.TenantID)
	if err != nil {
		return err
	}
	left, err := p.leftOf(ctx, tokens)
	if err == nil && left.any() {
		p.Notes = append(p.Notes, "a run that ended early made what the tenant does not use, and it is deleted: the "+
			"access token "+left.String())
	}
	return err
}
