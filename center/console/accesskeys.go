package console

import (
	"context"
	"strconv"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/web"
)

type keysData struct {
	listing[center.AccessKey]
	New       center.AccessKey
	NewSecret string // set once, right after the key was made
	Roles     []center.KeyRole
	Region    string
	Endpoint  string
	Seen      string // of all keys
}

func keyIDs(list []center.AccessKey) (ids []string) {
	for _, k := range list {
		ids = append(ids, k.ID)
	}
	return ids
}

func showKeys(p page, made center.AccessKey, secret string) error {
	c := p.h.Center
	keys, err := c.AccessKeys(p.Context())
	if err != nil {
		return err
	}
	seen := web.Seen(keyIDs(keys))
	l := listing[center.AccessKey]{Listing: p.Listing("for", "used")}
	keys = web.Found(l.Listing, keys, func(k center.AccessKey) []string {
		return []string{k.ID, k.Principal, string(k.EffectiveRole())}
	})
	l.Items, l.Pager = web.Page(l.Listing, keys, pageSize, func(k center.AccessKey, by string) string {
		if by == "used" {
			return k.LastUsedAt.UTC().Format(time.RFC3339)
		}
		return k.Principal
	})
	if p.Exports() {
		return p.exportKeys(l.Items)
	}
	return p.Render("access-keys", "Access keys", "/console/access-keys", keysData{
		l,
		made,
		secret,
		[]center.KeyRole{center.RoleUserAdministrator, center.RoleReadOnly, center.RoleAdministrator},
		c.Instance.Region,
		c.URL,
		seen,
	})
}

func (p page) exportKeys(keys []center.AccessKey) error {
	columns := []string{"accessKeyId", "for", "role", "enabled", "createdAt", "lastUsedAt", "lastUsedService",
		"lastUsedAddress"}
	return p.Export("access-keys", columns, func(row func(...string) error) error {
		for _, k := range keys {
			used := ""
			if !k.LastUsedAt.IsZero() {
				used = k.LastUsedAt.UTC().Format(time.RFC3339)
			}
			if err := row(k.ID, k.Principal, string(k.EffectiveRole()), strconv.FormatBool(!k.Disabled),
				k.CreatedAt.UTC().Format(time.RFC3339), used, k.LastUsedService, k.LastUsedAddress); err != nil {
				return err
			}
		}
		return nil
	})
}

func accessKeys(p page) error { return showKeys(p, center.AccessKey{}, "") }

// createKey shows the new secret in the answer to the POST and nowhere else: not in a URL, and not
// when the page is loaded again.
func createKey(p page) error {
	var k center.OpenedKey
	again, err := p.Once(func() ([]string, error) {
		list, err := p.h.Center.AccessKeys(p.Context())
		return keyIDs(list), err
	}, func() (err error) {
		k, err = p.h.Center.CreateAccessKey(
			p.Context(), p.by, p.PostFormValue("name"), center.KeyRole(p.PostFormValue("role")),
		)
		return err
	})
	switch {
	case err != nil:
		return err
	case again:
		return p.Failed("/console/access-keys", "Nothing was done: the keys are not those that the page had when you "+
			"pressed the button. A key whose secret you do not have can be deleted below.")
	}
	p.Visit = p.At("/console/access-keys")
	return showKeys(p, k.AccessKey, k.SecretAccessKey.Reveal())
}

func setKeyStatus(p page) error {
	enabled := p.PostFormValue("enabled") == "true"
	if err := p.h.Center.SetAccessKeyEnabled(p.Context(), p.by, p.PathValue("id"), enabled); err != nil {
		return err
	}
	if enabled {
		return p.Done("/console/access-keys", "The access key is enabled.")
	}
	return p.Done(
		"/console/access-keys", "The access key is disabled: requests signed with it are refused from now on.",
	)
}

func deleteKey(p page) error {
	question := web.Question{
		Title:  "Delete the access key?",
		Lines:  []string{"Requests that it signs are refused from then on. To try that first, disable it."},
		Button: "Delete the access key",
	}
	if done, err := p.SureOf(question, func(ctx context.Context) error {
		return p.h.Center.DeleteAccessKey(ctx, p.by, p.PathValue("id"))
	}); !done {
		return err
	}
	return p.Done("/console/access-keys", "The access key is deleted.")
}
