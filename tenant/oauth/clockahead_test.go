package oauth_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"
)

// TestWhatAClockThatWasAheadHasOpenedIsOver when it is put right: sessions, codes and refresh
// tokens would be good for as long as the clock was ahead. Those of a clock a little ahead go on.
func TestWhatAClockThatWasAheadHasOpenedIsOver(t *testing.T) {
	t.Parallel()
	for ahead, over := range map[time.Duration]bool{
		time.Minute: false, 10 * 24 * time.Hour: true, 365 * 24 * time.Hour: true,
	} {
		o := newOffice(t)
		right := o.now
		o.now = right.Add(ahead)
		o.signIn(ada)
		tokens := o.redeem(o.code()).json(t)
		pending := o.code()
		o.now = right
		if a := o.get(o.asking(nil)); (a.Status == http.StatusSeeOther) != over {
			t.Errorf("the session of a clock that was %s ahead: %d", ahead, a.Status)
		}
		if a := o.refresh(tokens["refresh_token"]); (a.Status != http.StatusOK) != over {
			t.Errorf("the refresh token of a clock that was %s ahead: %d", ahead, a.Status)
		}
		if a := o.redeem(pending); (a.Status != http.StatusOK) != over {
			t.Errorf("the code of a clock that was %s ahead: %d", ahead, a.Status)
		}
	}
}

// TestASignInOfATimeToComeIsNotNew where a program wants one that is.
func TestASignInOfATimeToComeIsNotNew(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	right := o.now
	o.now = right.Add(time.Hour)
	o.signIn(ada)
	o.now = right
	if a := o.get(o.asking(url.Values{"max_age": {"600"}})); a.Status != http.StatusSeeOther {
		t.Errorf("signed in an hour from now: %d", a.Status)
	}
}
