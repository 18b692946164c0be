package awsapi

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// QueryOperation is one operation of a service that speaks the query protocol.
type QueryOperation struct {
	Input *Shape // the model's shape of the parameters beside Action and Version
	// Anonymous says that nobody signs the requests: what they carry is their proof.
	Anonymous bool
	call      func(ctx context.Context, who Caller, body []byte) (any, error)
}

// QueryOp makes an operation of a typed function: the parameters, which must have the shape, are
// decoded into In. It panics when the shape has a member that In has no field for, as OpOf does.
func QueryOp[In any](shape *Shape, fn func(context.Context, Caller, In) (any, error)) QueryOperation {
	op := OpOf("", Reads, shape, fn)
	return QueryOperation{Input: shape, call: op.call}
}

// maxMember bounds the place of an entry in a list of parameters: Tags.member.50.Key.
const maxMember = 1000 //bound:list entries of a list in a request to STS

// Check says what of a form's parameters is not as the model has it.
func (o QueryOperation) Check(form url.Values) error {
	body, err := o.body(form)
	if err != nil {
		return err
	}
	return o.Input.Check(body)
}

// run runs the operation with the parameters of a request. Whatever is wrong with them is a
// ValidationError, which is what query services call it.
func (o QueryOperation) run(ctx context.Context, who Caller, form url.Values) (any, error) {
	action := form.Get("Action")
	body, err := o.body(form)
	var result any
	if err == nil {
		result, err = o.call(ctx, who, body)
	}
	var member *unknownMember
	if errors.As(err, &member) {
		err = member.in(action)
	}
	var wire *Error
	if errors.As(err, &wire) && (wire.Code == "ValidationException" || wire.Code == "SerializationException") {
		err = &Error{Code: "ValidationError", Message: wire.Message, Status: wire.Status}
	}
	return result, err
}

// body is the parameters as the JSON that shapes are checked on. Source: Smithy, "AWS query
// protocol": a structure's members stand behind a dot, a list's entries behind .member.N, and a
// list without entries is an empty parameter.
func (o QueryOperation) body(form url.Values) ([]byte, error) {
	root := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(form)) {
		if name == "Action" || name == "Version" {
			continue
		}
		if len(form[name]) > 1 {
			return nil, &Error{Code: "ValidationError", Message: "duplicate parameter: " + name}
		}
		if err := place(root, o.Input, name, name, form.Get(name)); err != nil {
			return nil, err
		}
	}
	return json.Marshal(listed(root))
}

// entries is a list that is being read: its entries by their place in it.
type entries map[int]any

// place puts the value of a parameter where the shape has it.
func place(into map[string]any, shape *Shape, whole, path, value string) error {
	name, rest, more := strings.Cut(path, ".")
	var member *Shape
	if shape != nil {
		member = shape.Members[name]
	}
	switch {
	case member == nil:
		return unknown(whole)
	case member.Kind == Structure && more:
		inner, ok := into[name].(map[string]any)
		if !ok {
			inner = map[string]any{}
			into[name] = inner
		}
		return place(inner, member, whole, rest, value)
	case member.Kind == List && more:
		return placeEntry(into, name, member.Of, whole, rest, value)
	case member.Kind == List && value == "":
		if into[name] == nil {
			into[name] = entries{}
		}
		return nil
	case more || member.Kind == Structure || member.Kind == List:
		return unknown(whole)
	}
	v, err := scalar(member, whole, value)
	into[name] = v
	return err
}

// placeEntry is place in a list.
func placeEntry(into map[string]any, name string, of *Shape, whole, path, value string) error {
	member, path, _ := strings.Cut(path, ".")
	number, rest, more := strings.Cut(path, ".")
	n, err := strconv.Atoi(number)
	if member != "member" || err != nil || n < 1 || n > maxMember || number != strconv.Itoa(n) {
		return unknown(whole)
	}
	list, ok := into[name].(entries)
	if !ok {
		list = entries{}
		into[name] = list
	}
	if of.Kind != Structure {
		if more {
			return unknown(whole)
		}
		list[n], err = scalar(of, whole, value)
		return err
	}
	if !more {
		return unknown(whole)
	}
	entry, ok := list[n].(map[string]any)
	if !ok {
		entry = map[string]any{}
		list[n] = entry
	}
	return place(entry, of, whole, rest, value)
}

func scalar(shape *Shape, whole, value string) (any, error) {
	switch shape.Kind {
	case Integer:
		n, err := strconv.ParseInt(value, 10, 32)
		if err != nil {
			return nil, &Error{Code: "MalformedInput", Message: unknown(whole).path + " is not an integer of 32 bits"}
		}
		return n, nil
	case Boolean:
		if value != "true" && value != "false" {
			return nil, &Error{Code: "MalformedInput", Message: unknown(whole).path + " is neither true nor false"}
		}
		return value == "true", nil
	}
	return value, nil
}

// listed puts entries into the order of their places.
func listed(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			v[name] = listed(inner)
		}
	case entries:
		out := []any{}
		for _, n := range slices.Sorted(maps.Keys(v)) {
			out = append(out, listed(v[n]))
		}
		return out
	}
	return v
}
