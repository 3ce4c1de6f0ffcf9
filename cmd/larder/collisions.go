package main

import (
	"errors"
	"fmt"
	"iter"
	"strings"

	"larder/digest"
)

// mergeFacts is what records say of a merge.
type mergeFacts struct {
	Duplicates int               `json:"duplicates"`
	Identical  int               `json:"identical_directories"`
	Settled    int               `json:"settled"`
	Collisions []listedCollision `json:"collisions"`
	Incomplete bool              `json:"incomplete,omitempty"` // there are more than can be listed
}

// listedCollision is a collision that was refused or tolerated.
type listedCollision struct {
	Path   string        `json:"path"`
	Policy string        `json:"policy"`
	Claims []listedClaim `json:"claims"`
}

// listedClaim is one of the things at a path of a collision.
type listedClaim struct {
	listedEntry
	Producers []string `json:"producers"`
	Kept      bool     `json:"kept"`
}

// factsOf describes a merge, or, when err says so, why there was none.
func factsOf(merged digest.Merged, err error) mergeFacts {
	facts := mergeFacts{Duplicates: merged.Duplicates, Identical: merged.Identical, Settled: merged.Settled, Collisions: []listedCollision{}}
	collisions := merged.Tolerated
	var refused *digest.CollisionError
	if errors.As(err, &refused) {
		collisions, facts.Incomplete = refused.Collisions, refused.Incomplete
	}
	for _, c := range collisions {
		line := listedCollision{Path: c.Path, Policy: c.Policy.String()}
		for i, one := range c.Claims {
			entry := listed(one.Entry)
			entry.Path = "" // it is the collision's
			line.Claims = append(line.Claims, listedClaim{entry, one.Producers, i == c.Kept})
		}
		facts.Collisions = append(facts.Collisions, line)
	}
	return facts
}

// errorTexts yields what an error says, some lines at a time: of collisions all,
// where its own text is of the first of them.
func errorTexts(err error) iter.Seq[string] {
	return func(yield func(string) bool) {
		var refused *digest.CollisionError
		if !errors.As(err, &refused) {
			yield(err.Error())
			return
		}
		if head, _, _ := strings.Cut(err.Error(), "\n"); !yield(head) {
			return
		}
		for _, one := range refused.Collisions {
			if !yield(one.String()) {
				return
			}
		}
	}
}

// toleratedTexts yields the collisions that were tolerated, all of them.
func toleratedTexts(collisions []digest.Collision) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, one := range collisions {
			if !yield(fmt.Sprintf("tolerated, the first stays: %v", one)) {
				return
			}
		}
	}
}
