package identitystore

import (
	"context"
	"regexp"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
)

// Handler serves the identitystore API.
type Handler struct{ Center *center.Center }

// Service is the door for awsapi.Handler.
func (h *Handler) Service() awsapi.Service {
	return awsapi.Service{
		Target: "AWSIdentityStore", SigningName: "identitystore", Answer: Answer,
		Refused: awsdoor.Refused(h.Center),
		Operations: []awsapi.Operation{
			awsapi.Op("CreateUser", h.createUser), awsapi.Op("DescribeUser", h.describeUser), awsapi.Op("UpdateUser", h.updateUser),
			awsapi.Op("DeleteUser", h.deleteUser), awsapi.Op("ListUsers", h.listUsers), awsapi.Op("GetUserId", h.getUserID),
			awsapi.Op("CreateGroup", h.createGroup), awsapi.Op("DescribeGroup", h.describeGroup), awsapi.Op("UpdateGroup", h.updateGroup),
			awsapi.Op("DeleteGroup", h.deleteGroup), awsapi.Op("ListGroups", h.listGroups), awsapi.Op("GetGroupId", h.getGroupID),
			awsapi.Op("CreateGroupMembership", h.createMembership), awsapi.Op("DescribeGroupMembership", h.describeMembership),
			awsapi.Op("DeleteGroupMembership", h.deleteMembership), awsapi.Op("GetGroupMembershipId", h.getMembershipID),
			awsapi.Op("IsMemberInGroups", h.isMemberInGroups), awsapi.Op("ListGroupMemberships", h.listMemberships),
			awsapi.Op("ListGroupMembershipsForMember", h.listMembershipsForMember),
		},
	}
}

// resourceType and text are what ResourceNotFoundException says of each code; the texts are those that scripts match on.
var resources = map[center.Code]struct{ resourceType, text string }{
	center.UserNotFound:       {"USER", "USER not found."},
	center.GroupNotFound:      {"GROUP", "GROUP not found."},
	center.MembershipNotFound: {"GROUP_MEMBERSHIP", "GROUP_MEMBERSHIP not found."},
	center.StoreNotFound:      {"IDENTITY_STORE", "IDENTITY_STORE not found."},
}

var conflicts = map[center.Code]string{
	center.UserNameTaken: "Duplicate UserName", center.GroupNameTaken: "Duplicate GroupDisplayName",
	center.EmailTaken: "Duplicate Email", center.ExternalIDTaken: "Duplicate ExternalId", center.MembershipExists: "Duplicate GroupMembership",
}

// Answer maps an error to the wire. It is the only place that does.
func Answer(err error) *awsapi.Error {
	return awsdoor.Answer(err, func(refused *center.Error, e *awsapi.Error) {
		if r, ok := resources[refused.Code]; ok {
			e.Message = r.text
			e.Members = map[string]any{"ResourceType": r.resourceType, "ResourceId": refused.Subject}
		}
		if text, ok := conflicts[refused.Code]; ok {
			e.Message = text
			e.Members = map[string]any{"Reason": "UNIQUENESS_CONSTRAINT_VIOLATION"}
		}
	})
}

func invalid(message string) error {
	return &awsapi.Error{Code: "ValidationException", Message: message}
}

// store is the input that every operation has.
type store struct {
	IdentityStoreID string `json:"IdentityStoreId"`
}

func (h *Handler) check(s store) error {
	if s.IdentityStoreID == "" {
		return invalid("IdentityStoreId is required")
	}
	if s.IdentityStoreID != h.Center.Instance.IdentityStoreID {
		return &center.Error{Code: center.StoreNotFound, Subject: s.IdentityStoreID}
	}
	return nil
}

var resourceID = regexp.MustCompile(`^([0-9a-f]{10}-|)[A-Fa-f0-9]{8}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{12}$`)

func checkID(field, id string) error {
	if !resourceID.MatchString(id) {
		return invalid("1 validation error detected: Value at '" + field + "' failed to satisfy constraint: Member must satisfy regular expression pattern: " + resourceID.String())
	}
	return nil
}

func (h *Handler) checkWithID(s store, field, id string) error {
	if err := h.check(s); err != nil {
		return err
	}
	return checkID(field, id)
}

// filter is the deprecated filter of the list operations, which scripts and Terraform still use.
type filter struct {
	AttributePath, AttributeValue string
}

// alternateIdentifier is a union of two ways to name an object.
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

func (a alternateIdentifier) check() error {
	if (a.ExternalID == nil) == (a.UniqueAttribute == nil) {
		return invalid("AlternateIdentifier must have exactly one of ExternalId and UniqueAttribute")
	}
	return nil
}

// externalID is how external ids that SCIM wrote are shown.
type externalID struct {
	Issuer string
	ID     string `json:"Id"`
}

// issuer is the issuer of external ids.
func (h *Handler) issuer(ctx context.Context) (issuer string, err error) {
	err = h.Center.Store.View(ctx, func(r center.Reader) (err error) {
		issuer, err = h.Center.ExternalIDIssuer(r)
		return err
	})
	return issuer, err
}

func externalIDs(issuer, id string) []externalID {
	if id == "" {
		return nil
	}
	return []externalID{{issuer, id}}
}
