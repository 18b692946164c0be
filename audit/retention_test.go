package audit

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

// FuzzRetention has every event outlive the sweep that is inside its window, and no other.
func FuzzRetention(f *testing.F) {
	f.Add([]byte{1, 2, 3, 200, 100, 7, 9, 250}, uint8(100), uint8(30))
	f.Add([]byte{0, 0, 255, 255}, uint8(0), uint8(30))
	f.Add([]byte{5, 50, 150, 250}, uint8(30), uint8(0))
	f.Fuzz(func(t *testing.T, ages []byte, events, refusals uint8) {
		r := Retention{Events: time.Duration(events) * time.Hour, Refusals: time.Duration(refusals) * time.Hour}
		type kept struct {
			age      time.Duration
			stranger bool
		}
		var all []kept
		for i, age := range ages {
			for range 1 + int(age)%40 { // more than one batch
				all = append(all, kept{time.Duration(age) * time.Hour, i%2 == 0})
			}
		}
		inside := func(e kept) bool {
			return (r.Events == 0 || e.age <= r.Events) && (!e.stranger || r.Refusals == 0 || e.age <= r.Refusals)
		}
		want := slices.DeleteFunc(slices.Clone(all), func(e kept) bool { return !inside(e) })
		err := r.Sweep(context.Background(), noon, func(before time.Time, strangers bool, limit int) (int, error) {
			if limit < 1 || limit > maxBatch {
				t.Fatalf("a batch of %d", limit)
			}
			n := 0
			all = slices.DeleteFunc(all, func(e kept) bool {
				if n == limit || (strangers && !e.stranger) || !noon.Add(-e.age).Before(before) {
					return false
				}
				n++
				return true
			})
			return n, nil
		})
		if err != nil || !slices.Equal(all, want) {
			t.Fatalf("%v: %d are left of %d, want %d", err, len(all), len(ages), len(want))
		}
	})
}

func TestASweepEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	n := 0
	err := DefaultRetention.Sweep(ctx, noon, func(_ time.Time, _ bool, limit int) (int, error) {
		if n++; n == 3 {
			cancel()
		}
		return limit, nil
	})
	if !errors.Is(err, context.Canceled) || n != 3 {
		t.Errorf("%d batches, %v", n, err)
	}
}
