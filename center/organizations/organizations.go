// Package organizations reads the accounts of AWS Organizations, with their organizational units
// and tags, through its API. It implements center.Organization.
//
// It may import center.
package organizations

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/gatehouse-id/gatehouse/center"
)

// Reader reads an organization with the credentials of its management account, or of one that
// administration was delegated to.
type Reader struct{ api *operations }

// New returns a reader. It slows down when AWS throttles, and tries for long: nobody waits for a
// page.
func New(cfg aws.Config) *Reader {
	cfg = cfg.Copy()
	cfg.Retryer = func() aws.Retryer {
		return retry.NewAdaptiveMode(func(o *retry.AdaptiveModeOptions) {
			o.StandardOptions = append(o.StandardOptions, func(s *retry.StandardOptions) { s.MaxAttempts = 10 })
		})
	}
	return Of(organizations.NewFromConfig(cfg))
}

// Of returns a reader that asks by a client.
func Of(client *organizations.Client) *Reader {
	return &Reader{&operations{
		client.ListRoots, client.ListAccountsForParent, client.ListOrganizationalUnitsForParent,
		client.ListTagsForResource,
	}}
}

const (
	//bound:list accounts of an organization that are read
	maxAccounts = 10_000 // that are read at all
	maxUnits    = 10_000 //bound:list units of an organization that are read
	maxDepth    = 6      //bound:depth units of an organization
	//bound:queue requests for the tags of accounts at once
	taggers = 4 // how many accounts' tags are asked for at a time
)

// Accounts implements center.Organization: first the tree of units with its accounts, then the tags
// of each account, which AWS gives for one at a time.
func (r *Reader) Accounts(ctx context.Context, progress func(read int)) ([]center.Account, error) {
	w := &walk{Reader: r}
	roots := organizations.NewListRootsPaginator(r.api, &organizations.ListRootsInput{})
	for roots.HasMorePages() {
		page, err := roots.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the roots of the organization: %w", err)
		}
		for _, root := range page.Roots {
			if err := w.unit(
				ctx, []center.Unit{{ID: aws.ToString(root.Id), Name: aws.ToString(root.Name)}},
			); err != nil {
				return nil, err
			}
		}
	}
	if len(w.accounts) == 0 {
		return nil, errors.New("the organization has no accounts")
	}
	return w.accounts, r.readTags(ctx, w.accounts, progress)
}

// walk collects the accounts below the roots.
type walk struct {
	*Reader
	units    int
	accounts []center.Account
}

func (w *walk) unit(ctx context.Context, path []center.Unit) error {
	here := path[len(path)-1].ID
	if w.units++; w.units > maxUnits || len(path) > maxDepth {
		return fmt.Errorf("the organization has more than %d units, or units deeper than %d", maxUnits, maxDepth)
	}
	accounts := organizations.NewListAccountsForParentPaginator(
		w.api, &organizations.ListAccountsForParentInput{ParentId: &here},
	)
	for accounts.HasMorePages() {
		page, err := accounts.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list the accounts in %s: %w", here, err)
		}
		for _, a := range page.Accounts {
			w.accounts = append(
				w.accounts,
				center.Account{
					ID:        aws.ToString(a.Id),
					Name:      aws.ToString(a.Name),
					Email:     aws.ToString(a.Email),
					Suspended: !active(a),
					Units:     path,
				},
			)
		}
		if len(w.accounts) > maxAccounts {
			return fmt.Errorf("the organization has more than %d accounts", maxAccounts)
		}
	}
	units := organizations.NewListOrganizationalUnitsForParentPaginator(
		w.api, &organizations.ListOrganizationalUnitsForParentInput{ParentId: &here},
	)
	for units.HasMorePages() {
		page, err := units.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list the organizational units in %s: %w", here, err)
		}
		for _, u := range page.OrganizationalUnits {
			below := append(slices.Clip(path), center.Unit{ID: aws.ToString(u.Id), Name: aws.ToString(u.Name)})
			if err := w.unit(ctx, below); err != nil {
				return err
			}
		}
	}
	return nil
}

// active reads both spellings of an account's state: Status is retired in favour of State.
func active(a types.Account) bool {
	if a.State != "" {
		return a.State == types.AccountStateActive
	}
	return a.Status == types.AccountStatusActive
}

func (r *Reader) readTags(ctx context.Context, accounts []center.Account, progress func(int)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	work, results := make(chan int), make(chan error, taggers)
	for range taggers {
		all.Go(func() {
			for i := range work {
				err := r.tags(ctx, &accounts[i])
				results <- err
				if err != nil {
					cancel()
				}
			}
		})
	}
	go func() {
		defer close(work)
		for i := range accounts {
			select {
			case work <- i:
			case <-ctx.Done():
				return
			}
		}
	}()
	go func() { all.Wait(); close(results) }()
	var failed error
	read := 0
	for err := range results {
		if failed == nil {
			failed = err
		}
		if read++; failed == nil && (read%each == 0 || read == len(accounts)) {
			progress(read)
		}
	}
	if failed == nil { // not every account was asked for
		failed = ctx.Err()
	}
	return failed
}

// each is how often progress is told of.
const each = 50

// tags reads the tags of one account. AWS's own, which begin with aws:, are left out.
func (r *Reader) tags(ctx context.Context, a *center.Account) error {
	pages := organizations.NewListTagsForResourcePaginator(
		r.api, &organizations.ListTagsForResourceInput{ResourceId: &a.ID},
	)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list the tags of account %s: %w", a.ID, err)
		}
		for _, t := range page.Tags {
			if key := aws.ToString(t.Key); !strings.HasPrefix(strings.ToLower(key), "aws:") {
				a.Tags = append(a.Tags, center.Tag{Key: key, Value: aws.ToString(t.Value)})
			}
		}
	}
	slices.SortFunc(a.Tags, func(x, y center.Tag) int { return strings.Compare(x.Key, y.Key) })
	return nil
}
