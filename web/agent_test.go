package web

import (
	"strings"
	"testing"
)

// TestBrowsersAreCalledByTheirNames: by the header that they send, in which most name others too.
func TestBrowsersAreCalledByTheirNames(t *testing.T) {
	t.Parallel()
	const mozilla, webkit = "Mozilla/5.0 (", ") AppleWebKit/537.36 (KHTML, like Gecko) "
	for _, x := range []struct{ want, sent string }{
		{"Edge on Windows", mozilla + "Windows NT 10.0" + webkit + "Chrome/126.0 Safari/537.36 Edg/126.0"},
		{"Chrome on macOS", mozilla + "Macintosh; Intel Mac OS X 10_15_7" + webkit + "Chrome/126.0 Safari/537.36"},
		{"Safari on macOS", mozilla + "Macintosh; Intel Mac OS X 10_15_7) Version/17.5 Safari/605.1.15"},
		{"Safari on iPhone", mozilla + "iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Safari/604.1"},
		{"Firefox on Linux", mozilla + "X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"},
		{"Chrome on Android", mozilla + "Linux; Android 14; Pixel 8" + webkit + "Chrome/126.0 Mobile Safari/537.36"},
		{"AWS CLI on Linux", "aws-cli/2.17.0 md/awscrt#0.20.11 ua/2.0 os/linux#6.8 lang/python#3.11"},
		{"something new", "something new"}, {strings.Repeat("x", 80) + "…", strings.Repeat("x", 100)}, {"–", ""},
	} {
		if got := Agent(x.sent); got != x.want {
			t.Errorf("%s is called %q, want %q", x.sent, got, x.want)
		}
	}
}
