// Package identitystore is the center's door for the identitystore API: its 19 operations over
// awsJson1.1.
//
// Sources: the published service model and the API reference.
//
// It may import awsapi, center, center/awsdoor and refusal.
package identitystore
