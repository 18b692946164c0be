package terraform

import (
	"encoding/base64"
	"fmt"

	"github.com/hashicorp/hcl/v2/hclwrite"

	"github.com/gatehouse-id/gatehouse/graph"
)

// The types of resources of the AzureAD provider. Source: its documentation.
const (
	fromTemplate  = "azuread_application_from_template"
	identifierURI = "azuread_application_identifier_uri"
	redirectURIs  = "azuread_application_redirect_uris"
	principal     = "azuread_service_principal"
	certificate   = "azuread_service_principal_token_signing_certificate"
	claimsPolicy  = "azuread_claims_mapping_policy"
	claimsOf      = "azuread_service_principal_claims_mapping_policy_assignment"
	job           = "azuread_synchronization_job"
	roleOf        = "azuread_app_role_assignment"
)

// this is the name of what there is one of.
const this = "this"

// entra writes the tenant's side.
func (e *exporter) entra() error {
	return e.pair("entra", func(f, imports *file) {
		f.comment(e.entraPreface()...)
		f.apart()
		f.block("provider", []string{"azuread"}, func(b *body) { b.text("tenant_id", e.Entra.TenantID) })
		e.entraApplication(f, imports)
		e.entraPrincipal(f, imports)
		e.certificates(f, imports)
		e.claims(f, imports)
		e.jobs(f, imports)
		e.roles(f, imports)
	})
}

func (e *exporter) entraPreface() []string {
	return []string{
		"The enterprise application " + e.Entra.Principal.DisplayName + " of the tenant " + e.Entra.TenantID + ".", "",
		"The tenant publishes its federation metadata for the application at " + e.Entra.MetadataURL + ".", "",
		"Provisioning's endpoint and access token are no resource here: azuread_synchronization_secret cannot be " +
			"imported, and would keep the token in Terraform's state. gatehouse connect and gatehouse rotate " +
			"scim-token set them. What people get of which attribute (the job's schema) has no resource.",
	}
}

func (e *exporter) entraApplication(f, imports *file) {
	a := e.Entra.Application
	e.resource(f, fromTemplate, this, 1, func(b *body) {
		b.text("display_name", a.DisplayName)
		b.text("template_id", a.ApplicationTemplateID)
		b.lifecycle(map[string]string{}, true)
	})
	imports.imports(fromTemplate, this, fmt.Sprintf(
		"/applicationTemplates/%s/instantiate/%s/%s", a.ApplicationTemplateID, a.ID, e.Entra.Principal.ID,
	))
	application := to(fromTemplate, this, "application_id")
	for _, uri := range a.IdentifierURIs {
		name := this
		if len(a.IdentifierURIs) > 1 {
			name = "uri_" + digest(uri)
		}
		e.resource(f, identifierURI, name, 1, func(b *body) {
			b.ref("application_id", application)
			b.text("identifier_uri", uri)
		})
		imports.imports(
			identifierURI, name,
			"/applications/"+a.ID+"/identifierUris/"+base64.StdEncoding.EncodeToString([]byte(uri)),
		)
	}
	if len(a.IdentifierURIs) > 0 {
		f.block("check", []string{"identity_store"}, func(b *body) {
			b.assert(fmt.Sprintf(
				"anytrue([for uri in %s : endswith(uri, \"/${var.identity_store_id}\")])",
				string(hclwrite.Format(list(a.IdentifierURIs).Bytes())),
			), "The application's identifier is another identity store's: sign-in to this one fails.")
		})
	}
	if a.Web == nil || len(a.Web.RedirectURIs) == 0 {
		return
	}
	e.resource(f, redirectURIs, this, 1, func(b *body) {
		b.ref("application_id", application)
		b.text("type", "Web")
		b.texts("redirect_uris", a.Web.RedirectURIs)
	})
	imports.imports(redirectURIs, this, "/applications/"+a.ID+"/redirectUris/Web")
}

// assert adds an assertion to a check block. The condition is Terraform's own text.
func (b *body) assert(condition, message string) {
	b.block("assert", func(b *body) {
		b.SetAttributeRaw("condition", hclwrite.TokensForIdentifier(condition))
		b.text("error_message", message)
	})
}

func (e *exporter) entraPrincipal(f, imports *file) {
	p := e.Entra.Principal
	e.resource(f, principal, this, 1, func(b *body) {
		b.text("client_id", p.AppID)
		b.some("description", p.Description)
		b.some("notes", p.Notes)
		if p.AccountEnabled != nil && !*p.AccountEnabled {
			b.flag("account_enabled", false)
		}
		b.flag("app_role_assignment_required", p.AppRoleAssignmentRequired)
		b.some("preferred_single_sign_on_mode", p.PreferredSingleSignOnMode)
		b.some("login_url", p.LoginURL)
		for _, l := range []struct {
			name   string
			values []string
		}{
			{"notification_email_addresses", p.NotificationEmailAddresses}, {"alternative_names", p.AlternativeNames},
			{"owners", e.Entra.Owners},
		} {
			if len(l.values) > 0 {
				b.texts(l.name, l.values)
			}
		}
		if p.SAML != nil && p.SAML.RelayState != "" {
			b.AppendNewline()
			b.block("saml_single_sign_on", func(b *body) { b.text("relay_state", p.SAML.RelayState) })
		}
		b.AppendNewline()
		b.block("lifecycle", func(b *body) {
			b.flag("prevent_destroy", true)
			if e.unread("owners") {
				b.SetAttributeRaw("ignore_changes", hclwrite.TokensForTuple([]hclwrite.Tokens{tokensOf(to("owners"))}))
			}
		})
	})
	imports.imports(principal, this, "/servicePrincipals/"+p.ID)
}

// unread says whether something of the tenant could not be read.
func (e *exporter) unread(what string) bool {
	for _, u := range e.Entra.Unread {
		if u.What == what {
			return true
		}
	}
	return false
}

// certificates writes the certificates that assertions are signed with. A new one is made by
// gatehouse rotate, which has both sides trust it: Terraform must not. Name and end are not
// written: the provider compares their texts, and takes what is there where it is told nothing.
func (e *exporter) certificates(f, imports *file) {
	p := e.Entra.Principal
	for _, k := range p.KeyCredentials {
		if !graph.SignsWith(p.KeyCredentials, k) {
			continue
		}
		name := "until_" + k.EndDateTime.UTC().Format("2006-01-02") + "_" + digest(k.KeyID)
		e.resource(f, certificate, name, 1, func(b *body) {
			b.ref("service_principal_id", to(principal, this, "id"))
			b.lifecycle(map[string]string{}, true)
		})
		imports.imports(certificate, name, p.ID+"/tokenSigningCertificate/"+k.KeyID)
		f.block("check", []string{"certificate_" + name}, func(b *body) {
			b.assert(
				`timecmp(plantimestamp(), timeadd(`+certificate+"."+name+`.end_date, "-720h")) < 0`,
				"A SAML signing certificate ends within 30 days: gatehouse rotate certificate replaces it on both "+
					"sides.",
			)
		})
	}
}

// claims writes the claims mapping policies. Their text is kept as it is: the provider compares it
// letter by letter.
func (e *exporter) claims(f, imports *file) {
	for _, p := range e.Entra.Policies {
		name := e.identifier(claimsPolicy, p.DisplayName, p.ID)
		e.resource(f, claimsPolicy, name, 1, func(b *body) {
			b.text("display_name", p.DisplayName)
			b.texts("definition", p.Definition)
		})
		imports.imports(claimsPolicy, name, "/policies/claimsMappingPolicies/"+p.ID)
		e.resource(f, claimsOf, name, 1, func(b *body) {
			b.ref("service_principal_id", to(principal, this, "id"))
			b.ref("claims_mapping_policy_id", to(claimsPolicy, name, "id"))
		})
		imports.imports(
			claimsOf, name, "/servicePrincipals/"+e.Entra.Principal.ID+"/claimsMappingPolicies/"+p.ID,
		)
	}
}

func (e *exporter) jobs(f, imports *file) {
	for _, j := range e.Entra.Jobs {
		name := this
		if len(e.Entra.Jobs) > 1 {
			name = "job_" + digest(j.ID)
		}
		enabled := j.Schedule != nil && j.Schedule.State == "Active"
		e.resource(f, job, name, 1, func(b *body) {
			b.ref("service_principal_id", to(principal, this, "id"))
			b.text("template_id", j.TemplateID)
			b.flag("enabled", enabled)
		})
		imports.imports(job, name, "/servicePrincipals/"+e.Entra.Principal.ID+"/synchronization/jobs/"+j.ID)
	}
}

// roles writes who is assigned to the application: names and ids, since the tenant has them.
func (e *exporter) roles(f, imports *file) {
	if len(e.Entra.Assigned) == 0 {
		return
	}
	var all, ids []entry
	unique := keys{}
	for _, a := range e.Entra.Assigned {
		key := unique.of(a.PrincipalType+"/"+a.PrincipalDisplayName, a.ID)
		all = append(all, entry{key: key, fields: []field{
			{"role", quoted(a.AppRoleID)}, {"principal", quoted(a.PrincipalID)},
		}})
		ids = append(ids, entry{key: key, value: quoted(
			"/servicePrincipals/" + e.Entra.Principal.ID + "/appRoleAssignedTo/" + a.ID,
		)})
	}
	f.comment(append([]string{"Who is assigned to the application, and so may be provisioned and sign in. Its roles:"},
		e.roleNames()...)...)
	e.resource(f, roleOf, this, len(all), func(b *body) {
		b.SetAttributeRaw("for_each", entries(all))
		b.ref("app_role_id", to("each", "value", "role"))
		b.ref("principal_object_id", to("each", "value", "principal"))
		b.ref("resource_object_id", to(principal, this, "object_id"))
	})
	imports.importsEach(roleOf, this, ids)
}

// roleNames are the roles that are assigned, with their ids.
func (e *exporter) roleNames() (lines []string) {
	for _, r := range e.Entra.Principal.AppRoles {
		for _, a := range e.Entra.Assigned {
			if a.AppRoleID == r.ID {
				lines = append(lines, "- "+r.ID+" is "+r.DisplayName)
				break
			}
		}
	}
	return lines
}
