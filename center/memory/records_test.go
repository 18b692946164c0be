package memory

import (
	"fmt"
	"strings"
	"testing"
)

// words are records whose keys are their first two words.
type words struct{}

func (words) Keys(record string) (first, second string) {
	fields := strings.SplitN(record, " ", 3)
	return fields[0], fields[1]
}

func keep(r *Records[words], record string, age Age) {
	first, second := words{}.Keys(record)
	r.Keep(first, second, []byte(record), age)
}

func TestRecords(t *testing.T) {
	tests := []struct {
		name string
		do   func(r *Records[words])
		want map[string]string // by the second key; what is not named is not known
	}{
		{
			"found by both keys", func(r *Records[words]) { keep(r, "1 ada", 0); keep(r, "2 bob", 0) },
			map[string]string{"ada": "1 ada", "bob": "2 bob"},
		},
		{
			"forgotten", func(r *Records[words]) { keep(r, "1 ada", 0); keep(r, "2 bob", 0); r.Forget("1") },
			map[string]string{"bob": "2 bob"},
		},
		{
			"read before it was forgotten",
			func(r *Records[words]) { age := r.Age(); r.Forget("1"); keep(r, "1 ada", age) }, nil,
		},
		{
			"read after it was forgotten", func(r *Records[words]) { r.Forget("1"); keep(r, "1 ada", r.Age()) },
			map[string]string{"ada": "1 ada"},
		},
		{
			"another was forgotten meanwhile",
			func(r *Records[words]) { age := r.Age(); r.Forget("2"); keep(r, "1 ada", age) },
			map[string]string{"ada": "1 ada"},
		},
		{
			"another second key", func(r *Records[words]) { keep(r, "1 ada", 0); keep(r, "1 bob", 0) },
			map[string]string{"bob": "1 bob"},
		},
		{
			"a second key that went to another record",
			func(r *Records[words]) { keep(r, "1 ada", 0); keep(r, "2 ada", 0); r.Forget("1") },
			map[string]string{"ada": "2 ada"},
		},
		{
			"a key of each kind", func(r *Records[words]) { keep(r, "ada bob", 0); keep(r, "bob ada", 0) },
			map[string]string{"ada": "bob ada", "bob": "ada bob"},
		},
		{"too large", func(r *Records[words]) { keep(r, "1 ada "+strings.Repeat("x", maxRecord), 0) }, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := &Records[words]{}
			test.do(r)
			for _, key := range []string{"ada", "bob"} {
				record := r.Second(key)
				if record != test.want[key] {
					t.Errorf("%s: %q, want %q", key, record, test.want[key])
				}
				if first, _ := (words{}).Keys(record + "  "); record != "" {
					if same := r.First(first); same != record {
						t.Errorf("%s: %q, want %q", first, same, record)
					}
				}
			}
		})
	}
}

// TestRecordsAreBounded keeps more than there is room for: the memory does not grow, what is found
// is right, and the newest are found.
func TestRecordsAreBounded(t *testing.T) {
	r := &Records[words]{}
	padding := strings.Repeat("x", maxRecord-200)
	each := blockSize / maxRecord
	for n := range maxBlocks*each + 2*keepOneOf*each {
		keep(r, fmt.Sprintf("%d name%d %s", n, n, padding), 0)
	}
	if r.newest < maxBlocks || len(r.blocks) != maxBlocks || len(r.at) > 2*maxBlocks*each {
		t.Fatalf("%d blocks, block %d is written, %d keys", len(r.blocks), r.newest, len(r.at))
	}
	for _, b := range r.blocks {
		if cap(b) != blockSize {
			t.Fatalf("a block of %d bytes", cap(b))
		}
	}
	found := 0
	for n := range maxBlocks * each {
		record := r.First(fmt.Sprint(n))
		if other := r.Second(fmt.Sprint("name", n)); other != record ||
			(record != "" && !strings.HasPrefix(record, fmt.Sprintf("%d name%d ", n, n))) {
			t.Fatalf("record %d: %.20q, by its second key %.20q", n, record, other)
		}
		if record != "" {
			found++
		}
	}
	if found > maxBlocks*each-each || found < (maxBlocks-4)*each {
		t.Errorf("%d of %d are kept", found, maxBlocks*each)
	}
}
