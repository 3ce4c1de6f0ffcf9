package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

const hostile = "</script><img src=x onerror=alert(1)>\"'&<!--\x1b[2J\u202e\u2028]]>"

func hostileBuild() *Build {
	return &Build{Title: "build of " + hostile, Summary: []string{hostile}, Began: "today", MS: 40, ChainMS: 30, Actions: []Action{
		{Name: hostile, State: "ran", MS: 20, Chain: true, Why: hostile, Key: "k", Exit: "exit code 0", Output: hostile},
		{Name: "beside", State: "reused", Start: 5, MS: 10},
		{Name: "next", State: "failed", Start: 20, MS: 10, Chain: true, Problem: hostile},
		{Name: "never", State: "skipped"},
	}}
}

// TestPageIsWhatItShouldBe reads the page with a parser: hostile text adds no
// element, the data comes back as it was, and nothing is loaded.
func TestPageIsWhatItShouldBe(t *testing.T) {
	var out bytes.Buffer
	if err := Write(&out, hostileBuild()); err != nil {
		t.Fatal(err)
	}
	document, err := html.Parse(&out)
	if err != nil {
		t.Fatal(err)
	}
	count, policy, back := map[string]int{}, "", Build{}
	for node := range document.Descendants() {
		if node.Type != html.ElementNode {
			continue
		}
		count[node.Data]++
		for _, a := range node.Attr {
			if a.Key == "src" || strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "href" {
				t.Errorf("<%s> has %s=%q", node.Data, a.Key, a.Val)
			}
			if a.Key == "content" && strings.Contains(a.Val, "default-src") {
				policy = a.Val
			}
			if a.Key == "id" && a.Val == "data" {
				if err := json.Unmarshal([]byte(node.FirstChild.Data), &back); err != nil {
					t.Error(err)
				}
			}
		}
	}
	if count["script"] != 2 || count["img"] != 0 || count["style"] != 1 || count["table"] != 1 {
		t.Errorf("elements: %v", count)
	}
	if !strings.HasPrefix(policy, "default-src 'none';") || strings.Contains(policy, "unsafe") || !strings.Contains(policy, hash(script)) || !strings.Contains(policy, hash(style)) {
		t.Errorf("the policy is %q", policy)
	}
	if len(back.Actions) != 4 || back.Actions[0].Name != hostile || back.Lanes != 2 || back.Actions[1].Lane != 1 || back.Actions[2].Lane != 0 || back.Actions[3].Lane != -1 {
		t.Errorf("the data is %+v", back)
	}
}

// manyActions are 10,000 in four lanes, of which one failed.
func manyActions() *Build {
	b := &Build{Title: "many", MS: 2500}
	for i := range 10000 {
		b.Actions = append(b.Actions, Action{Name: fmt.Sprintf("compile:package/%d", i), State: "ran", Start: float64(i / 4), MS: 1, Key: strings.Repeat("k", 70), Why: "the first time", Exit: "exit code 0"})
	}
	failed := &b.Actions[7777]
	failed.State, failed.Output, failed.Needs = "failed", "an error: over there", []int{7776}
	return b
}

// TestManyActions: a page of 10,000 stays small, and is written at once.
func TestManyActions(t *testing.T) {
	b := manyActions()
	var out bytes.Buffer
	begin := time.Now()
	if err := Write(&out, b); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes in %v", out.Len(), time.Since(begin))
	if out.Len() > 4<<20 || b.Lanes != 4 {
		t.Errorf("%d bytes, %d lanes", out.Len(), b.Lanes)
	}
}
