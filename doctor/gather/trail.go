package gather

import (
	"context"
	"time"

	"github.com/gatehouse-id/gatehouse/awsapi/trail"
	"github.com/gatehouse-id/gatehouse/doctor"
)

const trailPages = 2 //bound:list pages of CloudTrail that doctor reads for a name

// trailNames are the events that some check reads, those of sign-ins and tokens first.
var trailNames = []string{
	trail.ProviderLogin, trail.Authentication, "CreateBearerToken", "DeleteBearerToken", "AssociateDirectory",
	"DisassociateDirectory",
	"DeleteGroup", "CreateGroupMembership", "DeleteGroupMembership",
}

// trailSources are services of which the newest events are read.
var trailSources = []string{"identitystore-scim.amazonaws.com", "sso.amazonaws.com"}

// events reads CloudTrail, which takes two requests a second and looks up one attribute at a time.
func (s *side) events(ctx context.Context) {
	if s.Admin != nil {
		s.without(doctor.Trail, "a Gatehouse center has no CloudTrail; its audit log is in its console")
		return
	}
	s.Told("AWS: CloudTrail")
	for _, name := range trailNames {
		if !s.lookup(ctx, trail.Name, name) {
			return
		}
	}
	for _, source := range trailSources {
		if !s.lookup(ctx, trail.Source, source) {
			return
		}
	}
}

func (s *side) lookup(ctx context.Context, by trail.By, value string) bool {
	events, err := trail.Look(ctx, s.trail, by, value, time.Now().AddDate(0, 0, -90), trailPages)
	if s.failed(doctor.Trail, err) {
		return false
	}
	s.keep(func(f *doctor.Facts) { f.AWS.Events = append(f.AWS.Events, events...) })
	return true
}

// console reads what a Gatehouse center tells by its API, and AWS only in its console.
func (s *side) console(ctx context.Context) {
	directory, err := s.Admin.DescribeDirectory(ctx)
	if s.failed(doctor.Console, err) {
		return
	}
	provider, err := s.Admin.ServiceProvider(ctx)
	s.failed(doctor.Console, err)
	configurations, err := s.Admin.Configurations(ctx)
	s.failed(doctor.Console, err)
	certificates, err := s.Admin.ListCertificates(ctx)
	s.failed(doctor.Console, err)
	tenants, err := s.Admin.Tenants(ctx)
	s.failed(doctor.Console, err)
	s.keep(func(f *doctor.Facts) {
		f.AWS.Directory, f.AWS.SP = &directory, &provider
		f.AWS.Configurations = configurations
		f.AWS.Certificates, f.AWS.Tenants = certificates, tenants
		f.AWS.SP.MetadataXML = ""
	})
	if len(tenants) > 0 {
		tokens, err := s.Admin.BearerTokens(ctx, tenants[0].TenantID)
		if !s.failed(doctor.Console, err) {
			s.keep(func(f *doctor.Facts) { f.AWS.Tokens = tokens })
		}
	}
	if s.Reference != "" {
		if events, err := s.Admin.Explain(ctx, s.Reference); err == nil {
			s.keep(func(f *doctor.Facts) { f.AWS.Explained = events })
		}
	}
}
