// Package ssooidc is the center's door for programs that sign people in on the command line: the
// sso-oidc API (registration, device authorization, tokens), /authorize, and the pages on which
// people allow what a program asks for. Applications ask for tokens by CreateTokenWithIAM, which is
// signed, and find at the issuer's address how their ID tokens are verified.
//
// Sources: the published service model and OIDC API reference; RFC 8628 (device grant), RFC 7636
// (PKCE), RFC 8252 (native apps); what the AWS CLI and the SDKs send.
//
// It may import audit, authn, awsapi, center, center/awsdoor, refusal and web.
package ssooidc
