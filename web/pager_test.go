package web_test

import (
	"net/url"
	"testing"

	"github.com/gatehouse-id/gatehouse/web"
)

func TestAPagerLeadsToEveryRow(t *testing.T) {
	t.Parallel()
	query := url.Values{"q": {"a&b"}, "offset": {"50"}}
	for name, x := range map[string]struct {
		offset, shown, total int
		want                 web.Pager
	}{
		"nothing":   {0, 0, 0, web.Pager{}},
		"one page":  {0, 3, 3, web.Pager{From: 1, To: 3, Total: 3}},
		"the first": {0, 50, 714, web.Pager{From: 1, To: 50, Total: 714, Next: "?offset=50&q=a%26b"}},
		"the last":  {700, 14, 714, web.Pager{From: 701, To: 714, Total: 714, Prev: "?offset=650&q=a%26b"}},
		"beyond it": {900, 0, 714, web.Pager{Total: 714, Prev: "?offset=664&q=a%26b"}},
		"in between": {
			20, 50, 80, web.Pager{From: 21, To: 70, Total: 80, Prev: "?offset=0&q=a%26b", Next: "?offset=70&q=a%26b"},
		},
	} {
		if got := web.NewPager(query, x.offset, x.shown, 50, x.total); got != x.want {
			t.Errorf("%s: %+v, want %+v", name, got, x.want)
		}
	}
}
