package scimserver

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/gatehouse-id/gatehouse/scim"
)

// maxBulk bounds the operations of a bulk request; ServiceProviderConfig announces the same number.
const maxBulk = 1000 //bound:list operations of a SCIM bulk request

// bulkRequest is RFC 7644 §3.7.
type bulkRequest struct {
	Schemas      []string        `json:"schemas"`
	FailOnErrors int             `json:"failOnErrors"` // 0: never
	Operations   []bulkOperation `json:"Operations"`
}

type bulkOperation struct {
	Method  string         `json:"method"`
	BulkID  string         `json:"bulkId"`
	Version string         `json:"version"`
	Path    string         `json:"path"`
	Data    jsontext.Value `json:"data"`
}

type bulkResult struct {
	Location string         `json:"location,omitempty"`
	Method   string         `json:"method"`
	BulkID   string         `json:"bulkId,omitempty"`
	Version  string         `json:"version,omitempty"`
	Status   string         `json:"status"`
	Response jsontext.Value `json:"response,omitzero"`
}

// bulk runs the operations of one request one after the other, each in a transaction of its own, as
// RFC 7644 §3.7 has it: what succeeded stays. An operation that names a resource by a bulkId waits
// until that resource is made; those that wait for each other are refused.
func (h *Handler) bulk(ctx context.Context, r *request) (answer, error) {
	var in bulkRequest
	if err := scim.Decode(r.body, &in); err != nil {
		return answer{}, err
	}
	if len(in.Operations) > maxBulk {
		return answer{}, &scim.Error{
			Status: http.StatusRequestEntityTooLarge,
			Detail: "More than " + strconv.Itoa(maxBulk) + " operations.",
		}
	}
	b := bulkRun{handler: h, request: r, made: map[string]string{}, pending: map[string]int{}}
	waiting := make([]waitingOperation, 0, len(in.Operations))
	for _, op := range in.Operations {
		if op.BulkID != "" {
			b.pending[op.BulkID]++
		}
		waiting = append(waiting, waitingOperation{op, references(op)})
	}
	for progress := true; progress && len(waiting) > 0; {
		progress = false
		var later []waitingOperation
		for _, op := range waiting {
			if b.enough(in.FailOnErrors) {
				return b.answer()
			}
			if op.mustWait(b.pending) {
				later = append(later, op)
				continue
			}
			b.run(ctx, op.bulkOperation)
			b.pending[op.BulkID]--
			progress = true
		}
		waiting = later
	}
	for _, op := range waiting {
		b.fail(ctx, op.bulkOperation, &scim.Error{
			Status: http.StatusConflict,
			Type:   scim.InvalidValue,
			Detail: "The operation and others depend on each other's bulkId.",
		})
	}
	return b.answer()
}

// bulkRun is a bulk request while it runs.
type bulkRun struct {
	handler *Handler
	request *request
	made    map[string]string // ids by bulkId
	pending map[string]int    // operations that have not run yet, by bulkId
	results []bulkResult
	failed  int
}

func (b *bulkRun) enough(failOnErrors int) bool { return failOnErrors > 0 && b.failed >= failOnErrors }

func (b *bulkRun) answer() (answer, error) {
	results := b.results
	if results == nil {
		results = []bulkResult{}
	}
	return encode(map[string]any{"schemas": []string{scim.BulkResponseURN}, "Operations": results})
}

const bulkReference = "bulkId:"

// waitingOperation is an operation that has not run yet.
type waitingOperation struct {
	bulkOperation
	references []string // bulkIds that it names, of resources that may not be made yet
}

// references finds the bulkIds that an operation names: as the end of its path, and as whole texts
// of its data. The data is not decoded for that: what looks like one there and is none costs a
// wait.
func references(op bulkOperation) (ids []string) {
	path, _, _ := strings.Cut(op.Path, "?")
	if _, id, ok := strings.Cut(path, bulkReference); ok {
		ids = append(ids, id)
	}
	for rest := string(op.Data); ; {
		_, after, ok := strings.Cut(rest, `"`+bulkReference)
		if !ok {
			return ids
		}
		id, _, _ := strings.Cut(after, `"`)
		ids, rest = append(ids, id), after
	}
}

// mustWait says whether an operation names a resource that one of those pending is to make. It
// looks at each reference once, and once more while it is waited for: who sends a long chain the
// wrong way round must not hold a processor.
func (op *waitingOperation) mustWait(pending map[string]int) bool {
	for len(op.references) > 0 && pending[op.references[0]] == 0 {
		op.references = op.references[1:]
	}
	return len(op.references) > 0
}

// resolve puts the ids of what was made in the place of references.
func (b *bulkRun) resolve(v any) any {
	switch v := v.(type) {
	case string:
		if id := b.made[strings.TrimPrefix(v, bulkReference)]; id != "" && strings.HasPrefix(v, bulkReference) {
			return id
		}
	case []any:
		for i := range v {
			v[i] = b.resolve(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = b.resolve(v[k])
		}
	}
	return v
}

// run runs one operation and keeps its result.
func (b *bulkRun) run(ctx context.Context, op bulkOperation) {
	path, rawQuery, _ := strings.Cut(op.Path, "?")
	if i := strings.Index(path, bulkReference); i >= 0 {
		if id := b.made[path[i+len(bulkReference):]]; id != "" {
			path = path[:i] + id
		}
	}
	method := strings.ToUpper(op.Method)
	known, ok := route(method, path)
	switch {
	case !ok || known.name == "Bulk" || method == http.MethodGet || strings.HasPrefix(known.name, "Search"):
		b.fail(ctx, op, b.request.noOperation())
		return
	case method == http.MethodPost && op.BulkID == "":
		b.fail(ctx, op, bad(scim.InvalidSyntax, "A POST has no bulkId."))
		return
	}
	in := *b.request
	in.action = known.name
	in.id = known.id
	in.ifMatch = op.Version
	in.ifNoneMatch = ""
	in.query = nil
	err := in.readQuery(rawQuery)
	if err != nil {
		b.fail(ctx, op, err)
		return
	}
	if in.body = op.Data; strings.Contains(string(op.Data), bulkReference) {
		var data any
		if err := scim.Decode(op.Data, &data); err != nil {
			b.fail(ctx, op, err)
			return
		}
		if in.body, err = json.Marshal(b.resolve(data)); err != nil {
			b.fail(ctx, op, err)
			return
		}
	}
	out, err := known.call(b.handler, ctx, &in)
	if err != nil {
		b.fail(ctx, op, b.handler.recorded(ctx, &in, err))
		return
	}
	result := bulkResult{
		Method:   op.Method,
		BulkID:   op.BulkID,
		Status:   strconv.Itoa(out.status),
		Location: out.location,
		Version:  out.tag,
	}
	if out.id != "" {
		b.made[op.BulkID] = out.id
	} else if method != http.MethodPost {
		result.Location = b.request.base + "/" + strings.Trim(path, "/")
	}
	b.results = append(b.results, result)
}

// fail keeps the result of an operation that was refused.
func (b *bulkRun) fail(ctx context.Context, op bulkOperation, err error) {
	status, body := b.handler.failureOf(ctx, b.request.profile, b.request.by.RequestID, err)
	data, encodeErr := json.Marshal(body)
	if encodeErr != nil { // texts always encode
		panic(encodeErr)
	}
	b.failed++
	b.results = append(
		b.results, bulkResult{Method: op.Method, BulkID: op.BulkID, Status: strconv.Itoa(status), Response: data},
	)
}
