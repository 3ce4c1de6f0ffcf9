package results

// Miss says why a kept answer was not used.
type Miss struct {
	Reason Reason
	What   string // the path or the digest that it is about, or an error; may be empty
}

// Reason is one of the reasons.
type Reason string

// The reasons. The first three are found by a [Checked]; the others by who asks.
const (
	Absent     Reason = "absent"      // there is none under the key
	LostBlob   Reason = "lost-blob"   // a blob of it is gone from the store
	Changed    Reason = "observation" // a path that it observed is not as it was
	NotAsked   Reason = "off"         // kept results were to be neither read nor written
	NotRead    Reason = "not-read"    // they were to be written only
	NeedsInput Reason = "input"       // it was made without the standard input that there is now
	Unusable   Reason = "unusable"    // it cannot be read, or not be handed over
)

// Short says it in a few words, for a line about an action that ran.
func (m Miss) Short() string {
	switch m.Reason {
	case LostBlob:
		return "a part of its kept result is gone"
	case Changed:
		return m.What + ", which it observes, changed"
	case NotAsked:
		return "kept results were not asked for"
	case NotRead:
		return "kept results were only to be written"
	case NeedsInput:
		return "there is standard input that its kept result was made without"
	case Unusable:
		return "its kept result cannot be used: " + m.What
	}
	return "its kept result is gone"
}
