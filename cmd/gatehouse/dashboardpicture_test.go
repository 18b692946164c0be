package main

import (
	"fmt"
	"html"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// panel is one of the dashboard, with its place in Grafana's grid of 24 columns.
type panel struct {
	Type, Title string
	GridPos     struct{ X, Y, W, H int }
	Targets     []struct{ Expr string }
}

// Measures of the picture, in pixels.
const (
	gridWidth  = 50
	gridHeight = 22
)

// colors of the lines of a panel, in their order.
var colors = []string{"#2f6fdb", "#d9822b", "#3d9a50", "#b8437a", "#7a5bd0", "#4aa3a3", "#8a8f98", "#c0392b"}

// draw draws the dashboard's panels from what Prometheus answers to their queries. It is no
// Grafana: it shows what is asked, where it stands, and what real metrics answer.
func (p promServer) draw(t *testing.T, panels []panel, from, to time.Time) {
	t.Helper()
	folder := os.Getenv("GATEHOUSE_SCREENSHOTS")
	if folder == "" {
		return
	}
	var b strings.Builder
	bottom := 0
	for _, one := range panels {
		bottom = max(bottom, (one.GridPos.Y+one.GridPos.H)*gridHeight)
	}
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif">`+"\n"+
		`<rect width="100%%" height="100%%" fill="#f4f5f7"/>`+"\n", 24*gridWidth, bottom)
	for _, one := range panels {
		p.drawPanel(t, &b, one, from, to)
	}
	b.WriteString("</svg>\n")
	if err := os.WriteFile(filepath.Join(folder, "dashboard.svg"), []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (p promServer) drawPanel(t *testing.T, b *strings.Builder, one panel, from, to time.Time) {
	t.Helper()
	x, y := one.GridPos.X*gridWidth, one.GridPos.Y*gridHeight
	w, h := one.GridPos.W*gridWidth, one.GridPos.H*gridHeight
	if one.Type == "row" {
		fmt.Fprintf(b, `<text x="%d" y="%d" font-size="14" font-weight="bold">%s</text>`+"\n", x+8, y+16,
			html.EscapeString(one.Title))
		return
	}
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%d" height="%d" rx="4" fill="#fff" stroke="#d5d9e0"/>`+"\n"+
		`<text x="%d" y="%d" font-size="11" fill="#333">%s</text>`+"\n", x+4, y+4, w-8, h-8, x+12, y+20,
		html.EscapeString(one.Title))
	lines := p.lines(t, one, from, to)
	most := 0.0
	for _, line := range lines {
		for _, at := range line {
			most = max(most, at[1])
		}
	}
	if one.Type == "stat" {
		last := lines[0][len(lines[0])-1][1]
		fmt.Fprintf(b, `<text x="%d" y="%d" font-size="24" fill="#3d9a50">%s</text>`+"\n", x+12, y+h-18, short(last))
		return
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" font-size="9" fill="#888" text-anchor="end">%s</text>`+"\n", x+w-12, y+20,
		short(most))
	width, height := float64(w-28), float64(h-44)
	for i, line := range lines {
		points := make([]string, len(line))
		for j, at := range line {
			px := float64(x+14) + width*(at[0]-float64(from.Unix()))/to.Sub(from).Seconds()
			py := float64(y+h-14) - height*at[1]/max(most, 1e-9)
			points[j] = fmt.Sprintf("%.0f,%.0f", px, py)
		}
		fmt.Fprintf(b, `<polyline fill="none" stroke="%s" stroke-width="1.5" points="%s"/>`+"\n",
			colors[i%len(colors)], strings.Join(points, " "))
	}
}

// lines are the series of a panel's queries, each of times and values.
func (p promServer) lines(t *testing.T, one panel, from, to time.Time) (all [][][2]float64) {
	t.Helper()
	for _, target := range one.Targets {
		var answer struct{ Result []struct{ Values [][2]any } }
		p.get(t, fmt.Sprintf("query_range?query=%s&start=%d&end=%d&step=2", url.QueryEscape(target.Expr), from.Unix(),
			to.Unix()), &answer)
		for _, series := range answer.Result {
			var line [][2]float64
			for _, v := range series.Values {
				at, _ := v[0].(float64)
				text, _ := v[1].(string)
				value, err := strconv.ParseFloat(text, 64)
				if err == nil && !math.IsNaN(value) && !math.IsInf(value, 0) {
					line = append(line, [2]float64{at, value})
				}
			}
			if len(line) > 0 {
				all = append(all, line)
			}
		}
	}
	if len(all) == 0 {
		t.Fatalf("%s: nothing to draw", one.Title)
	}
	return all
}

// short is a number as a panel shows it.
func short(v float64) string {
	switch {
	case v >= 1e9:
		return fmt.Sprintf("%.1f G", v/1e9)
	case v >= 1e6:
		return fmt.Sprintf("%.1f M", v/1e6)
	case v >= 1e4:
		return fmt.Sprintf("%.0f k", v/1e3)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
