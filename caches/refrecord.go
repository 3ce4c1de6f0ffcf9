package caches

import (
	"encoding/json"
	"fmt"
)

// refFormat is the version of the JSON form of a Ref.
const refFormat = 1

// refRecord is the JSON form of a Ref, as in ref.json.
type refRecord struct {
	Format    int    `json:"format"`
	Name      string `json:"name"`
	Mode      string `json:"mode"`
	ScopeKind uint8  `json:"scope_kind"`
	Scope     string `json:"scope"`
	Key       string `json:"key"`
	Live      bool   `json:"live,omitempty"`
}

// MarshalJSON writes every part of the Ref, so that a stored cache says what it
// is.
func (r Ref) MarshalJSON() ([]byte, error) {
	return json.Marshal(refRecord{refFormat, r.Name.String(), r.Mode.String(), uint8(r.Scope.kind), r.Scope.detail, r.Key, r.Live})
}

// UnmarshalJSON reads what MarshalJSON wrote. Every part is checked; the error
// wraps [ErrInvalid] when one is wrong.
func (r *Ref) UnmarshalJSON(data []byte) (err error) {
	*r, err = ParseRef(data)
	return err
}

// ParseRef is [Ref.UnmarshalJSON] for a Ref that stands alone: a list of a
// thousand caches reads each once and not twice.
func ParseRef(data []byte) (Ref, error) {
	var record refRecord
	if err := json.Unmarshal(data, &record); err != nil {
		return Ref{}, fmt.Errorf("%w description of a cache: %w", ErrInvalid, err)
	}
	name, err := ParseName(record.Name)
	if err != nil {
		return Ref{}, err
	}
	mode, err := ParseMode(record.Mode)
	if err != nil {
		return Ref{}, err
	}
	read := Ref{Name: name, Mode: mode, Key: record.Key, Live: record.Live}
	switch ScopeKind(record.ScopeKind) {
	case ScopeRepo:
		read.Scope = RepoScope(record.Scope)
	case ScopeGlobal:
		read.Scope = GlobalScope()
	case ScopeCustom:
		read.Scope = CustomScope(record.Scope)
	default:
		return Ref{}, fmt.Errorf("%w description of a cache: scope kind %d is not known", ErrInvalid, record.ScopeKind)
	}
	return read, nil
}
