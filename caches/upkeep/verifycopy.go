package upkeep

import (
	"larder/caches/payload"
)

// copies looks over the local copies of payloads.
func (v *verifying) copies() {
	depth := payload.Shape
	if v.look.Contents {
		depth = payload.Contents
	}
	rows, err := v.payloads.List("")
	if err != nil {
		v.found(Finding{Kind: Payloads, Path: v.layout.Payloads(), Problem: err.Error(), State: Unreadable}, v.discard(v.layout.Payloads()))
	}
	for _, row := range rows {
		v.done.Looked[Payloads]++
		for _, flaw := range v.payloads.Verify(v.ctx, row.ID, depth) {
			f := Finding{Kind: Payloads, Path: flaw.Path, Problem: flaw.Problem, State: Damaged}
			if flaw.Unlisted {
				v.unlisted(f)
				continue
			}
			v.found(f, func() (string, error) {
				return "the copy was removed", (&pruning{Store: v.Store, ctx: v.ctx}).removeCopy(row.ID)
			})
		}
	}
}
