package terraform

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/identitystore/types"

	"github.com/gatehouse-id/gatehouse/awsapi/inventory"
)

func (r *reading) users() {
	for page, err := range r.Users(r.ctx, "") {
		if r.failed(err) {
			return
		}
		r.keep(func(o *Organization) {
			for i := range page.Items {
				o.Users = append(o.Users, r.userOf(&page.Items[i]))
			}
		})
	}
}

// provisioned says whether another directory writes a user or a group: it has an identifier there,
// or was made over SCIM. Source: examples of AWS's answers; the issuer is the SCIM service's.
func provisioned(external []types.ExternalId, by *string) bool {
	return len(external) > 0 || strings.Contains(strings.ToLower(aws.ToString(by)), "scim")
}

// userOf keeps no more than the name of who is not written anyway.
func (r *reading) userOf(u *types.User) User {
	out := User{
		ID: aws.ToString(u.UserId), UserName: aws.ToString(u.UserName), Provisioned: provisioned(
			u.ExternalIds, u.CreatedBy,
		),
	}
	if out.Provisioned && !r.People {
		return out
	}
	out.DisplayName, out.NickName = aws.ToString(u.DisplayName), aws.ToString(u.NickName)
	out.ProfileURL, out.Title = aws.ToString(u.ProfileUrl), aws.ToString(u.Title)
	out.UserType, out.Locale = aws.ToString(u.UserType), aws.ToString(u.Locale)
	out.Timezone, out.PreferredLanguage = aws.ToString(u.Timezone), aws.ToString(u.PreferredLanguage)
	out.Disabled = u.UserStatus == types.UserStatusDisabled
	if n := u.Name; n != nil {
		out.Name = &PersonName{
			Given: aws.ToString(n.GivenName), Family: aws.ToString(n.FamilyName), Middle: aws.ToString(n.MiddleName),
			Formatted: aws.ToString(n.Formatted), Prefix: aws.ToString(n.HonorificPrefix),
			Suffix: aws.ToString(n.HonorificSuffix),
		}
	}
	for _, e := range u.Emails {
		out.Emails = append(out.Emails, TypedValue{aws.ToString(e.Value), aws.ToString(e.Type), e.Primary})
	}
	for _, p := range u.PhoneNumbers {
		out.Phones = append(out.Phones, TypedValue{aws.ToString(p.Value), aws.ToString(p.Type), p.Primary})
	}
	for _, a := range u.Addresses {
		out.Addresses = append(out.Addresses, Address{
			Street: aws.ToString(a.StreetAddress), Locality: aws.ToString(a.Locality), Region: aws.ToString(a.Region),
			PostalCode: aws.ToString(a.PostalCode), Country: aws.ToString(a.Country),
			Formatted: aws.ToString(a.Formatted), Type: aws.ToString(a.Type), Primary: a.Primary,
		})
	}
	return out
}

func (r *reading) groups() {
	var list []Group
	for page, err := range r.Groups(r.ctx, "") {
		if r.failed(err) {
			break
		}
		for _, g := range page.Items {
			list = append(list, Group{
				ID: aws.ToString(g.GroupId), DisplayName: aws.ToString(g.DisplayName),
				Description: aws.ToString(g.Description), Provisioned: provisioned(g.ExternalIds, g.CreatedBy),
			})
		}
	}
	r.needs(len(list))
	each(r, list, func(g Group) {
		if r.People || !g.Provisioned {
			members, _ := all(r, r.Members(r.ctx, g.ID, ""))
			for _, m := range members {
				if user := inventory.MemberID(m); user != "" {
					g.Members = append(g.Members, Member{aws.ToString(m.MembershipId), user})
				}
			}
		}
		r.keep(func(o *Organization) { o.Groups = append(o.Groups, g) })
	})
}
