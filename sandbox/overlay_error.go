package sandbox

// Overlay reports whether the kernel refused to mount an overlay, which a
// caller can do without by copying.
func (e *SetupError) Overlay() bool { return e.Stage == stageOverlay }
