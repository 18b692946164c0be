package terminal

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	unseen  = 300 * time.Millisecond //bound:none what is done sooner shows no progress
	between = 100 * time.Millisecond //bound:none two pictures of what is counted fast
	alive   = time.Second            //bound:none two pictures of what counts nothing: the time goes on
	usual   = 80                     // columns of a terminal that does not say how many it has
	longest = 30                     // columns of a bar
	least   = 10                     // columns of a bar; a narrower one is left out
)

// screen is the terminal that is behind a command's two streams. At most one line of it shows
// progress; whatever is printed takes its place.
type screen struct {
	mu      sync.Mutex
	current *Progress // that has drawn last
	shown   int       // columns of the line that shows progress
	begun   bool      // a line of text has begun, such as a question
}

// Writers are writers to the two streams of a program. They share a terminal: what one of them
// prints takes the place of the progress that is drawn at the other. A terminal that says that it
// is a dumb one shows no progress.
func Writers(out, beside io.Writer, env func(string) (string, bool)) (stdout, stderr *Writer) {
	stdout, stderr = NewWriter(out), NewWriter(beside)
	if kind, _ := env("TERM"); kind == "dumb" {
		return stdout, stderr
	}
	s := &screen{}
	for _, w := range []*Writer{stdout, stderr} {
		if Is(w) {
			w.screen = s
		}
	}
	return stdout, stderr
}

// print writes text in the place of progress.
func (s *screen) print(to io.Writer, text string) error {
	if s == nil {
		_, err := io.WriteString(to, text)
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil && s.current.stays {
		s.current.draw("") // it comes again by itself
	} else {
		s.clear()
	}
	if text != "" {
		s.begun = !strings.HasSuffix(text, "\n")
	}
	_, err := io.WriteString(to, text)
	return err
}

func (s *screen) end() {
	if s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.clear()
	}
}

// clear takes the progress away. It is drawn again when more is counted.
func (s *screen) clear() {
	if s.current == nil {
		return
	}
	s.current.draw("")
	s.current.timer.Stop()
	s.current = nil
}

// Progress counts on a terminal what is done; elsewhere it shows nothing. What is printed meanwhile
// takes its place, also the error of a command that fails.
type Progress struct {
	title string
	stays bool    // it comes again after something else was printed
	on    *screen // nil, if nobody is watching
	to    io.Writer

	done, total     int // no total: nobody knows how much there is
	began, pictured time.Time
	timer           *time.Timer
}

// Counter counts what is done, where nobody knows how much there is. It shows itself before the
// first is counted, if that takes long.
func Counter(stream io.Writer, what string) *Progress {
	p := progress(stream, what)
	p.count(func() {})
	return p
}

// Waiting is a Counter of something that is waited for, until Finish: it comes again after what is
// printed meanwhile.
func Waiting(stream io.Writer, what string) *Progress {
	p := progress(stream, what)
	p.stays = true
	p.count(func() {})
	return p
}

func progress(stream io.Writer, title string) *Progress {
	p := &Progress{title: Inline(title), to: raw(stream)}
	if w, ok := stream.(*Writer); ok {
		p.on = w.screen
	}
	return p
}

// Bar returns a function that draws on a terminal how much of something is done; elsewhere it does
// nothing.
func Bar(stream io.Writer, title string) func(done, total int) {
	p := progress(stream, title)
	return func(done, total int) {
		p.count(func() { p.done, p.total = done, max(total, 1) })
		if done >= total {
			p.Finish()
		}
	}
}

// Set says how many are done.
func (p *Progress) Set(done int) { p.count(func() { p.done = done }) }

// Add says that more are done.
func (p *Progress) Add(more int) { p.count(func() { p.done += more }) }

// Finish takes the progress away. What is printed next, or the end of the program, does so too.
func (p *Progress) Finish() {
	if p.on == nil {
		return
	}
	p.on.mu.Lock()
	defer p.on.mu.Unlock()
	p.began = time.Time{}
	if p.on.current == p {
		p.on.clear()
	}
}

func (p *Progress) count(change func()) {
	if p.on == nil {
		return
	}
	p.on.mu.Lock()
	defer p.on.mu.Unlock()
	change()
	now := time.Now()
	if p.began.IsZero() {
		p.began = now
	}
	if p.on.current != p {
		p.on.clear()
		p.on.current = p
		p.timer = time.AfterFunc(max(0, unseen-now.Sub(p.began)), p.tick)
	} else if now.Sub(p.began) >= unseen && now.Sub(p.pictured) >= between {
		p.picture(now)
	}
}

// tick draws what is not counted: the time.
func (p *Progress) tick() {
	p.on.mu.Lock()
	defer p.on.mu.Unlock()
	if p.on.current == p {
		p.picture(time.Now())
		p.timer.Reset(alive)
	}
}

func (p *Progress) picture(now time.Time) {
	if !p.on.begun {
		p.pictured = now
		p.draw(p.text(p.columns(), now.Sub(p.began)))
	}
}

// columns are those that a line may have: one that is full begins another line on some terminals.
func (p *Progress) columns() int {
	columns := width(p.to)
	if columns <= 0 {
		columns = usual
	}
	return columns - 1
}

// draw writes a line over the one that is shown. It needs no escape sequences.
func (p *Progress) draw(line string) {
	shown, n := min(p.on.shown, p.columns()), utf8.RuneCountInString(line)
	if shown == 0 && n == 0 {
		return
	}
	text := "\r" + line + strings.Repeat(" ", max(0, shown-n))
	if n == 0 {
		text += "\r"
	}
	p.on.shown = n
	_, _ = io.WriteString(p.to, text) // progress that cannot be drawn is no failure
}

// text is a line of no more columns.
func (p *Progress) text(columns int, took time.Duration) string {
	end := ""
	if took >= alive {
		end = " " + took.Truncate(time.Second).String()
	}
	text := p.title + "…" + end
	switch {
	case p.total > 0:
		counted := fmt.Sprintf(" %3d%% %d/%d", min(p.done, p.total)*100/p.total, p.done, p.total)
		room := min(longest, columns-utf8.RuneCountInString(p.title+counted+end)-len(" []"))
		text = p.title + counted + end
		if room >= least {
			full := min(p.done, p.total) * room / p.total
			text = p.title + " [" + strings.Repeat("=", full) + strings.Repeat(" ", room-full) + "]" + counted + end
		}
	case p.done > 0:
		text = fmt.Sprintf("%s %d%s", p.title, p.done, end)
	}
	if runes := []rune(text); len(runes) > columns {
		text = string(runes[:max(0, columns)])
	}
	return text
}
