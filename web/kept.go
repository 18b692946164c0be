package web

import (
	"bytes"
	"net/http"
)

// Kept is an answer that is kept instead of sent: of a request that one request makes on its way.
// Make it with NewKept.
type Kept struct {
	Status int // 200 unless the handler says something else
	Body   bytes.Buffer
	header http.Header
}

// NewKept is an answer that nothing was written to yet.
func NewKept() *Kept { return &Kept{Status: http.StatusOK, header: http.Header{}} }

// Header is that of the answer.
func (k *Kept) Header() http.Header { return k.header }

// WriteHeader keeps the status.
func (k *Kept) WriteHeader(status int) { k.Status = status }

// Write keeps a part of the body.
func (k *Kept) Write(p []byte) (int, error) { return k.Body.Write(p) }
