// Package ssoadmin is the center's door for the sso-admin API over awsJson1.1: instances, permission sets and account assignments.
// docs/fidelity.md lists which of the 79 operations are there.
//
// Sources: the published service model and the API reference. It may import center, awsapi and awsdoor.
package ssoadmin
