package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// clicks counts what somebody presses for one job. It is done by the keyboard alone: what is
// pressed is reached by Tab and pressed by Enter, and a mouse needs as many clicks.
type clicks struct {
	browser
	n int
}

// maxTabs is how often somebody presses Tab to get to something, at the most.
const maxTabs = 400

// strike strikes one key.
func (b browser) strike(key string, with ...chromedp.KeyOption) {
	b.t.Helper()
	do(b, "press a key", chromedp.KeyEvent(key, with...))
}

// key strikes a key that a page may keep from being typed, as that of a keyboard.
func (b browser) key(char string) {
	b.t.Helper()
	do(b, "press "+char, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		for _, event := range []input.DispatchKeyEventParams{
			{Type: input.DispatchKeyEventTypeKeyDown, Key: char, Text: char},
			{Type: input.DispatchKeyEventTypeKeyUp, Key: char},
		} {
			if _, err := cdp.Call(ctx, tab, input.DispatchKeyEvent, event); err != nil {
				return err
			}
		}
		return nil
	}))
}

// isAt says whether something has the focus.
func (b browser) isAt(selector string) bool {
	b.t.Helper()
	return do(b, "look where the focus is", chromedp.Evaluate[bool](
		`document.activeElement === document.querySelector(`+quoteJS(selector)+`)`))
}

// unseen says why nobody sees the focus; "" when it is seen.
const unseen = `(e => {
	const r = e.getBoundingClientRect();
	if (e === document.body || e === document.documentElement) return 'the focus is lost';
	const seen = e.matches('.tabs > input') ? e.nextElementSibling : e; // its label stands for it
	if (getComputedStyle(seen).outlineStyle === 'none') return 'nothing marks it';
	if (!r.width || !r.height) return 'it has no size';
	if (r.bottom < 0 || r.right < 0 || r.top > innerHeight || r.left > innerWidth) return 'it is out of sight';
	return '';
})`

// focusIsSeen wants the focus to be somewhere where it can be seen, once the page is there and has
// scrolled to it.
func (b browser) focusIsSeen(what string) {
	b.t.Helper()
	why := ""
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		now, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](unseen+`(document.activeElement)`))
		if err == nil && now == "" {
			return
		}
		why = cmp.Or(now, fmt.Sprint(err))
		time.Sleep(20 * time.Millisecond) // between two looks at the condition
	}
	b.t.Errorf("%s: %s", what, why)
}

// focus goes on with Tab until something has the focus, and wants that to be seen.
func (c *clicks) focus(selector string) {
	c.t.Helper()
	c.until("find "+selector, `!!document.querySelector(`+quoteJS(selector)+`)`)
	for range maxTabs {
		if c.isAt(selector) {
			c.focusIsSeen(selector)
			return
		}
		c.strike(kb.Tab)
	}
	c.t.Fatalf("%s cannot be reached by Tab", selector)
}

// enter presses what has the focus.
func (c *clicks) enter(selector string) {
	c.t.Helper()
	c.n++
	c.focus(selector)
	c.strike(kb.Enter)
}

// press goes on to another page. Whoever has done something there goes on from where the page says
// what came of it.
func (c *clicks) press(selector string) {
	c.t.Helper()
	c.n++
	c.focus(selector)
	does := do(c.browser, "look what it is", chromedp.Evaluate[bool](`window.leaving = true,
		(e => (e.getAttribute('formmethod') ?? e.form?.method) === 'post')(document.activeElement)`))
	c.strike(kb.Enter)
	c.until("leave the page", `!window.leaving && document.readyState === 'complete'`)
	if does {
		c.focusIsSeen("after " + selector)
	}
}

// paste puts a text into a field.
func (c *clicks) paste(selector, text string) {
	c.t.Helper()
	c.focus(selector)
	do(c.browser, "paste", chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, input.InsertText, input.InsertTextParams{Text: text})
		return err
	}))
}

// types a text, key by key.
func (c *clicks) types(selector, text string) {
	c.t.Helper()
	c.focus(selector)
	c.strike(text)
}

// checks a box with the space bar.
func (c *clicks) checks(selector string) {
	c.t.Helper()
	c.focus(selector)
	c.strike(" ")
	c.until("check "+selector, `document.querySelector(`+quoteJS(selector)+`).checked`)
}

// opens what is folded.
func (c *clicks) opens(summary string) {
	c.t.Helper()
	c.enter(summary)
	c.until("open "+summary, `document.querySelector(`+quoteJS(summary)+`).parentElement.open`)
}

// back goes back by Shift and Tab until something has the focus.
func (c *clicks) back(selector string) {
	c.t.Helper()
	for range maxTabs {
		if c.isAt(selector) {
			c.focusIsSeen(selector)
			return
		}
		c.strike(kb.Tab, chromedp.KeyModifiers(chromedp.ModifierShift))
	}
	c.t.Fatalf("%s cannot be reached by Shift and Tab", selector)
}

func (c *clicks) most(n int, job string) {
	c.t.Helper()
	c.t.Logf("%s: %d clicks", job, c.n)
	if c.n > n {
		c.t.Errorf("%s takes %d clicks, more than %d", job, c.n, n)
	}
}

// frameOf tells the frames of pages apart, by what can be reached around their content.
const frameOf = `(() => {
	window.reachable = () => [...document.querySelectorAll(
		'a[href], button, input, select, textarea, summary, [tabindex]',
	)].filter(e => e.tabIndex >= 0 && !e.disabled && e.type !== 'hidden' &&
		e.checkVisibility({visibilityProperty: true}) && !(e.type === 'radio' && !e.checked));
	const main = document.querySelector('main');
	return reachable().filter(e => !main.contains(e)).map(e => e.tagName + e.textContent).join();
})()`

// watchContent leaves the frame of a page out, and begins at its content.
const watchContent = `(() => {
	const all = reachable, main = document.querySelector('main');
	window.reachable = () => all().filter(e => main.contains(e));
	main.focus();
	return true;
})()`

// watchKeys notes where each key leads the focus, and whether it can be seen there.
const watchKeys = `(() => {
	document.documentElement.style.scrollBehavior = 'auto';
	window.walked = [], window.problems = [];
	window.walk = last => {
		const e = document.activeElement, why = (` + unseen + `)(e);
		if (why) problems.push(why + ': ' + e.outerHTML.slice(0, 200));
		walked.push(e);
		return e === reachable().at(last);
	};
	return reachable().length;
})()`

// readKeys says what was wrong with a walk through the page by one key.
const readKeys = `(forward => {
	const way = forward ? walked : walked.toReversed();
	const wrong = [...problems], all = reachable();
	for (let i = 1; i < way.length; i++) {
		if (way[i - 1].compareDocumentPosition(way[i]) & Node.DOCUMENT_POSITION_PRECEDING) {
			wrong.push('the order is not that of the page at ' + way[i].outerHTML.slice(0, 200));
		}
	}
	for (const e of all.slice(forward ? all.indexOf(way[0]) : 0)) { // it may begin at the field of a page
		if (!way.includes(e)) wrong.push('it is not reached: ' + e.outerHTML.slice(0, 200));
	}
	walked.length = problems.length = 0;
	return wrong.join('\n');
})`

// walksByKeyboard goes through the page that was opened by Tab to its last, and back by Shift and
// Tab to its first: everything that can be pressed is reached, in the order of the page, and seen;
// nothing holds the focus. Around the ends a browser without a window is not like one with it.
// Through a frame that is in frames, somebody has gone already; others are put there.
func (b browser) walksByKeyboard(page string, frames map[string]bool) {
	b.t.Helper()
	frame := do(b, "look at the frame", chromedp.Evaluate[string](frameOf))
	if frames[frame] {
		do(b, "begin at the content", chromedp.Evaluate[bool](watchContent))
	}
	frames[frame] = true
	n := do(b, "watch the keys", chromedp.Evaluate[int](watchKeys))
	if n == 0 {
		return
	}
	for _, way := range []struct {
		name, forward, last string
		with                []chromedp.KeyOption
	}{
		{"Tab", "true", "-1", nil},
		{"Shift and Tab", "false", "0", []chromedp.KeyOption{chromedp.KeyModifiers(chromedp.ModifierShift)}},
	} {
		if way.forward == "false" {
			do(b, "begin at the last", chromedp.Evaluate[bool](`walk(-1)`))
		}
		for struck, there := 0, false; !there; struck++ {
			if struck > 2*n+20 {
				b.t.Errorf("%s: %s does not come to an end: %s", page, way.name, do(
					b, "look where it is", chromedp.Evaluate[string](`document.activeElement.outerHTML.slice(0, 200)`),
				))
				return
			}
			b.strike(kb.Tab, way.with...)
			there = do(b, "note where it is", chromedp.Evaluate[bool](`walk(`+way.last+`)`))
		}
		if wrong := do(b, "read the keys", chromedp.Evaluate[string](
			fmt.Sprintf(`%s(%s)`, readKeys, way.forward))); wrong != "" {
			b.t.Errorf("%s, by %s: %s", page, way.name, wrong)
		}
	}
}
