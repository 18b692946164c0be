package main

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// TestAPageOutOfTheBrowsersMemoryTakesAPress: the second click on a form is dropped, and the first
// one after somebody has come back to its page is not. What the browser does with a form that is
// taken is not asked for here.
func TestAPageOutOfTheBrowsersMemoryTakesAPress(t *testing.T) {
	t.Parallel()
	s := startSites(t)
	b := browser{t, newBrowser(t, s.hosts)}
	b.open(s.center.ConsoleURL() + "login")
	taken := do(b, "press", chromedp.Evaluate[string](`(() => {
		const form = document.querySelector('form[method=post]'), taken = [];
		form.noValidate = true;
		addEventListener('submit', (event) => {
			taken.push(!event.defaultPrevented);
			event.preventDefault();
		});
		form.requestSubmit();
		form.requestSubmit();
		dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }));
		form.requestSubmit();
		return String(taken);
	})()`))
	if taken != "true,false,true" {
		t.Errorf("what is taken is %s", taken)
	}
}
