package report

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// tab is a page in a real browser, spoken to through its debugging protocol:
// messages of JSON, each with a zero byte behind it, through two pipes.
type tab struct {
	t       *testing.T
	in      *os.File
	out     *bufio.Reader
	session string
	sent    int
	events  []string // methods, with what was said or asked for
}

// message is what the browser sends: an answer to a call, or an event.
type message struct {
	ID     int             `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

// open shows the page of a build, and waits until it is loaded.
func open(t *testing.T, build *Build) *tab {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.html")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := Write(out, build); err != nil {
		t.Fatal(err)
	}
	out.Close()
	b := start(t)
	for _, domain := range []string{"Page", "Network", "Log", "Runtime"} {
		b.call(domain+".enable", nil)
	}
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": false})
	b.call("Page.navigate", map[string]any{"url": "file://" + file})
	for deadline := time.Now().Add(time.Minute); b.ask(`location.protocol + document.readyState`) != "file:complete"; {
		if time.Now().After(deadline) {
			t.Fatal("the page is not loaded after a minute")
		}
	}
	return b
}

// start starts a browser with an empty page.
func start(t *testing.T) *tab {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no browser is installed:", err)
	}
	profile, err := os.MkdirTemp("", "browser")
	if err != nil {
		t.Fatal(err)
	}
	fromHere, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, fromThere, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program, "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+profile, "--remote-debugging-pipe")
	command.ExtraFiles = []*os.File{fromHere, fromThere}
	if err := command.Start(); err != nil {
		t.Skip("the browser does not start here:", err)
	}
	fromHere.Close()
	fromThere.Close()
	t.Cleanup(func() {
		in.Close() // which ends it
		_ = command.Wait()
		out.Close()
		_ = os.RemoveAll(profile) // its helpers may still be ending
	})
	b := &tab{t: t, in: in, out: bufio.NewReader(out)}
	var target struct{ TargetID, SessionID string }
	b.read(b.call("Target.createTarget", map[string]any{"url": "about:blank"}), &target)
	b.read(b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}), &target)
	b.session = target.SessionID
	return b
}

func (b *tab) read(text json.RawMessage, into any) {
	b.t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		b.t.Fatalf("%v: %s", err, text)
	}
}

// call sends one message and returns the answer; events on the way are kept.
func (b *tab) call(method string, params any) json.RawMessage {
	b.t.Helper()
	b.sent++
	request := map[string]any{"id": b.sent, "method": method}
	if params != nil {
		request["params"] = params
	}
	if b.session != "" {
		request["sessionId"] = b.session
	}
	text, err := json.Marshal(request)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.in.Write(append(text, 0)); err != nil {
		b.t.Skip("the browser does not run here:", err)
	}
	for {
		text, err := b.out.ReadBytes(0)
		if err != nil {
			b.t.Skip("the browser does not run here:", err)
		}
		var got message
		b.read(text[:len(text)-1], &got)
		switch {
		case got.ID == b.sent && got.Error != nil:
			b.t.Fatalf("%s: %s", method, got.Error)
		case got.ID == b.sent:
			return got.Result
		case got.Method != "":
			b.events = append(b.events, fmt.Sprintf("%s %s", got.Method, got.Params))
		}
	}
}

// ask evaluates an expression, which may be a promise, to a text.
func (b *tab) ask(expression string) string {
	b.t.Helper()
	var answer struct {
		Result           struct{ Value any }
		ExceptionDetails json.RawMessage
	}
	b.read(b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true}), &answer)
	if answer.ExceptionDetails != nil {
		b.t.Fatalf("%s: %s", expression, answer.ExceptionDetails)
	}
	return fmt.Sprint(answer.Result.Value)
}

// expect compares what an expression comes to.
func (b *tab) expect(expression, want string) {
	b.t.Helper()
	if got := b.ask(expression); got != want {
		b.t.Errorf("%s is %q, not %q", expression, got, want)
	}
}

// isQuiet fails if the page said something on the console or asked for anything
// but itself.
func (b *tab) isQuiet() {
	b.t.Helper()
	asked := 0
	for _, event := range b.events {
		method, _, _ := strings.Cut(event, " ")
		if slices.Contains([]string{"Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"}, method) {
			b.t.Error("the console:", event)
		}
		if method == "Network.requestWillBeSent" {
			asked++
		}
	}
	if asked != 1 {
		b.t.Errorf("%d requests, of which the page is one: %q", asked, b.events)
	}
}

const (
	bars  = `document.querySelectorAll("#timeline rect").length`
	lines = `document.querySelectorAll("#rows tr").length`
	first = `document.querySelector("#rows tr").innerText.split("\t").slice(0, 2).join()`
)

func TestHostileTextInABrowser(t *testing.T) {
	b := open(t, hostileBuild())
	b.expect(bars, "3")
	b.expect(lines, "4")
	b.expect(`document.querySelectorAll("img").length`, "0")
	b.expect(`document.querySelector("h1").textContent.includes("\\u202e")`, "true")
	b.ask(`document.querySelectorAll("#rows button").forEach(one => one.click())`)
	b.expect(`document.querySelectorAll("img").length`, "0")
	b.isQuiet()
}

// TestManyActionsInABrowser: of 10,000 actions the page draws what can be seen, and
// each of them is found.
func TestManyActionsInABrowser(t *testing.T) {
	b := open(t, manyActions())
	if n := b.ask(bars); len(n) > 4 {
		t.Errorf("%s bars are drawn", n)
	}
	b.expect(lines, "100")
	b.expect(first, "compile:package/7777,failed")
	b.expect(`document.querySelectorAll("rect.failed").length`, "1")
	b.expect(`document.getElementById("count").textContent`, "10000 of 10000")

	b.ask(`at("find").value = "OVER THERE"; at("find").dispatchEvent(new Event("input"))`)
	b.expect(first+` + `+lines, "compile:package/7777,failed1") // by what it said
	b.ask(`document.querySelector("#rows button").click()`)
	b.expect(`document.querySelector("#facts dd").textContent`, "compile:package/7777")
	b.expect(`document.querySelector("#facts button").textContent`, "compile:package/7776") // what it needs

	b.ask(`at("zoom").value = 12; at("zoom").dispatchEvent(new Event("input"))`)
	b.expect(`(() => { const bar = document.querySelector("rect.picked").getBoundingClientRect(), box = at("timeline").getBoundingClientRect();
		return bar.width > 100 && bar.left < box.right && bar.right > box.left })()`, "true")
	b.expect(`document.querySelector("rect.picked title").textContent`, "compile:package/7777: failed, 1.0 ms")
	b.ask(`dispatchEvent(new KeyboardEvent("keydown", {key: "Escape"}))`)
	b.expect(`at("detail").hidden`, "true")

	b.ask(`at("find").value = ""; at("find").dispatchEvent(new Event("input")); document.querySelector("th[data-order=begun] button").click()`)
	b.expect(first, "compile:package/0,ran")
	b.ask(`at("more").click()`)
	b.expect(lines, "600")
	b.isQuiet()
}

// TestABarOfManyActions: bars that are too narrow become one, in the colour of the
// worst, which lists its actions.
func TestABarOfManyActions(t *testing.T) {
	b := open(t, manyActions())
	b.ask(`document.querySelector("rect.failed").dispatchEvent(new MouseEvent("click", {bubbles: true}))`)
	b.expect(`document.querySelector("#facts dt").textContent === document.querySelectorAll("#facts button").length + " actions"`, "true")
	b.expect(`document.querySelector("#facts button").textContent`, "compile:package/7777")
	b.expect(`document.querySelector("rect.picked title").textContent.endsWith(" actions, 1 failed")`, "true")
	for _, width := range []int{1280, 400} {
		b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false})
		b.expect(`document.documentElement.scrollWidth <= innerWidth`, "true") // nothing sticks out
	}
	b.isQuiet()
}

// TestABuildWithNothingToSay: an up-to-date build has no reasons, and an empty one
// no actions; the page is whole all the same.
func TestABuildWithNothingToSay(t *testing.T) {
	b := open(t, &Build{Title: "up to date", MS: 1, Actions: []Action{{Name: "all", State: "reused", MS: 0.5}}})
	b.expect(first, "all,reused")
	b.expect(bars, "1")
	b.isQuiet()
	b = open(t, &Build{Title: "empty"})
	b.expect(`document.getElementById("count").textContent`, "0 of 0")
	b.isQuiet()
}
