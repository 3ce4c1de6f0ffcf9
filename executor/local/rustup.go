package local

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// behindRustup resolves one of rustup's proxies (cargo, rustc, …), which are links
// to rustup beside it: by RUSTUP_TOOLCHAIN, then a toolchain file in the root or
// above it, then the override of such a folder, then the default.
func (h host) behindRustup(path string) (program string, isShim bool) {
	rustup, err := os.Stat(filepath.Join(filepath.Dir(path), "rustup"))
	if err != nil || filepath.Base(path) == "rustup" {
		return "", false
	}
	if proxy, err := os.Stat(path); err != nil || !os.SameFile(proxy, rustup) {
		return "", false
	}
	home := cmp.Or(h.env("RUSTUP_HOME"), filepath.Join(h.home, ".rustup"))
	toolchain := h.rustToolchain(home)
	if toolchain == "" {
		return "", true
	}
	if !filepath.IsAbs(toolchain) {
		toolchain = filepath.Join(home, "toolchains", toolchain)
	}
	// A channel has the machine's kind behind it: stable-x86_64-unknown-linux-gnu.
	candidates, _ := filepath.Glob(filepath.Join(toolchain+"-*", "bin", filepath.Base(path)))
	for _, candidate := range append([]string{filepath.Join(toolchain, "bin", filepath.Base(path))}, candidates...) {
		if isExecutable(candidate) {
			return candidate, true
		}
	}
	return "", true
}

// rustToolchain is the name of a toolchain, or where it is; "" when none is chosen.
func (h host) rustToolchain(home string) string {
	if chosen := h.env("RUSTUP_TOOLCHAIN"); chosen != "" {
		return chosen
	}
	for _, name := range []string{"rust-toolchain", "rust-toolchain.toml"} {
		if text, isThere := h.nearest(name); isThere {
			return channelIn(text)
		}
	}
	var settings struct {
		Default   string            `toml:"default_toolchain"`
		Overrides map[string]string `toml:"overrides"`
	}
	data, _ := os.ReadFile(filepath.Join(home, "settings.toml"))
	if toml.Unmarshal(data, &settings) != nil {
		return "" // rustup itself would not start
	}
	for folder := h.root; len(settings.Overrides) > 0; folder = filepath.Dir(folder) {
		if chosen := settings.Overrides[folder]; chosen != "" {
			return chosen
		}
		if folder == filepath.Dir(folder) {
			break
		}
	}
	return settings.Default
}

// channelIn reads a toolchain file: a name alone, or TOML.
func channelIn(text string) string {
	var file struct {
		Toolchain struct {
			Channel string `toml:"channel"`
			Path    string `toml:"path"`
		} `toml:"toolchain"`
	}
	if toml.Unmarshal([]byte(text), &file) != nil {
		return strings.TrimSpace(text)
	}
	return cmp.Or(file.Toolchain.Channel, file.Toolchain.Path)
}
