package digest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// shelf is a source and a sink of directories, which counts what is read.
type shelf struct {
	Directories
	reads map[Digest]int
}

func newShelf(trees ...*Tree) shelf {
	s := shelf{Directories{}, map[Digest]int{}}
	for _, tree := range trees {
		maps.Copy(s.Directories, tree.Directories())
	}
	return s
}

func (s shelf) Blob(ctx context.Context, d Digest) ([]byte, error) {
	s.reads[d]++
	return s.Directories.Blob(ctx, d)
}

// named gives trees the names 0, 1 and so on.
func named(trees []*Tree) []Producer {
	var producers []Producer
	for i, tree := range trees {
		producers = append(producers, Producer{fmt.Sprint(i), tree.Root})
	}
	return producers
}

func mergeAll(trees []*Tree, policies ...PathPolicy) (Merged, shelf, error) {
	s := newShelf(trees...)
	merged, err := Merge(context.Background(), s, s.Sink(BLAKE3), named(trees), policies)
	return merged, s, err
}

func TestMerge(t *testing.T) {
	one, two, three := treeOf(t, "lib/a", "same/x", "l -> lib", "e/"), treeOf(t, "lib/b", "same/x", "l -> lib"), treeOf(t, "lib/a", "top", "e/sub/")
	merged, s, err := mergeAll([]*Tree{one, two, three})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"e/", "e/sub/", "l -> lib", "lib/", "lib/a", "lib/b", "same/", "same/x", "top"}
	if got := walked(t, s, merged.Root); !slices.Equal(got, want) {
		t.Errorf("merged %q, want %q", got, want)
	}
	// same is identical, l is a duplicate. lib of one and three is identical too.
	if merged.Duplicates != 1 || merged.Identical != 2 || merged.Settled != 0 {
		t.Errorf("counted %+v", merged)
	}
}

func TestMergeReadsOnlyWhatDiffers(t *testing.T) {
	one, two := treeOf(t, "big/a/b", "x/1", "only/one/f"), treeOf(t, "big/a/b", "x/2", "other/f")
	s := newShelf(one, two)
	for _, path := range []string{"big", "big/a", "only", "only/one"} {
		delete(s.Directories, mustLookup(t, one, path).Digest)
	}
	if _, err := Merge(context.Background(), s, s.Sink(BLAKE3), named([]*Tree{one, two}), nil); err != nil {
		t.Fatal(err)
	}
	if len(s.reads) != 4 {
		t.Errorf("%d directories were read, want the two roots and the two x", len(s.reads))
	}
	s = newShelf(one)
	merged, err := Merge(context.Background(), s, nil, named([]*Tree{one, one, one}), nil)
	if err != nil || merged.Root != one.Root || merged.Identical != 2 || len(s.reads) != 1 {
		t.Errorf("with itself: %+v, %v, %d reads", merged, err, len(s.reads))
	}
}

// anything makes a tree with one entry at x.
func anything(t testing.TB, e Entry) *Tree {
	t.Helper()
	e.Path = "x" + e.Path
	tree, err := FromEntries(BLAKE3, []Entry{e})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestEveryDifferenceCollides(t *testing.T) {
	one, two, none := Of(BLAKE3, []byte("1")), Of(BLAKE3, []byte("2")), Of(BLAKE3, nil)
	kinds := map[string]*Tree{
		"file":            anything(t, Entry{Kind: KindFile, Digest: one}),
		"other content":   anything(t, Entry{Kind: KindFile, Digest: two}),
		"executable":      anything(t, Entry{Kind: KindFile, Digest: one, Executable: true}),
		"empty file":      anything(t, Entry{Kind: KindFile, Digest: none}),
		"directory":       anything(t, Entry{Path: "/f", Kind: KindFile, Digest: one}),
		"empty directory": anything(t, Entry{Kind: KindDirectory}),
		"link":            anything(t, Entry{Kind: KindSymlink, Target: "y"}),
		"other link":      anything(t, Entry{Kind: KindSymlink, Target: "z"}),
	}
	for a, first := range kinds {
		for b, second := range kinds {
			merged, _, err := mergeAll([]*Tree{first, second})
			var refused *CollisionError
			same := a == b || strings.HasSuffix(a, "directory") && strings.HasSuffix(b, "directory")
			if same && err != nil || !same && (!errors.As(err, &refused) || !errors.Is(err, ErrCollision) || merged.Root != Digest{}) {
				t.Errorf("%s and %s: %+v, %v", a, b, merged, err)
			}
			if !same && (len(refused.Collisions) != 1 || refused.Collisions[0].Path != "x" || refused.Collisions[0].Kept != -1) {
				t.Errorf("%s and %s: %+v", a, b, refused)
			}
		}
	}
}

func TestACollisionNamesWhoHasWhat(t *testing.T) {
	trees := []*Tree{treeOf(t, "a b/f"), treeOf(t, "a b"), treeOf(t, "a b/f"), treeOf(t, "a b -> c")}
	_, _, err := mergeAll(trees)
	want := "merge: 1 path collides\na b\n    directory " + mustLookup(t, trees[0], "a b").Digest.String() + " from 0, 2\n    file " +
		mustLookup(t, trees[1], "a b").Digest.String() + " from 1\n    symlink to c from 3"
	if err == nil || err.Error() != want {
		t.Errorf("said:\n%v\nwant:\n%s", err, want)
	}
}

func TestTheListOfCollisionsIsShortAndTheErrorWhole(t *testing.T) {
	var entries [2][]Entry
	for n := range 50 {
		for i := range entries {
			entries[i] = append(entries[i], Entry{Path: fmt.Sprintf("f%02d\n", n), Kind: KindFile, Digest: Of(BLAKE3, []byte{byte(i)})})
		}
	}
	var trees []*Tree
	for n := range 30 {
		tree, err := FromEntries(BLAKE3, entries[n%2])
		if err != nil {
			t.Fatal(err)
		}
		trees = append(trees, tree)
	}
	_, _, err := mergeAll(trees)
	var refused *CollisionError
	if !errors.As(err, &refused) || len(refused.Collisions) != 50 || len(refused.Collisions[49].Claims[1].Producers) != 15 {
		t.Fatalf("not all collisions are there: %v", err)
	}
	text := err.Error()
	for _, part := range []string{"50 paths collide", `"f00\n"`, `"f19\n"`, "from 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28\n", "\nand 30 more"} {
		if !strings.Contains(text, part) {
			t.Errorf("the message lacks %q:\n%s", part, text)
		}
	}
	if strings.Contains(text, `"f20\n"`) {
		t.Errorf("the message lists too much:\n%s", text)
	}
	var many Collision
	for n := range 100 {
		many.Claims = append(many.Claims, Claim{Entry{Kind: KindFile, Digest: Of(BLAKE3, []byte{byte(n)})}, []string{"made-by-" + fmt.Sprint(n)}})
	}
	if lines := strings.Split(many.String(), "\n"); len(lines) != 101 || !strings.HasSuffix(lines[100], " from made-by-99") {
		t.Errorf("of 100 claims %d lines are listed: %s", len(lines)-1, many)
	}
}

func TestPoliciesSettle(t *testing.T) {
	file, dir, other := treeOf(t, "x", "lib/l -> a"), treeOf(t, "x/f", "lib/l -> b"), treeOf(t, "x/g", "lib/l -> c")
	all := PathPolicy{".", PolicyTolerate}
	for what, c := range map[string]struct {
		trees    []*Tree
		policies []PathPolicy
		want     []string
		listed   int
	}{
		"tolerate":           {[]*Tree{file, dir, other}, []PathPolicy{all}, []string{"lib/", "lib/l -> a", "x"}, 2},
		"directories merge":  {[]*Tree{dir, file, other}, []PathPolicy{all}, []string{"lib/", "lib/l -> b", "x/", "x/f", "x/g"}, 2},
		"first":              {[]*Tree{file, dir, other}, []PathPolicy{{"*", PolicyFirst}}, []string{"lib/", "lib/l -> a", "x"}, 0},
		"last":               {[]*Tree{file, dir, other}, []PathPolicy{{"*", PolicyLast}}, []string{"lib/", "lib/l -> c", "x/", "x/f", "x/g"}, 0},
		"last is a file":     {[]*Tree{dir, other, file}, []PathPolicy{{"*", PolicyLast}}, []string{"lib/", "lib/l -> a", "x"}, 0},
		"last match decides": {[]*Tree{file, dir}, []PathPolicy{all, {"lib", PolicyLast}}, []string{"lib/", "lib/l -> b", "x"}, 1},
	} {
		merged, s, err := mergeAll(c.trees, c.policies...)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if got := walked(t, s, merged.Root); !slices.Equal(got, c.want) {
			t.Errorf("%s: merged %q, want %q", what, got, c.want)
		}
		if merged.Settled != 2 || len(merged.Tolerated) != c.listed {
			t.Errorf("%s: counted %+v, want 2 and %d listed", what, merged, c.listed)
		}
	}
}

// TestTheSameDirectoriesUnderOtherPolicies: what was merged at one path is not
// taken for another at which something else decides.
func TestTheSameDirectoriesUnderOtherPolicies(t *testing.T) {
	one, two := doubling(t, 1, "f"), doubling(t, 0, "f")
	other := two.made.put(t, Directory{Files: []File{{"f", Of(BLAKE3, nil), true}, {"g", Of(BLAKE3, nil), false}}})
	two.Root = two.made.put(t, Directory{Directories: []Sub{{"a", other}, {"b", other}}})
	merged, s, err := mergeAll([]*Tree{one, two}, PathPolicy{"a", PolicyFirst}, PathPolicy{"b", PolicyLast})
	if err != nil {
		t.Fatal(err)
	}
	for path, executable := range map[string]bool{"a/f": false, "b/f": true} {
		if e, err := Lookup(context.Background(), s, merged.Root, path); err != nil || e.Executable != executable {
			t.Errorf("%s is %+v, %v", path, e, err)
		}
	}
}

func TestPoliciesThatDoNotHold(t *testing.T) {
	file, dir := treeOf(t, "x", "lib/l"), treeOf(t, "x/f", "lib/l -> b")
	_, _, err := mergeAll([]*Tree{file, dir}, PathPolicy{".", PolicyTolerate}, PathPolicy{"x", PolicyError})
	var refused *CollisionError
	if !errors.As(err, &refused) || len(refused.Collisions) != 1 || refused.Collisions[0].Path != "x" {
		t.Errorf("error after all: %v", err)
	}
	for what, c := range map[string]struct {
		policy PathPolicy
		want   error
	}{
		"unknown":  {PathPolicy{"x", 9}, ErrPolicy},
		"negated":  {PathPolicy{"!x", PolicyFirst}, ErrPattern},
		"empty":    {PathPolicy{"", PolicyFirst}, ErrPattern},
		"outwards": {PathPolicy{"../x", PolicyFirst}, ErrPattern},
	} {
		if _, _, err := mergeAll([]*Tree{file}, c.policy); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
	}
	for p := PolicyError; p <= PolicyLast; p++ {
		if got, err := ParsePolicy(p.String()); got != p || err != nil {
			t.Errorf("%s is read as %v, %v", p, got, err)
		}
	}
	if _, err := ParsePolicy("second"); !errors.Is(err, ErrPolicy) {
		t.Errorf("second: %v", err)
	}
}

func TestMergeRefusesWhatIsNoTree(t *testing.T) {
	tree, other := treeOf(t, "a"), treeOf(t, "b")
	gone, err := New(BLAKE3, strings.Repeat("0", 64), 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := FromEntries(SHA256, nil)
	if err != nil {
		t.Fatal(err)
	}
	for what, producers := range map[string][]Producer{
		"none":        nil,
		"zero":        {{"a", tree.Root}, {"b", Digest{}}},
		"two hashes":  {{"a", tree.Root}, {"b", foreign.Root}},
		"too large":   {{"a", tree.Root}, {"b", gone}},
		"not there":   {{"a", Of(BLAKE3, []byte("?"))}},
		"one not":     {{"a", tree.Root}, {"b", Of(BLAKE3, []byte("?"))}},
		"sink failed": {{"a", tree.Root}, {"b", other.Root}},
	} {
		sink := func(context.Context, []byte) (Digest, error) { return Digest{}, errors.New("no room") }
		if merged, err := Merge(context.Background(), newShelf(tree, other), sink, producers, nil); err == nil || merged.Root != (Digest{}) {
			t.Errorf("%s: %+v, %v", what, merged, err)
		}
	}
}

func TestAMergeThatIsRefusedStoresNothingMore(t *testing.T) {
	trees := []*Tree{treeOf(t, "a", "b/1", "c/d/1"), treeOf(t, "a/f", "b/2", "c/d/2")}
	s, stored := newShelf(trees...), 0
	sink := func(context.Context, []byte) (Digest, error) { stored++; return Digest{}, nil }
	_, err := Merge(context.Background(), s, sink, named(trees), nil)
	if !errors.Is(err, ErrCollision) || stored != 0 {
		t.Errorf("%v; %d directories were stored", err, stored)
	}
}

// content is what two entries are compared by: everything but the digest of a
// directory.
func content(e Entry) Entry {
	if e.Kind == KindDirectory {
		e.Digest = Digest{}
	}
	return e
}

// modelMerge merges flat lists: path by path, what different things there are.
// It gives the entries that stay, and the paths that collide by their policy.
func modelMerge(r *rapid.T, trees []*Tree, policies []PathPolicy) (map[string]Entry, map[Policy][]string) {
	var lists []map[string]Entry
	paths := map[string]Entry{}
	for _, tree := range trees {
		lists = append(lists, flat(r, tree))
		maps.Copy(paths, lists[len(lists)-1])
	}
	kept, collided := map[string]Entry{}, map[Policy][]string{}
	for _, path := range slices.SortedFunc(maps.Keys(paths), ComparePaths) {
		if above, _, _ := cutLast(path); above != "" && kept[above].Kind != KindDirectory && kept[above].Kind != 99 {
			continue
		}
		var there []Entry
		isDir := false
		for _, list := range lists {
			if e, ok := list[path]; ok {
				there = append(there, content(e))
				isDir = isDir || e.Kind == KindDirectory
			}
		}
		kept[path] = there[0]
		if slices.IndexFunc(there, func(e Entry) bool { return e != there[0] }) < 0 {
			continue
		}
		policy := modelPolicy(policies, path, isDir)
		collided[policy] = append(collided[policy], path)
		switch policy {
		case PolicyError:
			kept[path] = Entry{Kind: 99} // look below it as well
		case PolicyLast:
			kept[path] = there[len(there)-1]
		}
	}
	return kept, collided
}

func cutLast(path string) (above, name string, found bool) {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i], path[i+1:], true
	}
	return "", path, false
}

// modelPolicy is the last policy that matches path or a directory above it.
func modelPolicy(policies []PathPolicy, path string, isDir bool) Policy {
	for _, one := range slices.Backward(policies) {
		rule, ok := parseRule(one.Pattern)
		for at, dir := path, isDir; at != ""; dir = true {
			above, name, _ := cutLast(at)
			if one.Pattern == "." || ok && rule.matches(subject{path: at, name: name, isDirectory: dir}) {
				return one.Policy
			}
			at = above
		}
	}
	return PolicyError
}

func anyPolicies(r *rapid.T) []PathPolicy {
	return rapid.SliceOfN(rapid.Custom(func(r *rapid.T) PathPolicy {
		return PathPolicy{
			rapid.SampledFrom([]string{".", "*", "a", "/b", "a/b", "b/", "a/**", "?"}).Draw(r, "glob"),
			Policy(rapid.IntRange(0, 3).Draw(r, "policy")),
		}
	}), 0, 3).Draw(r, "policies")
}

func anyTrees(r *rapid.T) []*Tree {
	var trees []*Tree
	for i := range rapid.IntRange(1, 12).Draw(r, "trees") {
		trees = append(trees, anyTree(r, fmt.Sprint(i)))
	}
	return trees
}

func TestMergeIsWhatTheModelMerges(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		trees, policies := anyTrees(r), anyPolicies(r)
		want, collided := modelMerge(r, trees, policies)
		merged, s, err := mergeAll(trees, policies...)
		var refused *CollisionError
		if errors.As(err, &refused) {
			checkCollisions(r, trees, refused.Collisions, collided[PolicyError])
			return
		}
		if err != nil || len(collided[PolicyError]) > 0 {
			r.Fatalf("%v, where %q collide", err, collided[PolicyError])
		}
		got := map[string]Entry{}
		if err := Walk(context.Background(), s, merged.Root, func(path string, e Entry) error {
			got[path] = content(e)
			return nil
		}); err != nil {
			r.Fatal(err)
		}
		for path, e := range want {
			e.Path = path
			want[path] = e
		}
		if !maps.Equal(got, want) {
			r.Fatalf("merged %v\nwant %v", got, want)
		}
		checkCollisions(r, trees, merged.Tolerated, collided[PolicyTolerate])
		if settled := len(collided[PolicyTolerate]) + len(collided[PolicyFirst]) + len(collided[PolicyLast]); merged.Settled != settled {
			r.Fatalf("%d settled, want %d", merged.Settled, settled)
		}
	})
}

// checkCollisions holds collisions against the paths that there should be, and
// each against what the producers have there.
func checkCollisions(r *rapid.T, trees []*Tree, got []Collision, want []string) {
	var paths []string
	for _, c := range got {
		paths = append(paths, c.Path)
		var said []string
		for _, claim := range c.Claims {
			for _, name := range claim.Producers {
				said = append(said, name+" "+fmt.Sprint(claim.Entry))
			}
		}
		var has []string
		for i, tree := range trees {
			if e, ok := flat(r, tree)[c.Path]; ok {
				has = append(has, fmt.Sprint(i)+" "+fmt.Sprint(e))
			}
		}
		slices.Sort(said)
		slices.Sort(has)
		if !slices.Equal(said, has) {
			r.Fatalf("%s: said %q, there is %q", c.Path, said, has)
		}
	}
	if !slices.Equal(paths, want) {
		r.Fatalf("collisions at %q, want %q", paths, want)
	}
}

func TestMergeIsCommutativeWithoutPolicies(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		trees := anyTrees(r)
		one, _, failed := mergeAll(trees)
		two, _, failedToo := mergeAll(rapid.Permutation(trees).Draw(r, "order"))
		if one.Root != two.Root || one.Duplicates != two.Duplicates || !slices.Equal(collidedPaths(failed), collidedPaths(failedToo)) {
			r.Fatalf("%+v, %v; in another order %+v, %v", one, failed, two, failedToo)
		}
	})
}

func collidedPaths(err error) []string {
	var refused *CollisionError
	if !errors.As(err, &refused) {
		return nil
	}
	var paths []string
	for _, c := range refused.Collisions {
		paths = append(paths, c.Path)
	}
	return paths
}

// mixes reports whether a policy sets a directory against something else, which
// is where order of merging matters; see Merge.
func mixes(r *rapid.T, trees []*Tree) bool {
	kinds := map[string]bool{}
	for _, tree := range trees {
		for path, e := range flat(r, tree) {
			isDir := e.Kind == KindDirectory
			if before, seen := kinds[path]; seen && before != isDir {
				return true
			}
			kinds[path] = isDir
		}
	}
	return false
}

func TestMergeIsAssociative(t *testing.T) {
	compared := 0
	rapid.Check(t, func(r *rapid.T) {
		trees, policies := anyTrees(r), anyPolicies(r)
		if len(policies) > 0 && mixes(r, trees) {
			policies = nil
		}
		from := rapid.IntRange(0, len(trees)-1).Draw(r, "from")
		to := rapid.IntRange(from+1, len(trees)).Draw(r, "to")
		whole, _, err := mergeAll(trees, policies...)
		some, s, failed := mergeAll(trees[from:to], policies...)
		if failed != nil {
			if err == nil {
				r.Fatalf("some do not merge (%v), all do", failed)
			}
			return
		}
		group := &Tree{Root: some.Root, made: s.Directories}
		again, _, failed := mergeAll(slices.Concat(trees[:from], []*Tree{group}, trees[to:]), policies...)
		if whole.Root != again.Root || (err == nil) != (failed == nil) {
			r.Fatalf("at once %s, %v; in steps %s, %v", whole.Root, err, again.Root, failed)
		}
		compared++
	})
	if compared == 0 {
		t.Error("nothing was compared")
	}
}

// TestWhereMergeIsNotAssociative shows why the comment of Merge leaves one case
// out: no rule by which the first stays could give the same here.
func TestWhereMergeIsNotAssociative(t *testing.T) {
	trees := []*Tree{treeOf(t, "x/a"), treeOf(t, "x"), treeOf(t, "x/b")}
	tolerate := PathPolicy{".", PolicyTolerate}
	later, s, err := mergeAll(trees[1:], tolerate)
	if err != nil {
		t.Fatal(err)
	}
	stepped, _, err := mergeAll([]*Tree{trees[0], {Root: later.Root, made: s.Directories}}, tolerate)
	if err != nil || stepped.Root != trees[0].Root {
		t.Errorf("the last two first: %v, %v", stepped, err)
	}
	whole, all, err := mergeAll(trees, tolerate)
	if err != nil || !slices.Equal(walked(t, all, whole.Root), []string{"x/", "x/a", "x/b"}) {
		t.Errorf("at once: %v, %v", whole, err)
	}
}
