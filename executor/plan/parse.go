package plan

import "larder/executor/action/form"

// Parse reads a plan, which is one JSON object. What is wrong with its form comes
// as [Problems]: broken JSON, or else all members that there are not or that are
// there twice and all values of the wrong type. Whether the plan makes sense is for
// [Plan.Graph] to say.
func Parse(text []byte) (*Plan, error) {
	p := &Plan{text: text}
	wrong := findings{text: text}
	for _, fault := range form.Read(text, p, "a plan") {
		wrong.at(fault.Offset, "%w", fault.Err)
	}
	if err := wrong.err(); err != nil {
		return nil, err
	}
	return p, nil
}
