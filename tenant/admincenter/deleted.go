package admincenter

import (
	"context"
	"time"

	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/web"
)

// deletedTab is one of the lists of deleted objects.
type deletedTab struct {
	Name, Title string
	Kind        tenant.ObjectKind
	Count       int
}

// deletedData is a page of deleted objects.
type deletedData struct {
	listing[tenant.DeletedItem]
	Tabs     []deletedTab
	Open     deletedTab
	Restores bool // whoever looks at the list may restore and delete what is on it
}

// deletedTabs are the lists, the first of which is shown first.
func deletedTabs() []deletedTab {
	return []deletedTab{
		{Name: "users", Title: "Deleted users", Kind: tenant.KindUser},
		{Name: "groups", Title: "Deleted groups", Kind: tenant.KindGroup},
		{Name: "applications", Title: "Deleted applications", Kind: tenant.KindApplication},
	}
}

func deletedItems(p page) error {
	d := deletedData{Tabs: deletedTabs()}
	d.Listing = p.Listing("name", "deleted")
	d.Open = d.Tabs[0]
	for i := range d.Tabs {
		t := &d.Tabs[i]
		n, err := p.h.Tenant.CountDeletedItems(p.Context(), t.Kind)
		if err != nil {
			return err
		}
		if t.Count = n; t.Name == p.URL.Query().Get("of") {
			d.Open = *t
		}
	}
	all, err := p.allDeleted(d.Open.Kind)
	if err != nil {
		return err
	}
	all = web.Found(d.Listing, all, func(i tenant.DeletedItem) []string {
		texts := []string{i.Name(), i.ID}
		if i.User != nil {
			texts = append(texts, i.User.UserPrincipalName)
		}
		return texts
	})
	d.Items, d.Pager = web.Page(d.Listing, all, pageSize, func(i tenant.DeletedItem, by string) string {
		if by == "deleted" {
			return i.DeletedAt.UTC().Format(time.RFC3339Nano)
		}
		return i.Name()
	})
	if p.Exports() {
		return p.Export("deleted-"+d.Open.Name, []string{"id", "name", "deletedDateTime", "goneDateTime"},
			func(row func(...string) error) error {
				for _, i := range d.Items {
					if err := row(i.ID, i.Name(), i.DeletedAt.UTC().Format(time.RFC3339),
						i.GoneAt().UTC().Format(time.RFC3339)); err != nil {
						return err
					}
				}
				return nil
			})
	}
	d.Restores = p.holds(map[tenant.ObjectKind][]tenant.RoleTemplateID{
		tenant.KindUser: ofUsers, tenant.KindGroup: ofGroups, tenant.KindApplication: ofApplications,
	}[d.Open.Kind])
	return p.Render("deleted", d.Open.Title, "/admin/deleted", d)
}

// allDeleted reads the deleted objects of a kind.
func (p page) allDeleted(kind tenant.ObjectKind) (all []tenant.DeletedItem, err error) {
	for after := ""; ; {
		items, err := p.h.Tenant.DeletedItems(p.Context(), kind, after, exportSize)
		if err != nil {
			return nil, err
		}
		if all = append(all, items...); len(items) < exportSize {
			return all, nil
		}
		after = items[len(items)-1].ID
	}
}

// deletedItem is the item that the path names, and the list that has it.
func (p page) deletedItem() (item tenant.DeletedItem, list string, err error) {
	item, err = p.h.Tenant.DeletedItem(p.Context(), p.PathValue("id"))
	for _, t := range deletedTabs() {
		if t.Kind == item.Kind {
			list = "/admin/deleted?of=" + t.Name
		}
	}
	return item, list, err
}

func restoreItem(p page) error {
	item, _, err := p.deletedItem()
	if err == nil {
		item, err = p.h.Tenant.Restore(p.Context(), p.by, item.ID, p.PostFormValue("upn"))
	}
	if err != nil {
		return err
	}
	back := map[tenant.ObjectKind]string{
		tenant.KindUser:        "/admin/users/",
		tenant.KindGroup:       "/admin/groups/",
		tenant.KindApplication: "/admin/apps/",
	}[item.Kind] + item.ID
	if item.Kind == tenant.KindApplication {
		return p.Done(back, item.Name()+" is restored. Its provisioning is off: start it on the Provisioning page.")
	}
	return p.Done(back, item.Name()+" is restored, with memberships and assignments.")
}

func hardDeleteItem(p page) error {
	item, list, err := p.deletedItem()
	if err != nil {
		return err
	}
	question := web.Question{
		Title:  "Delete " + item.Name() + " permanently?",
		Lines:  []string{"It cannot be restored. Who was provisioned is deleted at the target too."},
		Button: "Delete permanently",
	}
	if done, err := p.SureOf(question, func(ctx context.Context) error {
		return p.h.Tenant.HardDelete(ctx, p.by, item.ID)
	}); !done {
		return err
	}
	return p.Done(list, item.Name()+" is permanently deleted.")
}

// saveDeprovisioning saves what a job does with users who leave.
func saveDeprovisioning(p page) error {
	a, err := p.h.Tenant.Application(p.Context(), tenant.AnyApplicationID(p.PathValue("id")))
	if err != nil {
		return err
	}
	jobs, err := p.h.Tenant.Jobs(p.Context(), a.ServicePrincipalID)
	if err == nil && len(jobs) == 0 {
		err = &refusal.Error{Code: tenant.JobNotFound, Subject: a.DisplayName}
	}
	if err != nil {
		return err
	}
	leaving, deleted := p.PostFormValue("outofscope") == "true", p.PostFormValue("deleted") == "true"
	settings := tenant.JobSettings{SkipOutOfScope: &leaving, SkipDeleted: &deleted}
	if err := p.h.Tenant.ConfigureJob(p.Context(), p.by, jobs[0].ID, settings); err != nil {
		return err
	}
	return p.Done("/admin/apps/"+string(a.ID)+"/provisioning", "The deprovisioning settings are saved.")
}
