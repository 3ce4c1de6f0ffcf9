package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"larder/executor/action/form"
)

// ErrPlan marks a plan that cannot be used.
var ErrPlan = errors.New("invalid plan")

// Problem is one thing that is wrong with a plan.
type Problem struct {
	// Line and Column are where, both from 1; a column is a character. They are 0
	// for a plan that was not read from a text.
	Line, Column int
	Err          error
}

// Error is the place and what is wrong.
func (p *Problem) Error() string {
	if p.Line == 0 {
		return p.Err.Error()
	}
	return fmt.Sprintf("%d:%d: %v", p.Line, p.Column, p.Err)
}

// Unwrap returns Err.
func (p *Problem) Unwrap() error { return p.Err }

// Problems is all that is wrong with a plan, in the order of the text. It wraps
// [ErrPlan].
type Problems []*Problem

// shownProblems is how many a message lists.
const shownProblems = 20

// Error lists the first problems, one on a line, and says how many more there
// are.
func (p Problems) Error() string {
	lines := []string{ErrPlan.Error()}
	for _, one := range p[:min(len(p), shownProblems)] {
		lines = append(lines, one.Error())
	}
	if more := len(p) - shownProblems; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns ErrPlan and the problems.
func (p Problems) Unwrap() []error {
	all := []error{ErrPlan}
	for _, one := range p {
		all = append(all, one)
	}
	return all
}

// findings gathers problems of one text.
type findings struct {
	text  []byte
	where []int // offsets, by problem
	all   []error
}

// at adds a problem at an offset of the text, or at none below zero.
func (f *findings) at(offset int, format string, args ...any) {
	f.where = append(f.where, offset)
	f.all = append(f.all, fmt.Errorf(format, args...))
}

// err returns the problems in the order of the text, or nil when there are none.
func (f *findings) err() error {
	if len(f.all) == 0 {
		return nil
	}
	order := make([]int, len(f.all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return f.where[a] - f.where[b] })
	var problems Problems
	for _, i := range order {
		one := &Problem{Err: f.all[i]}
		if f.where[i] >= 0 {
			one.Line, one.Column = form.Position(f.text, f.where[i])
		}
		problems = append(problems, one)
	}
	return problems
}
