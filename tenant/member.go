package tenant

import (
	"context"
	"errors"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Members lists a group's direct members, or fails with GroupNotFound.
func (t *Tenant) Members(ctx context.Context, groupID GroupID) (members []Member, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		if _, err := r.Group(groupID); err != nil {
			return refusal.IfNoRow(err, GroupNotFound, string(groupID))
		}
		members, err = r.Members(groupID)
		return err
	})
	return members, err
}

// AddMember puts a user or a group into a group. It fails with GroupNotFound, UserNotFound (no such
// object) or MemberExists.
func (t *Tenant) AddMember(ctx context.Context, by audit.Actor, groupID GroupID, memberID PrincipalID) error {
	return t.AddMembers(ctx, by, groupID, []PrincipalID{memberID})
}

// AddMembers puts several objects into a group, all or none.
func (t *Tenant) AddMembers(ctx context.Context, by audit.Actor, groupID GroupID, memberIDs []PrincipalID) error {
	return t.change(ctx, by, ActionAddMemberToGroup, func(tx Tx, touched *Touched) (string, error) {
		if _, err := tx.Group(groupID); err != nil {
			return string(groupID), refusal.IfNoRow(err, GroupNotFound, string(groupID))
		}
		return string(groupID), addMembers(tx, touched, groupID, memberIDs)
	})
}

// AddOtherMembers puts those of several objects into a group who are not in it, all of them or
// none, and says how many they are. It fails with MemberExists where all are.
func (t *Tenant) AddOtherMembers(
	ctx context.Context, by audit.Actor, groupID GroupID, memberIDs []PrincipalID,
) (added int, err error) {
	err = t.change(ctx, by, ActionAddMemberToGroup, func(tx Tx, touched *Touched) (string, error) {
		added = 0
		if _, err := tx.Group(groupID); err != nil {
			return string(groupID), refusal.IfNoRow(err, GroupNotFound, string(groupID))
		}
		var others []PrincipalID
		for _, id := range memberIDs {
			_, err := tx.Member(groupID, id)
			if errors.Is(err, refusal.ErrNoRow) {
				others = append(others, id)
			} else if err != nil {
				return string(groupID), err
			}
		}
		if added = len(others); added == 0 {
			others = memberIDs // which says why nothing is done
		}
		return string(groupID), addMembers(tx, touched, groupID, others)
	})
	return added, err
}

func addMembers(tx Tx, touched *Touched, groupID GroupID, memberIDs []PrincipalID) error {
	for _, id := range memberIDs {
		kind, err := kindOf(tx, id)
		if err != nil {
			return err
		}
		if _, err := tx.Member(groupID, id); err == nil {
			return &refusal.Error{Code: MemberExists, Subject: string(id)}
		} else if !errors.Is(err, refusal.ErrNoRow) {
			return err
		}
		touched.scope(kind, id)
		touched.member(groupID, Mark{kind, id}, false)
		if err := tx.PutMember(Member{groupID, id, kind}); err != nil {
			return err
		}
	}
	return nil
}

// kindOf says whether an id is a user's or a group's; UserNotFound when it is neither.
func kindOf(tx Reader, id PrincipalID) (ObjectKind, error) {
	_, err := tx.User(UserID(id))
	if err == nil {
		return KindUser, nil
	}
	if !errors.Is(err, refusal.ErrNoRow) {
		return "", err
	}
	_, err = tx.Group(GroupID(id))
	return KindGroup, refusal.IfNoRow(err, UserNotFound, string(id))
}

// RemoveMember takes an object out of a group, or fails with MemberNotFound.
func (t *Tenant) RemoveMember(ctx context.Context, by audit.Actor, groupID GroupID, memberID PrincipalID) error {
	return t.change(ctx, by, ActionRemoveMemberFromGroup, func(tx Tx, touched *Touched) (string, error) {
		m, err := tx.Member(groupID, memberID)
		if err != nil {
			return string(groupID), refusal.IfNoRow(err, MemberNotFound, string(memberID))
		}
		touched.member(groupID, Mark{m.Kind, memberID}, true)
		touched.scope(m.Kind, memberID)
		return string(groupID), tx.DeleteMember(groupID, memberID)
	})
}
