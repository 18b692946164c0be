package admincenter

import (
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
	Tabs  []deletedTab
	Open  deletedTab
	Items []tenant.DeletedItem
	Next  string
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
	d.Open = d.Tabs[0]
	q := p.URL.Query()
	for i := range d.Tabs {
		t := &d.Tabs[i]
		n, err := p.h.Tenant.CountDeletedItems(p.Context(), t.Kind)
		if err != nil {
			return err
		}
		if t.Count = n; t.Name == q.Get("of") {
			d.Open = *t
		}
	}
	var err error
	if d.Items, err = p.h.Tenant.DeletedItems(p.Context(), d.Open.Kind, q.Get("after"), pageSize+1); err != nil {
		return err
	}
	if len(d.Items) > pageSize {
		d.Items = d.Items[:pageSize]
		d.Next = d.Items[pageSize-1].ID
	}
	return p.Render("deleted", d.Open.Title, "/admin/deleted", d)
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
	if sure, err := p.Sure(question); !sure {
		return err
	}
	if err := p.h.Tenant.HardDelete(p.Context(), p.by, item.ID); err != nil {
		return err
	}
	return p.Done(list, item.Name()+" is permanently deleted.")
}

func deleteApp(p page) error {
	a, err := p.h.Tenant.Application(p.Context(), tenant.AnyApplicationID(p.PathValue("id")))
	if err == nil {
		err = p.h.Tenant.DeleteApplication(p.Context(), p.by, tenant.AnyApplicationID(a.ID))
	}
	if err != nil {
		return err
	}
	return p.Done("/admin/apps", a.DisplayName+" is deleted. You can restore it for 30 days.")
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
