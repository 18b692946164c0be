// Package ssoadmin is the center's door for the sso-admin API over awsJson1.1: instances,
// permission sets, account assignments, provisioning, applications and trusted token issuers.
// docs/sso-admin.md, which is made from Shapes, lists the operations.
//
// Sources: the published service model and the API reference.
//
// It may import awsapi, center, center/awsdoor and refusal.
package ssoadmin
