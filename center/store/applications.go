package store

import (
	"errors"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/sqldb"
)

func (t tx) InstanceSettings() (center.InstanceSettings, error) {
	return document[center.InstanceSettings](t, kindInstanceSet, theOnly)
}
func (t tx) PutInstanceSettings(v center.InstanceSettings) error {
	return t.putDocument(kindInstanceSet, theOnly, v)
}

func (t tx) History() (center.History, error) {
	return document[center.History](t, kindHistory, theOnly)
}
func (t tx) PutHistory(v center.History) error { return t.putDocument(kindHistory, theOnly, v) }

func (t tx) InstanceControls() (center.InstanceControls, error) {
	return document[center.InstanceControls](t, kindControls, theOnly)
}
func (t tx) PutInstanceControls(v center.InstanceControls) error {
	return t.putDocument(kindControls, theOnly, v)
}

func (t tx) Setup() (center.Setup, error)  { return document[center.Setup](t, kindSetup, theOnly) }
func (t tx) PutSetup(v center.Setup) error { return t.putDocument(kindSetup, theOnly, v) }

// samlKept is what a custom SAML application has, once more in a row of its own: a release that
// knows nothing of SAML writes an application without it.
type samlKept struct {
	SAML     *center.SAMLApplication
	SAMLKey  *center.RequestKey
	SpareKey *center.RequestKey
}

// withSAML gives an application what another release has dropped.
func (t tx) withSAML(a center.Application) (center.Application, error) {
	if !a.TakesSAML() || a.SAML != nil || a.SAMLKey != nil {
		return a, nil
	}
	kept, err := document[samlKept](t, kindSAML, a.ARN)
	if errors.Is(err, refusal.ErrNoRow) {
		return a, nil
	}
	a.SAML = kept.SAML
	a.SAMLKey, a.SAMLSpareKey = kept.SAMLKey, kept.SpareKey
	return a, err
}

func (t tx) Application(arn string) (center.Application, error) {
	a, err := document[center.Application](t, kindApplication, arn)
	if err != nil {
		return a, err
	}
	return t.withSAML(a)
}
func (t tx) Applications(after string, limit int) ([]center.Application, error) {
	w := &sqldb.Where{}
	w.And("kind = ? AND id > ?", kindApplication, after)
	query := `SELECT doc FROM documents` + w.Text() + ` ORDER BY id` + w.Limit(limit, 0)
	all, err := list[center.Application](t, query, w.Args...)
	for i := range all {
		if err == nil {
			all[i], err = t.withSAML(all[i])
		}
	}
	return all, err
}
func (t tx) CountApplications() (int, error) {
	return t.Count(`SELECT COUNT(*) FROM documents WHERE kind = $1`, kindApplication)
}
func (t tx) PutApplication(v center.Application) error {
	err := t.putDocument(kindApplication, v.ARN, v)
	if err == nil && (v.SAML != nil || v.SAMLKey != nil) {
		err = t.putDocument(kindSAML, v.ARN, samlKept{v.SAML, v.SAMLKey, v.SAMLSpareKey})
	}
	return err
}
func (t tx) DeleteApplication(arn string) error {
	return errors.Join(t.deleteDocument(kindApplication, arn), t.deleteDocument(kindSAML, arn))
}

func (t tx) ApplicationAssignments(q center.ApplicationAssignmentQuery) ([]center.ApplicationAssignment, error) {
	w := &sqldb.Where{}
	w.Equal("application", q.ApplicationARN)
	w.Equal("principal_type", string(q.PrincipalType))
	w.Equal("principal_id", q.PrincipalID)
	heldOnlyBy(w, q.HeldBy)
	if q.After != (center.ApplicationAssignment{}) {
		w.And(
			"(application, principal_type, principal_id) > (?, ?, ?)", q.After.ApplicationARN,
			string(q.After.PrincipalType), q.After.PrincipalID,
		)
	}
	query := `SELECT application, principal_type, principal_id FROM application_assignments` + w.Text() +
		` ORDER BY application, principal_type, principal_id` + w.Limit(q.Limit, 0)
	return rows(t, query, w.Args, func(a *center.ApplicationAssignment) []any {
		return []any{&a.ApplicationARN, &a.PrincipalType, &a.PrincipalID}
	})
}
func (t tx) PutApplicationAssignment(a center.ApplicationAssignment) error {
	return t.Do(
		`INSERT INTO application_assignments (application, principal_type, principal_id) VALUES ($1, $2, $3)
			ON CONFLICT DO NOTHING`,
		a.ApplicationARN, string(a.PrincipalType), a.PrincipalID,
	)
}
func (t tx) DeleteApplicationAssignment(a center.ApplicationAssignment) error {
	return t.Do(
		`DELETE FROM application_assignments WHERE application = $1 AND principal_type = $2 AND principal_id = $3`,
		a.ApplicationARN, string(a.PrincipalType), a.PrincipalID,
	)
}
func (t tx) DeleteApplicationAssignmentsOf(arn string) error {
	return t.Do(`DELETE FROM application_assignments WHERE application = $1`, arn)
}

func (t tx) TokenIssuer(arn string) (center.TokenIssuer, error) {
	return document[center.TokenIssuer](t, kindTokenIssuer, arn)
}
func (t tx) TokenIssuers() ([]center.TokenIssuer, error) {
	return documents[center.TokenIssuer](t, kindTokenIssuer)
}
func (t tx) PutTokenIssuer(v center.TokenIssuer) error {
	return t.putDocument(kindTokenIssuer, v.ARN, v)
}
func (t tx) DeleteTokenIssuer(arn string) error { return t.deleteDocument(kindTokenIssuer, arn) }
