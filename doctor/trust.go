package doctor

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/graph"
)

const (
	learn    = "https://learn.microsoft.com/entra/identity/"
	awsGuide = "https://docs.aws.amazon.com/singlesignon/latest/userguide/"
)

// The checks of what is set up at all.
func setUpChecks() []Check {
	return []Check{
		{
			"wrong-application",
			"The gallery's other AWS application is used, which federates with IAM of one account",
			[]Source{Apps}, Setup, nil, learn + "saas-apps/aws-single-sign-on-tutorial", wrongApplication,
		},
		{
			"account-instance", "The instance is one of a member account, which has no permission sets",
			[]Source{Instances, AWSAccounts}, Setup, nil, awsGuide + "account-instances-identity-center.html",
			accountInstance,
		},
		{
			"no-instance", "The Region that was asked has no instance", []Source{Instances}, Setup, nil,
			awsGuide + "regions.html", noInstance,
		},
		{
			"customer-key", "The key that the instance is encrypted with cannot be used", []Source{Instances}, Setup,
			nil, awsGuide + "encryption-at-rest.html", customerKey,
		},
		{
			"application-missing", "Entra has no application for Identity Center", []Source{Apps}, Setup,
			[]string{"wrong-application"}, learn + "saas-apps/aws-single-sign-on-tutorial", applicationMissing,
		},
		{
			"application-disabled", "Nobody may sign in to the application", []Source{Apps}, SignInAt, nil,
			learn + "enterprise-apps/disable-user-sign-in-portal", applicationDisabled,
		},
		{
			"consent", "An administrator has not consented to permissions of the program that looks",
			[]Source{Permissions}, Setup, nil, learn + "enterprise-apps/grant-admin-consent", consent,
		},
		{
			"identity-source", "The center does not use an external identity provider", []Source{Console}, SignInAt,
			nil, awsGuide + "manage-your-identity-source-idp.html", identitySource,
		},
	}
}

// The checks of the trust: which addresses and keys the two sides have of each other.
func trustChecks() []Check {
	return []Check{
		{
			"saml-mode", "The application does not sign in with SAML", []Source{Apps}, SignInAt,
			[]string{"wrong-application", "two-applications"},
			learn + "enterprise-apps/add-application-portal-setup-sso", samlMode,
		},
		{
			"identifier-taken", "Two applications have one identifier", []Source{Apps}, SignInAt, nil,
			learn + "enterprise-apps/configure-saml-single-sign-on", identifierTaken,
		},
		{
			"identifier", "The identifier is not the entity ID of the instance", []Source{Apps, Instances}, SignInAt,
			[]string{"wrong-application", "application-missing", "no-instance", "identifier-taken"},
			awsGuide + "idp-microsoft-entra.html", identifier,
		},
		{
			"two-applications", "People sign in at one application, and another one provisions them",
			[]Source{Apps, Jobs, Assigned}, Setup, []string{"wrong-application"},
			learn + "saas-apps/aws-single-sign-on-provisioning-tutorial", twoApplications,
		},
		{
			"reply-url", "A Region's reply URL is missing, or of another instance", []Source{Apps}, SignInAt,
			[]string{"wrong-application", "application-missing", "saml-mode"},
			awsGuide + "multi-region-workforce-access.html", replyURL,
		},
		{
			"sign-on-url", "The sign-on URL does not lead to the portal", []Source{Apps}, SignInAt,
			[]string{"wrong-application"}, awsGuide + "idp-microsoft-entra.html", signOnURL,
		},
		{
			"saml-certificate", "The certificate that signs has ended, or ends soon", []Source{Apps}, SignInAt,
			[]string{"wrong-application"},
			learn + "enterprise-apps/tutorial-manage-certificates-for-federated-single-sign-on",
			samlCertificate,
		},
		{
			"issuer", "The center trusts another issuer than this tenant", []Source{Console}, SignInAt, nil,
			awsGuide + "how-to-connect-idp.html", issuer,
		},
		{
			"saml-key", "The center does not have the key that signs", []Source{Apps, Console}, SignInAt,
			[]string{"issuer", "identity-source"}, awsGuide + "rotatesamlcert.html", samlKey,
		},
		{
			"trusted-certificate", "A certificate that the center trusts has ended, or ends soon", []Source{Console},
			SignInAt, []string{"saml-certificate"}, awsGuide + "rotatesamlcert.html", trustedCertificate,
		},
		{
			"token-encryption", "Entra encrypts assertions, which Identity Center cannot read", []Source{Apps},
			SignInAt,
			nil, awsGuide + "other-idps.html", tokenEncryption,
		},
	}
}

func wrongApplication(l *look, a *answer) {
	for i := range l.e.ServicePrincipals {
		sp := &l.e.ServicePrincipals[i]
		if !federatesIAM(*sp) || (sp != l.sso && sp != l.prov) {
			continue
		}
		a.find(
			Broken, "", fmt.Sprintf("%q is the gallery application that federates with IAM of single accounts",
				sp.DisplayName),
			"AWS Single-Account Access was set up. It signs in to IAM roles, and its job only imports roles; "+
				"it knows nothing of Identity Center and sends no people there",
		).value("Entra, identifiers", strings.Join(sp.ServicePrincipalNames, ", ")).
			value("the center's entity ID", l.entityID()).
			fix("Create the gallery application AWS IAM Identity Center, and set up sign-in and provisioning in it",
				"",
				"https://entra.microsoft.com/#view/Microsoft_AAD_IAM/AppGalleryBladeV2")
	}
}

func accountInstance(l *look, a *answer) {
	in := l.instance
	if in == nil || l.organizational(*in) {
		return
	}
	a.find(
		Broken, "", "the instance belongs to account "+in.OwnerAccountID+", not to the organization",
		"It is an account instance: it serves applications of that account only, and has no permission sets. "+
			"The organization's instance is made in the management account",
	).value("owner of the instance", in.OwnerAccountID).
		value("management account", l.a.Organization.MasterAccountID).
		fix("Use the organization's instance; delete the account instance if nothing needs it", "",
			l.console("settings"))
}

func noInstance(l *look, a *answer) {
	if l.instance != nil {
		return
	}
	cause := "IAM Identity Center lives in one primary Region, and answers nothing in the others"
	f := a.find(Broken, "", "no instance answered in "+cmp.Or(l.a.Region, "the Region"), cause)
	for _, sp := range l.e.ServicePrincipals {
		for _, name := range sp.ServicePrincipalNames {
			if u, err := url.Parse(name); err == nil && isIdentityCenter(name) {
				region, _, _ := strings.Cut(u.Host, ".")
				f.value("Entra's identifier names", region)
			}
		}
	}
	f.value("Region that was asked", l.a.Region).
		fix("Ask again with the Region of the instance", "gatehouse doctor --region REGION", "")
}

func customerKey(l *look, a *answer) {
	if l.instance == nil || l.instance.Encryption == nil {
		return
	}
	e := l.instance.Encryption
	bad := e.EncryptionStatus != "" && !strings.EqualFold(e.EncryptionStatus, "ENABLED") &&
		!strings.EqualFold(e.EncryptionStatus, "UPDATING")
	if !bad && !strings.Contains(e.EncryptionStatusReason, "KMS") {
		return
	}
	a.find(
		Broken, "", "the instance's KMS key cannot be used: "+cmp.Or(e.EncryptionStatusReason, e.EncryptionStatus),
		"The key is disabled, waits for its deletion, or its policy leaves out Identity Center, the identity store "+
			"or the delegated administrator's account",
	).value("key", e.KmsKeyArn).value("status", e.EncryptionStatus).
		fix("Enable the key, and give its policy the statements of the guide",
			shell("aws", "kms", "describe-key", "--key-id", e.KmsKeyArn), "")
}

func applicationMissing(l *look, a *answer) {
	if l.sso != nil && !federatesIAM(*l.sso) {
		return
	}
	a.find(Broken, "", "Entra has no enterprise application for this Identity Center",
		"The application AWS IAM Identity Center was never created, or was deleted").
		value("expected identifier", l.entityID()).
		fix("Create it, or restore it from the recycle bin", "gatehouse connect", "")
}

func applicationDisabled(l *look, a *answer) {
	if l.sso != nil && l.sso.AccountEnabled != nil && !*l.sso.AccountEnabled {
		a.find(Broken, "", "sign-in to the application "+l.sso.DisplayName+" is switched off",
			"\"Enabled for users to sign-in?\" is No: Entra refuses everybody with AADSTS7000112 or AADSTS50105").
			value("Entra, accountEnabled", "false").
			fix("Switch it on under Properties", "", l.admin(l.sso, "Properties"))
	}
}

func consent(l *look, a *answer) {
	c := l.e.Consent
	if c == nil {
		return
	}
	var missing []string
	for _, p := range c.Required {
		if !slices.Contains(c.Granted, p) {
			missing = append(missing, p)
		}
	}
	if len(missing) == 0 {
		return
	}
	a.find(Broken, "", "the program that looks was not granted "+strings.Join(missing, ", "),
		"The permissions were added to the registration, and no administrator consented to them: calls that need them "+
			"are answered with \"Insufficient privileges\"").
		value("Entra, asked for", strings.Join(c.Required, ", ")).value("granted", strings.Join(c.Granted, ", ")).
		fix("Grant admin consent under API permissions", "az ad app permission admin-consent --id "+c.AppID, "")
}

func identitySource(l *look, a *answer) {
	if l.a.Directory == nil || l.a.Directory.IdentitySource != adminapi.SourceDirectory || l.sso == nil {
		return
	}
	a.find(Broken, "", "the center's identity source is its own directory",
		"The identity source was never changed to the external identity provider, or was changed back: "+
			"the portal asks for a password of its own instead of sending people to Entra").
		value("center, identity source", l.a.Directory.IdentitySource).
		value("Entra, application", l.sso.DisplayName).
		fix("Change the identity source to the external identity provider", "gatehouse connect",
			l.console("settings"))
}

func samlMode(l *look, a *answer) {
	if l.sso == nil || (l.sso.PreferredSingleSignOnMode != nil && *l.sso.PreferredSingleSignOnMode == "saml") {
		return
	}
	mode := ""
	if l.sso.PreferredSingleSignOnMode != nil {
		mode = *l.sso.PreferredSingleSignOnMode
	}
	a.find(Broken, "", "single sign-on of the application "+l.sso.DisplayName+" is not SAML",
		"Single sign-on was never set up in this application, or in another mode").
		value("Entra, single sign-on mode", mode).value("needed", "saml").
		fix("Choose SAML under Single sign-on", "", l.admin(l.sso, "SignOn"))
}

func identifierTaken(l *look, a *answer) {
	holders := map[string][]string{}
	for _, sp := range l.e.ServicePrincipals {
		for _, name := range sp.ServicePrincipalNames {
			if isIdentityCenter(name) || name == l.entityID() {
				holders[strings.ToLower(name)] = append(holders[strings.ToLower(name)], sp.DisplayName+" ("+sp.ID+")")
			}
		}
	}
	for _, app := range l.e.Applications { // an application without a service principal of its own
		for _, name := range app.IdentifierURIs {
			known := slices.ContainsFunc(l.e.ServicePrincipals,
				func(sp graph.ServicePrincipal) bool { return sp.AppID == app.AppID })
			if !known && name == l.entityID() && name != "" {
				holders[strings.ToLower(name)] = append(holders[strings.ToLower(name)],
					app.DisplayName+" (application)")
			}
		}
	}
	for name, who := range holders {
		if len(who) < 2 {
			continue
		}
		a.find(Broken, "", fmt.Sprintf("%d applications have the identifier %s", len(who), name),
			"Entra picks one of them for the request: its assignments, certificate and reply URLs count, not those "+
				"of the other").
			value("applications", strings.Join(who, "; ")).
			fix("Remove the identifier from the application that is not in use", "", l.admin(l.sso, "SignOn"))
	}
}

func identifier(l *look, a *answer) {
	want := l.entityID()
	if l.sso == nil || want == "" || slices.Contains(l.sso.ServicePrincipalNames, want) {
		return
	}
	closest, kind := "", ""
	cause := "The identifier was never set, or is that of another instance: Entra answers AADSTS700016, " +
		"or AWS refuses the audience"
	for _, name := range l.sso.ServicePrincipalNames {
		if !strings.Contains(name, "://") {
			continue
		}
		closest = name
		switch {
		case strings.EqualFold(strings.Trim(name, "/ "), strings.Trim(want, "/ ")) || distance(name, want) <= 2:
			kind = "near"
			cause = "It is off by a character, a slash or a letter's case: Entra compares exactly, and answers " +
				"AADSTS700016"
		case isIdentityCenter(name) && storeOf(name) == storeOf(want):
			kind, cause = "region", "The identifier names another Region than the instance's primary one"
		case isIdentityCenter(name):
			kind = "instance"
			cause = "The identifier is that of another instance, such as one that was deleted and made again"
		}
	}
	a.find(Broken, kind, "the application's identifier is not the entity ID of the instance", cause).
		value("Entra, identifier", closest).value("AWS, entity ID", want).
		fix("Set the identifier under Basic SAML Configuration", "", l.admin(l.sso, "SignOn"))
}

func storeOf(entityID string) string { return entityID[strings.LastIndexByte(entityID, '/')+1:] }

// distance is how many characters differ, by Levenshtein.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			before, row[j] = row[j], min(row[j]+1, row[j-1]+1, before+cost)
		}
	}
	return row[len(b)]
}

func twoApplications(l *look, a *answer) {
	if l.sso == nil || l.prov == nil || l.sso == l.prov || federatesIAM(*l.sso) || federatesIAM(*l.prov) {
		return
	}
	assigned := func(sp *graph.ServicePrincipal) (names []string) {
		for _, x := range l.e.Assigned {
			if x.ResourceID == sp.ID {
				names = append(names, x.PrincipalDisplayName)
			}
		}
		slices.Sort(names)
		return names
	}
	signs, sends := assigned(l.sso), assigned(l.prov)
	state, fact := Warning, "sign-in and provisioning are in two applications"
	if !slices.Equal(signs, sends) {
		state, fact = Broken, "sign-in and provisioning are in two applications, with different assignments"
	}
	a.find(state, "", fact,
		"People who are assigned to one of the two are provisioned and cannot sign in, or sign in and are not there").
		value(l.sso.DisplayName+" signs in", strings.Join(signs, ", ")).
		value(l.prov.DisplayName+" provisions", strings.Join(sends, ", ")).
		fix("Set up provisioning in the application that signs in, and switch the other job off", "",
			l.admin(l.sso, "Provisioning"))
}

func replyURL(l *look, a *answer) {
	if l.sso == nil || federatesIAM(*l.sso) {
		return
	}
	have := strings.Join(l.sso.ReplyURLs, ", ")
	fix := func(f *Finding, want string) {
		f.value("Entra, reply URLs", have).value("AWS, ACS URL", want).
			fix("Add all reply URLs of the metadata file of Identity Center (Manage authentication)", "",
				l.admin(l.sso, "SignOn"))
	}
	if l.a.SP != nil {
		for _, acs := range l.a.SP.AcsURLs {
			if slices.Contains(l.sso.ReplyURLs, acs) {
				continue
			}
			kind, cause := "missing", "The reply URL of the center is missing: Entra answers AADSTS50011"
			if u, err := url.Parse(acs); err == nil && strings.Contains(have, u.Host) {
				kind = "instance"
				cause = "The reply URL is one from before the identity source was changed, or of another instance: " +
					"the part behind /acs/ differs"
			}
			fix(a.find(Broken, kind, "a reply URL of the center is not in the application", cause), acs)
		}
		return
	}
	acsHosts := map[string]bool{}
	for _, reply := range l.sso.ReplyURLs {
		u, err := url.Parse(reply)
		if err != nil || !strings.Contains(u.Path, "/platform/saml/acs/") {
			continue
		}
		region, _, _ := strings.Cut(u.Host, ".")
		switch {
		case l.a.Endpoint == "":
			acsHosts[region] = true
		case strings.HasPrefix(reply, l.a.Endpoint+"/"): // one for all Regions
			return
		}
	}
	if len(acsHosts) == 0 {
		kind, cause := "missing",
			"The reply URL was left empty or is another page: the assertion lands where nobody takes it"
		if strings.Contains(have, "portal.sso.") || strings.Contains(have, "/saml/assertion") {
			kind, cause = "old form",
				"The reply URL has an old form of the host, which the instance no longer answers"
		}
		fix(a.find(Broken, kind, "no reply URL of the application is an ACS URL of Identity Center", cause), "")
		return
	}
	regions := l.regions()
	for i, region := range regions {
		if acsHosts[region] || region == "" {
			continue
		}
		kind, cause := "region",
			"A Region was added to the instance, and each Region has an ACS URL of its own: people who go there get "+
				"AADSTS50011"
		if i == 0 {
			kind, cause = "instance", "The reply URLs are of another Region than the instance's primary one"
		}
		fix(a.find(Broken, kind, "no reply URL is in "+region, cause),
			"https://"+region+".signin.aws…/platform/saml/acs/…")
	}
}

func signOnURL(l *look, a *answer) {
	if l.sso == nil || federatesIAM(*l.sso) || l.sso.LoginURL == nil || *l.sso.LoginURL == "" {
		return
	}
	u, err := url.Parse(*l.sso.LoginURL)
	if err != nil {
		return
	}
	portal := ""
	if l.a.Directory != nil {
		portal = l.a.Directory.PortalURL
	}
	host := u.Hostname()
	entras := strings.HasSuffix(host, "microsoft.com") || strings.HasSuffix(host, "microsoftonline.com")
	portals := strings.HasSuffix(host, ".awsapps.com") || strings.Contains(host, ".portal.") ||
		strings.HasPrefix(u.Path, "/start")
	other := portal != "" && strings.Contains(portal, "://") &&
		!strings.HasPrefix(*l.sso.LoginURL, strings.TrimRight(portal, "/"))
	if !entras && portals && !other {
		return
	}
	cause := "It is not the access portal: the tile of My Apps opens a page that asks nobody to sign in"
	if entras {
		cause = "It is an address of Entra itself: the tile of My Apps goes round in a circle"
	}
	a.find(Broken, "", "the sign-on URL of the application does not lead to the access portal", cause).
		value("Entra, sign-on URL", *l.sso.LoginURL).value("AWS, access portal",
		cmp.Or(portal, "https://STORE.awsapps.com/start")).
		fix("Set it to the portal's URL, or leave it empty", "", l.admin(l.sso, "SignOn"))
}

func tokenEncryption(l *look, a *answer) {
	app := l.application(l.sso)
	if app == nil {
		return
	}
	for _, k := range app.KeyCredentials {
		if strings.EqualFold(k.Usage, "Encrypt") {
			a.find(Broken, "", "the application has a token encryption certificate",
				"Entra encrypts the assertion, and Identity Center has no key to open it").
				value("Entra, encryption certificate", cmp.Or(k.DisplayName, k.KeyID)).
				value("AWS, decryption", "not supported").
				fix("Deactivate token encryption", "", l.admin(l.sso, "TokenEncryption"))
		}
	}
}
