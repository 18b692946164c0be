package profiles

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/sso"
	"github.com/aws/aws-sdk-go-v2/service/sso/types"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/awsconfig"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// where finds out which session is meant: one of the file, or a portal by its address.
func (p *writing) where(ctx context.Context, file *awsconfig.File) (s awsconfig.Session, err error) {
	sessions := file.Sessions()
	switch {
	case p.startURL != "":
		if s, err = p.portal(ctx); err != nil {
			return s, err
		}
	case p.session == "" && len(sessions) == 1:
		s = sessions[0]
	case p.session == "" && len(sessions) > 1:
		return s, terminal.UsageError{Err: fmt.Errorf("the file has %d sessions: name one by --session", len(sessions))}
	default:
		var ok bool
		if s, ok = file.Session(p.session); !ok {
			return s, terminal.UsageError{Err: errors.New("the file has no such session: " +
				"say where the access portal is by --start-url and --region")}
		}
	}
	if s.Endpoint == "" {
		s.Region = cmp.Or(p.region, s.Region)
	}
	if s.Region == "" {
		s.Region, _ = p.Env("AWS_REGION")
	}
	if s.Region = cmp.Or(p.region, s.Region); s.Region == "" {
		return s, terminal.UsageError{Err: errors.New("the Region of IAM Identity Center is missing: set --region")}
	}
	s.Name = cmp.Or(p.session, s.Name, portalName(s.StartURL))
	if there, ok := file.Session(s.Name); ok && there.StartURL != s.StartURL {
		return s, terminal.UsageError{Err: fmt.Errorf(
			"the file has another portal under the name %s, %s: choose a name by --session", s.Name, there.StartURL,
		)}
	}
	return s, nil
}

// portalName is how a session is named where nobody says: by what AWS calls the portal.
func portalName(startURL string) string {
	u, err := url.Parse(startURL)
	if err != nil {
		return ""
	}
	name, _, _ := strings.Cut(u.Hostname(), ".")
	if name == "identitycenter" { // https://identitycenter.amazonaws.com/ssoins-…
		name = strings.Trim(u.Path, "/")
	}
	return name
}

// awsPortals are the names under which AWS serves portals. Source: user guide, "access portal
// URLs".
var awsPortals = []string{".awsapps.com", ".amazonaws.com", ".app.aws", ".awsapps.cn", ".amazonaws.com.cn"}

// portal is the session of a portal by its address. What is not under a name of AWS's is a center,
// which answers there itself.
func (p *writing) portal(ctx context.Context) (s awsconfig.Session, err error) {
	u, err := url.Parse(p.startURL)
	if err != nil || u.Host == "" {
		return s, terminal.UsageError{Err: fmt.Errorf("--start-url %q is no address", p.startURL)}
	}
	if err := outbound.Operator.Check(p.startURL); err != nil {
		return s, terminal.UsageError{Err: fmt.Errorf("--start-url: %w", err)}
	}
	s.StartURL = strings.TrimRight(u.Scheme+"://"+u.Host+u.Path, "/")
	if slices.ContainsFunc(awsPortals, func(domain string) bool { return strings.HasSuffix(u.Hostname(), domain) }) {
		return s, nil
	}
	s.Endpoint = u.Scheme + "://" + u.Host
	client := outbound.Operator.Client(administer.Timeout)
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if u.Scheme == "http" { // the CLI wants https: the center says how AWS would name it
		if s.StartURL, err = awsName(ctx, client, s.StartURL); err != nil {
			return s, err
		}
	}
	here, err := answersSTS(ctx, client, s.Endpoint)
	if here {
		s.Services = []string{"sts"}
	}
	return s, err
}

// awsName asks a center for its name in AWS's form, as the AWS CLI does.
func awsName(ctx context.Context, client *http.Client, portal string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, portal, nil)
	if err != nil {
		return "", err
	}
	res, err := client.Do(req)
	if err != nil {
		return "", fmt.Errorf("ask the access portal: %w", err)
	}
	_ = res.Body.Close()
	name := res.Header.Get("Location")
	if res.StatusCode != http.StatusFound || !strings.HasPrefix(name, "https://") {
		return "", fmt.Errorf("%s is no access portal: it answers %s", portal, res.Status)
	}
	return name, nil
}

// answersSTS says whether a center's credentials are its own, which only it knows.
func answersSTS(ctx context.Context, client *http.Client, endpoint string) (bool, error) {
	form := url.Values{"Action": {"GetCallerIdentity"}, "Version": {"2011-06-15"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint+"/", strings.NewReader(form.Encode()))
	if err != nil {
		return false, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := client.Do(req)
	if err != nil {
		return false, fmt.Errorf("ask the center: %w", err)
	}
	defer res.Body.Close() //nolint:errcheck // a read answer has nothing to lose
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	return strings.Contains(string(body), "MissingAuthenticationToken"), err
}

const (
	maxAnswer = 64 << 10 //bound:body an answer that says whether there is an STS
	// readers is how many accounts are asked at a time for their roles. AWS slows down who asks for
	// more, and the SDK waits then.
	readers = 8 //bound:queue accounts that are asked at a time
	// patience is how often a request is sent again that AWS slows down.
	patience = 10 //bound:depth tries of a request
	// maxAccounts bounds the accounts of one person.
	maxAccounts = 10_000 //bound:list accounts in a configuration file of the AWS CLI
)

// client reads what a token opens.
func client(s awsconfig.Session) *sso.Client {
	o := sso.Options{
		Region:     s.Region,
		HTTPClient: outbound.Operator.Client(administer.Timeout),
		Retryer:    retry.AddWithMaxAttempts(retry.NewAdaptiveMode(), patience),
	}
	if s.Endpoint != "" {
		o.BaseEndpoint = &s.Endpoint
	}
	return sso.New(o)
}

// had are the roles that the person has, by account and role. When a token that was kept is refused
// since its session has ended, the person signs in.
func (p *writing) had(ctx context.Context, s awsconfig.Session) ([]awsconfig.Role, error) {
	in, err := p.signIn(s)
	if err != nil {
		return nil, err
	}
	refused := ""
	for range 2 {
		token, err := in.Token(ctx, refused)
		if err != nil {
			return nil, err
		}
		roles, err := p.rolesOf(ctx, client(s), token)
		if err == nil {
			err = p.label(ctx, s, token, roles)
		}
		var ended *types.UnauthorizedException
		var spent *adminapi.TokenError
		if !errors.As(err, &ended) && !errors.As(err, &spent) {
			return roles, err
		}
		refused = token
	}
	return nil, errors.New("your session has ended again, and nothing was written: run the command again to sign in")
}

// label adds what the center says of the accounts. AWS says nothing.
func (p *writing) label(ctx context.Context, s awsconfig.Session, token string, roles []awsconfig.Role) error {
	labels, err := labelsOf(ctx, s, token)
	for i, r := range roles {
		if l, ok := labels[r.AccountID]; ok {
			roles[i].Environment, roles[i].Color = l.Environment, l.Color
		}
	}
	return err
}

// labelsOf asks a center for the labels of a person's accounts. A center of an older release has
// none.
func labelsOf(ctx context.Context, s awsconfig.Session, token string) (map[string]adminapi.Account, error) {
	if s.Endpoint == "" {
		return nil, nil
	}
	center := &adminapi.Person{URL: s.Endpoint, Token: token, HTTP: outbound.Operator.Client(administer.Timeout)}
	var own adminapi.OwnAccounts
	err := center.Do(ctx, "ListOwnAccounts", adminapi.None{}, &own)
	if errors.Is(err, adminapi.ErrNoOperation) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ask what your accounts are for: %w", err)
	}
	labels := map[string]adminapi.Account{}
	for _, a := range own.Accounts {
		labels[a.ID] = a
	}
	return labels, nil
}

// rolesOf lists the roles that a token opens.
func (p *writing) rolesOf(ctx context.Context, c *sso.Client, token string) ([]awsconfig.Role, error) {
	var accounts []types.AccountInfo
	pages := sso.NewListAccountsPaginator(c, &sso.ListAccountsInput{AccessToken: &token, MaxResults: aws.Int32(100)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list your accounts: %w", err)
		}
		if accounts = append(accounts, page.AccountList...); len(accounts) > maxAccounts {
			return nil, fmt.Errorf("you have more than %d accounts", maxAccounts)
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	bar := terminal.Bar(p.Err, "Reading your accounts")
	var mu sync.Mutex
	var roles []awsconfig.Role
	var done int
	next := make(chan types.AccountInfo)
	var working sync.WaitGroup
	for range readers {
		working.Go(func() {
			for a := range next {
				some, err := inAccount(ctx, c, token, a)
				if err != nil {
					cancel(err)
				}
				mu.Lock()
				roles = append(roles, some...)
				done++
				bar(done, len(accounts))
				mu.Unlock()
			}
		})
	}
	for _, a := range accounts {
		next <- a
	}
	close(next)
	working.Wait()
	slices.SortFunc(roles, func(a, b awsconfig.Role) int {
		return cmp.Or(
			strings.Compare(strings.ToLower(a.AccountName), strings.ToLower(b.AccountName)),
			strings.Compare(a.AccountID, b.AccountID), strings.Compare(a.RoleName, b.RoleName),
		)
	})
	return roles, context.Cause(ctx)
}

// inAccount lists the roles that a token opens in an account.
func inAccount(
	ctx context.Context, c *sso.Client, token string, a types.AccountInfo,
) (list []awsconfig.Role, err error) {
	pages := sso.NewListAccountRolesPaginator(
		c, &sso.ListAccountRolesInput{AccessToken: &token, AccountId: a.AccountId, MaxResults: aws.Int32(100)},
	)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list your roles in %s: %w", aws.ToString(a.AccountId), err)
		}
		for _, r := range page.RoleList {
			list = append(list, awsconfig.Role{
				AccountID:   aws.ToString(a.AccountId),
				AccountName: aws.ToString(a.AccountName),
				RoleName:    aws.ToString(r.RoleName),
			})
		}
	}
	return list, nil
}
