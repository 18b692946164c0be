package centertest

import "testing"

func TestOnlyVersion2OfTheCLIIsTaken(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]bool{
		"aws-cli/2.9.19 Python/3.11.2 Linux/6.1.0 source/x86_64.debian.12 prompt/off\n": true,
		"aws-cli/1.45.11 Python/3.11.7 Linux/6.1.0 botocore/1.43.11\n":                  false,
		"": false,
	} {
		if got := isCLI2(answer); got != want {
			t.Errorf("%q: %t, want %t", answer, got, want)
		}
	}
}
