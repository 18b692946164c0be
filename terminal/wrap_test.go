package terminal

import "testing"

func TestTheHelpKeepsToTheWidthOfTheTerminal(t *testing.T) {
	for _, each := range []struct{ name, text, want string }{
		{"sentences flow", "One two three four\nfive six.\n\nSeven.\n", "One two three four five six.\n\nSeven.\n"},
		{"and are broken", "One two three four five six seven eight\n", "One two three four five six\nseven eight\n"},
		{
			"lists keep their columns", "Flags:\n      --name string   what all people see\n",
			"Flags:\n      --name string\n        what all people see\n",
		},
		{"a name as wide as its column", "Parts:\n  name what it is and does for you\n",
			"Parts:\n  name what it is and does for\n       you\n"},
		{
			"calls go on", "Examples:\n  gatehouse a --name 'b c' --other value\n",
			"Examples:\n  gatehouse a --name 'b c' \\\n      --other value\n",
		},
		{
			"remarks stand above", "Examples:\n  gatehouse a --name b   # what it is for\n",
			"Examples:\n  # what it is for\n  gatehouse a --name b\n",
		},
		{"one long word", "https://id.example.com/a/very/long/address x\n",
			"https://id.example.com/a/very/long/address\nx\n"},
	} {
		if got := fit(each.text, 30); got != each.want {
			t.Errorf("%s: %q, want %q", each.name, got, each.want)
		}
	}
}
