package named

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"larder/caches"
	"larder/caches/layers"
)

// formatVersion is the version of manifests.
const formatVersion = 1

// manifest describes one generation. Its file is written once.
type manifest struct {
	Format  int           `json:"format"`
	ID      string        `json:"id"`
	Parent  string        `json:"parent,omitempty"`
	SameAs  string        `json:"same_as,omitempty"` // the generation that has the same content in other layers
	Layers  []layerRecord `json:"layers"`
	BootID  string        `json:"boot_id"`
	Created time.Time     `json:"created"`
	How     string        `json:"how"`
	Keep    int           `json:"keep,omitempty"` // as in [PublishOptions]
	Kept    []string      `json:"kept,omitempty"` // the generations that stayed below it, newest first
}

type layerRecord struct {
	ID      string `json:"id"`
	Entries int64  `json:"entries"`
	Bytes   int64  `json:"bytes"`
	Stamp   int64  `json:"stamp,omitempty"` // as in [layers.Layer]
}

// How a generation came about, beside the [Result] of a publish.
const (
	howRolledBack = "rolled-back"
	howImported   = "imported"
	howFlattened  = "flattened"
)

// content identifies what a generation holds: forms of one content in
// different layers share it. It is "" for an empty cache.
func (m manifest) content() string {
	if m.SameAs != "" {
		return m.SameAs
	}
	return m.ID
}

func (m manifest) stack(folder string) layers.Stack {
	stack := make(layers.Stack, len(m.Layers))
	for i, layer := range m.Layers {
		stack[i] = layers.Layer{ID: layer.ID, Path: folder + "/" + layer.ID, Entries: layer.Entries, Bytes: layer.Bytes, Stamp: layer.Stamp}
	}
	return stack
}

// read reads and checks the manifest of a generation.
func (i instance) read(id string) (manifest, error) {
	data, err := caches.ReadFile(i.manifest(id))
	if err != nil {
		return manifest{}, fmt.Errorf("read generation %s: %w", id, err)
	}
	return parseGeneration(id, data)
}

func parseGeneration(id string, data []byte) (manifest, error) {
	m, err := parseManifest(data)
	if err == nil && m.ID != id {
		err = fmt.Errorf("it calls itself %q: %w", m.ID, layers.ErrDamaged)
	}
	if err != nil {
		return manifest{}, fmt.Errorf("read generation %s: %w", id, err)
	}
	return m, nil
}

// parseManifest reads the bytes of a manifest; every id in the result is safe
// as a path component.
func parseManifest(data []byte) (manifest, error) {
	var m manifest
	data, err := caches.Unseal(data)
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil {
		return manifest{}, fmt.Errorf("%w: %w", layers.ErrDamaged, err)
	}
	if m.Format != formatVersion {
		return manifest{}, fmt.Errorf("format %d is not known: %w", m.Format, layers.ErrDamaged)
	}
	ids := append([]string{m.ID}, m.Kept...)
	for _, optional := range []string{m.Parent, m.SameAs} {
		if optional != "" {
			ids = append(ids, optional)
		}
	}
	for _, layer := range m.Layers {
		ids = append(ids, layer.ID)
	}
	for _, id := range ids {
		if !validID(id) {
			return manifest{}, fmt.Errorf("%q is no id: %w", id, layers.ErrDamaged)
		}
	}
	return m, nil
}

// swap writes the manifest of a new generation over the stack and makes it the
// head. The caller holds the lock of the instance. When it fails, the old head
// stands and the manifest is gone.
func (i instance) swap(m manifest, stack layers.Stack) (manifest, error) {
	m.Format, m.ID, m.BootID, m.Created = formatVersion, layers.NewID(), i.store.boot(), time.Now().UTC()
	m.Kept = i.keptBelow(m)
	for _, layer := range stack {
		m.Layers = append(m.Layers, layerRecord{layer.ID, layer.Entries, layer.Bytes, layer.Stamp})
	}
	if err := i.describe(); err != nil {
		return manifest{}, err
	}
	if err := i.writeJSON(i.manifest(m.ID), m); err != nil {
		return manifest{}, err
	}
	if err := i.store.layout.WriteFile(i.path(headFile), []byte(m.ID+"\n"), 0o644); err != nil {
		os.Remove(i.manifest(m.ID))
		return manifest{}, err
	}
	return m, nil
}

// describe writes ref.json when it is missing, or torn by a power cut.
func (i instance) describe() error {
	if data, err := caches.ReadFile(i.path(refFile)); err == nil {
		if _, err := parseRef(data); err == nil {
			return nil
		}
	}
	return i.writeJSON(i.path(refFile), i.ref)
}

func (i instance) writeJSON(path string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode %s: %w", filepath.Base(path), err)
	}
	return i.store.layout.WriteFile(path, caches.Seal(data), 0o644)
}

// parseRef reads the bytes of a ref.json.
func parseRef(data []byte) (ref caches.Ref, err error) {
	data, err = caches.Unseal(data)
	if err == nil {
		ref, err = caches.ParseRef(data)
	}
	if err != nil {
		return caches.Ref{}, fmt.Errorf("%w: %w", layers.ErrDamaged, err)
	}
	return ref, nil
}
