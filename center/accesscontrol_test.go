package center_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/refusal"
)

const accessControl = "https://aws.amazon.com/SAML/Attributes/AccessControl:"

func TestAttributesForAccessControl(t *testing.T) {
	many := func(n int) (list []center.AssertedAttribute) {
		for i := range n {
			list = append(list, center.AssertedAttribute{Name: fmt.Sprint("a", i), Values: []string{"x"}})
		}
		return list
	}
	for name, c := range map[string]struct {
		off  bool
		in   []center.AssertedAttribute
		want map[string]string
		code refusal.Code
	}{
		"two and another": {in: []center.AssertedAttribute{
			{
				Name:   accessControl + "CostCenter",
				Values: []string{"42"},
			},
			{
				Name:       accessControl + "Team Name",
				NameFormat: "urn:oasis:names:tc:SAML:2.0:attrname-format:uri",
				Values:     []string{"Blue"},
			},
			{Name: "mail", Values: []string{"x"}},
			{
				Name:   accessControl + "Empty",
				Values: []string{""},
			},
		}, want: map[string]string{"CostCenter": "42", "Team Name": "Blue"}},
		"fifty":                   {in: many(50), want: map[string]string{}},
		"fifty-one":               {in: many(51), code: center.AssertionRefused},
		"fifty-one, switched off": {off: true, in: many(51)},
		"twice": {
			in:   []center.AssertedAttribute{{Name: "a"}, {Name: "a"}},
			code: center.AssertionRefused,
		},
		"two values": {
			in:   []center.AssertedAttribute{{Name: "groups", Values: []string{"a", "b"}}},
			code: center.AssertionRefused,
		},
		"two values, switched off": {
			off: true,
			in:  []center.AssertedAttribute{{Name: "groups", Values: []string{"a", "b"}}},
		},
		"XML in a value": {
			in:   []center.AssertedAttribute{{Name: "a", Values: []string{""}, Structured: true}},
			code: center.AssertionRefused,
		},
		"a NameFormat of one's own": {
			in:   []center.AssertedAttribute{{Name: "a", NameFormat: "urn:mine", Values: []string{"x"}}},
			code: center.AssertionRefused,
		},
		"a key that is not allowed": {
			in:   []center.AssertedAttribute{{Name: accessControl + "a*", Values: []string{"x"}}},
			code: center.AssertionRefused,
		},
		"a long value": {
			in:   []center.AssertedAttribute{{Name: accessControl + "a", Values: []string{strings.Repeat("x", 257)}}},
			code: center.AssertionRefused,
		},
		"a long value of another attribute": {
			in:   []center.AssertedAttribute{{Name: "a", Values: []string{strings.Repeat("x", 257)}}},
			want: map[string]string{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, ctx := centertest.New(t, "http://127.0.0.1"), context.Background()
			use(t, s, "https://a.example")
			u, err := s.CreateUser(ctx, centertest.Actor, centertest.Person("ada@example.com"))
			if err != nil {
				t.Fatal(err)
			}
			settings, err := s.SignInSettings(ctx)
			if err != nil {
				t.Fatal(err)
			}
			settings.AccessControl = !c.off
			if err := s.UpdateSignInSettings(ctx, centertest.Actor, settings); err != nil {
				t.Fatal(err)
			}
			a := center.VerifiedAssertion{
				Issuer:      "https://a.example",
				ID:          "a",
				NameID:      u.UserName,
				UsableUntil: time.Now().Add(time.Hour),
				Attributes:  c.in,
			}
			_, _, _, err = s.SignInWithAssertion(ctx, audit.Actor{Kind: audit.Anonymous}, a, center.Browser{})
			if refusal.CodeOf(err) != c.code {
				t.Fatalf("%v, want %q", err, c.code)
			}
			if err != nil {
				return
			}
			sessions, err := s.Sessions(ctx, u.ID)
			if err != nil || len(sessions) != 1 || !maps.Equal(sessions[0].Attributes, c.want) {
				t.Errorf("the session has %+v, %v; want %v", sessions, err, c.want)
			}
		})
	}
}

// TestAForcedSignInMustBeFresh: a provider that does not ask for credentials anew is found out by
// the time that it names.
func TestAForcedSignInMustBeFresh(t *testing.T) {
	c, ctx := centertest.New(t, "http://127.0.0.1"), context.Background()
	by := audit.Actor{Kind: audit.Anonymous}
	use(t, c, "https://a.example")
	if _, err := c.CreateUser(ctx, centertest.Actor, centertest.Person("ada@example.com")); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		force bool
		since time.Duration
		code  refusal.Code
	}{
		"fresh":                         {true, 0, refusal.None},
		"an hour ago":                   {true, time.Hour, center.AssertionRefused},
		"within the clocks' difference": {true, 2 * time.Minute, refusal.None},
		"an hour ago, not forced":       {false, time.Hour, refusal.None},
	} {
		request, err := c.StartAuthnRequest(ctx, "", "/start", test.force)
		if err != nil {
			t.Fatal(err)
		}
		a := center.VerifiedAssertion{
			Issuer:       "https://a.example",
			ID:           name,
			NameID:       "ada@example.com",
			InResponseTo: request.ID,
			UsableUntil:  time.Now().Add(time.Hour),
			AuthnInstant: time.Now().Add(-test.since),
		}
		if _, _, _, err := c.SignInWithAssertion(
			ctx, by, a, center.Browser{Outstanding: request.Outstanding.Reveal()},
		); refusal.CodeOf(err) != test.code {
			t.Errorf("%s: %v, want %q", name, err, test.code)
		}
	}
}
