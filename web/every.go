package web

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// What is done to all that a list has, as it is filtered, and not only to rows of the page.

// MaxEvery bounds it. Whoever needs more narrows the list, and does it in parts.
const MaxEvery = 1000 //bound:list rows that one form changes where all that a list has are meant

// again is the answer to a question that is asked once more.
const again = "again"

// The fields by which a form means all rows: how many the list had, the filters of its address, and
// a digest of the rows that a question was about.
const (
	every    = "every"
	matching = "matching"
	matched  = "matched"
)

// Every says whether the form means all that its list has.
func (v Visit) Every() bool { return v.FormValue(every) != "" }

// Listed is the visit of the list that the form means all of, as it was filtered there.
func (v Visit) Listed() Visit {
	v.Request = listed(v.Request, v.FormValue(matching), "")
	return v
}

// listed is the request of a list with some filters, as a page or as a file.
func listed(r *http.Request, filters, format string) *http.Request {
	q, err := url.ParseQuery(filters)
	if err != nil {
		q = url.Values{"q": {filters}} // to leave a filter out would mean more than what was meant
	}
	if format != "" {
		q.Set("format", format)
	}
	of := r.Clone(r.Context())
	of.Method, of.URL.RawQuery = http.MethodGet, q.Encode()
	return of
}

// everyAsFile is the request of a whole list as a file where the form of its boxes asks for one of
// all that it has.
func everyAsFile(r *http.Request) *http.Request {
	if q := r.URL.Query(); r.Method == http.MethodGet && q.Get(every) != "" && q.Get("chosen") != "" {
		return listed(r, q.Get(matching), q.Get("chosen"))
	}
	return r
}

// Settle says which rows the list has now. If the question was about others, or about none yet, it
// is asked again: what is done is what somebody has said yes to. Sure must be asked then.
func (v Visit) Settle(rows []string) {
	sum := sha256.Sum256([]byte(strings.Join(slices.Sorted(slices.Values(rows)), "\n")))
	digest, asked := hex.EncodeToString(sum[:]), v.PostFormValue(matched)
	if digest == asked {
		return
	}
	if v.PostForm.Get(sure) != "" {
		v.PostForm.Set(sure, again)
	}
	v.PostForm.Set(matched, digest)
	was, now := v.PostForm.Get(every), strconv.Itoa(len(rows))
	v.PostForm.Set(every, now)
	line := ""
	switch {
	case was != now:
		line = fmt.Sprintf("it had %s, and has %s now.", was, now)
	case asked != "":
		line = "it has as many as when you were asked, but they are not the same."
	}
	v.PostForm.Set(differs, line)
}

// differs carries from Settle to the question that the list has changed. No form has it.
const differs = " differs"

// changed are the lines of a question about that.
func (v Visit) changed() []string {
	line := v.PostForm.Get(differs)
	v.PostForm.Del(differs)
	if line == "" || !v.Every() {
		return nil
	}
	return []string{"The list has changed since you saw it: " + line}
}

// Partly says whether the list has more than the page shows.
func (p Pager) Partly() bool { return p.Total > 0 && cmp.Or(p.Prev, p.Next) != "" }

// TooMany says whether it has more than a form changes at once.
func (p Pager) TooMany() bool { return p.Total > MaxEvery }

// MaxEvery is how many that are.
func (Pager) MaxEvery() int { return MaxEvery }
