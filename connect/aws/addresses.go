package aws

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/saml"
)

// Addresses are those of an instance, without a path. Empty ones are AWS's own.
type Addresses struct {
	SignIn  string // the sign-in service
	Console string
	Portal  string // with its path
	SCIM    string
}

// fill takes AWS's own addresses for what is not given, or those of an endpoint that stands for all
// of AWS, as AWS_ENDPOINT_URL names one. Source: "Workforce access through an additional Region"
// and "Customizing the access portal URL" of the user guide.
func (a *Addresses) fill(endpoint string, i Instance) {
	own := Addresses{
		"https://" + i.Region + ".signin.aws.amazon.com",
		"https://" + i.Region + ".console.aws.amazon.com",
		"https://" + i.IdentityStoreID + ".awsapps.com/start",
		"https://scim." + i.Region + ".amazonaws.com",
	}
	switch partition := strings.Split(i.ARN+"::", ":")[1]; partition {
	case "aws-us-gov": // the sign-in service is asked for: nobody has published its issuer
		own.Console = "https://console.amazonaws-us-gov.com"
		own.Portal = "https://start." + i.Region + ".us-gov-home.awsapps.com/directory/" + i.IdentityStoreID
	case "aws-cn":
		own.Console = "https://console.amazonaws.cn"
		own.Portal = "https://start.home.awsapps.cn/directory/" + i.IdentityStoreID
		own.SCIM += ".cn"
	}
	if endpoint = strings.TrimRight(endpoint, "/"); endpoint != "" {
		own = Addresses{endpoint, endpoint + "/console", endpoint + "/start", endpoint}
	}
	for _, or := range []struct {
		value *string
		own   string
	}{{&a.SignIn, own.SignIn}, {&a.Console, own.Console}, {&a.Portal, own.Portal}, {&a.SCIM, own.SCIM}} {
		if *or.value == "" {
			*or.value = or.own
		}
	}
}

const samlPath = "/platform/saml/"

// EntityID is the service provider's, which follows from the Region and the identity store. It is
// the same for all Regions and for IPv6.
func (c *Center) EntityID() string { return c.addresses.SignIn + samlPath + c.Instance.IdentityStoreID }

// settings is the page of the console where the identity source is. Only the page itself has an
// address; the Region has to be in the host and in the query, or the last one used is opened.
func (c *Center) settings() string {
	return c.addresses.Console + "/singlesignon/home?region=" + c.Instance.Region + "#!/settings"
}

const (
	maxSPMetadata = 1 << 20 //bound:body the service provider's metadata that a person hands over
	maxACS        = 40      //bound:list reply URLs of an instance
)

// readServiceProvider reads what a person copied or downloaded: the ACS URL, all of them, or the
// metadata file. It refuses those of another instance, which neither side would notice until a
// sign-in fails.
func (c *Center) readServiceProvider(value []byte) ([]string, error) {
	if !saml.IsXML(value) {
		value = bytes.TrimSpace(bytes.TrimPrefix(value, []byte("\ufeff")))
	}
	switch {
	case len(value) == 0:
		return nil, errors.New("it is empty: copy the IAM Identity Center Assertion Consumer Service (ACS) URL")
	case len(value) > maxSPMetadata:
		return nil, errors.New("it is longer than any metadata of IAM Identity Center")
	case !saml.IsXML(value):
		urls := strings.Fields(string(value))
		return urls, c.CheckACS(urls)
	}
	sp, err := saml.ParseServiceProvider(value)
	if err != nil {
		if _, wrong := saml.ParseIdentityProvider(value); wrong == nil {
			return nil, errors.New(
				"this is an identity provider's metadata, not the service provider's: use Download metadata file " +
					"under Service provider metadata",
			)
		}
		return nil, fmt.Errorf("this is no metadata of a service provider: %w", err)
	}
	if sp.EntityID != c.EntityID() {
		return nil, fmt.Errorf(
			"this is the metadata of another instance: its issuer is %s, and this one's is %s. See that the console "+
				"is in account %s and Region %s", sp.EntityID, c.EntityID(), c.Instance.OwnerAccountID,
			c.Instance.Region,
		)
	}
	if note := saml.Expired(sp.ValidUntil, time.Now()); note != "" {
		return nil, errors.New(note)
	}
	return sp.ACSURLs, c.CheckACS(sp.ACSURLs)
}

// isServiceProvider recognizes the metadata file of an instance, of whichever and however old, by
// what is in it: AWS does not say what the console calls the file.
func isServiceProvider(data []byte) bool {
	sp, err := saml.ParseServiceProvider(data)
	return err == nil && strings.Contains(sp.EntityID, samlPath)
}

// tenant is what stands in the addresses of an instance, and nobody can compute.
var tenant = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9A-Za-z-]+$`) })

// How long it is.
const (
	minTenant = 8   //bound:none how short, not how long
	maxTenant = 128 //bound:text the tenant in the addresses of an instance
)

func isTenant(text string) bool {
	return len(text) >= minTenant && len(text) <= maxTenant && tenant().MatchString(text)
}

// CheckACS says whether URLs are those at which the instance takes assertions. It is for people who
// copied one: the error says what they copied.
func (c *Center) CheckACS(urls []string) error {
	if len(urls) == 0 || len(urls) > maxACS {
		return fmt.Errorf("%d reply URLs: an instance has one for each Region and kind of address", len(urls))
	}
	for _, text := range urls {
		if err := c.checkACS(text); err != nil {
			return err
		}
	}
	return nil
}

func (c *Center) checkACS(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		// not repeated: it may be a token, pasted into the wrong field
		return fmt.Errorf("this is not the ACS URL: it begins with %s%sacs/", c.addresses.SignIn, samlPath)
	}
	switch {
	case text == c.EntityID():
		return errors.New("this is the issuer URL: copy the Assertion Consumer Service (ACS) URL, with /acs/ in it")
	case u.Host == "signin.aws.amazon.com":
		return errors.New(
			"this is the sign-in of IAM federation, which is another way to AWS: copy the ACS URL of " +
				"IAM Identity Center",
		)
	case text == c.addresses.Portal || strings.Contains(u.Host, "awsapps.com") || u.Path == "/start":
		return errors.New("this is the access portal's URL: copy the Assertion Consumer Service (ACS) URL")
	}
	region, known := c.regionOf(u)
	switch {
	case !known:
		return fmt.Errorf("%s is no address of IAM Identity Center's sign-in", u.Host)
	case region != "" && !slices.Contains(c.Instance.Regions, region):
		return fmt.Errorf(
			"this ACS URL is of %s, and the instance is in %s: open the console in the right Region", region,
			strings.Join(c.Instance.Regions, " and "),
		)
	case !isTenant(strings.TrimPrefix(u.Path, samlPath+"acs/")):
		return fmt.Errorf("%.100q is not an ACS URL: its path is %sacs/ and a tenant", text, samlPath)
	}
	return nil
}

// signInHosts are how the sign-in hosts of a Region end: the classic one, the one of instances in
// several Regions, and the one for IPv6; then those of GovCloud. Source: "Workforce access through
// an additional Region", and the GovCloud guide.
var signInHosts = []string{
	".sso.signin.aws", ".signin.aws.amazon.com", ".signin.aws", ".sso.signin-fips.amazonaws-us-gov.com",
	".sso.signin.amazonaws-us-gov.com", ".signin-fips.amazonaws-us-gov.com", ".signin.amazonaws-us-gov.com",
}

// regionOf is the Region of a sign-in host; empty where the host does not tell.
func (c *Center) regionOf(u *url.URL) (region string, known bool) {
	ofAWS := func(host string) bool {
		return slices.ContainsFunc(signInHosts, func(end string) bool { return strings.HasSuffix(host, end) })
	}
	if !ofAWS(c.addresses.SignIn) {
		return "", u.Scheme+"://"+u.Host == c.addresses.SignIn
	}
	for _, end := range signInHosts {
		if u.Scheme != "https" {
			break
		}
		if name, ok := strings.CutSuffix(u.Host, end); ok && regionName().MatchString(name) {
			return name, true
		}
	}
	return "", false
}

// unreached are the Regions that have no reply URL among those. A sign-in that starts there fails
// at the tenant.
func (c *Center) unreached(urls []string) (regions []string) {
	for _, region := range c.Instance.Regions {
		if !slices.ContainsFunc(urls, func(text string) bool {
			u, err := url.Parse(text)
			if err != nil {
				return false
			}
			of, known := c.regionOf(u)
			return known && (of == region || of == "")
		}) {
			regions = append(regions, region)
		}
	}
	return regions
}

// scimHost is AWS's, for IPv4 or for both kinds of address, with the Region.
var scimHost = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(
		`^scim\.([^.]+)\.(amazonaws\.com(\.cn)?|api\.aws|api\.amazonwebservices\.com\.cn)$`,
	)
})

// dualSCIM is the host for both kinds of address beside that for IPv4.
func dualSCIM(address string) string {
	if rest, china := strings.CutSuffix(address, ".amazonaws.com.cn"); china {
		return rest + ".api.amazonwebservices.com.cn"
	}
	if rest, ofAWS := strings.CutSuffix(address, ".amazonaws.com"); ofAWS {
		return rest + ".api.aws"
	}
	return address
}

// IsACS implements connect.Addressed. The tenant in the path is the same for all Regions and kinds
// of address; that of before the source was changed is another.
func (c *Center) IsACS(address string, known []string) bool {
	u, err := url.Parse(address)
	return err == nil && c.checkACS(address) == nil && slices.ContainsFunc(known, func(text string) bool {
		of, err := url.Parse(text)
		return err == nil && of.Path == u.Path
	})
}

// storeID is the first part of the host of an instance's portal that has no name of its own.
var storeID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^d-[0-9a-f]{10}$`) })

// IsPortal implements connect.Addressed. Which name an instance's portal was given, AWS does not
// tell. Source: "Customizing the access portal URL" and "Workforce access through an additional
// Region".
func (c *Center) IsPortal(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.User != nil {
		return false
	}
	host, path := strings.ToLower(u.Host), strings.Trim(u.Path, "/")
	if strings.HasPrefix(address, c.addresses.Portal) && strings.Trim(address[len(c.addresses.Portal):], "/#") == "" {
		return true
	}
	if name, classic := strings.CutSuffix(host, ".awsapps.com"); classic && path == "start" {
		return name == c.Instance.IdentityStoreID || !storeID().MatchString(name) && !strings.Contains(name, ".")
	}
	return path == "" && slices.ContainsFunc(c.Instance.Regions, func(region string) bool {
		return slices.Contains([]string{
			c.Instance.id() + "." + region + ".portal.amazonaws.com",
			c.Instance.id() + ".portal." + region + ".app.aws",
			c.Instance.id() + "." + region + ".portal.amazonaws.com.cn",
			c.Instance.id() + ".portal." + region + ".app.amazonwebservices.com.cn",
		}, host)
	})
}

// oneKind says which kind of address all reply URLs are of; empty: of both, or nobody can tell.
func (c *Center) oneKind() string {
	dual := 0
	for _, text := range c.journal.AcsURLs {
		if strings.Contains(text, ".sso.signin") {
			dual++
		}
	}
	switch {
	case !strings.Contains(c.addresses.SignIn, ".signin"), len(c.journal.AcsURLs) == 0:
		return ""
	case dual == 0:
		return "IPv4"
	case dual == len(c.journal.AcsURLs):
		return "dual-stack"
	}
	return ""
}

// readEndpoint checks a SCIM endpoint and gives it without a slash at its end, as Entra wants it,
// and without a query: a job's may have Entra's feature flags there.
func (c *Center) readEndpoint(text string) (endpoint, tenant string, err error) {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return "", "", errors.New("this is no URL: copy the SCIM endpoint")
	}
	at := u.Scheme + "://" + u.Host
	if at != c.addresses.SCIM && at != dualSCIM(c.addresses.SCIM) {
		found := scimHost().FindStringSubmatch(u.Host)
		if region := append(found, "", "")[1]; found != nil && regionName().MatchString(region) {
			return "", "", fmt.Errorf(
				"this SCIM endpoint is of %s, and the instance is in %s: open the console in the right Region", region,
				c.Instance.Region,
			)
		}
		return "", "", fmt.Errorf("this is not the SCIM endpoint: it begins with %s/", c.addresses.SCIM)
	}
	path, whole := strings.CutSuffix(strings.TrimSuffix(u.Path, "/"), "/scim/v2")
	id := strings.TrimPrefix(path, "/")
	if !whole || id == path || !isTenant(id) {
		return "", "", fmt.Errorf("this is not a whole SCIM endpoint: it is %s/TENANT/scim/v2", c.addresses.SCIM)
	}
	return at + strings.TrimRight(u.Path, "/"), id, nil
}
