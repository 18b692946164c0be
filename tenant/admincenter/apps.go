package admincenter

import (
	"cmp"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/saml"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/web"
)

func apps(p page) error {
	var l struct {
		access
		listing[tenant.Application]
	}
	l.access, l.Listing = p.access, p.Listing("name", "created")
	all, err := p.h.Tenant.Applications(p.Context())
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(a tenant.Application) bool { return a.NoPrincipal })
	all = web.Found(l.Listing, all, func(a tenant.Application) []string {
		return []string{a.DisplayName, string(a.AppID), string(a.ID), string(a.ServicePrincipalID)}
	})
	l.Items, l.Pager = web.Page(l.Listing, all, pageSize, func(a tenant.Application, by string) string {
		if by == "created" {
			return a.CreatedAt.UTC().Format(time.RFC3339Nano)
		}
		return a.DisplayName
	})
	if p.Exports() {
		columns := []string{"id", "appId", "servicePrincipalId", "displayName", "singleSignOn", "createdDateTime"}
		return p.Export("applications", columns, func(row func(...string) error) error {
			for _, a := range l.Items {
				if err := row(string(a.ID), string(a.AppID), string(a.ServicePrincipalID), a.DisplayName, a.SSOMode,
					a.CreatedAt.UTC().Format(time.RFC3339)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return p.Render("apps", "Enterprise applications", "/admin/apps", l)
}

func gallery(p page) error {
	q := p.URL.Query().Get("q")
	return p.Render("gallery", "Browse the gallery", "/admin/apps", struct {
		Search     string
		Templates  []tenant.Template
		NonGallery string
	}{q, tenant.SearchGallery(q), tenant.NonGallery.ID})
}

func createApp(p page) error {
	t, err := tenant.FindTemplate(p.PostFormValue("template"))
	if err != nil {
		return err
	}
	a, err := p.h.Tenant.Instantiate(p.Context(), p.by, t, p.PostFormValue("name"))
	if err != nil {
		return err
	}
	return p.Done(
		"/admin/apps/"+string(a.ID),
		"The application is created. Next: assign users and groups, then set up single sign-on.",
	)
}

// appData is what the pages of an application share.
type appData struct {
	access

	App     tenant.Application
	Section string
	Data    any
}

// of is what a page of an application shows.
func (p page) of(a tenant.Application, section string, data any) appData {
	return appData{p.access, a, section, data}
}

// At is the address of a page of the application, below its overview.
func (d appData) At(below string) string { return addressOf(d.App, below) }

func addressOf(a tenant.Application, below string) string {
	return path.Join("/admin/apps", string(a.ID), below)
}

// applicationID is the id of the application that the path names: any of its three.
func (p page) applicationID() tenant.AnyApplicationID {
	return tenant.AnyApplicationID(p.PathValue("id"))
}

func (p page) app() (tenant.Application, error) {
	return p.h.Tenant.Application(p.Context(), p.applicationID())
}

func app(p page) error {
	a, err := p.app()
	if err != nil {
		return err
	}
	return p.Render("app", a.DisplayName, "/admin/apps", p.of(a, "overview", nil))
}

type samlData struct {
	Issuer, SignInURL, MetadataURL, UserAccessURL string
	Key                                           *tenant.SigningKey
	NameIDAttributes, NameIDFormats, Sources      []string
}

func samlPage(p page) error {
	a, err := p.app()
	if err != nil {
		return err
	}
	t := p.h.Tenant
	d := samlData{
		t.Issuer(), t.SignInURL(), t.MetadataURL(a.AppID), t.URL + "/signin/" + string(a.AppID), nil,
		tenant.NameIDAttributes,
		tenant.NameIDFormats, tenant.SourceAttributes(tenant.KindUser),
	}
	if k, err := a.SigningKeyOf(t.Now()); err == nil {
		d.Key = &k
	}
	return p.Render("saml", "Single sign-on", "/admin/apps", p.of(a, "saml", d))
}

// newSigningKey makes what can sign for an application for three years.
func (p page) newSigningKey() (tenant.SigningKey, error) {
	t := p.h.Tenant
	key, err := t.NewRSAKey()
	if err != nil {
		return tenant.SigningKey{}, err
	}
	now := t.Now()
	signs, err := saml.Certify(key, now, now.AddDate(3, 0, 0))
	if err != nil {
		return tenant.SigningKey{}, err
	}
	return t.NewSigningKey(key, signs.Certificate, "CN="+p.PathValue("id")), nil
}

// editSAML changes an application and puts it into SAML mode with a certificate, which the portal
// makes by itself.
func (p page) editSAML(notice string, edit func(*tenant.Application)) error {
	stored, err := p.newSigningKey()
	if err != nil {
		return err
	}
	_, err = p.h.Tenant.UpdateApplication(p.Context(), p.by, p.applicationID(), func(a *tenant.Application) error {
		a.SSOMode = "saml"
		if a.ActiveThumbprint == "" {
			a.Keys, a.ActiveThumbprint = append(a.Keys, stored), stored.Thumbprint
		}
		edit(a)
		return nil
	})
	if err != nil {
		return err
	}
	return p.Done("/admin/apps/"+p.PathValue("id")+"/saml", notice)
}

// samlSaved says that settings are saved, and what there is to know about the file.
func samlSaved(note string) string {
	const saved = "The SAML settings are saved."
	if note == "" {
		return saved
	}
	return saved + " Note: " + note + "."
}

// uploadMetadata fills identifier and reply URL from the service provider's metadata file.
func uploadMetadata(p page) error {
	file, _, err := p.FormFile("file")
	if err != nil {
		return &refusal.Error{Code: tenant.InvalidRequest, Detail: "choose the service provider's metadata file"}
	}
	defer file.Close() //nolint:errcheck // it was only read
	data, err := io.ReadAll(io.LimitReader(file, saml.MaxMetadataFile+1))
	if err != nil {
		return &refusal.Error{Code: tenant.InvalidRequest, Detail: "the file cannot be read"}
	}
	sp, err := saml.ParseServiceProvider(data)
	if err != nil {
		return p.h.Tenant.Refuse(
			p.Context(), p.by, "Update application", p.PathValue("id"),
			&refusal.Error{Code: tenant.InvalidValue, Subject: "metadata", Detail: err.Error()},
		)
	}
	return p.editSAML(samlSaved(saml.Expired(sp.ValidUntil, p.h.Tenant.Now())), func(a *tenant.Application) {
		a.IdentifierURIs, a.ReplyURLs = []string{sp.EntityID}, sp.ACSURLs
	})
}

func saveSAML(p page) error {
	identifier, signOn := strings.TrimSpace(p.PostFormValue("identifier")), strings.TrimSpace(p.PostFormValue("signon"))
	replies := strings.Fields(p.PostFormValue("replies"))
	return p.editSAML(samlSaved(""), func(a *tenant.Application) {
		a.IdentifierURIs = []string{}
		if identifier != "" {
			a.IdentifierURIs = []string{identifier}
		}
		a.ReplyURLs, a.SignOnURL = replies, signOn
	})
}

func downloadMetadata(p page) error {
	a, err := p.app()
	if err != nil {
		return err
	}
	data, err := p.h.Metadata(a)
	if err != nil {
		return err
	}
	return p.Download("federationmetadata.xml", "application/samlmetadata+xml; charset=utf-8", data)
}

func assign(p page) error {
	a, err := p.app()
	if err != nil {
		return err
	}
	list, err := p.named()
	if err != nil {
		return err
	}
	return p.assignAll(a, list, addressOf(a, "assignments"))
}

// roleOf is the role of an application that a form gives: its first, where the form names none.
func (p page) roleOf(a tenant.Application, named string) tenant.AppRoleID {
	role := tenant.AppRoleID(named)
	if roles := a.AppRoles(); role == "" && len(roles) > 0 {
		role = roles[0].ID
	}
	return cmp.Or(role, tenant.DefaultAccess)
}

type provisioningData struct {
	Job         *tenant.Job
	HasToken    bool
	Running     bool
	Done, Total int
	Standing    tenant.Standing
	Log         provisioningLog
	InStep      tenant.InStep
}

// On says whether a cycle may begin while somebody looks at the page.
func (d provisioningData) On() bool { return d.Job != nil && d.Job.State == tenant.JobActive }

func provisioning(p page) error {
	a, err := p.app()
	if err != nil {
		return err
	}
	jobs, err := p.h.Tenant.Jobs(p.Context(), a.ServicePrincipalID)
	if err != nil {
		return err
	}
	d := provisioningData{}
	if len(jobs) > 0 {
		if p.Exports() {
			return p.exportLog(jobs[0].ID)
		}
		d.Job, d.HasToken = &jobs[0], jobs[0].Credentials.SealedToken != ""
		if d.InStep, err = p.h.Tenant.InStep(p.Context(), jobs[0].ID); err != nil {
			return err
		}
		d.Done, d.Total, d.Running = p.h.Progress(string(jobs[0].ID))
		d.Standing = p.h.Standing(jobs[0].ID)
		if d.Log, err = p.provisioningLog(jobs[0].ID); err != nil {
			return err
		}
	}
	return p.Render("provisioning", "Provisioning", "/admin/apps", p.of(a, "provisioning", d))
}

// appJob is an application's job.
type appJob struct {
	tenant.Job
	app tenant.Application
}

// job returns the application's job and makes it when there is none.
func (p page) job() (j appJob, err error) {
	if j.app, err = p.app(); err != nil {
		return j, err
	}
	jobs, err := p.h.Tenant.Jobs(p.Context(), j.app.ServicePrincipalID)
	if err != nil {
		return j, err
	}
	if len(jobs) > 0 {
		j.Job = jobs[0]
		return j, nil
	}
	t, err := tenant.FindTemplate(j.app.TemplateID)
	if err == nil {
		j.Job, err = p.h.Tenant.CreateJob(p.Context(), p.by, j.app.ServicePrincipalID, t.SyncTemplate)
	}
	return j, err
}

// saveProvisioning is Test Connection and Save: both buttons send the same form. An empty token
// stands for the saved one, which goes to its own address only.
func saveProvisioning(p page) error {
	a, err := p.app()
	if err != nil {
		return err
	}
	jobs, err := p.h.Tenant.Jobs(p.Context(), a.ServicePrincipalID)
	if err != nil {
		return err
	}
	j := append(jobs, tenant.Job{})[0] // the first time it is made below, together with its settings
	address, token := strings.TrimSpace(p.PostFormValue("url")), strings.TrimSpace(p.PostFormValue("token"))
	var target tenant.Target
	if token == "" {
		target, err = p.h.Tenant.SavedTarget(j, address)
	} else {
		target, err = tenant.NewTarget(address, token)
	}
	if err == nil {
		err = p.h.Test(p.Context(), target)
	}
	if err != nil {
		return p.h.Tenant.Refuse(p.Context(), p.by, "Test Connection", a.DisplayName, err)
	}
	back := "/admin/apps/" + string(a.ID) + "/provisioning"
	if p.PostFormValue("do") == "test" {
		return p.Stay(back, "The supplied credentials are authorized to enable provisioning.")
	}
	email, all := p.PostFormValue("email"), p.PostFormValue("scope") == "all"
	threshold := 0
	if p.PostFormValue("prevent") == "true" {
		if threshold, err = strconv.Atoi(p.PostFormValue("threshold")); err != nil || threshold < 1 {
			return &refusal.Error{
				Code:    tenant.InvalidValue,
				Subject: "deletion threshold",
				Detail:  "it must be 1 or more",
			}
		}
	}
	settings := tenant.JobSettings{
		BaseAddress:       &address,
		NotificationEmail: &email,
		SyncAll:           &all,
		DeleteThreshold:   &threshold,
	}
	if token != "" {
		settings.SecretToken = &token
	}
	if err := p.configure(a, j, settings); err != nil {
		return err
	}
	return p.Done(back, "The provisioning settings are saved.")
}

// configure saves the settings of an application's job, and makes it where there is none.
func (p page) configure(a tenant.Application, j tenant.Job, settings tenant.JobSettings) error {
	if j.ID != "" {
		return p.h.Tenant.ConfigureJob(p.Context(), p.by, j.ID, settings)
	}
	t, err := tenant.FindTemplate(a.TemplateID)
	if err == nil {
		_, err = p.h.Tenant.CreateJobWith(p.Context(), p.by, a.ServicePrincipalID, t.SyncTemplate, settings)
	}
	return err
}

var controls = []string{"start", "pause", "restart", "allow-deletes"}

func controlProvisioning(p page) error {
	do := p.PathValue("do")
	if !slices.Contains(controls, do) {
		return &refusal.Error{Code: tenant.InvalidRequest, Detail: do}
	}
	j, err := p.job()
	if err != nil {
		return err
	}
	notice := ""
	switch do {
	case "start":
		err, notice = p.h.Tenant.StartJob(p.Context(), p.by, j.ID), "Provisioning is on."
	case "pause":
		err, notice = p.h.Tenant.PauseJob(
			p.Context(), p.by, j.ID,
		), "Provisioning is paused. A running cycle still finishes."
	case "allow-deletes":
		err, notice = p.h.Tenant.RestartJob(
			p.Context(), p.by, j.ID, tenant.Reset{ForceDeletes: true},
		), "The next cycle carries out the deletions that were held back."
	case "restart":
		err, notice = p.h.Tenant.RestartJob(
			p.Context(), p.by, j.ID,
			tenant.Reset{Links: true, Watermark: true, Quarantine: true, Escrows: true},
		), "All users and groups are evaluated again, and compared with what the target has."
	}
	if err != nil {
		return err
	}
	return p.Done("/admin/apps/"+string(j.app.ID)+"/provisioning", notice)
}
