package web

import "strings"

// Agent names a browser or program and its system by what it sends as User-Agent: Chrome on
// Windows. What it does not know it shows as it is.
func Agent(sent string) string {
	browser, system := "", ""
	// The first that is found counts: most browsers name those that came before them too.
	for _, b := range []struct{ mark, name string }{
		{"Edg", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"},
		{"HeadlessChrome/", "Chrome without a window"}, {"CriOS/", "Chrome"}, {"Chrome/", "Chrome"},
		{"Safari/", "Safari"}, {"aws-cli/", "AWS CLI"}, {"Boto3/", "boto3"}, {"aws-sdk-go", "AWS SDK for Go"},
		{"Terraform/", "Terraform"}, {"curl/", "curl"}, {"Go-http-client/", "a Go program"},
	} {
		if strings.Contains(sent, b.mark) {
			browser = b.name
			break
		}
	}
	for _, s := range []struct{ mark, name string }{
		{"Windows", "Windows"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"CrOS", "ChromeOS"},
		{"Mac OS X", "macOS"}, {"Darwin", "macOS"}, {"os/macos", "macOS"}, {"os/windows", "Windows"},
		{"Linux", "Linux"}, {"os/linux", "Linux"},
	} {
		if strings.Contains(sent, s.mark) {
			system = s.name
			break
		}
	}
	switch {
	case sent == "":
		return "–"
	case browser == "":
		if r := []rune(sent); len(r) > maxAgent {
			return string(r[:maxAgent]) + "…"
		}
		return sent
	case system == "":
		return browser
	}
	return browser + " on " + system
}

// maxAgent is how much of an unknown program's name is shown.
const maxAgent = 80 //bound:none the log has all of it
