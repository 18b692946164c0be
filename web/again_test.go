package web

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestWhoWaitsToMakeWhatIsShownOnceDoesNotOutliveTheRequest: presses wait for each other, and one
// whose browser has gone away makes nothing.
func TestWhoWaitsToMakeWhatIsShownOnceDoesNotOutliveTheRequest(t *testing.T) {
	t.Parallel()
	desk := &Desk{URL: "http://127.0.0.1", Prefix: "/console"}
	desk.MountSignIn(http.NewServeMux())
	press := func(ctx context.Context, create func() error) error {
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/console/keys", nil)
		_, err := Visit{httptest.NewRecorder(), r, "admin", desk, nil, ""}.Once(
			func() ([]string, error) { return nil, nil }, create)
		return err
	}
	begun, end := make(chan struct{}), make(chan struct{})
	first := make(chan error)
	go func() {
		first <- press(t.Context(), func() error {
			close(begun)
			<-end
			return nil
		})
	}()
	<-begun
	gone, leave := context.WithCancel(t.Context())
	leave()
	made := 0
	create := func() error {
		made++
		return nil
	}
	if err := press(gone, create); !errors.Is(err, context.Canceled) || made != 0 {
		t.Errorf("who has gone away: %v, %d made", err, made)
	}
	close(end)
	if err := <-first; err != nil {
		t.Error(err)
	}
	if err := press(t.Context(), create); err != nil || made != 1 {
		t.Errorf("who comes after: %v, %d made", err, made)
	}
}
