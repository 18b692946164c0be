package center

import (
	"encoding/binary"
	"time"
)

// A remembered user is its texts one behind the other, each behind its length; then the lists, each
// behind its length; then the numbers. Only this process reads what it wrote, so nothing is
// checked.

func (a *Address) texts() [7]*string {
	return [...]*string{&a.Formatted, &a.StreetAddress, &a.Locality, &a.Region, &a.PostalCode, &a.Country, &a.Type}
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendFlag(b []byte, flag bool) []byte {
	if flag {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendUser(b []byte, u User) []byte {
	texts, lists := u.TextAttributes(), u.ListAttributes()
	for i := range texts {
		b = appendText(b, *texts[i].Value)
	}
	b = appendText(appendText(appendText(b, string(u.ID)), u.CreatedBy), u.UpdatedBy)
	for i := range lists {
		list := *lists[i].Values
		b = binary.AppendUvarint(b, uint64(len(list)))
		for _, v := range list {
			b = appendFlag(appendText(appendText(appendText(b, v.Value), v.Display), v.Type), v.Primary)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(u.Addresses)))
	for i := range u.Addresses {
		for _, t := range u.Addresses[i].texts() {
			b = appendText(b, *t)
		}
		b = appendFlag(b, u.Addresses[i].Primary)
	}
	b = appendFlag(b, u.Active)
	for _, t := range []time.Time{u.CreatedAt, u.UpdatedAt, u.AddressChangedAt, u.RolesSince} {
		b = binary.AppendVarint(binary.AppendVarint(b, t.Unix()), int64(t.Nanosecond()))
	}
	return binary.AppendVarint(b, u.Version)
}

// decodeUser reads what appendUser wrote. The user's texts are parts of record.
func decodeUser(record string) (u User) {
	r := userScanner(record)
	texts, lists := u.TextAttributes(), u.ListAttributes()
	for i := range texts {
		*texts[i].Value = r.text()
	}
	u.ID = UserID(r.text())
	u.CreatedBy = r.text()
	u.UpdatedBy = r.text()
	for i := range lists {
		if n := r.length(); n > 0 {
			list := make([]Value, n)
			for j := range list {
				list[j] = Value{Value: r.text(), Display: r.text(), Type: r.text(), Primary: r.flag()}
			}
			*lists[i].Values = list
		}
	}
	if n := r.length(); n > 0 {
		u.Addresses = make([]Address, n)
		for i := range u.Addresses {
			for _, t := range u.Addresses[i].texts() {
				*t = r.text()
			}
			u.Addresses[i].Primary = r.flag()
		}
	}
	u.Active = r.flag()
	u.CreatedAt = r.time()
	u.UpdatedAt = r.time()
	u.AddressChangedAt = r.time()
	u.RolesSince = r.time()
	u.Version = r.number()
	return u
}

// userScanner is what is left to read.
type userScanner string

// unsigned reads what binary.AppendUvarint wrote.
func (r *userScanner) unsigned() uint64 {
	var n, shift uint64
	for i := 0; ; i++ {
		c := (*r)[i]
		n |= uint64(c&0x7f) << shift
		if shift += 7; c < 0x80 {
			*r = (*r)[i+1:]
			return n
		}
	}
}

func (r *userScanner) length() int { return int(r.unsigned()) } // #nosec G115 -- a length that appendUser wrote

// number reads what binary.AppendVarint wrote.
func (r *userScanner) number() int64 {
	n := r.unsigned()
	return int64(n>>1) ^ -int64(n&1) // #nosec G115 -- the bits of a signed number
}

func (r *userScanner) text() string {
	n := r.length()
	t := string(*r)[:n]
	*r = (*r)[n:]
	return t
}

func (r *userScanner) flag() bool {
	flag := (*r)[0] == 1
	*r = (*r)[1:]
	return flag
}

func (r *userScanner) time() time.Time { return time.Unix(r.number(), r.number()).UTC() }
