"""What a plan of larder runs under the Python of mypy, in the sandbox.

    part.py graph CACHE -- MYPY-ARGUMENT...
    part.py stubs MODULE... -- MYPY-ARGUMENT...
    part.py check [=]ID=PATH=BASE... /FOLDER... !ID... -- MYPY-ARGUMENT...
    part.py whole -- MYPY-ARGUMENT...
    part.py report SAID... = SOURCES PATH... -- MYPY-ARGUMENT...

graph prints what is to be checked and what imports what, by the standard parser;
CACHE is a folder that remembers the imports of files by their content. stubs
checks what is not below the working directory. check checks modules: those with a
"=" before the name are checked, the others are placeholders, whose cache files are
there; FOLDERs are packages without a file; with "!" are modules that are not
there, which others import. whole checks everything. report makes
one answer of what all of these said, with the files in the order of PATHs.
"""

import ast
import hashlib
import json
import os
import re
import shutil
import sys
import warnings

OWN = ".larder"
EMPTY = OWN + "/empty.py"
IMPORTER = OWN + "/importer.py"
ABSENT = OWN + "/absent"  # modules that are not there, which those outside import
OLDEST = (1, 19)  # mypy before that keeps no cache of modules with errors


def options_of(args, targets):
    """The options and sources that mypy makes of its arguments."""
    from mypy.fscache import FileSystemCache
    from mypy.main import process_options

    fscache = FileSystemCache()
    sources, options = process_options(args + targets, fscache=fscache)
    options.cache_dir = ".mypy_cache"
    options.incremental = True
    options.sqlite_cache = False
    options.skip_cache_mtime_checks = True
    options.cache_fine_grained = False
    options.use_fine_grained_cache = False
    options.fine_grained_incremental = False
    if hasattr(options, "num_workers"):  # since mypy 2
        options.num_workers = 0
    return sources, options, fscache


# ---------------------------------------------------------------- graph


def imports_of(data, path):
    """The imports of a file, [level, module, names] each, or what is wrong with it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(data, path)
            compile(tree, path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError) as error:
            return {"wrong": str(error)}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update((0, alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            found.add((node.level, node.module or "", names))
    return {"imports": sorted(found)}


class Imports:
    """The imports of files, remembered by content. What is in the cache is advice."""

    def __init__(self, folder):
        self.file = os.path.join(folder, "imports-%d.%d.json" % sys.version_info[:2])
        self.kept, self.used = {}, {}
        try:
            with open(self.file, encoding="utf-8") as file:
                self.kept = json.load(file)
        except (OSError, ValueError):
            pass

    def of(self, path):
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError as error:
            return {"wrong": error.strerror}
        name = hashlib.blake2b(data, digest_size=20).hexdigest()
        if name not in self.used:
            self.used[name] = self.kept.get(name) or imports_of(data, path)
        return self.used[name]

    def keep(self):
        if self.used.keys() != self.kept.keys():
            os.makedirs(os.path.dirname(self.file), exist_ok=True)
            with open(self.file, "w", encoding="utf-8") as file:
                json.dump(self.used, file, separators=(",", ":"))


def parents(id):
    while "." in id:
        id = id.rpartition(".")[0]
        yield id


def wanted_by(id, path, record):
    """The names of modules that mypy may look for because of these imports."""
    for level, module, names in record["imports"]:
        base = module
        if level:
            up = level - (1 if os.path.basename(path).startswith("__init__.") else 0)
            parts = id.split(".")
            parts = parts[: len(parts) - up] if up else parts
            base = ".".join(parts + ([module] if module else []))
        if not base:
            continue
        yield base, True
        if not names:
            for parent in parents(base):
                yield parent, True
        for name in names:
            if name != "*":
                yield base + "." + name, False


class Graph:
    """What is checked, and what it imports."""

    def __init__(self, sources, options, fscache, imports):
        from mypy.build import default_data_dir
        from mypy.modulefinder import BuildSourceSet, FindModuleCache, compute_search_paths

        self.options, self.imports = options, imports
        self.paths = compute_search_paths(sources, options, default_data_dir())
        self.finder = FindModuleCache(self.paths, fscache, options, source_set=BuildSourceSet(sources))
        self.modules, self.external, self.found, self.files, self.missed = {}, set(), {}, {}, {}
        self.whole = unusual(sources, options)
        for source in sources:
            if source.module in self.modules or source.path is None:
                self.whole = self.whole or "module %s is there twice, or is no file" % source.module
                continue
            self.add(source.module, source.path, source.base_dir, True)

    def add(self, id, path, base, root):
        self.modules[id] = {"id": id, "path": os.path.relpath(path), "base": base or "", "root": root, "deps": [], "parents": [], "folders": []}
        if os.path.realpath(path) in self.files:
            self.whole = self.whole or "%s is two modules" % path
        self.files[os.path.realpath(path)] = id

    def find(self, id):
        """The module with this name: local, external or none; mypy finds it."""
        if id in self.modules:
            return "local"
        if id not in self.found:
            self.found[id] = self.look(id)
        return self.found[id]

    def look(self, id):
        path = self.finder.find_module(id, fast_path=True)
        if not isinstance(path, str):
            return "none"
        inside = os.path.relpath(path)
        if inside.startswith("..") or any(path.startswith(p + os.sep) for p in self.paths.package_path + self.paths.typeshed_path):
            self.external.add(id)
            return "external"
        if os.path.isdir(path):
            return "folder"
        if not follows(self.options, id, path):
            self.whole = self.whole or "%s is followed silently or not at all, and is not named" % inside
        self.add(id, inside, "", False)
        return "local"

    def walk(self):
        todo = list(self.modules)
        for id in todo:
            module = self.modules[id]
            record = self.imports.of(module["path"])
            if "wrong" in record:
                self.whole = self.whole or "%s: %s" % (module["path"], record["wrong"])
                continue
            known = len(self.modules)
            deps, folders = {}, set()
            for other, imported in wanted_by(id, module["path"], record):
                kind = self.find(other)
                if kind == "none" and imported and "." in other:
                    self.missed.setdefault(other, set()).add(id)
                if kind == "local" and other != id:
                    deps[other] = True
                elif kind == "folder":
                    folders.add(other.replace(".", "/"))
                if kind in ("local", "folder"):
                    for parent in parents(other):
                        self.find(parent)
            above = [p for p in parents(id) if self.find(p) == "local"]
            module["deps"], module["parents"], module["folders"] = sorted(deps), above, sorted(folders)
            todo.extend(list(self.modules)[known:])

    def absent(self, fscache):
        """Notes for each module which names in it may be modules that are not there
        but imported, by it or others: once one module imports a.b, and there is an a
        and no a.b, mypy takes a.b for a module that is missing in all of them, and
        says nothing about "from a import b"."""
        by = {other: ids for other, ids in self.missed.items() if self.find(other.rpartition(".")[0]) != "none"}
        known = reached(self.modules, by, self.options, fscache) if by else ()
        for module in self.modules.values() if known else ():
            names = words(module["path"])
            module["absent"] = sorted(id for id in known if id.rpartition(".")[2] in names)


def words(path):
    with open(path, "rb") as file:
        return set(re.findall(r"\w+", file.read().decode("utf-8", "replace")))


def reached(modules, by, options, fscache):
    """Those of some imports that mypy makes: not those for other platforms, say."""
    import copy
    from mypy import build
    from mypy.modulefinder import BuildSource

    options = copy.copy(options)
    options.follow_imports, options.semantic_analysis_only = "skip", True
    options.incremental, options.cache_dir = False, os.devnull
    ids = sorted(set().union(*by.values()))
    sources = [BuildSource(modules[id]["path"], id, None, modules[id]["base"] or None) for id in ids]
    result = build.build(sources, options, None, lambda *_: None, fscache, sys.stderr, sys.stderr)
    return sorted(id for id in by if id in result.manager.missing_modules)


def follows(options, id, path):
    return options.clone_for_module(id).follow_imports == "normal" or path.endswith(".pyi")


def unusual(sources, options):
    """Why these options are not for parts, or nothing."""
    import mypy.version

    version = tuple(int(p) for p in mypy.version.__version__.split("+")[0].split(".")[:2])
    if version < OLDEST:
        return "mypy %s keeps no cache of modules with errors; %d.%d does" % ((mypy.version.__version__,) + OLDEST)
    for name in ("plugins", "shadow_file", "bazel", "package_root", "custom_typeshed_dir"):
        if getattr(options, name, None):
            return "the option %s is set" % name
    if any(source.text is not None for source in sources):
        return "a program text is no file"
    return ""


def graph(args, rest):
    (cache,) = args
    sources, options, fscache = options_of(rest, [])
    for name in ("report_dirs", "junit_xml", "install_types"):
        if getattr(options, name, None):
            sys.exit("larder plan mypy: the option %s is not for a plan; leave it out" % name)
    for source in sources:
        if source.path is not None and not os.path.lexists(source.path):
            sys.exit("larder plan mypy: there is no %s; check the spelling, and name with -i what is not *.py or *.pyi" % source.path)
    imports = Imports(cache)
    found = Graph(sources, options, fscache, imports)
    found.walk()
    if not found.whole:
        found.absent(fscache)
    imports.keep()
    answer = {
        "python": "%d.%d" % options.python_version,
        "config": config_of(options),
        "whole": found.whole,
        "modules": list(found.modules.values()),
        "external": sorted(found.external),
    }
    json.dump(answer, sys.stdout, indent=0)


def config_of(options):
    path = options.config_file
    if not path or os.path.relpath(path).startswith(".."):
        return ""
    return os.path.relpath(path)


# ---------------------------------------------------------------- parts


def run(sources, options, fscache):
    """What mypy says, as a record."""
    from mypy import build
    from mypy.errors import CompileError

    files, serious, blocked = [], [], False

    def flush(name, messages, is_serious):
        (serious if is_serious else files).append([name or "", messages])

    once, absent = [], []
    try:
        result = build.build(sources, options, None, flush, fscache, sys.stdout, sys.stderr)
        once, absent = sorted(result.manager.errors.only_once_messages), sorted(result.manager.missing_modules)
    except CompileError:
        blocked = True
    return {
        "files": [entry for entry in files if entry[1]],
        "serious": [entry for entry in serious if entry[1]],
        "blocked": blocked,
        "once": once,
        "absent": absent,
        "unused": sorted(unused_of(options)),
    }


def unused_of(options):
    """The sections of the configuration that no module has asked for."""
    return getattr(options, "_unused_configs", None) or getattr(options, "unused_configs", None) or ()


def stubs(ids, rest):
    """Checks modules that are not local; seeds are the cache files."""
    from mypy.modulefinder import BuildSource

    _, options, fscache = options_of(rest, ["--", EMPTY])
    options.warn_unused_configs = False
    text = "".join("import %s\n" % id for id in ids)
    said = run([BuildSource(None, None, text)], options, fscache)
    if said["blocked"]:
        complain(said)
        sys.exit(2)
    write_said(said)
    os.makedirs("seed/" + OWN, exist_ok=True)
    with open("seed/" + ABSENT, "w", encoding="utf-8") as file:
        file.writelines(id + "\n" for id in said["absent"] if "." in id)
    for path in cached(options):
        normal(path, None)
        give(path, "seed")


def complain(said):
    for _, messages in said["serious"] + said["files"]:
        print("\n".join(messages), file=sys.stderr)


def cached(options):
    """The cache files that are there, sorted."""
    top = "%s/%d.%d" % ((options.cache_dir,) + options.python_version)
    for folder, folders, files in os.walk(top):
        folders.sort()
        for name in sorted(files):
            if name.endswith((".data.ff", ".meta.ff", ".meta_ex.ff", ".data.json", ".meta.json", ".meta_ex.json")):
                yield os.path.join(folder, name)


def give(path, to):
    target = os.path.join(to, path)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copyfile(path, target)


def normal(path, empty):
    """Takes from a cache file what others do not need to know: when it was made,
    and with empty (a state) also the source behind it, and where in it things are."""
    if path.endswith(".meta.json"):
        with open(path, encoding="utf-8") as file:
            meta = json.load(file)
        stripped(meta, empty)
        text = json.dumps(meta, separators=(",", ":"), sort_keys=True).encode()
    elif path.endswith(".meta.ff"):
        text = normal_binary(path, empty)
    elif ".meta_ex." in path and empty:
        text = without_errors(path)
    else:
        return
    with open(path, "wb") as file:
        file.write(text)


class Members:
    """The attributes of an object, as a mapping."""

    def __init__(self, object):
        self.object = object

    def __getitem__(self, name):
        return getattr(self.object, name)

    def __setitem__(self, name, value):
        setattr(self.object, name, value)

    def __contains__(self, name):
        return hasattr(self.object, name)


def stripped(meta, empty):
    from mypy.util import hash_digest

    meta["data_mtime"] = 0
    if not empty:
        return
    meta["mtime"], meta["size"], meta["hash"] = int(empty.st_mtime), 0, hash_digest(b"")
    meta["dep_lines"] = [1] * len(meta["dep_lines"])
    if "imports_ignored" in meta:
        meta["imports_ignored"] = {}
    if "error_lines" in meta:
        meta["error_lines"] = []


def normal_binary(path, empty):
    from librt.internal import ReadBuffer, WriteBuffer
    from mypy.cache import CacheMeta

    with open(path, "rb") as file:
        data = file.read()
    meta = CacheMeta.read(ReadBuffer(data[2:]), "")
    stripped(Members(meta), empty)
    out = WriteBuffer()
    meta.write(out)
    return data[:2] + out.getvalue()


def without_errors(path):
    if path.endswith(".json"):
        with open(path, encoding="utf-8") as file:
            meta = json.load(file)
        meta["error_lines"] = []
        return json.dumps(meta, separators=(",", ":"), sort_keys=True).encode()
    from librt.internal import ReadBuffer, WriteBuffer
    from mypy.cache import CacheMetaEx

    with open(path, "rb") as file:
        meta = CacheMetaEx.read(ReadBuffer(file.read()))
    meta.error_lines = []
    out = WriteBuffer()
    meta.write(out)
    return out.getvalue()


def check(modules, rest):
    from mypy.modulefinder import BuildSource

    empty = os.stat(EMPTY)
    sources, mine, absent = [], [], []
    for text in modules:
        if text.startswith("/"):
            os.makedirs(text[1:], exist_ok=True)
            continue
        if text.startswith("!"):
            absent.append(text[1:])
            continue
        is_mine = text.startswith("=")
        id, path, base = text.lstrip("=").split("=")
        root = not base.startswith("?")
        sources.append(BuildSource(path, id, None, base.lstrip("?") or None, not root))
        if is_mine:
            mine.append((id, path))
        elif not os.path.exists(path):
            place(path)
    _, options, fscache = options_of(rest, ["--", EMPTY])
    options.warn_unused_configs = False  # the report knows
    sources += importer(absent, [path for _, path in mine])
    said = run(sources, options, fscache)
    said["files"] = [entry for entry in said["files"] if entry[0] != IMPORTER]
    os.makedirs(OWN, exist_ok=True)
    for id, path in mine:
        place(os.path.join("seed", path))
        for file in files_of(id, path, options):
            if os.path.exists(file):
                normal(file, None)
                give(file, "cache")
                normal(file, empty)
                give(file, "seed")
    write_said(said)


def importer(absent, paths):
    """A module that imports what is not there, as others do that are not seen here."""
    from mypy.modulefinder import BuildSource

    names = set().union(*map(words, paths))
    with open(ABSENT, encoding="utf-8") as file:
        absent = set(absent).union(id for id in file.read().split() if id.rpartition(".")[2] in names)
    if not absent:
        return []
    with open(IMPORTER, "w", encoding="utf-8") as file:
        file.write("# mypy: ignore-errors\n" + "".join("import %s\n" % id for id in sorted(absent)))
    return [BuildSource(IMPORTER, "larder-importer")]


def write_said(said):
    os.makedirs("seed", exist_ok=True)
    os.makedirs("cache", exist_ok=True)
    with open("said.json", "w", encoding="utf-8") as file:
        json.dump(said, file)


def whole(_, rest):
    write_said(run(*options_of(rest, [])))


def place(path):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    open(path, "x").close()


def files_of(id, path, options):
    prefix = "%s/%d.%d/%s" % ((options.cache_dir,) + options.python_version + (id.replace(".", "/"),))
    if os.path.basename(path).startswith("__init__.py"):
        prefix += "/__init__"
    form = "ff" if getattr(options, "fixed_format_cache", False) else "json"
    return [prefix + "." + part + "." + form for part in ("data", "meta", "meta_ex")]


# ---------------------------------------------------------------- report


def report(args, rest):
    """Writes what mypy would have printed, and its exit code."""
    from mypy import util
    from collections import Counter

    _, options, _ = options_of(rest, ["--", EMPTY])
    place = args.index("=")
    sources, order = int(args[place + 1]), {path: i for i, path in enumerate(args[place + 2 :])}
    records = []
    for path in args[:place]:
        with open(path, encoding="utf-8") as file:
            records.append(json.load(file))
    blocked = any(record["blocked"] for record in records)
    if blocked:  # what needs that module was checked without it
        records = [record for record in records if record["blocked"]]
    once = {text for record in records for text in record["once"]}
    messages = merged(records, order, once) + unused_sections(records, options)
    serious = [line for record in records for _, lines in record["serious"] for line in lines]
    errs = list(serious)
    formatter = util.FancyFormatter(sys.stdout, sys.stderr, options.hide_error_codes, hide_success=bool(getattr(options, "output", None)))
    out = formatter.fit_in_terminal(messages) if options.pretty else messages
    errors, notes, files = util.count_stats(out + errs)
    code = 0
    if (out or errs) and notes < len(out) + len(errs):
        code = 2 if blocked else 1
    out = list(out)
    if options.error_summary:
        if errors:
            out.append(formatter.format_error(errors, files, sources, blockers=blocked, use_color=False))
        elif not out and not errs or notes == len(out) + len(errs):
            out.append(formatter.format_success(sources, False))
    os.makedirs("report", exist_ok=True)
    for name, lines in (("stdout", out), ("stderr", errs)):
        with open("report/" + name, "w", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines)
    with open("report/code", "w", encoding="utf-8") as file:
        file.write("%d\n" % code)


def unused_sections(records, options):
    """The note on sections of the configuration that none of the parts has used."""
    from mypy import build

    unused = set.intersection(*(set(record["unused"]) for record in records))
    if not unused or not options.warn_unused_configs or not hasattr(build, "warn_unused_configs"):
        return []
    if len(records) < 2 or any(record["blocked"] for record in records):
        return []  # one run for everything has said so itself, if it came to that
    names = build.get_config_module_names(options.config_file, [g for g in options.per_module_options if g in unused])
    return ["%s: note: unused section(s): %s" % (options.config_file, names)]


def merged(records, order, once):
    """All messages by file; one that mypy says once is said of the first file."""
    files = [entry for record in records for entry in record["files"]]
    files.sort(key=lambda entry: order.get(entry[0], -1))
    seen, messages = set(), []
    for _, lines in files:
        for line in lines:
            text = next((t for t in once if t in line), None)
            if text is not None and text in seen:
                continue
            seen.add(text)
            messages.append(line)
    return messages


def main():
    verb, args, rest = sys.argv[1], sys.argv[2:], []
    if "--" in args:
        place = args.index("--")
        args, rest = args[:place], args[place + 1 :]
    sys.setrecursionlimit(2**14)
    {"graph": graph, "stubs": stubs, "check": check, "whole": whole, "report": report}[verb](args, rest)


main()
