package demo

import (
	"embed"
	"io/fs"
	"net/http"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/mail"
	"github.com/gatehouse-id/gatehouse/web"
)

// OutboxPath is where the demo shows the emails that it does not send.
const OutboxPath = "/mail"

//go:embed pages/mail.html
var outboxPages embed.FS

// MountOutbox shows emails on a page of the center. Only the demo does: anyone who reads them can
// sign in as anybody.
func MountOutbox(mux *http.ServeMux, c *center.Center, o *mail.Outbox) {
	dir, err := fs.Sub(outboxPages, "pages")
	if err != nil {
		panic(err)
	}
	pages := web.NewPages(dir, c.Log)
	mux.Handle("GET "+OutboxPath, web.Guard(c.URL, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		pages.Render(w, http.StatusOK, "mail", web.View{
			Title:   "Email",
			Product: "Gatehouse demo",
			Theme:   "center",
			Home:    OutboxPath,
			Data:    o.Messages(),
		})
	})))
}
