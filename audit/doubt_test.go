package audit

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestAClockIsDoubtedForADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d Doubt
		if d.Of(time.Now().AddDate(1, 0, 0)) {
			t.Error("it is doubted before anything was there")
		}
		newest := time.Now().Add(-time.Hour)
		if d.Begin(time.Now(), newest) || d.Of(newest.AddDate(1, 0, 0)) {
			t.Error("it is doubted although it was right at the start")
		}
		if !d.Begin(time.Now().AddDate(0, 1, 0), newest) {
			t.Error("a month ahead at the start it is not doubted")
		}
		for ahead, want := range map[time.Duration]bool{
			-time.Hour: false, time.Hour: false, 24 * time.Hour: false,
			25 * time.Hour: true, 400 * 24 * time.Hour: true,
		} {
			if got := d.Of(newest.Add(ahead)); got != want {
				t.Errorf("%s ahead of the newest event it is doubted: %t", ahead, got)
			}
		}
		time.Sleep(24 * time.Hour) // of the test's own clock
		if d.Of(newest.AddDate(1, 0, 0)) {
			t.Error("it is doubted after a day")
		}
	})
}
