package local_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"larder/executor"
	"larder/executor/action"
)

// deaf is a reader of the output that takes nothing until it is released. When
// it is first offered something, it asks larder to end.
type deaf struct {
	end     context.CancelFunc
	release chan struct{}
}

func (d deaf) Write(p []byte) (int, error) {
	d.end()
	<-d.release
	return len(p), nil
}

func TestAReaderThatTakesNothingDoesNotHoldLarder(t *testing.T) {
	b := newTestBench(t)
	ctx, cancel := context.WithCancel(t.Context())
	reader := deaf{cancel, make(chan struct{})}
	defer close(reader.release)
	result, err := b.start(ctx, action.Spec{Argv: []string{"sh", "-c", "echo x"}}, executor.Request{
		Results: executor.ResultPolicy{Write: true},
		Streams: executor.Streams{Stdout: reader, Stderr: &bytes.Buffer{}},
	})
	if err != nil && result == nil {
		t.Fatal(err)
	}
	if result.StdoutDigest != "" || !strings.Contains(strings.Join(result.Warnings, "\n"), "did not take all of it") {
		t.Errorf("output %q is kept, with the warnings %q", result.StdoutDigest, result.Warnings)
	}
}
