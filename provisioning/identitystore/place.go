package identitystore

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"
)

// scheme begins the address of an identity store.
const scheme = "identitystore:"

// Names says whether an address names an identity store.
func Names(address string) bool { return strings.HasPrefix(address, scheme) }

var storeID = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(arn:aws[a-z-]*:identitystore::\d{12}:identitystore/)?(d-[0-9a-f]{10}|` +
		`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$`)
})

var regionName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-\d+$`) })

// ParsePlace reads identitystore:STORE[@REGION].
func ParsePlace(address string) (store, region string, err error) {
	store, region, named := strings.Cut(strings.TrimPrefix(address, scheme), "@")
	switch {
	case !storeID().MatchString(store):
		return "", "", fmt.Errorf(
			"%q is not an identity store: write identitystore:STORE@REGION, such as "+
				"identitystore:d-1234567890@us-east-1 (aws sso-admin list-instances shows both)", address,
		)
	case named && !regionName().MatchString(region):
		return "", "", fmt.Errorf("%q is not the name of a Region, such as us-east-1", region)
	}
	return store, region, nil
}

// Settings are how a person at a command names a store.
type Settings struct {
	Address string // identitystore:STORE[@REGION]
	Rate    float64
	HTTP    *http.Client
	Explain func(doing string, err error) error
}

// Open opens the store with the credentials that every AWS tool finds: environment, profile, role.
func (s Settings) Open(ctx context.Context) (*Target, error) {
	store, region, err := ParsePlace(s.Address)
	if err != nil {
		return nil, err
	}
	loaded, err := config.LoadDefaultConfig(ctx, config.WithLogger(logging.Nop{}))
	if err != nil {
		return nil, fmt.Errorf("read the AWS configuration: %w", err)
	}
	if region != "" {
		loaded.Region = region
	}
	if s.HTTP != nil {
		loaded.HTTPClient = s.HTTP
	}
	if loaded.Credentials == nil {
		return nil, errors.New("there are no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and " +
			"AWS_SECRET_ACCESS_KEY")
	}
	return Open(ctx, Config{SDK: loaded, StoreID: store, Rate: s.Rate, Explain: s.Explain})
}
