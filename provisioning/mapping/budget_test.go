package mapping_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
)

// counted gives one value for every attribute and counts how often it is asked.
func counted(value string) (of mapping.Attributes, asked *int) {
	asked = new(int)
	return func(string) mapping.Value { *asked++; return mapping.One(value) }, asked
}

// nested puts a function around [a] many times.
func nested(before, after string, times int) string {
	return strings.Repeat(before, times) + "[a]" + strings.Repeat(after, times)
}

// TestEachArgumentIsEvaluatedOnce: Replace and InStr, among others, once read arguments twice, so
// that each level of nesting doubled the time.
func TestEachArgumentIsEvaluatedOnce(t *testing.T) {
	t.Parallel()
	for name, n := range map[string]int{
		`Append([a],[a])`: 2, `BitAnd([a],[a])`: 2, `CBool([a])`: 1, `ConvertToBase64([a])`: 1,
		`ConvertToUTF8Hex([a])`: 1, `Count([a])`: 1, `CStr([a])`: 1,
		`IgnoreFlowIfNullOrEmpty([a])`: 1, `InStr([a],[a],[a],[a])`: 4, `IsNull([a])`: 1, `IsNullOrEmpty([a])`: 1,
		`IsPresent([a])`: 1, `IsString([a])`: 1,
		`Item([a],[a])`: 2, `Join([a],[a],[a])`: 3, `Left([a],[a])`: 2, `Mid([a],[a],[a])`: 3,
		`NormalizeDiacritics([a])`: 1, `Not([a])`: 1, `PCase([a],[a])`: 2,
		`Redact([a])`: 1, `RemoveDuplicates([a])`: 1, `Replace([a],[a],,,[a],,)`: 3, `Replace([a],[a],,,,,[a])`: 3,
		`Replace([a],,[a],,[a],,)`:                3,
		`Replace([a],,"(?<g>1)","g",[a],[a],[a])`: 4, `SingleAppRoleAssignment([a])`: 1, `Split([a],[a])`: 2,
		`StripSpaces([a])`: 1, `Switch([a],[a],[a],[a])`: 3,
		`Switch("x",[a],[a],[a],[a],[a])`: 3, `ToLower([a])`: 1, `ToUpper([a])`: 1, `Trim([a])`: 1,
		`Word([a],[a],[a])`: 3,
		`Coalesce([a],[a])`: 1, `IIF([a]=[a],[a],[a])`: 3, // what is not chosen is not read at all
	} {
		of, asked := counted("1")
		if _, err := mapping.Evaluate(t.Context(), name, of); err != nil || *asked != n {
			t.Errorf("%s reads %d attributes, %v; want %d", name, *asked, err, n)
		}
	}
	for _, name := range mapping.Functions() { // none is forgotten by the table above
		before, after := name+"(", ")"
		switch name {
		case "Guid", "Now", "DefaultDomain":
			continue
		case "AppRoleAssignmentsComplex", "AssertiveAppRoleAssignmentsComplex": // not inside of others
			continue
		case "SelectUniqueValue":
			after = `,"1")`
		case "Append", "BitAnd", "Left", "Item", "Split", "InStr":
			after = `,"1")`
		case "DateAdd", "DateDiff":
			after = `,"1","2024-01-31")`
		case "FormatDateTime":
			after = `,,"HH","HH")`
		case "RandomString":
			after = `,"0","0","0","0")`
		case "Join":
			before = `Join("",`
		case "Mid":
			after = `,1,1)`
		case "Word":
			after = `,1,"x")`
		case "IIF":
			after = `,"1","2")`
		case "Switch":
			after = `,"1","2","3")`
		case "Replace":
			after = `,"2",,,"3",,)`
		}
		of, asked := counted("1")
		if _, err := mapping.Evaluate(t.Context(), nested(before, after, 30), of); *asked != 1 {
			t.Errorf("%s, 30 deep, reads its attribute %d times (%v)", name, *asked, err)
		}
	}
}

// greedy are expressions that would take very long, or very much memory, and what is said of them.
var greedy = map[string]struct{ expression, want string }{
	"a square of Replace": {`Replace([long],"a",,,[long],,)`, "more than 65536 bytes"},
	"a square of Join":    {`Join([long],Split([commas],","))`, "more than 65536 bytes"},
	"a square in a group": {`Replace([long],,"(?<g>a)","g",[long],,)`, ""},
	"a template of many groups": {
		`Replace([long],,"(?<g>a+)",,"` + strings.Repeat("$g", 2000) + `",,)`,
		"more than 1048576 bytes",
	},
	"all values together": {
		`Join("",` + strings.Repeat(`Left([long],1),`, 40) + `"x")`, "more than 1048576 bytes",
	},
	"a quadratic search":        {`Replace([long],,"a*b|a",,"c",,)`, "more than 16777216 steps"},
	"many instructions":         {`Replace("a",,"(?:(?:abcdefgh){30}){30}",,"",,)`, "instructions"},
	"many ranges":               {`Replace("a",,"` + strings.Repeat(`\\pL`, 600) + `",,"",,)`, "ranges"},
	"many repetitions":          {`Replace("a",,"` + strings.Repeat("x{1000}", 200) + `",,"",,)`, "instructions"},
	"a pattern of an attribute": {`Replace("a",,[long],,"",,)`, "longer than 2048 bytes"},
	"many patterns": {
		`Join("",` + strings.Repeat(`Left(Replace([half],,"(x+x+)+y",,"",,),1),`, 200) + `"x")`,
		"the limit of an evaluation",
	},
	"a long culture":             {`ToLower("a",[long])`, "culture"},
	"an attribute that is large": {`Trim([huge])`, "more than 65536 bytes"},
}

// TestGreedyExpressionsAreStopped: the budget ends what would take too long or too much, and says
// so.
func TestGreedyExpressionsAreStopped(t *testing.T) {
	t.Parallel()
	attributes := of(
		map[string][]string{
			"long":   {strings.Repeat("a", 60<<10)},
			"commas": {strings.Repeat("a,", 30<<10)},
			"half":   {strings.Repeat("x", 2<<10)},
			"huge":   {strings.Repeat("a", 70<<10)},
		},
	)
	for name, c := range greedy {
		began := time.Now()
		v, steps, bytes, err := mapping.Spent(t.Context(), c.expression, attributes)
		took := time.Since(began)
		t.Logf("%s: %v, %d steps, %d bytes", name, took, steps, bytes)
		switch {
		case err == nil || !strings.Contains(err.Error(), c.want):
			t.Errorf("%s: %.20q, %v; want %q", name, v, err, c.want)
		case steps > mapping.MaxSteps || bytes > mapping.MaxBytes:
			t.Errorf("%s took %d steps and %d bytes", name, steps, bytes)
		case took > 20*time.Second: // they took hours, or all memory
			t.Errorf("%s took %v", name, took)
		}
	}
	var over *mapping.BudgetError
	if _, err := mapping.Evaluate(t.Context(), greedy["a quadratic search"].expression, attributes); !errors.As(
		err,
		&over,
	) ||
		over.What != "steps" {
		t.Errorf("a quadratic search: %v", err)
	}
}

// TestHonestExpressionsStayFarBelowTheirBudget has the longest value that an attribute of the
// directory may have.
func TestHonestExpressionsStayFarBelowTheirBudget(t *testing.T) {
	t.Parallel()
	attributes, _ := counted(strings.Repeat("Zoë-Straße 17 ", 18))
	for _, expression := range []string{
		`ToLower(Join("@", NormalizeDiacritics(StripSpaces(Join(".", [givenName], [surname]))), "contoso.com"))`,
		`Replace([telephoneNumber], , "\\+(?<isdCode>\\d* )(?<phoneNumber>\\d{10})", , "${phoneNumber}", , )`,
		`Replace([mobile], , "[()\\s-]+", , "", , )`,
		`Replace([userPrincipalName], , "(?<Suffix>@(.)*)", "Suffix", "", , )`,
		`Replace([mailNickname], , "[a-zA-Z_]*", , "", , )`,
		`Replace(Replace(Replace([a], "e", , , "3", , ), "a", , , "4", , ), , "[^a-zA-Z0-9]", , "", , )`,
		`Join(";", RemoveDuplicates(Split([a], " ")))`,
	} {
		if _, steps, bytes, err := mapping.Spent(t.Context(), expression, attributes); err != nil ||
			steps > mapping.MaxSteps/4 ||
			bytes > mapping.MaxBytes/50 {
			t.Errorf("%s takes %d steps and %d bytes, %v", expression, steps, bytes, err)
		}
	}
}

// TestAnEvaluationEndsWithItsContext: nobody works for a caller who has left.
func TestAnEvaluationEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, leave := context.WithCancel(t.Context())
	asked := 0
	attributes := func(string) mapping.Value {
		if asked++; asked == 3 {
			leave()
		}
		return mapping.One("a")
	}
	if v, err := mapping.Evaluate(ctx, `Join("",`+strings.Repeat("[a],", 100)+`"x")`, attributes); !errors.Is(
		err,
		context.Canceled,
	) ||
		asked != 3 {
		t.Errorf("after the caller left: %v, %v, %d attributes read", v, err, asked)
	}
}

// TestAFilterThatCannotBeJudgedIsNotUnmet: to be out of scope means to be disabled or deleted, so
// that a failure must not look like it.
func TestAFilterThatCannotBeJudgedIsNotUnmet(t *testing.T) {
	t.Parallel()
	filter := mapping.Filter{
		Name:    "f",
		Clauses: []mapping.Clause{{Attribute: "a", Operator: "REGEX MATCH", Values: []string{"(?:(?:ab?){20}){20}"}}},
	}
	m, err := mapping.Compile(mapping.Object{Source: "User", Scope: []mapping.Filter{filter}})
	if err != nil {
		t.Fatal(err)
	}
	var over *mapping.BudgetError
	if in, unmet, err := m.InScope(t.Context(), of(map[string][]string{"a": {strings.Repeat("a", 60<<10)}})); in ||
		unmet != "" ||
		!errors.As(err, &over) {
		t.Errorf("in scope %v, unmet %q, %v", in, unmet, err)
	}
	large := mapping.Clause{Attribute: "a", Operator: "REGEX MATCH", Values: []string{"a{900}"}}
	for name, scope := range map[string][]mapping.Filter{
		"one large expression": {{
			Clauses: []mapping.Clause{{
				Attribute: "a",
				Operator:  "REGEX MATCH",
				Values:    []string{"(?:(?:abcdefgh){30}){30}"},
			}},
		}},
		"many": {{Clauses: clauses(large, 90)}, {Clauses: clauses(large, 90)}},
	} {
		if _, err := mapping.Compile(mapping.Object{Source: "User", Scope: scope}); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func clauses(c mapping.Clause, n int) (out []mapping.Clause) {
	for range n {
		out = append(out, c)
	}
	return out
}

// FuzzExpressions: whatever is written, parsing and evaluating end within their budget, read each
// attribute once, and give a value of bounded size or an error.
func FuzzExpressions(f *testing.F) {
	for _, seed := range []string{`[a]`, `Join(" ", [a], [b])`, `Replace([a], , "(?<n>.)", "n", "x", , )`,
		`Switch([a], , "b", "c")`, `IIF([a]>=1,"x",Mid("abc",1,2))`, `PCase("a\"\\b")`,
		`InStr("ä","a",-5)`, `Replace([a],"",,,[b],,)`, `Replace([a],,[a],,[b],,)`, `Word([a],1,[b])`,
		`RemoveDuplicates(Split([a],"a"))`} {
		f.Add(seed, "value", 1)
		f.Add(seed, "a", 60<<10)
	}
	for _, c := range greedy {
		f.Add(c.expression, "a,", 30<<10)
	}
	f.Fuzz(func(t *testing.T, expression, value string, repeat int) {
		repeat = min(max(repeat, 1), 100<<10/(len(value)+1)+1)
		attributes, asked := counted(strings.Repeat(value, repeat))
		began := time.Now()
		v, steps, bytes, err := mapping.Spent(t.Context(), expression, attributes)
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%q takes %v", expression, took)
		}
		if steps > mapping.MaxSteps || bytes > mapping.MaxBytes {
			t.Errorf("%q takes %d steps and %d bytes", expression, steps, bytes)
		}
		if *asked > strings.Count(expression, "[") {
			t.Errorf("%q reads %d attributes", expression, *asked)
		}
		if size := len(strings.Join(v, "")); err == nil && size > mapping.MaxText {
			t.Errorf("%q gives %d bytes", expression, size)
		}
		if err != nil && v != nil {
			t.Errorf("%q gives %d texts and %v", expression, len(v), fmt.Sprint(err))
		}
	})
}
