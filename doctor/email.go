package doctor

// emailClash finds addresses that AWS's side has already. Whose the user there is decides what to
// do: what belongs to somebody in the directory must not be deleted for somebody else's address.
func emailClash(l *look, a *answer) {
	for _, p := range l.sent() {
		mail := p.mailToSend()
		for u := range l.usersAt(l.awsMails.find(fold(mail))) {
			if u == p.aws && p.by != "email" {
				continue
			}
			var other *person
			for o := range l.everybody() {
				if o != p && o.aws == u && o.by != "email" {
					other = o
				}
			}
			kind, who := "", "made by hand: a technical user, or the same person under an older name"
			do, command := "Change the address of the other user; delete it if nobody signs in as it any more",
				l.accessOf(u.UserID)
			if l.grants(u) == 0 {
				command = l.ofStore("delete-user", "--user-id", u.UserID)
			}
			if other != nil {
				kind, who = "two people", other.UserPrincipalName+"'s"
				do, command = "Give one of the two another address in Entra: both people are right at AWS", ""
			}
			a.find(Broken, kind, "the address "+mail+" of "+p.UserPrincipalName+" is taken by the user "+u.UserName,
				"Email addresses are unique at AWS: the job is refused with 409, \"Refused to create a new, "+
					"duplicate resource\". The other user is "+who).
				value("Entra", p.UserPrincipalName+" <"+mail+">").value("AWS", u.UserName+" <"+mail+">").
				fix(do, command, l.console("users")).
				of(p.UserPrincipalName, u.UserName)
		}
	}
}
