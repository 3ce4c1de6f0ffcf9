package local

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// Made-up homes with the layouts of managers of versions, as those make them.

func TestFindRustupProxies(t *testing.T) {
	const stable = "home/me/.rustup/toolchains/stable-x86_64-unknown-linux-gnu"
	const old = "home/me/.rustup/toolchains/1.70.0-x86_64-unknown-linux-gnu"
	for _, c := range []struct {
		name, variable, file, text string
		want                       string // the toolchain; "" is what comes later on PATH
	}{
		{"the default", "", "", "", stable},
		{"the variable", "1.70.0", "", "", old},
		{"a file with a name", "", "home/me/src/rust-toolchain", "1.70.0\n", old},
		{"a file in TOML", "", "home/me/src/app/rust-toolchain.toml", "[toolchain]\nchannel = \"1.70.0\"\nprofile = \"minimal\"\n", old},
		{"an override of a folder above", "", "home/me/.rustup/settings.toml", "default_toolchain = \"stable\"\n[overrides]\n\"@/home/me/src\" = \"1.70.0-x86_64-unknown-linux-gnu\"\n", old},
		{"one that is not installed", "nightly", "", "", ""},
		{"none", "", "home/me/.rustup/settings.toml", "profile = \"default\"\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t)
			m.path("home/me/.cargo/bin", "later")
			m.program("home/me/.cargo/bin/rustup", "x")
			m.link("home/me/.cargo/bin/cargo", "rustup")
			m.program("later/cargo", "x")
			m.file("home/me/.rustup/settings.toml", "default_toolchain = \"stable-x86_64-unknown-linux-gnu\"\n", 0o644)
			for _, toolchain := range []string{stable, old} {
				m.program(toolchain+"/bin/cargo", "x")
				m.file(toolchain+"/lib/librustc_driver.so", "", 0o644)
			}
			if c.file != "" {
				m.file(c.file, strings.ReplaceAll(c.text, "@", m.dir), 0o644)
			}
			m.host.env = func(name string) string { return map[string]string{"RUSTUP_TOOLCHAIN": c.variable}[name] }
			m.finds("cargo", c.want)
		})
	}
}

// A proxy may be another name of rustup's file, and a cargo beside rustup need
// not be a proxy. rustup itself is none.
func TestFindKnowsRustupProxiesFromPrograms(t *testing.T) {
	m := newMachine(t)
	m.path("home/me/.cargo/bin")
	rustup := m.program("home/me/.cargo/bin/rustup", "x")
	if err := os.Link(rustup, m.at("home/me/.cargo/bin/rustc")); err != nil {
		t.Fatal(err)
	}
	m.program("home/me/.cargo/bin/ripgrep", "y")
	m.host.env = func(name string) string {
		return map[string]string{"RUSTUP_HOME": m.at("opt/rustup"), "RUSTUP_TOOLCHAIN": "mine"}[name]
	}
	m.program("opt/rustup/toolchains/mine/bin/rustc", "x")
	m.file("opt/rustup/toolchains/mine/lib/x", "", 0o644)
	for program, want := range map[string]string{
		"rustc": "opt/rustup/toolchains/mine/bin/rustc", "ripgrep": "home/me/.cargo/bin/ripgrep", "rustup": "home/me/.cargo/bin/rustup",
	} {
		if got := m.host.locate(program, nil); got != m.at(want) {
			t.Errorf("%s is %s, want %s", program, got, m.at(want))
		}
	}
}

func TestFindAsdfShims(t *testing.T) {
	const shim = "#!/usr/bin/env bash\n# asdf-plugin: nodejs 18.2.0\n# asdf-plugin: nodejs 20.1.0\nexec asdf exec \"node\" \"$@\"\n"
	for _, c := range []struct{ name, variable, local, home, want string }{
		{"the file of the home", "", "", "nodejs 20.1.0\n", "home/me/.asdf/installs/nodejs/20.1.0"},
		{"the file of the root", "", "python 3.1\nnodejs 18.2.0 # old\n", "nodejs 20.1.0\n", "home/me/.asdf/installs/nodejs/18.2.0"},
		{"the variable", "18.2.0", "nodejs 20.1.0\n", "", "home/me/.asdf/installs/nodejs/18.2.0"},
		{"another plugin there", "", "python 3.1\n", "nodejs 20.1.0\n", "home/me/.asdf/installs/nodejs/20.1.0"},
		{"a version that is not installed", "16", "", "", ""},
		{"none", "", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t)
			m.path("home/me/.asdf/shims", "later")
			m.program("home/me/.asdf/shims/node", shim)
			m.program("later/node", "x")
			for _, version := range []string{"18.2.0", "20.1.0"} {
				m.program("home/me/.asdf/installs/nodejs/"+version+"/bin/node", "x")
				m.file("home/me/.asdf/installs/nodejs/"+version+"/lib/node_modules/x", "", 0o644)
			}
			m.file("home/me/src/app/.tool-versions", c.local, 0o644)
			m.file("home/me/.tool-versions", c.home, 0o644)
			m.host.env = func(name string) string { return map[string]string{"ASDF_NODEJS_VERSION": c.variable}[name] }
			m.finds("node", c.want)
		})
	}
}

// asdf's Go has its installation in a folder of the version's.
func TestFindAsdfGo(t *testing.T) {
	m := newMachine(t)
	m.path("home/me/.asdf/shims")
	m.program("home/me/.asdf/shims/go", "#!/usr/bin/env bash\n# asdf-plugin: golang 1.26\n")
	m.program("home/me/.asdf/installs/golang/1.26/go/bin/go", "x")
	m.file("home/me/.asdf/installs/golang/1.26/go/lib/x", "", 0o644)
	m.file("home/me/.tool-versions", "golang 1.26\n", 0o644)
	m.finds("go", "home/me/.asdf/installs/golang/1.26/go")
}

// nvm puts the chosen version itself on PATH; npm is a script of it for node.
func TestFindNvm(t *testing.T) {
	const node = "home/me/.nvm/versions/node/v20.1.0"
	m := newMachine(t)
	m.path(node + "/bin")
	m.program(node+"/bin/node", "x")
	m.program(node+"/lib/node_modules/npm/bin/npm-cli.js", "#!/usr/bin/env node\n")
	m.link(node+"/bin/npm", "../lib/node_modules/npm/bin/npm-cli.js")
	m.finds("npm", node)
	m.finds("node", node)
}

// The SDKs of Go below ~/sdk come whole, what go install has made alone.
func TestFindGoSDK(t *testing.T) {
	m := newMachine(t)
	m.path("home/me/sdk/go1.26/bin", "home/me/go/bin")
	m.program("home/me/sdk/go1.26/bin/go", "x")
	m.file("home/me/sdk/go1.26/lib/time/zoneinfo.zip", "", 0o644)
	m.program("home/me/go/bin/staticcheck", "x")
	m.file("home/me/go/pkg/mod/x", "", 0o644)
	m.finds("go", "home/me/sdk/go1.26")
	got, err := m.host.find("staticcheck", nil)
	if err != nil || !slices.Equal(m.visible(got), []string{"home/me/go/bin/staticcheck"}) {
		t.Errorf("visible %q, %v; want the program alone", m.visible(got), err)
	}
}

// A profile of Nix is links into its packages, which need one another: all are
// visible, and the names of those that are used are their state.
func TestFindNix(t *testing.T) {
	m := newMachine(t)
	m.host.nix = m.at("nix/store")
	m.path("home/me/.nix-profile/bin")
	m.program("nix/store/abc-hello-2.12/bin/hello", "x")
	m.file("nix/store/def-glibc/lib/libc.so.6", "", 0o644)
	m.link("nix/store/ghi-profile/bin/hello", m.at("nix/store/abc-hello-2.12/bin/hello"))
	m.file("nix/store/ghi-profile/share/x", "", 0o644)
	m.link("home/me/.nix-profile", m.at("nix/store/ghi-profile"))
	got, err := m.host.find("hello", nil)
	if err != nil || !slices.Equal(m.visible(got), []string{"home/me/.nix-profile", "nix/store"}) {
		t.Fatalf("visible %q, %v", m.visible(got), err)
	}
	packages := got.visible[1].packages
	slices.Sort(packages)
	if !slices.Equal(packages, []string{"abc-hello-2.12", "ghi-profile"}) {
		t.Errorf("the packages in use are %q", packages)
	}
	state, err := toolState(t.Context(), got.visible[1], nil, 0)
	if err != nil || state != "abc-hello-2.12 ghi-profile" {
		t.Errorf("the state is %q, %v", state, err)
	}
}

// finds expects a program in the bin folder of a prefix, which comes whole and
// first on PATH, or for "" what is later on PATH.
func (m *machine) finds(program, prefix string) {
	m.t.Helper()
	want, visible := prefix+"/bin/"+program, []string{prefix}
	if prefix == "" {
		want, visible = "later/"+program, []string{"later/" + program}
	}
	got, err := m.host.find(program, nil)
	if err != nil || got.program != m.at(want) || !slices.Equal(m.visible(got), visible) {
		m.t.Errorf("%s is %q with %q visible, %v; want %q with %q", program, got.program, m.visible(got), err, want, visible)
	}
	if bins := m.short(got.bins...); len(bins) == 0 || bins[0] != strings.TrimSuffix(want, "/"+program) {
		m.t.Errorf("joined to PATH: %q", bins)
	}
}
