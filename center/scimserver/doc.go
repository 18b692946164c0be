// Package scimserver is the center's SCIM 2.0 door, in AWS's profile: what IAM Identity Center's endpoint supports, limits and answers,
// as the SCIM developer guide says and clients have seen. It serves /{tenant}/scim/v2/.
//
// It may import center, scim and audit.
package scimserver
