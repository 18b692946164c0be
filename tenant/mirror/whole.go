package mirror

import (
	"context"
	"errors"

	"github.com/gatehouse-id/gatehouse/tenant"
)

// noteWhole is the name of the note that the directory here is whole: it has the links by which the
// next pull goes on. Before anything is kept it is emptied, and only who has read all that belongs
// together writes it again. The links are in it for the sake of a release that does not empty it.
const noteWhole = "whole"

// Whole says whether the directory here is as the other one was at some moment, with what the
// caller reads beside it: nothing was kept since the caller has kept WholeNote.
func (m *Mirror) Whole(ctx context.Context) (bool, error) {
	was, e1 := m.Tenant.Note(ctx, noteWhole)
	now, e2 := m.WholeNote(ctx)
	return was != "" && was == now.Text, errors.Join(e1, e2)
}

// WholeNote is the note that what is here now belongs together. Keep it when a pull has ended well,
// in the transaction that keeps what was read after it, as who is assigned: who was assigned when
// the users and groups were others may be in scope by nothing that is here.
func (m *Mirror) WholeNote(ctx context.Context) (tenant.Note, error) {
	note := tenant.Note{Name: noteWhole}
	for _, c := range collections {
		link, err := m.Tenant.Note(ctx, c.note)
		if err != nil || link == "" {
			return tenant.Note{Name: noteWhole}, err
		}
		note.Text += link + "\n"
	}
	return note, nil
}

// part notes that a part of what has changed is about to be kept.
func (m *Mirror) part(ctx context.Context) error {
	was, err := m.Tenant.Note(ctx, noteWhole)
	if err != nil || was == "" {
		return err
	}
	return m.Tenant.SetNote(ctx, tenant.Note{Name: noteWhole})
}

// goOn keeps the link for the next time, where nothing has come: what is whole stays so.
func (m *Mirror) goOn(ctx context.Context, link tenant.Note) error {
	whole, err := m.Whole(ctx)
	if err != nil {
		return err
	}
	if err := m.Tenant.Replicate(ctx, actor, tenant.Replica{}, link); err != nil || !whole {
		return err
	}
	note, err := m.WholeNote(ctx)
	if err != nil {
		return err
	}
	return m.Tenant.SetNote(ctx, note)
}
