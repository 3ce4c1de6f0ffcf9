package plan_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"larder/digest"
	"larder/executor"
	"larder/executor/local"
	"larder/executor/plan"
)

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// Example runs two actions, of which one works on what the other has made.
func Example() {
	work, err := os.MkdirTemp("", "larder-example-*")
	check(err)
	defer os.RemoveAll(work)
	store, err := local.OpenStore(filepath.Join(work, "store"), digest.BLAKE3)
	check(err)
	line := executor.New(store.Inputs(), local.New(store.Config()), store.Results(), store.Blobs)

	parsed, err := plan.Parse([]byte(`{"schema": 1, "actions": [
		{"name": "word", "argv": ["sh", "-c", "echo hello >word"], "outputs": ["word"]},
		{"name": "loud", "argv": ["sh", "-c", "tr a-z A-Z <word >loud"], "outputs": ["loud"], "from": [{"action": "word"}]}
	]}`))
	check(err)
	graph, err := parsed.Graph(work)
	check(err)
	order, err := graph.Targets("loud")
	check(err)
	build := &plan.Build{
		Graph: graph, Order: order, Limits: plan.Limits{Jobs: 2, Memory: 1 << 30},
		Trees: plan.Trees{Function: digest.BLAKE3, Source: store.Blobs, Sink: store.Blobs.Add},
		Run:   line.Run,
		Request: func(int) executor.Request {
			return executor.Request{Results: executor.ResultPolicy{Read: true, Write: true}}
		},
	}
	for _, report := range build.All(context.Background()) {
		fmt.Println(graph.Nodes[report.Node].Plan.Name, report.State)
	}
	loud, err := os.ReadFile(filepath.Join(work, "loud"))
	check(err)
	fmt.Printf("%s", loud)
	// Unordered output:
	// word ran
	// loud ran
	// HELLO
}

// A plan is checked as a whole, and all that is wrong with it has its place.
func ExamplePlan_Graph() {
	parsed, err := plan.Parse([]byte(`{"schema": 1, "actions": [
  {"name": "a", "from": [{"action": "b"}]},
  {"name": "b", "argv": ["true"], "network": "moon", "from": [{"action": "c"}]}
]}`))
	check(err)
	_, err = parsed.Graph("/")
	fmt.Println(err)
	// Output:
	// invalid plan
	// 3:46: action "b": invalid network "moon": use none or host
	// 3:74: action "b" needs "c", and there is no such action
}
