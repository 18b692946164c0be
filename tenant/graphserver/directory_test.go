package graphserver_test

import (
	"testing"

	"github.com/gatehouse-id/gatehouse/demo"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// directory is a tenant with a company, as a program with all permissions sees it.
type directory struct {
	tenanttest.Graph
	server *tenanttest.Server
}

func newDirectory(t *testing.T, people, groups int, prepare ...tenanttest.Prepare) directory {
	t.Helper()
	s := tenanttest.Serve(t, prepare...)
	s.Seed(demo.NewCompany(people, groups, s.Organization.Domain))
	return directory{s.Graph(), s}
}
