package web

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestLargeBodiesTakeTurns posts more large bodies at once than there are places for: as many as
// may are received, the others wait, small ones pass by, and in the end all are answered.
func TestLargeBodiesTakeTurns(t *testing.T) {
	t.Parallel()
	began, finish := make(chan int, 100), make(chan struct{})
	server := httptest.NewServer(Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		began <- len(data)
		if len(data) > smallBody {
			<-finish
		}
		w.WriteHeader(http.StatusNoContent)
	}), Options{Log: slog.New(slog.DiscardHandler)}))
	defer server.Close()
	post := func(source string, body io.Reader, answers chan<- int) {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true,
			DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}}).DialContext}}
		res, err := client.Post(server.URL, "text/plain", body)
		if err != nil {
			t.Error(err)
			answers <- 0
			return
		}
		_ = res.Body.Close()
		answers <- res.StatusCode
	}
	const posts = 12
	large, small := strings.Repeat("x", 100<<10), strings.Repeat("x", smallBody)
	answers := make(chan int, 2*posts)
	for range posts {
		go post("127.0.0.1", strings.NewReader(large), answers)
	}
	for i := range maxLargeOfOne {
		if n := <-began; n != len(large) {
			t.Errorf("body %d has %d bytes", i, n)
		}
	}
	done := make(chan int, 2)
	post("127.0.0.1", strings.NewReader(small), done) // nobody waits behind the large ones
	<-began
	post("127.0.0.1", io.MultiReader(strings.NewReader(small)), done) // without a length
	<-began
	go post("127.0.0.2", strings.NewReader(large), answers) // nor at another address
	<-began
	select {
	case <-began:
		t.Errorf("more than %d large bodies of one address were received at once", maxLargeOfOne)
	case <-time.After(100 * time.Millisecond):
	}
	close(finish)
	for range posts + 1 {
		if status := <-answers; status != http.StatusNoContent {
			t.Error("answered with " + strconv.Itoa(status))
		}
	}
}

// TestPlacesInAll takes all places, from many addresses, and gives them back.
func TestPlacesInAll(t *testing.T) {
	p := &places{}
	for i := range maxLargeBodies {
		if err := p.take(t.Context(), "192.0.2."+strconv.Itoa(i/2)); err != nil {
			t.Fatal(err)
		}
	}
	got := make(chan error, 1)
	go func() { got <- p.take(t.Context(), "198.51.100.1") }()
	select {
	case err := <-got:
		t.Errorf("one more than there are places: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	p.free("192.0.2.0")
	if err := <-got; err != nil {
		t.Error(err)
	}
	p.free("198.51.100.1")
	for i := range maxLargeBodies - 1 {
		p.free("192.0.2." + strconv.Itoa((i+1)/2))
	}
	if p.taken != 0 || len(p.of) != 0 {
		t.Errorf("%d are taken, %v", p.taken, p.of)
	}
}
