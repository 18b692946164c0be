package adminapi_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/gatehousetest"
)

// A client of a center, by an access key that may administer it.
func ExampleClient() {
	ctx := context.Background()
	pair, err := gatehousetest.New(gatehousetest.Unconnected(), gatehousetest.Company(1, 1))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pair.Close() //nolint:errcheck // the example is over
	client := &adminapi.Client{
		URL:             pair.Center.URL,
		Region:          pair.AWS.Region,
		AccessKeyID:     pair.AWS.AccessKeyID,
		SecretAccessKey: pair.AWS.SecretAccessKey,
	}

	err = client.PutAccounts(ctx, []adminapi.Account{
		{ID: "555566667777", Name: "Playground", Email: "playground@example.com"},
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
	// 111122223333 Management
	// 222233334444 Production
	// 333344445555 Staging
	// 444455556666 Development
	// 555566667777 Playground
	// true ValidationException invalid-value
}
