package names

import "strings"

// maxNear bounds the names that are compared by letters.
const maxNear = 100 //bound:none names longer than this are near to none

// Nearest is the known name that somebody may have meant by another one, or "" if none is much like
// it.
func Nearest(name string, known []string) (near string) {
	if len(name) > maxNear {
		return ""
	}
	least := 1 + len(name)/3
	for _, k := range known {
		if strings.EqualFold(k, name) {
			return k
		}
		if d := distance(strings.ToLower(name), strings.ToLower(k)); d < least || d == least && near == "" {
			near, least = k, d
		}
	}
	return near
}

// distance is Levenshtein's: how many letters are to be added, removed or changed.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j := range b {
			changed := diagonal
			if a[i] != b[j] {
				changed++
			}
			diagonal = row[j+1]
			row[j+1] = min(changed, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
