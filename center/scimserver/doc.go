// Package scimserver is the center's SCIM 2.0 door: one engine with two profiles, which an access
// token chooses. AWS's is what IAM Identity Center's endpoint supports, limits and answers,
// according to the SCIM developer guide and to what clients have seen; the standard one is RFC
// 7643 and RFC 7644. It serves /{tenant}/scim/v2/, and writes and reads users and groups as JSON
// lines.
//
// It may import audit, authn, center, plainjson, refusal and scim.
package scimserver
