package web

// History is the newest of what a log has about somebody or something, with the way to all of it.
type History struct {
	Title  string
	Log    string // address of the log
	Person string // by whom the log is searched for all of it
	Lines  []LogLine
}
