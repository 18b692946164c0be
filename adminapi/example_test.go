package adminapi_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatehouse-id/gatehouse/adminapi"
)

// A client of a center, by an access key that may administer it.
func ExampleClient() {
	ctx := context.Background()
	client, stop, err := startCenter(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop() //nolint:errcheck // the example is over

	err = client.PutAccounts(ctx, []adminapi.Account{
		{ID: "111122223333", Name: "Staging", Email: "staging@example.com"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	accounts, err := client.Accounts(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, account := range accounts {
		fmt.Println(account.ID, account.Name)
	}

	_, err = client.CreateAccessKey(ctx, "ada", "king")
	var refused *adminapi.Error
	fmt.Println(errors.As(err, &refused), refused.Code, refused.Reason)
	// Output:
	// 111122223333 Staging
	// true ValidationException invalid-value
}
