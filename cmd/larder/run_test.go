package main

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestARunThatWasBrokenOffSaysSo(t *testing.T) {
	failure := errors.New("read the inputs: gone")
	ctx, cancel := context.WithCancel(t.Context())
	if err := brokenOff(ctx, failure); err != failure {
		t.Errorf("without a signal: %v, want the error as it was", err)
	}
	cancel()
	if err := brokenOff(ctx, failure); !errors.Is(err, failure) || !strings.HasPrefix(err.Error(), "interrupted") {
		t.Errorf("after a signal: %v", err)
	}
	if err := brokenOff(ctx, nil); err != nil {
		t.Errorf("a run that ended well: %v", err)
	}
}
