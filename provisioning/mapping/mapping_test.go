package mapping_test

import (
	"context"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
)

// of gives attributes from pairs of name and value; a name with several values is a list, and one
// without is null.
func of(values map[string][]string) mapping.Attributes {
	return func(name string) mapping.Value { return values[name] }
}

// TestExpressionsGiveWhatTheirReferenceSays has the worked examples of Microsoft's reference, and
// the corners that its text names.
func TestExpressionsGiveWhatTheirReferenceSays(t *testing.T) {
	t.Parallel()
	person := of(map[string][]string{
		"userPrincipalName": {"John.Doe@contoso.com"},
		"givenName":         {"John"},
		"surname":           {"Doe"},
		"state":             {"QLD"},
		"country":           {"USA"},
		"department":        {"Sales"},
		"telephoneNumber":   {"+91 9998887777"},
		"mobile":            {"+1 (999) 888-7777"},
		"mobile2":           {"+91 8887779999"},
		"AddressLineData":   {"545 Tremont Street"},
		"BusinessTitle":     {"Product Developer"},
		"UserID":            {"jsmith"},
		"mailNickname":      {"john_doe72"},
		"list":              {"a", "b", "a"},
		"empty":             {""},
		"name":              {"Zoë Łukasz Straße Ørsted"},
		"one":               {"1"},
		"roles":             {"Admin"},
		"oneRole":           {`{"id":"1","value":"admin","displayName":"Admin"}`},
		"DefaultDomain()":   {"contoso.com"},
		"tr":                {"TITLE"},
		"dn":                {"cn=Joe,dc=contoso,dc=com"},
		"objectId":          {"d05e47b1-3909-445a-ba5e-ca60cbc0e4b4"},
	})
	for _, c := range []struct{ expression, want string }{
		{`[givenName]`, "John"},
		{`"Company: \"Contoso\" \\"`, `Company: "Contoso" \`},
		{`[nothing]`, ""},
		{` [ surname ] `, "Doe"},
		{`Append([userPrincipalName], ".test")`, "John.Doe@contoso.com.test"},
		{`Append(Mid([givenName], 1, 3), Mid([surname], 1, 5))`, "JohDoe"},
		{`BitAnd(&HF, &HF7)`, "7"},
		{`CBool([givenName] = [surname])`, "False"},
		{`CBool("1")`, "True"},
		{`CBool("0")`, "False"},
		{`Coalesce([mail],[userPrincipalName])`, "John.Doe@contoso.com"},
		{`Coalesce([mail],[nothing])`, ""},
		{`Coalesce([mail], "none")`, "none"},
		{`ConvertToBase64("Hello world!")`, "SABlAGwAbABvACAAdwBvAHIAbABkACEA"},
		{`ConvertToUTF8Hex("Hello world!")`, "48656C6C6F20776F726C6421"},
		{`Count([list])`, "3"},
		{`Count([nothing])`, "0"},
		{`IgnoreFlowIfNullOrEmpty([empty])`, ""},
		{`IIF([country]="USA",[country],[department])`, "USA"},
		{`IIF([country]="CA",[country],[department])`, "Sales"},
		{`IIF([country]="USA",IIF([state]="CA","True","False"),"False")`, "False"},
		{`IIF([nothing]="","a","b")`, "b"},
		{`IIF([one] >= 1, "a", "b")`, "a"},
		{`IIF(10 > 9, "a", "b")`, "a"},
		{`IIF("10" < "9", "a", "b")`, "b"},
		{`IIF([state]<>"CA","a","b")`, "a"},
		{`InStr("repEated","e",3,vbBinaryCompare)`, "7"},
		{`InStr("repEated","e",3,vbTextCompare)`, "4"},
		{`InStr("The quick brown fox","quick")`, "5"},
		{`InStr("a","b")`, "0"},
		{`IsNull([nothing])`, "True"},
		{`IsNull([empty])`, "False"},
		{`IsNullOrEmpty([empty])`, "True"},
		{`IsPresent([empty])`, "False"},
		{`Not(IsPresent([givenName]))`, "False"},
		{`IsString([list])`, "False"},
		{`Item([list], 2)`, "b"},
		{`Item([list], 9)`, ""},
		{`Item([list], 0)`, ""},
		{`Join(", ", "", [surname], [givenName])`, "Doe, John"},
		{`Join("-", [list], "c")`, "a-b-a-c"},
		{`Join("", 1000, "x")`, "1000x"},
		{`Left("John Doe", 3)`, "Joh"},
		{`Left("ab", 5)`, "ab"},
		{`Left("ab", 0)`, ""},
		{`Left("ab", -1)`, "ab"},
		{`Left([nothing], 2)`, ""},
		{`Mid("abcdef", 3, 99)`, "cdef"},
		{`Mid("abc", 9, 1)`, ""},
		{`NormalizeDiacritics([name])`, "Zoe Lukasz Strasse OErsted"},
		{`PCase("PABLO GONSALVES (SECOND)")`, "Pablo Gonsalves (Second)"},
		{`PCase("PINTO-DE'SILVA"," '-")`, "Pinto-De'Silva"},
		{`PCase("a-b c", " ")`, "A-b C"},
		{`Join("|", RemoveDuplicates([list]))`, "a|b"},
		{`Replace([BusinessTitle],"Product Developer", , , "Software Engineer", , )`, "Software Engineer"},
		{`Replace([UserID],"<username>", , , , , "<username>@contoso.com")`, "jsmith@contoso.com"},
		{
			`Replace([telephoneNumber], , "\\+(?<isdCode>\\d* )(?<phoneNumber>\\d{10})", , "${phoneNumber}", , )`,
			"9998887777",
		},
		{`Replace([mobile], , "[()\\s-]+", , "", , )`, "+19998887777"},
		{`Replace([AddressLineData], ,"(?<streetNumber>^\\d*)","streetNumber", "888", , )`, "888 Tremont Street"},
		{`Replace([userPrincipalName], , "(?<Suffix>@(.)*)", "Suffix", "", , )`, "John.Doe"},
		{
			`Replace([empty], , "\\+(?<isdCode>\\d* )(?<phoneNumber>\\d{10})", "phoneNumber" , , [mobile2], )`,
			"8887779999",
		},
		{`Replace([telephoneNumber], , "(?<n>\\d)", "n", , [mobile2], )`, "+91 9998887777"},
		{`Replace([mailNickname], , "[a-zA-Z_]*", , "", , )`, "72"},
		{`Replace([userPrincipalName], "@contoso.com", , ,"", ,)`, "John.Doe"},
		{`Replace([nothing], "a", , , "b", , )`, ""},
		{`SingleAppRoleAssignment([roles])`, "Admin"},
		{`Item(Split("One, Two", ","), 2)`, "Two"},
		{`StripSpaces(" a b ")`, "ab"},
		{`Trim("  a b ")`, "a b"},
		{
			`Switch([state], "Australia/Sydney", "NSW", "Australia/Sydney","QLD", "Australia/Brisbane", "SA", "Australia/Adelaide")`,
			"Australia/Brisbane",
		},
		{`Switch([IsSoftDeleted], , "False", "True", "True", "False")`, ""},
		{`Switch([empty], "Default", "true", "1", "", "0")`, "0"},
		{`Switch("X", "d", "x", "1")`, "d"},
		{`ToLower("ABC")`, "abc"},
		{`ToLower([tr], "tr-TR")`, "tıtle"},
		{`ToUpper("straße")`, "STRASSE"},
		{
			`ToLower(Join("@", NormalizeDiacritics(StripSpaces(Join(".",  [givenName], [surname]))), "contoso.com"))`,
			"john.doe@contoso.com",
		},
		{`Word("The quick brown fox",3," ")`, "brown"},
		{`Word("This,string!has&many separators",3,",!&#")`, "has"},
		{`Word("a", 0, " ")`, ""},
		{`Word("a", 2, " ")`, ""},
		{`Redact([surname])`, "Doe"},
		{`Redact("StringToBeRedacted")`, "StringToBeRedacted"},
		{`CBool([state] = [state])`, "True"},
		{`CStr([dn])`, "cn=Joe,dc=contoso,dc=com"},
		{`NormalizeDiacritics("Zoë")`, "Zoe"},
		{
			`NormalizeDiacritics("äǟǡa̱å̄æǣçc̄ďḏēḗe̊̄ğġıİłḹñṉöőȫǭȭøœ̄řṝßšșťțůṻṳ̄ÿȳ́žẕ")`,
			"aaaaaaeaeccddeeeggiIllnnooooooeoerrssssttuuuyyzz",
		},
		{`IgnoreFlowIfNullOrEmpty(Switch([empty], "", "3443", "Dr.", "3444", "Prof."))`, ""},
		{`IIF([country]="USA","True",IIF([state]="CA","True","False"))`, "True"},
		{`Switch([country],[country],"","Other")`, "USA"},
		{`Switch([empty],[empty],"","Other")`, "Other"},
		{`Switch(ToLower("TRUE"), "0", "true", "1", "false", "0")`, "1"},
		{`PCase(Join(" ","GREGORY","JAMES"))`, "Gregory James"},
		{`Item([list], 1)`, "a"},
		{`Join("|", Split("PermissionSetOne, PermissionSetTwo", ","))`, "PermissionSetOne|PermissionSetTwo"},
		{
			`Join("", 1000, Replace(ConvertToUTF8Hex([objectId]), , "[a-zA-Z_]*", , "", , ))`,
			"100064303565343762312333930392343435612626135652636136306362633065346234",
		},
		{`CStr(5)`, "5"},
		{`Join("@", [UserID], DefaultDomain())`, "jsmith@contoso.com"},
		{`SelectUniqueValue([nothing], "a", "b")`, "a"},
		{`SingleAppRoleAssignment([oneRole])`, "admin"},
	} {
		got, err := mapping.Evaluate(t.Context(), c.expression, person)
		if err != nil || got.Text() != c.want {
			t.Errorf("%s gives %q, %v; want %q", c.expression, got, err, c.want)
		}
	}
	if a, err := mapping.Evaluate(t.Context(), "Guid()", person); err != nil || len(a.Text()) != 36 {
		t.Errorf("Guid() gives %q, %v", a, err)
	}
}

func TestWhatIsNoExpressionIsSaid(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]string{
		``: "at character 1", `[`: "name of an attribute", `[]`: "name of an attribute", `"a`: "closing quotation mark",
		`Trim(SelectUniqueValue("a", "b"))`: "cannot be nested", `SelectUniqueValue("a")`: "at least 2",
		`SelectUniqueValue("a"` + strings.Repeat(`,"b"`, 50) + `)`:                    "at most 50",
		`AppRoleAssignmentsComplex([a])`:                                              "[appRoleAssignments] only",
		`IIF("a"="b", AssertiveAppRoleAssignmentsComplex([appRoleAssignments]), "c")`: "cannot be nested",
		`DefaultDomain("a")`: "at most 0",
		`Left([a],"x")`:      "not a whole number", `Mid([a], 1.5, 2)`: "not a whole number",
		`CDate("nonsense")`: "date", `RandomString(300,1,1,1,1)`: "at most 256",
		`Append([a], Mid("b", 0, 1))`: "at least 1",
		`Switch([a],"b","c","d","e")`: "pairs", `SingleAppRoleAssignment([jobTitle])`: "[appRoleAssignments] only",
		`Foo("a")`: "one of the functions App", `append("a","b")`: "case-sensitive",
		`Append("a")`: "at least 2", `Append("a","b","c")`: "at most 2", `Append "a"`: "( after Append",
		`Append("a" "b")`: ", or )", `[a] [b]`: "at character 5: expected the end",
		`&HZZ`: "hexadecimal", `-`: "a number", `IIF([a]=,"b","c")`: "one of the functions",
		`Append("a",`: "an [attribute]", "\"\xff\"": "UTF-8",
		strings.Repeat("Trim(", 40) + `"a"` + strings.Repeat(")", 40): "nested",
		`"` + strings.Repeat("a", 10_000) + `"`:                       "longer than",
	} {
		if err := mapping.Parse(expression); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", expression, err, want)
		}
	}
	for expression, want := range map[string]string{
		`Mid("a", "x", 1)`: "not a whole number", `Mid("a", 0, 1)`: "at least 1", `Split("a", "")`: "delimiter",
		`SingleAppRoleAssignment([list])`: "2 app roles", `Switch("a","b","c")`: "",
		`Replace("a", , "(")`:          "regular expression",
		`Replace("a", , "a", "g", "")`: "no group",
		`Replace("a", , , , "b")`:      "give an old value", `ToLower("a", "not a culture")`: "culture",
		`Replace("` + strings.Repeat("a", 900) + `", "a", , , "` + strings.Repeat(
			"b", 900,
		) + `")`: "more than 65536 bytes",
		`Switch("a","b","c","d","e")`: "pairs",
	} {
		_, err := mapping.Evaluate(t.Context(), expression, of(map[string][]string{"list": {"a", "b"}}))
		if want == "" {
			want = "at least 4"
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", expression, err, want)
		}
	}
}

func meets(m *mapping.Compiled, person mapping.Attributes) bool {
	in, _, err := m.InScope(context.Background(), person)
	return in && err == nil
}

func TestScopingFilters(t *testing.T) {
	t.Parallel()
	person := of(map[string][]string{"department": {"Sales"}, "level": {"12"}, "active": {"True"}, "empty": {""}})
	for name, c := range map[string]struct {
		clause mapping.Clause
		want   bool
	}{
		"equal": {
			mapping.Clause{Attribute: "department", Operator: "EQUALS", Values: []string{"Sales"}}, true,
		},
		"another case": {
			mapping.Clause{Attribute: "department", Operator: "EQUALS", Values: []string{"sales"}}, false,
		},
		"not equal": {
			mapping.Clause{Attribute: "department", Operator: "NOT EQUALS", Values: []string{"IT"}}, true,
		},
		"null is not unequal": {mapping.Clause{Attribute: "x", Operator: "NOT EQUALS", Values: []string{"IT"}}, false},
		"null":                {mapping.Clause{Attribute: "x", Operator: "IS NULL"}, true},
		"empty is null":       {mapping.Clause{Attribute: "empty", Operator: "is null"}, true},
		"not null":            {mapping.Clause{Attribute: "department", Operator: "IS NOT NULL"}, true},
		"true":                {mapping.Clause{Attribute: "active", Operator: "IS TRUE"}, true},
		"false":               {mapping.Clause{Attribute: "active", Operator: "IS FALSE"}, false},
		"null is not false":   {mapping.Clause{Attribute: "x", Operator: "IS FALSE"}, false},
		"expression": {
			mapping.Clause{Attribute: "department", Operator: "REGEX MATCH", Values: []string{"S.*s"}}, true,
		},
		"the whole": {mapping.Clause{Attribute: "department", Operator: "REGEX MATCH", Values: []string{"ale"}}, false},
		"no match": {
			mapping.Clause{Attribute: "department", Operator: "NOT REGEX MATCH", Values: []string{"IT"}}, true,
		},
		"null matches not": {
			mapping.Clause{Attribute: "x", Operator: "NOT REGEX MATCH", Values: []string{"IT"}}, false,
		},
		"includes": {mapping.Clause{Attribute: "department", Operator: "INCLUDES", Values: []string{"ale"}}, true},
		"ends":     {mapping.Clause{Attribute: "department", Operator: "ENDS_WITH", Values: []string{"es"}}, true},
		"greater":  {mapping.Clause{Attribute: "level", Operator: "GREATER_THAN", Values: []string{"9"}}, true},
		"at least": {
			mapping.Clause{Attribute: "level", Operator: "GREATER_THAN_OR_EQUALS", Values: []string{"13"}}, false,
		},
		"no number":  {mapping.Clause{Attribute: "department", Operator: "GREATER_THAN", Values: []string{"9"}}, false},
		"occurs":     {mapping.Clause{Attribute: "department", Operator: "&", Values: []string{"IT, Sales"}}, true},
		"occurs not": {mapping.Clause{Attribute: "department", Operator: "!&", Values: []string{"IT, Sales"}}, false},
	} {
		m, err := mapping.Compile(mapping.Object{
			Source: "User",
			Scope:  []mapping.Filter{{Name: "f", Clauses: []mapping.Clause{c.clause}}},
		})
		if err != nil || meets(m, person) != c.want {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	yes, no := mapping.Clause{
		Attribute: "department",
		Operator:  "IS NOT NULL",
	}, mapping.Clause{
		Attribute: "department",
		Operator:  "IS NULL",
	}
	for name, c := range map[string]struct {
		scope []mapping.Filter
		want  bool
	}{
		"none":        {nil, true},
		"one of two":  {[]mapping.Filter{{Clauses: []mapping.Clause{no}}, {Clauses: []mapping.Clause{yes}}}, true},
		"both of two": {[]mapping.Filter{{Clauses: []mapping.Clause{yes, no}}}, false},
	} {
		if m, err := mapping.Compile(mapping.Object{Scope: c.scope}); err != nil || meets(m, person) != c.want {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	for name, clause := range map[string]mapping.Clause{
		"an unknown operator": {
			Attribute: "a",
			Operator:  "LIKE",
			Values:    []string{"x"},
		},
		"no attribute": {Operator: "IS NULL"}, "a reference": {Attribute: "manager", Operator: "IS NULL"},
		"no value":              {Attribute: "a", Operator: "EQUALS"},
		"no regular expression": {Attribute: "a", Operator: "REGEX MATCH", Values: []string{"("}},
		"no number":             {Attribute: "a", Operator: "GREATER_THAN", Values: []string{"-1"}},
	} {
		if _, err := mapping.Compile(mapping.Object{
			Scope: []mapping.Filter{{Clauses: []mapping.Clause{clause}}},
		}); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestAMappingGivesWhatHasAValue(t *testing.T) {
	t.Parallel()
	m, err := mapping.Compile(mapping.Object{
		Source: "User",
		Attributes: []mapping.Attribute{
			{Target: "userName", Expression: "[upn]"}, {Target: "title", Expression: "[title]"},
			{Target: "locale", Expression: "[locale]", Default: "en-US", OnlyOnce: true},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	wanted, got, err := m.Map(t.Context(), of(map[string][]string{"upn": {"ada"}}))
	if err != nil || len(wanted) != 1 || len(got) != 2 || got["userName"] != "ada" || got["locale"] != "en-US" {
		t.Errorf("mapped %v, %v", got, err)
	}
	if whenNull, always := m.Keeps("locale"); !whenNull || !always {
		t.Errorf("locale keeps %v, %v", whenNull, always)
	}
	if names := m.Sources(); strings.Join(names, " ") != "locale title upn" {
		t.Errorf("it reads %v", names)
	}
	if _, _, err := m.Map(t.Context(), of(map[string][]string{"upn": {"a", "b"}})); err == nil ||
		!strings.Contains(err.Error(), "userName: the expression gives a list") {
		t.Errorf("a list: %v", err)
	}
	for name, o := range map[string]mapping.Object{
		"twice": {
			Attributes: []mapping.Attribute{{Target: "a", Expression: "[a]"}, {Target: "a", Expression: "[b]"}},
		},
		"no target":     {Attributes: []mapping.Attribute{{Expression: "[a]"}}},
		"no expression": {Attributes: []mapping.Attribute{{Target: "a"}}},
		"too many":      {Attributes: make([]mapping.Attribute, 201)},
	} {
		if _, err := mapping.Compile(o); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
