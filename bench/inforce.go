package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"

	"github.com/gatehouse-id/gatehouse/adminapi"
)

// How many people have how many windows of access each.
const (
	windowPeople = 100
	windowsEach  = 10
)

// inForce measures who has what before and after requests for access are in force.
func (w *accessWorld) inForce(b *bench) ([]figure, error) {
	tag := adminapi.Tag{Key: "bench", Value: "yes"}
	var tagged []adminapi.Account
	for i := range windowsEach {
		tagged = append(tagged, adminapi.Account{
			ID: accountID(i), Name: fmt.Sprintf("Account %d", i), Tags: []adminapi.Tag{tag},
		})
	}
	if err := w.center.admin.PutAccounts(context.Background(), tagged); err != nil {
		return nil, err
	}
	loads := func(when string) []workload {
		return []workload{
			{
				name:        "who has access to an account, SigV4, " + when,
				connections: 1,
				against:     "hello",
				build:       w.whoHas,
			},
			{
				name:        "accounts of a person, first page, " + when,
				connections: 1,
				against:     "hello",
				build:       w.portal(func() string { return "/assignment/accounts?max_result=100" }),
			},
		}
	}
	var figures []figure
	measure := func(when string) error {
		for _, load := range loads(when) {
			more, err := b.measure(load, []*target{w.target})
			if err != nil {
				return fmt.Errorf("%s: %w", load.name, err)
			}
			figures = append(figures, more...)
		}
		return nil
	}
	if err := measure("without requests"); err != nil {
		return nil, err
	}
	if err := w.openWindows(tag); err != nil {
		return nil, err
	}
	return figures, measure(fmt.Sprintf("with %d requests in force", windowPeople*windowsEach))
}

// whoHas asks for accounts in which no request is in force.
func (w *accessWorld) whoHas(t *target) (request, int) {
	stock := make([][]byte, 512)
	for i := range stock {
		account := accountID(windowsEach + rand.IntN(manyAccounts-windowsEach))
		stock[i] = t.signedFor(
			adminapi.Target+".ListHeldAccess", adminapi.SigningName, fmt.Appendf(nil, `{"AccountId":"%s"}`, account),
		)
	}
	return func(buf []byte, _, i int) []byte { return append(buf, stock[i%len(stock)]...) }, 0
}

// openWindows has people take access in an emergency.
func (w *accessWorld) openWindows(tag adminapi.Tag) error {
	ctx := context.Background()
	var members []string
	for _, id := range w.users[1 : windowPeople+1] {
		members = append(members, `{"value":"`+id+`"}`)
	}
	group, err := created(w.address, message(nil, "POST", w.prefix+"Groups", w.headers, fmt.Appendf(
		nil, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"On call","members":[%s]}`,
		strings.Join(members, ","),
	)))
	if err != nil {
		return err
	}
	if _, err := w.center.admin.CreateRequestPolicy(ctx, adminapi.RequestPolicy{
		Name: "Bench", EligibleGroupID: group, ApproverGroupID: group, Approvals: 1, Emergency: true,
		PermissionSetARN: w.sets[manySets-1], Tag: &tag, LongestSeconds: 4 * 3600,
	}); err != nil {
		return err
	}
	for _, id := range w.users[1 : windowPeople+1] {
		token, err := w.tokenOf(id)
		if err != nil {
			return err
		}
		person := &adminapi.Person{URL: "http://" + w.address, Token: token, HTTP: http.DefaultClient}
		for i := range windowsEach {
			var made adminapi.AccessRequest
			if err := person.Do(ctx, "RequestAccess", adminapi.RequestAccessInput{
				AccountID: accountID(i), PermissionSet: w.sets[manySets-1], Seconds: 2 * 3600, Reason: "bench",
				Emergency: true,
			}, &made); err != nil {
				return err
			}
		}
	}
	return nil
}
