package console

import (
	"bytes"
	"encoding/csv"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/idpmetadata"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/saml"
)

// uploadMetadata takes the identity provider's metadata as a file or as pasted text.
func uploadMetadata(p page) error {
	text, err := p.fileOr("metadata", saml.MaxMetadataFile)
	if err != nil {
		return err
	}
	idp, err := idpmetadata.Parse(text, p.h.Center.Now())
	if err == nil {
		_, err = p.h.Center.CreateIdPConfiguration(p.Context(), p.by, idp)
	} else {
		err = p.h.Center.Refuse(p.Context(), p.by, "CreateExternalIdPConfigurationForDirectory", "", err)
	}
	if err != nil {
		return err
	}
	http.Redirect(p.ResponseWriter, p.Request, reviewPath, http.StatusSeeOther)
	return nil
}

// uploadValues takes what metadata would say as three values. Source: user guide, "How to connect
// to an external identity provider".
func uploadValues(p page) error {
	der, err := center.ReadCertificate([]byte(p.PostFormValue("certificate")))
	if err != nil {
		return p.h.Center.Refuse(
			p.Context(), p.by, "CreateExternalIdPConfigurationForDirectory", p.PostFormValue("issuer"), err,
		)
	}
	idp := center.IdPConfiguration{
		EntityID:     strings.TrimSpace(p.PostFormValue("issuer")),
		SignInURL:    strings.TrimSpace(p.PostFormValue("signin")),
		Certificates: [][]byte{der},
	}
	if _, err := p.h.Center.CreateIdPConfiguration(p.Context(), p.by, idp); err != nil {
		return err
	}
	http.Redirect(p.ResponseWriter, p.Request, reviewPath, http.StatusSeeOther)
	return nil
}

// fileOr reads an uploaded file, or what was pasted instead.
func (p page) fileOr(field string, limit int64) ([]byte, error) {
	if file, _, err := p.FormFile("file"); err == nil {
		defer file.Close() //nolint:errcheck // it was only read
		data, err := io.ReadAll(io.LimitReader(file, limit+1))
		if err != nil {
			return nil, &refusal.Error{Code: center.InvalidRequest, Detail: "the file cannot be read"}
		}
		if len(data) > 0 {
			return data, nil
		}
	}
	return []byte(p.PostFormValue(field)), nil
}

func addCertificate(p page) error {
	file, err := p.fileOr("certificate", saml.MaxMetadataFile)
	if err != nil {
		return err
	}
	if err := idpmetadata.ImportCertificates(p.Context(), p.h.Center, p.by, file); err != nil {
		return err
	}
	return p.Done(sourcePath, "Added: signatures by its key are accepted from now on.")
}

func deleteCertificate(p page) error {
	if err := p.h.Center.DeleteIdPCertificate(
		p.Context(), p.by, p.PathValue("thumbprint"), strings.TrimSpace(p.PostFormValue("confirmation")),
	); err != nil {
		return err
	}
	return p.Done(sourcePath, "The certificate is deleted: signatures by its key are refused from now on.")
}

func setRequests(p page) error {
	if err := p.h.Center.SetRequests(
		p.Context(), p.by, p.PostFormValue("sign") == "on", p.PostFormValue("binding") == "post",
	); err != nil {
		return err
	}
	return p.Done(
		sourcePath,
		"Saved. If requests are now signed, give the identity provider the service provider metadata again: it "+
			"contains the certificate.",
	)
}

func watchMetadata(p page) error {
	address := strings.TrimSpace(p.PostFormValue("url"))
	if err := p.h.Center.WatchMetadata(p.Context(), p.by, address); err != nil {
		return err
	}
	if address == "" {
		return p.Done(sourcePath, "The metadata is no longer watched.")
	}
	if err := p.h.Metadata.Look(p.Context(), address); err != nil {
		return err
	}
	return p.Done(
		sourcePath,
		"The metadata is checked every six hours. Changes are shown here, and trusted only when you accept them.",
	)
}

func acceptMetadata(p page) error {
	if err := p.h.Center.AcceptMetadata(
		p.Context(), p.by, strings.ReplaceAll(p.PostFormValue("seen"), "\r\n", "\n"),
	); err != nil {
		return err
	}
	return p.Done(sourcePath, "The metadata is accepted.")
}

func allowIdPInitiated(p page) error {
	allow := p.PostFormValue("allow") == "on"
	if err := p.h.Center.AllowIdPInitiated(p.Context(), p.by, allow); err != nil {
		return err
	}
	if allow {
		return p.Done(sourcePath, "Saved. Users can start at the identity provider.")
	}
	return p.Done(
		sourcePath,
		"Saved. Users start at the access portal; an unsolicited response is refused.",
	)
}

// confirmed is the word that was typed, and what was in force when the page was shown: a form that
// is sent twice would undo its own undo.
func (p page) confirmed() center.Confirmed {
	return center.Confirmed{
		Word: strings.TrimSpace(p.PostFormValue("confirmation")), InForce: p.PostFormValue("in-force"),
	}
}

func undoChange(p page) error {
	how := p.confirmed()
	if err := p.stopProvisioningFor(how); err != nil {
		return err
	}
	if err := p.h.Center.UndoSourceChange(p.Context(), p.by, how); err != nil {
		return err
	}
	return p.Done(sourcePath, "The change is undone: the previous identity source is in use again.")
}

// stopProvisioningFor does what has to be done before the built-in directory is used again: it
// deletes the access tokens and disables automatic provisioning. It does nothing where the undo
// would be refused anyway, or goes back to another identity provider.
func (p page) stopProvisioningFor(how center.Confirmed) error {
	ctx, c := p.Context(), p.h.Center
	s, err := c.Source(ctx)
	if err != nil || !s.CanUndo(c.Now()) || s.Previous.Type != center.Directory ||
		how.Check(s) != nil {
		return err
	}
	tokens, err := c.BearerTokens(ctx)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		if err := c.DeleteBearerToken(ctx, p.by, t.ID); err != nil {
			return err
		}
	}
	if err := c.DeleteProvisioningTenant(ctx, p.by); refusal.CodeOf(err) != center.ProvisioningOff {
		return err
	}
	return nil
}

func rehearse(p page) error {
	link, err := p.h.Center.StartRehearsal(p.Context(), p.by, strings.TrimSpace(p.PostFormValue("username")))
	if err != nil {
		return err
	}
	return showReview(p, link.Reveal())
}

// reportCSV sends the whole report, one user a line. Texts that a spreadsheet would take for a
// formula are quoted for it.
func reportCSV(p page) error {
	to, known := p.change()
	var b bytes.Buffer
	var w *csv.Writer
	err := p.h.Center.EachSourceEffect(p.Context(), to, known, func(center.SourceType) {
		b.Reset()
		w = csv.NewWriter(&b)
		// to memory
		_ = w.Write([]string{
			"user id", "user name", "display name", "email", "effect", "explanation",
			"administrator of an AWS account",
		})
	}, func(u center.UserEffect) error {
		return w.Write([]string{
			string(u.User.ID), plainCell(u.User.UserName), plainCell(u.User.DisplayName),
			plainCell(u.User.PrimaryEmail()), string(u.Effect), u.Effect.Explain(),
			strconv.FormatBool(u.Administrator),
		})
	})
	if err != nil {
		return err
	}
	w.Flush()
	return p.Download("identity-source-change.csv", "text/csv; charset=utf-8", b.Bytes())
}

// plainCell keeps spreadsheets from running a text as a formula.
func plainCell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}

type reviewData struct {
	To           center.SourceType
	Pending      *center.IdPConfiguration
	Report       center.ChangeReport
	Lines        []effectLine
	Known        int // how many user names of the identity provider were compared; 0: none were given
	KnownNames   string
	Rehearsal    string // a link, shown once, right after it was made
	Confirmation string
	InForce      string // before the change
}

type effectLine struct {
	Effect center.Effect
	Count  int
	Text   string
}

// reviewChange shows what the change will do to each user, and asks for the word. When the
// administrator has given the user names that the identity provider knows, one a line, it also
// shows who matches nobody yet.
func reviewChange(p page) error { return showReview(p, "") }

// change reads which change is reviewed, and the user names that the identity provider knows; nil
// when none were given.
func (p page) change() (to center.SourceType, known map[string]bool) {
	to = center.ExternalIdP
	if p.FormValue("to") == string(center.Directory) {
		to = center.Directory
	}
	for _, name := range strings.Fields(p.PostFormValue("known")) {
		if known == nil {
			known = map[string]bool{}
		}
		known[names.Fold(name)] = true
	}
	return to, known
}

func showReview(p page, rehearsal string) error {
	to, known := p.change()
	source, err := p.h.Center.Source(p.Context())
	if err != nil {
		return err
	}
	if to == center.ExternalIdP && source.Pending == nil {
		return &refusal.Error{Code: center.SourceNotConfigured}
	}
	report, err := p.h.Center.PreviewSourceChange(p.Context(), to, known)
	if err != nil {
		return err
	}
	d := reviewData{
		To:           to,
		Pending:      source.Pending,
		Report:       report,
		Known:        len(known),
		KnownNames:   p.PostFormValue("known"),
		Rehearsal:    rehearsal,
		Confirmation: center.Confirmation,
		InForce:      source.InForceID(),
	}
	for _, e := range []center.Effect{
		center.StopsWorking, center.MatchesNobody, center.NeedsPassword, center.SignsInAtIdP, center.SignsInAtNewIdP,
		center.PasswordIsUsed,
	} {
		if n := report.Counts[e]; n > 0 {
			d.Lines = append(d.Lines, effectLine{e, n, e.Explain()})
		}
	}
	return p.Render("review", "Change the identity source", sourcePath, d)
}

func changeSource(p page) error {
	how := p.confirmed()
	if p.PostFormValue("to") == string(center.Directory) {
		if err := p.h.Center.DisableIdPConfiguration(p.Context(), p.by, how); err != nil {
			return err
		}
		return p.Done(sourcePath, "The identity source is the built-in directory again.")
	}
	if err := p.h.Center.EnableIdPConfiguration(p.Context(), p.by, p.PostFormValue("id"), how); err != nil {
		return err
	}
	return p.Done(sourcePath, "The identity source is now the external identity provider.")
}
