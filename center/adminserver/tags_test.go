package adminserver_test

import (
	"testing"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/center"
)

// TestTagsAreWrittenAlikeOnBothSides: the console and the commands, whose packages share no code,
// write tags and read them in one way, whatever the key.
func TestTagsAreWrittenAlikeOnBothSides(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"env", "a=b", "=", "a=", "=a", "a=b=c", "a b", "ж", "a:/.+-@_"} {
		for _, value := range []string{"", "prod", "x=y", "=", " "} {
			ours, theirs := center.Tag{Key: key, Value: value}, adminapi.Tag{Key: key, Value: value}
			text := ours.Text()
			if text != theirs.Text() || center.ReadTag(text) != ours || *adminapi.ReadTag(text) != theirs {
				t.Errorf("%+v is %s there and %s in the API; read again, %+v and %+v",
					ours, text, theirs.Text(), center.ReadTag(text), *adminapi.ReadTag(text))
			}
		}
	}
	for _, text := range []string{"", "a", `"`, `"a`, `"a"`, `"a=b`, `"a=b"=`, `a"=b`} { // as people may type them
		if ours, theirs := center.ReadTag(text), adminapi.ReadTag(text); adminapi.Tag(ours) != *theirs {
			t.Errorf("%s is read as %+v there, as %+v in the API", text, ours, *theirs)
		}
	}
}
