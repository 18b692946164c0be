package console

import (
	"net/url"
	"strconv"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/web"
)

// whoHasData is the page on who has access: into an account, or of a user. Without either it leads
// to the accounts.
type whoHasData struct {
	Account center.Account
	User    center.User
	All     bool   // every permission set, not only what administers
	Other   string // address of the page with the other of the two
	waysTable
	People  int // on the page
	Picture picture
	List    listing[center.Account] // of those to choose from
	Labels  center.AccountLabels
}

func whoHas(p page) error {
	q := p.URL.Query()
	d := whoHasData{All: q.Get("all") == "yes"}
	account, user := q.Get("account"), center.UserID(q.Get("user"))
	title := "Who has access"
	var err error
	if d.Labels, err = p.h.Center.AccountLabels(p.Context()); err != nil {
		return err
	}
	switch {
	case account != "":
		if d.Account, err = p.h.Center.Account(p.Context(), account); err != nil {
			return err
		}
		title = "Access to " + d.Account.Name
	case user != "":
		d.All = q.Get("all") != "no"
		if d.User, err = p.h.Center.User(p.Context(), user); err != nil {
			return err
		}
		title = "Access of " + d.User.DisplayName
	default:
		if err := d.choose(p); err != nil {
			return err
		}
		return p.Render("whohas", title, whoHasPath, d)
	}
	if d.waysTable, err = p.ways(
		center.HeldAccessQuery{Account: account, User: user, Administrative: !d.All},
	); d.sent || err != nil {
		return err
	}
	people := map[center.UserID]struct{}{}
	for _, h := range d.Lines {
		people[h.User.ID] = struct{}{}
	}
	d.People, d.Picture = len(people), draw(d.Lines)
	other := url.Values{"all": {map[bool]string{true: "no", false: "yes"}[d.All]}}
	if account != "" {
		other.Set("account", account)
	} else {
		other.Set("user", string(user))
	}
	d.Other = "?" + other.Encode()
	return p.Render("whohas", title, whoHasPath, d)
}

const whoHasPath = "/console/access"

// waysTable is a page of the ways in which people have access.
type waysTable struct {
	Lines []center.HeldAccess
	Pager web.Pager
	Sort  *web.Listing // by whose columns they can be put in order; nil: they cannot
	sent  bool         // as a file: there is no page
}

// MostWays is how many can be put in order.
func (waysTable) MostWays() int { return center.MaxOrderedWays }

// ways reads a page of the ways in which people have access, or sends all of them as a file. They
// begin with what administers an account.
func (p page) ways(q center.HeldAccessQuery) (t waysTable, err error) {
	first := center.ByHolder
	if q.User != "" {
		first = center.ByPlace
	}
	l := p.Listing(
		string(center.ByReach), string(first), string(center.ByHeldSet), string(center.ByHeldGroup),
	)
	q.By, q.Descending = center.HeldOrder(l.Sort), l.Descending
	if p.Exports() {
		t.sent = true
		return t, p.exportWays(q)
	}
	q.Offset, q.Limit = l.Offset, pageSize
	list, total, err := p.h.Center.HeldAccess(p.Context(), q)
	t.Lines, t.Pager = list, l.Pager(len(list), pageSize, total)
	if total <= center.MaxOrderedWays {
		t.Sort = &l
	}
	return t, err
}

func (p page) exportWays(q center.HeldAccessQuery) error {
	columns := []string{"accountId", "accountName", "userId", "userName", "status", "permissionSetArn",
		"permissionSetName", "by", "groupId", "groupName", "until", "administers", "lastUsedAt"}
	return p.Export("access", columns, func(row func(...string) error) error {
		return p.h.Center.EachHeldAccess(p.Context(), q, func(h center.HeldAccess) error {
			by, group := "DIRECT", center.Group{}
			switch {
			case h.Group != nil:
				by, group = "GROUP", *h.Group
			case h.Request != "":
				by = "REQUEST"
			}
			status := map[bool]string{true: "ENABLED", false: "DISABLED"}[h.User.Active]
			return row(h.Account.ID, h.Account.Name, string(h.User.ID), h.User.UserName, status,
				h.PermissionSet.ARN, h.PermissionSet.Name, by, string(group.ID), group.DisplayName, inFile(h.Until),
				strconv.FormatBool(h.Reach.Administers), inFile(h.LastUsed))
		})
	})
}

// inFile is a time as files have it; empty where there is none.
func inFile(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// choose lists the accounts that match a search, in pages.
func (d *whoHasData) choose(p page) error {
	all, err := p.h.Center.Accounts(p.Context())
	if err != nil {
		return err
	}
	d.List.Listing = p.Listing("name", "environment", "id")
	all = web.Found(d.List.Listing, all, func(a center.Account) []string {
		return []string{a.Name, a.ID, a.Email, d.Labels.Of(a).Environment}
	})
	d.List.Items, d.List.Pager = web.Page(d.List.Listing, all, pageSize, func(a center.Account, by string) string {
		return map[string]string{"id": a.ID, "environment": d.Labels.Of(a).Environment}[by] + " " + a.Name + " " + a.ID
	})
	d.List.Pager.CSV = "" // the list of accounts has files
	return nil
}

// picture is a drawing: people, groups, permission sets and accounts, and what leads from one to
// the next.
type picture struct {
	Width, Height int
	Boxes         []box
	Lines         []line
	Left          int // ways that are in the table only
}

type box struct {
	X, Y, W, H int
	Text, Kind string // person, group, set or account
	Warn       bool   // it administers
}

// TextX and TextY are where the text of a box begins.
func (b box) TextX() int { return b.X + 10 }

// TextY is its line.
func (b box) TextY() int { return b.Y + 19 }

type line struct{ X1, Y1, C1, C2, X2, Y2 int }

// Measures of a picture, in pixels.
const (
	boxWidth  = 180
	boxHeight = 28
	boxStep   = 38
	columnGap = 66
	margin    = 2
	maxDrawn  = 15 //bound:list ways in the picture of who has access
)

// draw draws the first ways of a page. Each column has its boxes in the order in which they come.
func draw(list []center.HeldAccess) picture {
	p := picture{Left: max(len(list)-maxDrawn, 0)}
	places := [4]map[string]int{{}, {}, {}, {}}
	place := func(column int, key, text, kind string, warn bool) int {
		if at, known := places[column][key]; known {
			return at
		}
		at := len(p.Boxes)
		p.Boxes = append(p.Boxes, box{
			X: margin + column*(boxWidth+columnGap), Y: margin + len(places[column])*boxStep, W: boxWidth, H: boxHeight,
			Text: text, Kind: kind, Warn: warn,
		})
		places[column][key] = at
		p.Height = max(p.Height, len(places[column])*boxStep)
		return at
	}
	drawn := map[[2]int]bool{}
	join := func(from, to int) {
		if drawn[[2]int{from, to}] {
			return
		}
		drawn[[2]int{from, to}] = true
		a, b := p.Boxes[from], p.Boxes[to]
		middle := (a.X + boxWidth + b.X) / 2
		p.Lines = append(p.Lines, line{
			a.X + boxWidth, a.Y + boxHeight/2, middle, middle, b.X, b.Y + boxHeight/2,
		})
	}
	for _, h := range list[:min(len(list), maxDrawn)] {
		from := place(0, string(h.User.ID), h.User.DisplayName, "person", false)
		if h.Group != nil {
			group := place(1, string(h.Group.ID), h.Group.DisplayName, "group", false)
			join(from, group)
			from = group
		}
		set := place(2, h.PermissionSet.ARN, h.Title(), "set", h.Reach.Administers)
		join(from, set)
		join(set, place(3, h.Account.ID, h.Account.Name, "account", false))
	}
	p.Width = 4*boxWidth + 3*columnGap + 2*margin
	return p
}
