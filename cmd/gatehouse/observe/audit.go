// Package observe has what lets others watch the two halves: the flags for where the audit log
// goes, and what check says of it; where Prometheus asks, and what it is told of the program; where
// traces go.
//
// It may import audit/chain, audit/outlet, inbound, outbound, sqldb, telemetry/tracing, terminal
// and web.
package observe

import (
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/gatehouse-id/gatehouse/audit/chain"
	"github.com/gatehouse-id/gatehouse/audit/outlet"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// AuditOut is where the audit log goes.
type AuditOut struct {
	to                        []string
	format, authorization, ca string
}

// Flags adds the flags. formats are those that a half can write, the usual one first.
func (a *AuditOut) Flags(f *pflag.FlagSet, formats ...string) {
	f.StringArrayVar(
		&a.to, "audit-to", nil,
		"where the audit log goes, each event at least once and in order: file:/path, syslog:/dev/log,\n"+
			"syslog+tcp://host:port, syslog+tls://host:port or an https URL; can be repeated",
	)
	f.StringVar(
		&a.format, "audit-format", formats[0], "how events of --audit-to are written: "+strings.Join(formats, " or "),
	)
	f.StringVar(
		&a.authorization, "audit-authorization", "",
		"Authorization header of --audit-to, such as \"Bearer …\"; set it with\n"+
			"GATEHOUSE_AUDIT_AUTHORIZATION, since other users of the machine can see flags",
	)
	f.StringVar(&a.ca, "audit-ca", "", "PEM `file` with certificates that --audit-to is verified with too")
}

// The formats that vendors have. Their HTTP requests are lists.
const (
	CloudTrail = "cloudtrail" // of a center
	Entra      = "entra"      // of a tenant: Microsoft Entra's activity logs, as Azure Monitor hands them on
)

// lists are what those lists are called.
var lists = map[string]string{CloudTrail: "Records", Entra: "records"}

// Open has each outlet handed on to.
func (a *AuditOut) Open(
	formats map[string]outlet.Format, client *http.Client, handOn func(name string, o chain.Outlet) *chain.Courier,
) ([]*chain.Courier, error) {
	format, ok := formats[a.format]
	if !ok {
		return nil, terminal.UsageError{Err: fmt.Errorf("--audit-format %q: use %s", a.format,
			strings.Join(slices.Sorted(maps.Keys(formats)), " or "))}
	}
	host, _ := os.Hostname() // empty where there is none
	var all []*chain.Courier
	for _, to := range a.to {
		o, err := outlet.Open(outlet.Settings{
			To: to, Format: format, List: lists[a.format], Authorization: a.authorization, CA: a.ca,
			HTTP: client, Host: host,
		})
		if err != nil {
			return nil, terminal.UsageError{Err: fmt.Errorf("--audit-to %s: %w", terminal.Inline(to), err)}
		}
		all = append(all, handOn(o.Name, o))
	}
	return all, nil
}

// ParseAnchor reads what a position of the audit log is known to have; empty is nothing.
func ParseAnchor(text string) (known chain.Known, err error) {
	if text == "" {
		return known, nil
	}
	position, hash, _ := strings.Cut(text, ":")
	n, e1 := strconv.ParseInt(position, 10, 64)
	raw, e2 := hex.DecodeString(hash)
	if e1 != nil || e2 != nil || n < 1 || len(raw) == 0 {
		return known, terminal.UsageError{
			Err: fmt.Errorf("--audit-anchor %q: use POSITION:HASH, as check prints them", text),
		}
	}
	return chain.Known{Position: n, Hash: hex.EncodeToString(raw)}, nil
}

// Chained is what check says of the audit log to programs.
func Chained(r chain.Result) map[string]any {
	return map[string]any{
		"events": r.Lines, "waiting": r.Waiting, "position": r.Position, "hash": hex.EncodeToString(r.Hash),
		"notes": append([]string{}, r.Notes...),
	}
}

// ChainedText is what check says of the audit log to people.
func ChainedText(r chain.Result) string {
	text := terminal.Counted(
		"audit log: %d {event is as it was|events are as they were} written, %d {is|are} not chained yet",
		r.Lines, r.Waiting,
	)
	if r.Position > 0 {
		text += fmt.Sprintf("; the chain ends at %d:%x", r.Position, r.Hash)
	}
	return text
}
