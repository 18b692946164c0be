package main

import (
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/gatehouse-id/gatehouse/center/centertest"
)

// TestTheFocusStaysWhereAPartOfThePageIsReplaced: when the row that has it is gone, it comes to
// something that can have it, and never to what is hidden, disabled or not visible.
func TestTheFocusStaysWhereAPartOfThePageIsReplaced(t *testing.T) {
	t.Parallel()
	s := centertest.Serve(t)
	b := browser{t, newBrowser(t, "")}
	b.open(s.URL + "/console/login")
	const first, second = `<button>first</button>`, `<button id="at">second</button>`
	const hidden, off = `<input type="hidden">`, `<button disabled>off</button>`
	for _, c := range []struct{ what, old, now, want string }{
		{"the row is there", first + second, first + second, "second"},
		{"the row is gone", first + second, first, "first"},
		{"a hidden field follows", first + hidden + second, first + hidden, "first"},
		{"a disabled button follows", first + off + second, first + off, "first"},
		{"what follows is folded", first + `<a href="/">x</a>` + second,
			first + `<details><summary>more</summary><a href="/">x</a></details>`, "more"},
		{"the next comes to its place", hidden + second + hidden + first, hidden + first, "first"},
		{"nothing is left", hidden + second, hidden + "none", "none"},
	} {
		got := do(b, "replace a part", chromedp.Evaluate[string](`((before, after) => {
			const part = (inner) => Object.assign(document.createElement('div'), { innerHTML: inner });
			const old = part(before);
			document.querySelector('main').append(old);
			old.querySelector('#at').focus();
			const now = part(after);
			replace(old, now);
			const at = document.activeElement;
			now.remove();
			return at.textContent;
		})(`+quoteJS(c.old)+`, `+quoteJS(c.now)+`)`))
		if got != c.want {
			t.Errorf("%s: the focus is at %q, want %q", c.what, got, c.want)
		}
	}
}
