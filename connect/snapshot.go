package connect

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Snapshot is what AWS's side has, as its public APIs tell it: who is there, and who may do what in
// which account. It has no secrets. A run writes it to a file before it changes anything, so that
// what a change takes away can be given back.
type Snapshot struct {
	Taken           time.Time       `json:"taken"`
	InstanceARN     string          `json:"instance_arn"`
	IdentityStoreID string          `json:"identity_store_id"`
	Region          string          `json:"region"`
	AccountID       string          `json:"account_id"` // the instance's owner
	Caller          string          `json:"caller"`     // the ARN of who took it
	Users           []StoreUser     `json:"users"`
	Groups          []StoreGroup    `json:"groups"`
	PermissionSets  []PermissionSet `json:"permission_sets"`
	Assignments     []Assignment    `json:"assignments"`
}

// StoreUser is a user of the identity store.
type StoreUser struct {
	ID          string       `json:"id"`
	UserName    string       `json:"user_name"`
	DisplayName string       `json:"display_name,omitempty"`
	GivenName   string       `json:"given_name,omitempty"`
	FamilyName  string       `json:"family_name,omitempty"`
	Email       string       `json:"email,omitempty"`
	ExternalIDs []ExternalID `json:"external_ids,omitempty"`
	Disabled    bool         `json:"disabled,omitempty"`
}

// ExternalID is an identifier that another system gave a user or a group.
type ExternalID struct {
	Issuer string `json:"issuer"`
	ID     string `json:"id"`
}

// StoreGroup is a group of the identity store, with the ids of its members.
type StoreGroup struct {
	ID          string       `json:"id"`
	DisplayName string       `json:"display_name"`
	ExternalIDs []ExternalID `json:"external_ids,omitempty"`
	Members     []string     `json:"members"`
}

// PermissionSet is one of the instance.
type PermissionSet struct {
	ARN             string   `json:"arn"`
	Name            string   `json:"name"`
	ManagedPolicies []string `json:"managed_policies,omitempty"` // ARNs
}

// Assignment gives a user or a group a permission set in an account.
type Assignment struct {
	AccountID        string `json:"account_id"`
	PermissionSetARN string `json:"permission_set_arn"`
	PrincipalType    string `json:"principal_type"` // USER or GROUP
	PrincipalID      string `json:"principal_id"`
}

// OwnFolder is where runs remember unless they are told otherwise: it is in the person's settings.
func OwnFolder() (string, error) {
	own, err := os.UserConfigDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(own, "gatehouse", "connect"), nil
}

// WriteFile writes v as JSON to a file that only its owner reads: whole, or not at all.
func WriteFile(file string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	// CreateTemp makes a file that only its owner reads.
	temporary, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-*")
	if err != nil {
		return err
	}
	_, err = temporary.Write(append(data, '\n'))
	if err == nil {
		err = temporary.Sync()
	}
	err = errors.Join(err, temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), file)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", file, err), os.Remove(temporary.Name()))
	}
	return nil
}

const maxFile = 256 << 20 //bound:body a snapshot or a saved plan that connect reads

// ReadFile reads what WriteFile wrote.
func ReadFile(file string, v any) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if info.Size() > maxFile {
		return fmt.Errorf("%s is longer than %d bytes", file, maxFile)
	}
	data, err := os.ReadFile(file) //nolint:gosec // the person names the file
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s is not what this command has written: %w", file, err)
	}
	return nil
}
