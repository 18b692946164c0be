package awsstandin

import (
	"embed"
	"html/template"
	"io"
	"net/http"
	"strings"

	"github.com/gatehouse-id/gatehouse/adminapi"
)

//go:embed pages/console.html
var pages embed.FS

var templates = template.Must(template.ParseFS(pages, "pages/console.html"))

// view is what a page of the console shows.
type view struct {
	Account, Region, Problem, Notice string
	Source, SCIM, Token              string
	Portal, Issuer, Configuration    string
	ACS                              []string
	Automatic, Early                 bool
}

// ACS are the reply URLs: the classic one and the newer ones of both Regions.
func (a *AWS) ACS() []string {
	path := "/platform/saml/acs/" + a.center.Instance.SAMLTenantID
	return []string{
		"https://" + signInHost + path, "https://" + Region + ".signin.aws" + path,
		"https://" + Additional + ".signin.aws" + path,
	}
}

// Metadata is the service provider's, in the form of AWS's own file.
func (a *AWS) Metadata() string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?><md:EntityDescriptor ` +
		`xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="` + a.center.EntityID() + `"><md:SPSSODescriptor ` +
		`AuthnRequestsSigned="false" WantAssertionsSigned="true" ` +
		`protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><md:NameIDFormat>` +
		`urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress</md:NameIDFormat>`)
	for i, u := range a.ACS() {
		b.WriteString(`<md:AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" ` +
			`Location="` + u + `" index="` + string(rune('0'+i)) + `"`)
		if i == 0 {
			b.WriteString(` isDefault="true"`)
		}
		b.WriteString(`/>`)
	}
	b.WriteString(`</md:SPSSODescriptor></md:EntityDescriptor>`)
	return b.String()
}

// console has the pages of IAM Identity Center's console. Source: "How to connect to an external
// identity provider" and "Provision users and groups from an external identity provider using SCIM"
// of its user guide.
func (a *AWS) console() http.Handler {
	mux := http.NewServeMux()
	page := func(name string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { a.show(w, r, name, view{}) }
	}
	mux.HandleFunc("GET /singlesignon/home", page("settings"))
	mux.HandleFunc("GET /choose", page("choose"))
	mux.HandleFunc("GET /configure", page("configure"))
	mux.HandleFunc("GET /authentication", page("authentication"))
	mux.HandleFunc("GET /provisioning", page("provisioning"))
	mux.HandleFunc("GET /metadata.xml", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/xml")
		w.Header().Set("Content-Disposition", `attachment; filename="metadata.xml"`)
		_, _ = io.WriteString(w, a.Metadata())
	})
	mux.HandleFunc("POST /configure", a.configure)
	mux.HandleFunc("POST /review", a.review)
	mux.HandleFunc("POST /provisioning/enable", a.token)
	mux.HandleFunc("POST /provisioning/token", a.token)
	return mux
}

func (a *AWS) show(w http.ResponseWriter, r *http.Request, name string, v view) {
	v.Account, v.Region = a.center.Instance.OwnerAccountID, Region
	v.Early = a.Early
	if region := r.URL.Query().Get("region"); region != "" && region != Region {
		v.Problem = "IAM Identity Center can be changed in its primary Region only"
	}
	v.Portal = "https://" + a.center.Instance.IdentityStoreID + ".awsapps.com/start"
	v.Issuer, v.ACS = a.center.EntityID(), a.ACS()
	d, err := a.admin.DescribeDirectory(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	v.Source = "Identity Center directory"
	if d.IdentitySource == adminapi.SourceExternal {
		v.Source = "External identity provider"
	}
	if other := a.troubled().Source; other != "" {
		v.Source = other
	}
	tenants, err := a.admin.Tenants(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if len(tenants) > 0 {
		v.SCIM = atSCIM(tenants[0])
	}
	v.Automatic = v.SCIM == "" && d.IdentitySource == adminapi.SourceExternal
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := templates.ExecuteTemplate(w, name, v); err != nil {
		a.t.Error(err)
	}
}

// atSCIM is the endpoint in AWS's form.
func atSCIM(t adminapi.Tenant) string {
	return strings.Replace(t.ScimEndpoint, "https://"+signInHost, "https://"+scimHost, 1)
}

func (a *AWS) configure(w http.ResponseWriter, r *http.Request) {
	file, _, err := r.FormFile("metadata")
	if err != nil {
		a.show(w, r, "configure", view{Problem: "Choose file: " + err.Error()})
		return
	}
	const largest = 75_000 // characters that AWS takes
	data, err := io.ReadAll(io.LimitReader(file, largest))
	if err != nil {
		a.show(w, r, "configure", view{Problem: err.Error()})
		return
	}
	made, err := a.admin.CreateConfiguration(r.Context(), strings.TrimPrefix(string(data), "\ufeff"))
	if err != nil {
		a.show(w, r, "configure", view{Problem: err.Error()})
		return
	}
	a.show(w, r, "review", view{Configuration: made.ConfigurationID})
}

func (a *AWS) review(w http.ResponseWriter, r *http.Request) {
	id := r.FormValue("id")
	err := a.admin.EnableConfiguration(
		r.Context(), adminapi.ChangeInput{ConfigurationID: id, Confirmation: r.FormValue("confirmation")},
	)
	if err != nil {
		a.show(w, r, "review", view{Configuration: id, Problem: err.Error()})
		return
	}
	a.show(w, r, "settings", view{Notice: "You successfully changed the identity source"})
}

// token shows the endpoint and a new token, which is not shown again.
func (a *AWS) token(w http.ResponseWriter, r *http.Request) {
	if no := a.troubled().Console; no != "" {
		a.show(w, r, "provisioning", view{Problem: no})
		return
	}
	tenants, err := a.admin.Tenants(r.Context())
	if err == nil && len(tenants) == 0 {
		var made adminapi.Tenant
		made, err = a.admin.CreateTenant(r.Context())
		tenants = []adminapi.Tenant{made}
	}
	if err != nil {
		a.show(w, r, "settings", view{Problem: err.Error()})
		return
	}
	made, err := a.admin.CreateBearerToken(r.Context(), tenants[0].TenantID, "")
	if err != nil {
		a.show(w, r, "provisioning", view{Problem: err.Error()})
		return
	}
	a.show(w, r, "token", view{Token: made.Value})
}
