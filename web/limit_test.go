package web

import (
	"strconv"
	"testing"
)

func TestLimiterBoundsEachName(t *testing.T) {
	l := Limiter{PerSecond: 0.001, Burst: 2}
	first := l.Allow("a")
	second := l.Allow("a")
	third := l.Allow("a")
	if !first || !second || third {
		t.Error("want two and no third")
	}
	if !l.Allow("b") {
		t.Error("another name is limited too")
	}
	for i := range maxNames {
		l.Allow(strconv.Itoa(i))
	}
	if l.Allow("a") {
		t.Error("a name of the generation before is forgotten at once")
	}
	for i := range 3 * maxNames {
		l.Allow(strconv.Itoa(maxNames + i))
	}
	if len(l.now)+len(l.old) > 2*maxNames {
		t.Errorf("%d names are remembered", len(l.now)+len(l.old))
	}
	if !l.Allow("a") {
		t.Error("a name is never forgotten")
	}
}
