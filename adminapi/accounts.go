package adminapi

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
)

const maxAccountsFile = 16 << 20 //bound:body a file of accounts that a command reads

// ReadAccounts reads accounts from what "aws organizations list-accounts" prints, or from CSV whose
// first line names the columns id and name, and may name email, status and tags
// (key=value;key=value).
func ReadAccounts(from io.Reader) ([]Account, error) {
	data, err := io.ReadAll(io.LimitReader(from, maxAccountsFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxAccountsFile {
		return nil, errors.New("the file is longer than 16 MiB")
	}
	var accounts []Account
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		var in Accounts
		if err := json.Unmarshal(data, &in); err != nil {
			return nil, fmt.Errorf("use the output of `aws organizations list-accounts`: %w", err)
		}
		accounts = in.Accounts
	} else if accounts, err = accountsOfCSV(data); err != nil {
		return nil, err
	}
	if len(accounts) == 0 {
		return nil, errors.New("it has no accounts")
	}
	for i := range accounts {
		switch accounts[i].Status {
		case AccountSuspended, "PENDING_CLOSURE":
			accounts[i].Status = AccountSuspended
		default:
			accounts[i].Status = AccountActive
		}
	}
	return accounts, nil
}

func accountsOfCSV(data []byte) ([]Account, error) {
	rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff")))).ReadAll()
	if err != nil || len(rows) == 0 {
		return nil, errors.Join(errors.New("it is not CSV"), err)
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[strings.ToLower(strings.TrimSpace(name))] = i
	}
	for _, name := range []string{"id", "name"} {
		if _, ok := column[name]; !ok {
			return nil, fmt.Errorf(
				"the first line must name the columns id and name, and may name email, status and tags; %q is missing",
				name,
			)
		}
	}
	var accounts []Account
	for _, row := range rows[1:] {
		of := func(name string) string {
			if i, ok := column[name]; ok {
				return strings.TrimSpace(row[i])
			}
			return ""
		}
		id := of("id")
		if len(id) < 12 { // spreadsheets drop leading zeros
			id = strings.Repeat("0", 12-len(id)) + id
		}
		a := Account{ID: id, Name: of("name"), Email: of("email"), Status: strings.ToUpper(of("status"))}
		for tag := range strings.SplitSeq(of("tags"), ";") {
			if key, value, _ := strings.Cut(strings.TrimSpace(tag), "="); key != "" {
				a.Tags = append(a.Tags, Tag{Key: key, Value: value})
			}
		}
		slices.SortFunc(a.Tags, func(x, y Tag) int { return strings.Compare(x.Key, y.Key) })
		accounts = append(accounts, a)
	}
	return accounts, nil
}

// CompareAccounts says what the wanted accounts add and change at the center. Accounts that are not
// among them do not change. Neither do units, nor tags unless the file has some.
func (c *Client) CompareAccounts(ctx context.Context, wanted []Account) ([]AccountChange, error) {
	there, err := c.Accounts(ctx)
	if err != nil {
		return nil, err
	}
	known := map[string]Account{}
	for _, a := range there {
		known[a.ID] = a
	}
	changes := []AccountChange{}
	for _, a := range wanted {
		was, ok := known[a.ID]
		a.OrganizationalUnits = was.OrganizationalUnits
		a.Imported = was.Imported
		a.Environment, a.Color = was.Environment, was.Color
		if a.Tags == nil {
			a.Tags = was.Tags
		}
		switch {
		case !ok:
			changes = append(changes, AccountChange{"add", a})
		case !reflect.DeepEqual(was, a):
			changes = append(changes, AccountChange{"change", a})
		}
	}
	return changes, nil
}

// ApplyAccounts makes changes, so many in one request. It tells progress how many are made.
func (c *Client) ApplyAccounts(ctx context.Context, changes []AccountChange, progress func(done int)) error {
	done := 0
	for some := range slices.Chunk(changes, MaxAccountsAtOnce) {
		batch := make([]Account, len(some))
		for i, change := range some {
			batch[i] = change.Account
			batch[i].Environment, batch[i].Color = "", ""
		}
		if err := c.PutAccounts(ctx, batch); err != nil {
			return fmt.Errorf(
				"accounts %s to %s, and all after them, are not imported: %w", batch[0].ID, batch[len(batch)-1].ID, err,
			)
		}
		done += len(some)
		progress(done)
	}
	return nil
}
