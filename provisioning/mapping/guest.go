package mapping

import "strings"

// InvitedAddress is the address that a guest was invited by, which expressions get for the
// userPrincipalName: alias_domain#EXT#@tenant becomes alias@domain. Other names are as they are, as
// is every originalUserPrincipalName. Source: "Attribute mappings reference", on guest users.
func InvitedAddress(userPrincipalName string) string {
	alias, _, guest := strings.Cut(userPrincipalName, "#EXT#@")
	if i := strings.LastIndexByte(alias, '_'); guest && i > 0 {
		return alias[:i] + "@" + alias[i+1:]
	}
	return userPrincipalName
}
