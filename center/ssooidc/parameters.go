package ssooidc

import "net/url"

// repeated says whether a parameter of those is there twice, which RFC 6749, 3.1, forbids: two
// readers could each read another one. Without names: any parameter.
func repeated(values url.Values, names ...string) bool {
	if len(names) == 0 {
		for _, all := range values {
			if len(all) > 1 {
				return true
			}
		}
	}
	for _, name := range names {
		if len(values[name]) > 1 {
			return true
		}
	}
	return false
}

// unsupported returns the error of a request to /authorize that asks for something that this door
// does not do, or "". Parameters that nobody knows are ignored, and empty ones are as if they were
// not there (RFC 6749, 3.1). Source of the errors: OpenID Connect Core, 3.1.2.6.
func unsupported(q url.Values) string {
	mode, prompt := q.Get("response_mode"), q.Get("prompt")
	switch {
	case repeated(q):
		return "invalid_request"
	case q.Get("request") != "":
		return "request_not_supported"
	case q.Get("request_uri") != "":
		return "request_uri_not_supported"
	case q.Get("registration") != "":
		return "registration_not_supported"
	case mode != "" && mode != "query",
		prompt != "" && prompt != "consent", // the person is always asked, and never to sign in anew
		q.Get("max_age") != "",
		q.Get("resource") != "",
		q.Get("scope") != "" && q.Get("scopes") != "": // which one counts?
		return "invalid_request"
	}
	return ""
}
