package identitystore

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Handler serves the identitystore API.
type Handler struct{ Center *center.Center }

// Service is the door for awsapi.Handler.
func (h *Handler) Service() awsapi.Service {
	return awsapi.Service{
		Target:      "AWSIdentityStore",
		SigningName: "identitystore",
		Answer:      Answer,
		Refused:     awsdoor.Refused(h.Center),
		Admit:       awsdoor.AdmitFrom(h.Center, center.NetworkOfStoreAPI),
		Authorize:   awsdoor.Authorize,
		Begins:      h.Center.Trust,
		Around:      awsdoor.OnTrust(h.Center),
		Operations:  slices.Concat(h.ofStores(), h.ofUsers(), h.ofGroups(), h.ofMemberships()),
	}
}

func (h *Handler) ofStores() []awsapi.Operation {
	return []awsapi.Operation{
		awsapi.OpOf("ListIdentityStores", awsapi.Reads, awsapi.StructureOf(paged(awsapi.Members{})), h.listStores),
		awsapi.OpOf("DescribeIdentityStore", awsapi.Reads, input(awsapi.Members{}), h.describeStore),
		awsapi.OpOf(
			"UpdateIdentityStore", awsapi.Changes, input(awsapi.Members{"NetworkConfiguration": network}),
			h.updateStore,
		),
	}
}

func (h *Handler) ofUsers() []awsapi.Operation {
	return []awsapi.Operation{
		awsapi.OpOf("CreateUser", awsapi.Changes, createUserShape, h.createUser),
		awsapi.OpOf(
			"DescribeUser", awsapi.Reads,
			input(awsapi.Members{"UserId": objectID, "Extensions": extensions}, "UserId"), h.describeUser,
		),
		awsapi.OpOf(
			"UpdateUser", awsapi.Changes,
			input(awsapi.Members{"UserId": objectID, "Operations": operations, "Revision": revision}, "UserId",
				"Operations"),
			h.updateUser,
		),
		awsapi.OpOf(
			"DeleteUser", awsapi.Changes,
			input(awsapi.Members{"UserId": objectID, "Revision": revision}, "UserId"), h.deleteUser,
		),
		awsapi.OpOf("ListUsers", awsapi.Reads, lists(awsapi.Members{"Extensions": extensions, "Filters": filters}),
			h.listUsers),
		awsapi.OpOf(
			"GetUserId", awsapi.Reads,
			input(awsapi.Members{"AlternateIdentifier": alternate}, "AlternateIdentifier"), h.getUserID,
		),
	}
}

func (h *Handler) ofGroups() []awsapi.Operation {
	return []awsapi.Operation{
		awsapi.OpOf(
			"CreateGroup", awsapi.Changes, input(awsapi.Members{"DisplayName": groupName, "Description": text}),
			h.createGroup,
		),
		awsapi.OpOf("DescribeGroup", awsapi.Reads, input(awsapi.Members{"GroupId": objectID}, "GroupId"),
			h.describeGroup),
		awsapi.OpOf(
			"UpdateGroup", awsapi.Changes,
			input(awsapi.Members{"GroupId": objectID, "Operations": operations, "Revision": revision}, "GroupId",
				"Operations"),
			h.updateGroup,
		),
		awsapi.OpOf(
			"DeleteGroup", awsapi.Changes,
			input(awsapi.Members{"GroupId": objectID, "Revision": revision}, "GroupId"), h.deleteGroup,
		),
		awsapi.OpOf("ListGroups", awsapi.Reads, lists(awsapi.Members{"Filters": filters}), h.listGroups),
		awsapi.OpOf(
			"GetGroupId", awsapi.Reads,
			input(awsapi.Members{"AlternateIdentifier": alternate}, "AlternateIdentifier"), h.getGroupID,
		),
	}
}

func (h *Handler) ofMemberships() []awsapi.Operation {
	return []awsapi.Operation{
		awsapi.OpOf(
			"CreateGroupMembership", awsapi.Changes,
			input(awsapi.Members{"GroupId": objectID, "MemberId": member}, "GroupId", "MemberId"),
			h.createMembership,
		),
		awsapi.OpOf(
			"DescribeGroupMembership", awsapi.Reads,
			input(awsapi.Members{"MembershipId": objectID}, "MembershipId"), h.describeMembership,
		),
		awsapi.OpOf(
			"DeleteGroupMembership", awsapi.Changes,
			input(awsapi.Members{"MembershipId": objectID}, "MembershipId"), h.deleteMembership,
		),
		awsapi.OpOf(
			"GetGroupMembershipId", awsapi.Reads,
			input(awsapi.Members{"GroupId": objectID, "MemberId": member}, "GroupId", "MemberId"),
			h.getMembershipID,
		),
		awsapi.OpOf(
			"IsMemberInGroups",
			awsapi.Reads,
			input(
				awsapi.Members{"MemberId": member, "GroupIds": awsapi.ListOf(1, 100, objectID)}, "MemberId",
				"GroupIds",
			),
			h.isMemberInGroups,
		),
		awsapi.OpOf("ListGroupMemberships", awsapi.Reads, lists(awsapi.Members{"GroupId": objectID}, "GroupId"),
			h.listMemberships),
		awsapi.OpOf(
			"ListGroupMembershipsForMember", awsapi.Reads, lists(awsapi.Members{"MemberId": member}, "MemberId"),
			h.listMembershipsForMember,
		),
	}
}

// resourceType and text are what ResourceNotFoundException says of each code; the texts are those
// that scripts match on.
var resources = map[refusal.Code]struct{ resourceType, text string }{
	center.UserNotFound:       {"USER", "USER not found."},
	center.GroupNotFound:      {"GROUP", "GROUP not found."},
	center.MembershipNotFound: {"GROUP_MEMBERSHIP", "GROUP_MEMBERSHIP not found."},
	center.StoreNotFound:      {"IDENTITY_STORE", "IDENTITY_STORE not found."},
}

// notThere are what it says of who was to become a member, and of the group. Source: moto's tests.
var notThere = map[refusal.Code]string{
	center.UserNotFound: "Member does not exist", center.GroupNotFound: "Group does not exist",
}

var conflicts = map[refusal.Code]string{
	center.UserNameTaken: "Duplicate UserName", center.GroupNameTaken: "Duplicate GroupDisplayName",
	center.EmailTaken: "Duplicate Email", center.ExternalIDTaken: "Duplicate ExternalId",
	center.MembershipExists: "Duplicate GroupMembership",
}

// Answer maps an error to the wire. It is the only place that does.
func Answer(err error) *awsapi.Error {
	_, joining := errors.AsType[notTogether](err)
	return awsdoor.Answer(err, func(refused *refusal.Error, e *awsapi.Error) {
		if r, ok := resources[refused.Code]; ok {
			e.Message = r.text
			e.Members = map[string]any{"ResourceType": r.resourceType, "ResourceId": refused.Subject}
		}
		if text, ok := notThere[refused.Code]; ok && joining {
			e.Message = text
		}
		if refused.Code == center.MissingValue {
			e.Message = required(refused.Field)
		}
		if text, ok := conflicts[refused.Code]; ok {
			e.Message = text
			e.Members = map[string]any{"Reason": "UNIQUENESS_CONSTRAINT_VIOLATION"}
		}
		switch refused.Code {
		case center.ConcurrentChange, center.VersionChanged:
			e.Members = map[string]any{"Reason": "CONCURRENT_MODIFICATION"}
		}
	})
}

// required is what AWS says of attributes that are missing: of the name that somebody is known by
// alone, of all others together. Source: moto's tests.
func required(paths ...string) string {
	var texts []string
	for _, path := range paths {
		if path == "userName" {
			return "userName is a required attribute"
		}
		name := strings.ToLower(path[strings.LastIndexByte(path, '.')+1:])
		texts = append(texts, name+": The attribute "+name+" is required")
	}
	return strings.Join(texts, ", ")
}

func invalid(message string) error {
	return &awsapi.Error{Code: "ValidationException", Message: message}
}

// store is the input that every operation has.
type store struct {
	IdentityStoreID string `json:"IdentityStoreId"`
}

func (h *Handler) check(s store) error {
	i := h.Center.Instance
	if s.IdentityStoreID == i.IdentityStoreID || s.IdentityStoreID == i.IdentityStoreARN() {
		return nil
	}
	return &refusal.Error{Code: center.StoreNotFound, Subject: s.IdentityStoreID}
}

// What stands before the id in the ARNs of objects. Source: service authorization reference,
// "Resource types defined by AWS Identity Store".
const (
	userARN       = "arn:aws:identitystore:::user/"
	groupARN      = "arn:aws:identitystore:::group/"
	membershipARN = "arn:aws:identitystore:::membership/"
)

// An object is named by its id or its ARN. The ARN of an object of another kind is nobody's id.
func userID(named string) center.UserID   { return center.UserID(strings.TrimPrefix(named, userARN)) }
func groupID(named string) center.GroupID { return center.GroupID(strings.TrimPrefix(named, groupARN)) }
func membershipID(named string) center.MembershipID {
	return center.MembershipID(strings.TrimPrefix(named, membershipARN))
}

// revisionOf shows how often an object was changed, as SCIM's version does.
func revisionOf(version int64) string { return strconv.FormatInt(version+1, 10) }

// unchanged refuses a change of an object that has another revision than the caller has seen. A
// caller who names none changes whatever there is.
func unchanged(seen string, version int64, id string) error {
	if seen == "" || seen == revisionOf(version) {
		return nil
	}
	return &refusal.Error{Code: center.VersionChanged, Subject: id}
}

// filter is the deprecated filter of the list operations, which scripts and Terraform still use.
type filter struct {
	AttributePath, AttributeValue string
}

// listed is the id that the page before ended with. A filter finds one object at most, so that no
// page ever follows: a token beside one is of another list.
func listed(list string, filters []filter, token string) (string, error) {
	if len(filters) > 0 {
		list += " by " + filters[0].AttributePath
	}
	return awsapi.DecodeToken(list, token)
}

// alternateIdentifier is a union of two ways to name an object: its shape has exactly one.
type alternateIdentifier struct {
	ExternalID *struct {
		Issuer string
		ID     string `json:"Id"`
	} `json:"ExternalId"`
	UniqueAttribute *struct {
		AttributePath  string
		AttributeValue any
	}
}

// unique returns the value to look for in one of some attributes, which the path names.
func (a alternateIdentifier) unique(paths ...string) (path, value string, err error) {
	named := a.UniqueAttribute.AttributePath
	i := slices.IndexFunc(paths, func(p string) bool { return strings.EqualFold(p, named) })
	value, _ = a.UniqueAttribute.AttributeValue.(string)
	switch {
	case value == "":
		return "", "", invalid("attribute value cannot be empty or null for attribute path")
	case i < 0:
		return "", "", invalid("The attribute " + named + " is not a unique attribute")
	}
	return paths[i], value, nil
}

// externalID is how external ids that SCIM wrote are shown.
type externalID struct {
	Issuer string
	ID     string `json:"Id"`
}

func externalIDs(issuer, id string) []externalID {
	if id == "" {
		return nil
	}
	return []externalID{{issuer, id}}
}
