package console

import (
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/saml"
)

// samlData is what the page of a SAML application shows beside the rest.
type samlData struct {
	center.SAMLApplication
	Base                           string // address of the application's page
	SetUp                          bool
	SignIn, Metadata               string // addresses for the application
	Certificates                   []certificateLine
	Minutes                        int // of the session
	SubjectFormats, MappingFormats []string
}

// samlData makes the application's key where there is none: the administrator is to hand over its
// certificate.
func (p page) samlData() (*samlData, error) {
	a, _, err := p.h.Center.SAMLSigner(p.Context(), p.PathValue("id"))
	if err != nil {
		return nil, err
	}
	d := &samlData{
		Base:            applicationURL(a.ARN),
		SetUp:           a.SAML != nil,
		SAMLApplication: center.SAMLApplication{Subject: center.DefaultSubject, SessionDuration: time.Hour},
		SignIn:          p.h.Center.URL + center.SAMLPath + a.ID(),
		Metadata:        p.h.Center.URL + center.SAMLMetadataPath + a.ID(),
		SubjectFormats:  center.SubjectFormats,
		MappingFormats:  center.MappingFormats,
	}
	if a.SAML != nil {
		d.SAMLApplication = *a.SAML
	}
	if d.Certificates, err = certificateLines(a); err != nil {
		return nil, err
	}
	d.Minutes = int(d.SessionDuration / time.Minute)
	return d, nil
}

const samlSaved = "The SAML settings are saved."

// configureSAML changes a SAML application and shows it again.
func (p page) configureSAML(action center.Action, notice string, edit func(*center.SAMLApplication)) error {
	if err := p.h.Center.ConfigureSAML(p.Context(), p.by, action, p.applicationARN(), edit); err != nil {
		return err
	}
	return p.Done(applicationURL(p.applicationARN()), notice)
}

// saveSAMLApplication takes the application's metadata file, or what it would say as two values.
func saveSAMLApplication(p page) error {
	acs, audience := strings.TrimSpace(p.PostFormValue("acs")), strings.TrimSpace(p.PostFormValue("audience"))
	notice := samlSaved
	if file, _, err := p.FormFile("file"); err == nil {
		defer file.Close() //nolint:errcheck // it was only read
		data, err := io.ReadAll(io.LimitReader(file, saml.MaxMetadataFile+1))
		if err != nil {
			return &refusal.Error{Code: center.InvalidRequest, Detail: "the file cannot be read"}
		}
		if len(data) > 0 {
			sp, err := saml.ParseServiceProvider(data)
			if err != nil {
				return p.h.Center.Refuse(
					p.Context(), p.by, center.ActionUpdateApplicationServiceProvider.String(), p.applicationARN(),
					&refusal.Error{Code: center.InvalidValue, Field: "Application metadata", Detail: err.Error()},
				)
			}
			acs, audience = sp.ACSURLs[0], sp.EntityID
			if note := saml.Expired(sp.ValidUntil, p.h.Center.Now()); note != "" {
				notice += " Note: " + note + "."
			}
		}
	}
	return p.configureSAML(center.ActionUpdateApplicationServiceProvider, notice, func(s *center.SAMLApplication) {
		s.ACSURL, s.Audience = acs, audience
	})
}

func saveSAMLResponse(p page) error {
	minutes, err := strconv.Atoi(p.PostFormValue("minutes"))
	if err != nil {
		return &refusal.Error{Code: center.InvalidValue, Field: "Session duration", Detail: "use minutes"}
	}
	return p.configureSAML(center.ActionUpdateApplicationResponse, samlSaved, func(s *center.SAMLApplication) {
		s.RelayState = strings.TrimSpace(p.PostFormValue("relaystate"))
		s.SessionDuration = time.Duration(max(1, min(minutes, 100_000))) * time.Minute
	})
}

// saveSAMLMapping changes the subject, or adds, changes or removes an attribute.
func saveSAMLMapping(p page) error {
	m := center.AttributeMapping{
		Name:   strings.TrimSpace(p.PostFormValue("name")),
		Value:  strings.TrimSpace(p.PostFormValue("value")),
		Format: p.PostFormValue("format"),
	}
	do := p.PostFormValue("do")
	return p.configureSAML(center.ActionUpdateApplicationResponseSchema, samlSaved, func(s *center.SAMLApplication) {
		at := slices.IndexFunc(s.Mappings, func(x center.AttributeMapping) bool { return x.Name == m.Name })
		switch {
		case do == "subject":
			s.Subject = center.AttributeMapping{Value: m.Value, Format: m.Format}
		case do == "remove" && at >= 0:
			s.Mappings = slices.Delete(s.Mappings, at, at+1)
		case do == "remove":
		case at >= 0:
			s.Mappings[at] = m
		default:
			s.Mappings = append(s.Mappings, m)
		}
	})
}
