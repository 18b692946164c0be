package mirror

import (
	"context"
	"reflect"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/identitystore/types"

	"github.com/gatehouse-id/gatehouse/awsapi/inventory"
	"github.com/gatehouse-id/gatehouse/center"
)

func (m *Mirror) users(ctx context.Context) error {
	for page, err := range m.Reader.Users(ctx, m.next(Users)) {
		if err != nil {
			return err
		}
		users := make([]center.User, len(page.Items))
		for i := range page.Items {
			users[i] = userOf(&page.Items[i])
		}
		err = put(ctx, m, Users, users, func(l []center.User) center.Replica { return center.Replica{Users: l} },
			func(u center.User) string { return u.UserName })
		if err != nil {
			return err
		}
		if err := m.goOn(Users, page.Next, nil); err != nil {
			return err
		}
	}
	return nil
}

func groupOf(g types.Group) center.Group {
	out := center.Group{
		ID:          center.GroupID(aws.ToString(g.GroupId)),
		DisplayName: aws.ToString(g.DisplayName), Description: aws.ToString(g.Description),
		ExternalID: externalID(g.ExternalIds), CreatedAt: aws.ToTime(g.CreatedAt),
		CreatedBy: aws.ToString(g.CreatedBy), UpdatedBy: aws.ToString(g.UpdatedBy), Version: 1,
	}
	if out.UpdatedAt = aws.ToTime(g.UpdatedAt); out.UpdatedAt.IsZero() {
		out.UpdatedAt = out.CreatedAt
	}
	return out
}

// externalID is the first that another system gave. AWS names each system by the ARN of its
// provisioning tenant, of which a center has one.
func externalID(list []types.ExternalId) string {
	if len(list) == 0 {
		return ""
	}
	return aws.ToString(list[0].Id)
}

func userOf(u *types.User) center.User {
	out := center.User{
		ID: center.UserID(aws.ToString(u.UserId)), ExternalID: externalID(u.ExternalIds),
		Active:    u.UserStatus != types.UserStatusDisabled,
		CreatedAt: aws.ToTime(u.CreatedAt), CreatedBy: aws.ToString(u.CreatedBy), UpdatedBy: aws.ToString(u.UpdatedBy),
		Version: 1,
	}
	if out.UpdatedAt = aws.ToTime(u.UpdatedAt); out.UpdatedAt.IsZero() {
		out.UpdatedAt = out.CreatedAt
	}
	readTexts(u, &out)
	for _, e := range u.Emails {
		out.Emails = append(out.Emails, value(e.Value, e.Type, nil, e.Primary))
	}
	for _, e := range u.PhoneNumbers {
		out.PhoneNumbers = append(out.PhoneNumbers, value(e.Value, e.Type, nil, e.Primary))
	}
	for _, e := range u.Roles {
		out.Roles = append(out.Roles, value(e.Value, e.Type, nil, e.Primary))
	}
	for _, e := range u.Photos {
		out.Photos = append(out.Photos, value(e.Value, e.Type, e.Display, e.Primary))
	}
	for _, a := range u.Addresses {
		out.Addresses = append(out.Addresses, center.Address{
			Formatted: aws.ToString(a.Formatted), StreetAddress: aws.ToString(a.StreetAddress),
			Locality: aws.ToString(a.Locality), Region: aws.ToString(a.Region),
			PostalCode: aws.ToString(a.PostalCode), Country: aws.ToString(a.Country), Type: aws.ToString(a.Type),
			Primary: a.Primary,
		})
	}
	return out
}

func value(text, kind, display *string, primary bool) center.Value {
	return center.Value{
		Value: aws.ToString(text), Display: aws.ToString(display), Type: aws.ToString(kind), Primary: primary,
	}
}

// places are where the SDK's user has the attributes that are one text: by the places of the
// center's table, the names of fields from the outside in.
var places = sync.OnceValue(func() map[int][]string {
	out := map[int][]string{}
	user := reflect.TypeFor[types.User]()
	for i, t := range new(center.User).TextAttributes() {
		fields := strings.Split(t.Path, ".")
		for j, f := range fields {
			fields[j] = strings.ToUpper(f[:1]) + f[1:]
		}
		if f, ok := user.FieldByName(fields[0]); ok &&
			(f.Type == reflect.TypeFor[*string]() || f.Type == reflect.TypeFor[*types.Name]()) {
			out[i] = fields
		}
	}
	return out
})

// readTexts reads the attributes that are one text, and the enterprise extension.
func readTexts(u *types.User, into *center.User) {
	texts := into.TextAttributes()
	for i, fields := range places() {
		v := reflect.ValueOf(u).Elem()
		for _, f := range fields {
			if v.Kind() == reflect.Pointer {
				if v.IsNil() {
					break
				}
				v = v.Elem()
			}
			v = v.FieldByName(f)
		}
		if s, ok := v.Interface().(*string); ok && s != nil {
			*texts[i].Value = *s
		}
	}
	document := u.Extensions[inventory.Enterprise]
	var extension map[string]any
	if document == nil || document.UnmarshalSmithyDocument(&extension) != nil {
		return
	}
	for _, t := range texts {
		path, ok := strings.CutPrefix(t.Path, center.EnterprisePrefix)
		if !ok {
			continue
		}
		name, part, _ := strings.Cut(path, ".")
		v := extension[name]
		if m, nested := v.(map[string]any); nested {
			v = m[part]
		}
		if s, ok := v.(string); ok {
			*t.Value = s
		}
	}
}
