package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"time"
)

// program is a command to be measured as a whole process.
type program struct {
	argv []string
	dir  string
	env  []string
	// before is called ahead of each run, outside of the measurement.
	before func() error
	// code is the exit code that the run must have.
	code int
}

func (p program) once(ctx context.Context) (time.Duration, error) {
	if p.before != nil {
		if err := p.before(); err != nil {
			return 0, err
		}
	}
	command := exec.CommandContext(ctx, p.argv[0], p.argv[1:]...)
	command.Dir, command.Env = p.dir, append(os.Environ(), p.env...)
	begin := time.Now()
	output, err := command.CombinedOutput()
	took := time.Since(begin)
	if command.ProcessState == nil || command.ProcessState.ExitCode() != p.code {
		return 0, errors.Join(err, fmt.Errorf("%v: expected exit code %d: %.2000s", p.argv, p.code, output))
	}
	return took, nil
}

// pair runs two programs in turn and returns the median of each and of the
// ratios of the first to the second.
func pair(ctx context.Context, a, b program, runs int) (ours, peer time.Duration, ratio float64, err error) {
	var left, right []time.Duration
	var ratios []float64
	for i := range runs + 1 {
		one, err := a.once(ctx)
		if err != nil {
			return 0, 0, 0, err
		}
		other, err := b.once(ctx)
		if err != nil {
			return 0, 0, 0, err
		}
		if i == 0 {
			continue // to warm up
		}
		left, right = append(left, one), append(right, other)
		ratios = append(ratios, float64(one)/float64(other))
	}
	return median(left), median(right), median(ratios), nil
}

func median[T time.Duration | float64](values []T) T {
	slices.Sort(values)
	return values[len(values)/2]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000) }
