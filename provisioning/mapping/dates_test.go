package mapping_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
)

// TestDates has the examples of Entra's reference, and what is no date.
func TestDates(t *testing.T) {
	t.Parallel()
	hired := mapping.Texts(map[string]string{"hired": "2012-03-16-07:00"})
	const past, later = `"8/25/2021 5:41:18 PM"`, `CDate([hired])`
	for expression, want := range map[string]string{
		`CDate("2020-03-16-07:00")`:                                                "3/16/2020 7:00:00 AM",
		`CDate("2021-06-30+08:00")`:                                                "6/29/2021 4:00:00 PM",
		`CDate("2009-06-15T01:45:30-07:00")`:                                       "6/15/2009 8:45:30 AM",
		`CDate([nothing])`:                                                         "",
		`DateAdd("d", 7, CDate([hired]))`:                                          "3/23/2012 7:00:00 AM",
		`DateAdd("d", -10, CDate([hired]))`:                                        "3/6/2012 7:00:00 AM",
		`DateAdd("ww", 2, CDate([hired]))`:                                         "3/30/2012 7:00:00 AM",
		`DateAdd("m", 10, CDate([hired]))`:                                         "1/16/2013 7:00:00 AM",
		`DateAdd("yyyy", 2, CDate([hired]))`:                                       "3/16/2014 7:00:00 AM",
		`DateAdd("m", 1, "2024-01-31")`:                                            "2/29/2024 12:00:00 AM",
		`DateAdd("h", 5, [nothing])`:                                               "",
		`DateDiff("d", "2021-08-18+08:00", "2021-08-31+08:00")`:                    "13",
		`DateDiff("d", ` + past + `, ` + later + `)`:                               "-3449",
		`DateDiff("ww", ` + past + `, ` + later + `)`:                              "-493",
		`DateDiff("m", ` + past + `, ` + later + `)`:                               "-113",
		`DateDiff("yyyy", ` + past + `, ` + later + `)`:                            "-9",
		`DateDiff("h", "2021-08-24", "2021-08-25")`:                                "24",
		`DateDiff("n", "2021-08-24", "2021-08-25")`:                                "1440",
		`DateDiff("s", "2021-08-24", "2021-08-25")`:                                "86400",
		`DateFromNum(129699324000000000)`:                                          "1/1/2012 11:00:00 PM",
		`NumFromDate(CDate("2012-01-01 23:00:00"))`:                                "129699324000000000",
		`FormatDateTime("20150123105347.1Z", , "yyyyMMddHHmmss.fZ", "yyyy-MM-dd")`: "2015-01-23",
		`NumFromDate(Join("", FormatDateTime("2020-12-31-08:00", ,"yyyy-MM-ddzzz", "yyyy-MM-dd"),` +
			` " 23:59:59-08:00"))`: "132539615990000000",
		`NumFromDate(Join("",FormatDateTime("12/31/2020 11:00:00 PM", ,"M/d/yyyy hh:mm:ss tt","yyyy-MM-dd"),` +
			`" 23:59:59-08:00"))`: "132539615990000000",
		`DateDiff("d", "2021-08-31+08:00", "2021-08-31+08:00")`:                                            "0",
		`Switch("1", , "1", IIF(DateDiff("d", Now(), CDate([hired])) > 5, "False", "True"), "0", "False")`: "True",
		`IIF(DateDiff("d", Now(), CDate("1/1/2000")) > 5, "no", "yes")`:                                    "yes",
	} {
		v, err := mapping.Evaluate(t.Context(), expression, hired)
		if err != nil || v.Text() != want {
			t.Errorf("%s gives %q, %v; want %q", expression, v, err, want)
		}
	}
	for expression, want := range map[string]string{
		`CDate("tomorrow")`: "not a date", `DateAdd("x", 1, "2024-01-31")`: "no interval",
		`DateAdd("yyyy", 99999999999, "2024-01-31")`: "9999", `DateAdd("d", 9999999, "2024-01-31")`: "9999",
		`DateAdd("m", 120001, "2024-01-31")`: "9999", `DateDiff("q", "2024-01-31", "2024-01-31")`: "no interval",
		`DateFromNum("-1")`: "Active Directory", `NumFromDate("1500-01-01")`: "1601",
		`FormatDateTime("2024-01-31", "Never", "yyyy-MM-dd", "yyyy")`: "style",
		`FormatDateTime("2024-01-31", , "yyyy-MM-dd", "gg")`:          "not supported",
		`FormatDateTime("x", , "yyyy-MM-dd", "yyyy")`:                 "does not have the format",
		`RandomString(5, 3, 3, 0, 0)`:                                 "sum of the minimums",
		`RandomString(257, 0, 0, 0, 0)`:                               "256",
		`RandomString(5, 1, 0, 0, 0, "0123456789")`:                   "avoided",
	} {
		if v, err := mapping.Evaluate(t.Context(), expression, hired); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s gives %q, %v; want an error that says %q", expression, v, err, want)
		}
	}
}

func TestRandomTextsHaveWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	v, err := mapping.Evaluate(t.Context(), `RandomString(40,2,3,4,5,"?,")`, mapping.Texts(nil))
	var digits, special, capitals, small int
	for _, r := range v.Text() {
		switch {
		case unicode.IsDigit(r):
			digits++
		case unicode.IsUpper(r):
			capitals++
		case unicode.IsLower(r):
			small++
		default:
			special++
		}
	}
	if err != nil || len(v.Text()) != 40 || digits < 2 || special < 3 || capitals < 4 || small < 5 ||
		strings.ContainsAny(v.Text(), "?,") {
		t.Errorf("it gives %q, %v", v, err)
	}
}
