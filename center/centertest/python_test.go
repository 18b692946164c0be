package centertest

import (
	"os"
	"path/filepath"
	"testing"
)

// TestAForkedCommandDoesWhatOneDoesThatStartsAnew: outputs, exit codes, the environment, the
// arguments, what is done at the end, and what is wrong are the same.
func TestAForkedCommandDoesWhatOneDoesThatStartsAnew(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "program")
	const text = `#!/usr/bin/python3
import atexit, json, os, sys
atexit.register(print, "the end")
print(json.dumps(sys.argv[1:]), __name__, os.environ.get("COLOR"), sys.stdin.read())
print("told", file=sys.stderr)
if sys.argv[1] == "wrong":
    raise ValueError("wrong")
if sys.argv[1] == "words":
    sys.exit("words")
if sys.argv[1] == "code":
    sys.exit(7)
if sys.argv[1] == "none":
    sys.exit()
`
	if err := os.WriteFile(file, []byte(text), 0o700); err != nil { // #nosec G306 -- it is run
		t.Fatal(err)
	}
	anew, forked := PythonProgram{Path: file}, PythonProgram{Path: file, Modules: []string{"json"}}
	for _, color := range []string{"red", "blue"} {
		env := []string{"PATH=/usr/bin:/bin", "COLOR=" + color}
		for _, args := range [][]string{{"well", "ä b"}, {"wrong"}, {"words"}, {"code"}, {"none"}} {
			wantOut, wantErr, want := anew.Run(t, env, args)
			gotOut, gotErr, got := forked.Run(t, env, args)
			if string(gotOut) != string(wantOut) {
				t.Errorf("%s %q wrote %q, want %q", color, args, gotOut, wantOut)
			}
			if args[0] != "wrong" && string(gotErr) != string(wantErr) { // places in the program differ
				t.Errorf("%s %q wrote %q beside it, want %q", color, args, gotErr, wantErr)
			}
			if (got == nil) != (want == nil) || got != nil && got.Error() != want.Error() {
				t.Errorf("%s %q: %v, want %v", color, args, got, want)
			}
		}
	}
}
